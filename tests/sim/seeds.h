/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_SEEDS_H
#define CORAIL_TESTS_SIM_SEEDS_H

/*
 * Tests of many runs in the simulator, each from a seed. One that fails or hangs prints its seed;
 * TEST_SEED=n runs that one alone, TEST_SEEDS=n so many from the first on.
 */

#include "support/test.h"

#include "task/sched.h"

#include <corail/debug.h>
#include <corail/sim.h>
#include <corail/task.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SEEDS_PATIENCE = 60 }; /* seconds, for one run */

/* Shared with the parent process, who tells which one it was. */
static uint64_t *seeds_running;

struct seeds {
	uint64_t first, last;
};

/* What is asked for, or else that many. */
static inline struct seeds seeds_wanted(uint64_t count)
{
	const char *only = getenv("TEST_SEED"), *many = getenv("TEST_SEEDS");
	uint64_t one = only ? strtoull(only, NULL, 10) : 1;

	return (struct seeds){one, only ? one : many ? strtoull(many, NULL, 10) : count};
}

/* Before a run, whose options are returned, and after it. */
static inline cr_options seeds_begin(uint64_t seed)
{
	*seeds_running = seed;
	alarm(SEEDS_PATIENCE);
	return (cr_options){.backend = CORAIL_BACKEND_SIM, .seed = seed};
}

static inline void seeds_end(void)
{
	alarm(0);
}

/* At the end of a run's main task: it is all there is. */
static inline void seeds_check_rest(void)
{
	CHECK_EQ(cr_sim_fd_count(), 0);
	CHECK_EQ(cr__sched_self()->alive, 1);
	CHECK_EQ(cr__sched_self()->loop.timers.count, 0);
}

static inline void seeds_hung(int number)
{
	(void)number;
	cr_debug_dump(STDERR_FILENO);
	_exit(TEST_FAIL);
}

/* The program's main: the tests, in a child process. Returns its exit status. */
static inline int seeds_main(int (*tests)(void))
{
	pid_t child;
	int status;

	seeds_running = mmap(NULL, sizeof *seeds_running, PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(seeds_running != MAP_FAILED);
	signal(SIGALRM, seeds_hung);
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0)
		return tests();
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "TEST_SEED=%ju\n", (uintmax_t)*seeds_running);
	return TEST_FAIL;
}

#endif
