/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_WORKER_PROCESSES_H
#define CORAIL_TESTS_WORKER_PROCESSES_H

/* A pool of worker processes, and a small job for it. */

#include <corail/processes.h>

#include "test.h"

struct add {
	int a, b, sum;
};

static inline int add(struct add *a)
{
	a->sum = a->a + a->b;
	return a->a;
}

static inline cr_processes *open_pool(size_t count)
{
	cr_processes_options options = {.process_count_max = count, .name = "test"};
	cr_processes *pool;

	CHECK_EQ(cr_processes_open(&options, &pool), 0);
	return pool;
}

#endif
