/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_MEETING_H
#define CORAIL_TESTS_MEETING_H

/* Where all the loops of a cr_loops() wait for each other: nobody is called who has gone. */

#include <corail/loops.h>

#include "test.h"

#include <stdatomic.h>

struct meeting {
	_Atomic size_t here;
};

/* Ends when all loops have come so far. */
static inline void meet(struct meeting *m)
{
	atomic_fetch_add(&m->here, 1);
	while (atomic_load(&m->here) < cr_loops_count())
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
}

#endif
