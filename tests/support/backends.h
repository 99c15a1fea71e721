/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_BACKENDS_H
#define CORAIL_TESTS_SUPPORT_BACKENDS_H

/*
 * For programs that CTest runs once, beside a server or on a file: each test on every backend that
 * there is here, with a check that no descriptor is left over.
 */

#include <corail/loop.h>

#include "on_sim.h"
#include "test.h"

/* Runs once(arg) on each of `count` backends; TEST_ONLY, a part of a name, selects tests. */
static void backends_run(const char *name, const char *const *backends, size_t count,
                         void (*once)(void *arg), void *arg)
{
	const char *only = getenv("TEST_ONLY");

	if (only && !strstr(name, only))
		return;
	for (size_t i = 0; i < count; i++) {
		char why[256];
		int fds;

		if (cr_loop_probe(backends[i], why, sizeof why) < 0)
			continue;
		printf("- %s (%s)\n", name, backends[i]);
		fflush(stdout);
		setenv("CORAIL_BACKEND", backends[i], 1);
		fds = test_open_fds();
		once(arg);
		CHECK_EQ(test_open_fds(), fds);
	}
	test_count++;
}

#endif
