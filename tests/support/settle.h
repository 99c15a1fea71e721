/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_SETTLE_H
#define CORAIL_TESTS_SUPPORT_SETTLE_H

#include "test.h"

#include <corail/task.h>

/*
 * Lets whoever is runnable get to where they wait, whatever order the simulator chooses: more turns
 * than it takes them where a test uses this.
 */
static inline void settle(void)
{
	for (int i = 0; i < 8; i++)
		CHECK_EQ(cr_yield(), 0);
}

#endif
