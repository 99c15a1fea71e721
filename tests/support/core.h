/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_CORE_H
#define CORAIL_TESTS_SUPPORT_CORE_H

/*
 * Tests whose body is a task: TEST(name) { ...; return 0; }, run by RUN_TASK(name) on a loop of its
 * own, with a check that no descriptor is left over. And what such tests share: a log of what
 * happened in which order, and a check of durations that is exact where time is virtual.
 */

#include "on_sim.h"
#include "test.h"

#include "ctx/sanitize.h"

#include <corail/loop.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <stdarg.h>
#include <stdbool.h>

#define TEST(name) static int name(__attribute__((unused)) void *core_unused)

#define RUN_TASK(fn) core_run_task(#fn, fn, NULL)
#define RUN_TASK_WITH(options, fn) core_run_task(#fn, fn, (options))

static char core_log[8192];
static size_t core_log_size;

__attribute__((unused)) static void core_log_clear(void)
{
	core_log_size = 0;
	core_log[0] = '\0';
}

__attribute__((unused)) static void core_run_task(const char *name, int (*fn)(void *unused),
                                                  const cr_options *options)
{
	const char *only = getenv("TEST_ONLY");
	cr_options own = options ? *options : (cr_options){.name = NULL};
	void *nothing = NULL;
	int fds;

	if (only && !strstr(name, only))
		return;
	printf("- %s\n", name);
	fflush(stdout);
	core_log_clear();
	fds = test_open_fds();
	if (!own.name)
		own.name = name;
	CHECK_EQ(cr_run_with(&own, fn, nothing), 0);
	CHECK_EQ(test_open_fds(), fds);
	test_count++;
}

/* Appends a word to the log: CHECK_STR(core_log, "a0 b0 a1"). */
__attribute__((unused, format(printf, 1, 2))) static void note(const char *format, ...)
{
	va_list args;
	int size;

	if (core_log_size)
		core_log[core_log_size++] = ' ';
	va_start(args, format);
	size = vsnprintf(core_log + core_log_size, sizeof core_log - core_log_size - 1, format,
	                 args);
	va_end(args);
	CHECK(size >= 0 && core_log_size + (size_t)size < sizeof core_log - 2);
	core_log_size += (size_t)size;
}

/* How many tasks to make where many are wanted: for ThreadSanitizer each is half a megabyte. */
static inline int core_many(int count)
{
	return CR__TSAN ? count / 20 + 1 : count;
}

/*
 * That `duration` has passed since `start`: exactly so where time is virtual; elsewhere never less,
 * and not so much more that something else must have ended the wait.
 */
#define CHECK_ELAPSED(start, duration) core_check_elapsed(__FILE__, __LINE__, (start), (duration))

__attribute__((unused)) static void core_check_elapsed(const char *file, int line, cr_nsec start,
                                                       cr_nsec duration)
{
	const cr_nsec patience = cr_seconds(20);
	cr_nsec took = cr_now() - start;

	if (on_sim())
		test_compare(file, line, TEST_EQ, "elapsed == expected", took, duration);
	test_compare(file, line, TEST_GE, "elapsed >= expected", took, duration);
	test_compare(file, line, TEST_LT, "elapsed < expected + 20 s", took, duration + patience);
}

/* A task that sleeps for so long and gives the result it was told. */
struct nap {
	cr_nsec duration;
	int result;
	int seen; /* what cr_sleep() returned */
};

__attribute__((unused)) static int nap(struct nap *n)
{
	n->seen = cr_sleep(n->duration);
	return n->seen < 0 ? n->seen : n->result;
}

/*
 * A task that waits until it is told to go on, and gives the result it was told: what a nap is for
 * where another task must not end before or after it, however long the machine stalls. The clock
 * is read when a task begins to sleep, so that two naps that differ by milliseconds may end in any
 * order.
 */
struct gate {
	cr_event open;
	int result;
	int seen;          /* what cr_event_wait() returned */
	struct gate *next; /* opened when this one ends; NULL: none */
};

__attribute__((unused)) static int pass(struct gate *g)
{
	g->seen = cr_event_wait(&g->open);
	if (g->next)
		cr_event_set(&g->next->open);
	return g->seen < 0 ? g->seen : g->result;
}

#endif
