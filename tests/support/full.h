/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_FULL_H
#define CORAIL_TESTS_SUPPORT_FULL_H

/*
 * A loop on which no further task can be started, for as long as the test likes: what a library's
 * own tasks must not need in order that the program lives.
 */

#include "task/sched.h"

static inline void full_begin(void)
{
	cr__sched_self()->block_limit = 0;
}

static inline void full_end(void)
{
	cr__sched_self()->block_limit = (1U << CR__INDEX_BITS) - 1;
}

#endif
