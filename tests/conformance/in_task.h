/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_IN_TASK_H
#define CORAIL_TESTS_IN_TASK_H

/*
 * Tests that run inside a task: int test(int *unused), on a loop of its own, with a check that no
 * descriptor is left over, real or simulated.
 */

#include <corail/corail.h>
#include <corail/sim.h>

#include "support/loopback.h"
#include "support/on_sim.h"
#include "support/ports.h"
#include "test.h"

struct in_task {
	int (*test)(int *unused);
};

static int in_task_main(struct in_task *in)
{
	int unused = 0, before = cr_sim_fd_count(), r = in->test(&unused);

	CHECK_EQ(cr_sim_fd_count(), before);
	return r;
}

#define RUN_TASK(fn) in_task_run(#fn, fn)

__attribute__((unused)) static void in_task_run(const char *name, int (*test)(int *unused))
{
	const char *only = getenv("TEST_ONLY");
	struct in_task in = {test};
	int fds = test_open_fds();

	if (only && !strstr(name, only))
		return;
	printf("- %s\n", name);
	fflush(stdout);
	CHECK_EQ(cr_run(in_task_main, &in), 0);
	CHECK_EQ(test_open_fds(), fds);
	test_count++;
}

#endif
