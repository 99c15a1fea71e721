/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=notsan */
/* Many tasks: a hundred thousand at once, generations of short ones, limits, no memory. */

#include "support/core.h"

#include "base/alloc.h"

#include <corail/debug.h>

static int yield_and_count(int *count)
{
	int r = cr_yield();

	++*count;
	return r;
}

TEST(a_hundred_thousand_at_once)
{
	enum { MANY = CR__SANITIZED ? 20000 : 100000 };
	cr_loop_stats stats;
	int count = 0;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(cr_task_error(cr_spawn(&scope, yield_and_count, &count)), 0);
	CHECK_EQ(cr_scope_count(&scope), MANY);
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.tasks_alive, MANY + 1);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(count, MANY);
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.tasks_alive, 1);
	CHECK_EQ(stats.tasks_spawned, MANY + 1);
	return 0;
}

static int sleep_long(cr_nsec *duration)
{
	return cr_sleep(*duration);
}

TEST(many_sleepers_are_cancelled_at_once)
{
	cr_nsec hour = cr_seconds(3600), start = cr_now();
	cr_loop_stats stats;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 20000; i++)
		cr_spawn(&scope, sleep_long, &hour);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.timers_pending, 20000);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_ELAPSED(start, cr_millis(1));
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.timers_pending, 0);
	return 0;
}

static int nothing(int *unused)
{
	(void)unused;
	return 0;
}

/* Results that nobody reads, in a scope that lives: the last are kept, memory is bounded. */
TEST(a_living_scope_keeps_the_last_results)
{
	enum { MANY = 200000, KEPT = 65536 };
	static cr_task tasks[MANY];
	int unused = 0, result;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < MANY; i++) {
		tasks[i] = cr_spawn(&scope, nothing, &unused);
		CHECK_EQ(cr_task_error(tasks[i]), 0);
		CHECK_EQ(cr_yield(), 0);
	}
	CHECK_EQ(cr_task_result(tasks[0], &result), -ESRCH);
	CHECK_EQ(cr_task_result(tasks[MANY - KEPT - 1], &result), -ESRCH);
	CHECK_EQ(cr_task_result(tasks[MANY - KEPT], &result), 0);
	CHECK_EQ(cr_task_result(tasks[MANY - 1], &result), 0);
	return 0;
}

/* Of results that were read, sixty-four. */
TEST(results_that_were_read_are_kept_for_a_second_look)
{
	cr_task tasks[2000];
	int unused = 0;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 2000; i++) {
		tasks[i] = cr_spawn(&scope, nothing, &unused);
		CHECK_EQ(cr_await(tasks[i]), 0);
	}
	CHECK_EQ(cr_await(tasks[0]), -ESRCH);
	CHECK_EQ(cr_await(tasks[2000 - 65]), -ESRCH);
	CHECK_EQ(cr_await(tasks[2000 - 64]), 0);
	CHECK_EQ(cr_await(tasks[1999]), 0);
	return 0;
}

/* As many as were once alive together keep their results, however many that is. */
TEST(all_results_of_a_large_group_are_readable)
{
	enum { MANY = 80000 };
	static cr_task tasks[MANY];
	int unused = 0, result = -1;

	/* A sanitizer takes seconds for so many, whatever the backend. */
	if (CR__SANITIZED && !on_sim())
		return 0;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < MANY; i++)
		tasks[i] = cr_spawn(&scope, nothing, &unused);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(cr_task_result(tasks[i], &result), 0);
		CHECK_EQ(result, 0);
	}
	return 0;
}

TEST(no_more_than_the_limit_live_at_once)
{
	cr_nsec duration = cr_millis(5);
	int unused = 0;
	cr_task task;

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	for (int i = 0; i < 9; i++)
		CHECK_EQ(cr_task_error(cr_spawn(&scope, sleep_long, &duration)), 0);
	task = cr_spawn(&scope, nothing, &unused);
	CHECK_EQ(cr_task_error(task), -EAGAIN);
	CHECK_EQ(cr_await(task), -EAGAIN);
	CHECK_EQ(cr_scope_wait(&scope), -EAGAIN);
	/* Those that ended do not count, read or not. */
	for (int i = 0; i < 3000; i++) {
		CHECK_EQ(cr_task_error(cr_spawn(&scope, nothing, &unused)), 0);
		CHECK_EQ(cr_yield(), 0);
	}
	return 0;
}

/* The child never ran, the handle says why, and the scope fails: nothing is silent. */
TEST(no_memory_for_a_stack_is_told)
{
	cr_spawn_options large = {.stack_size_bytes = 64 << 20};
	int given_back = 0, unused = 0;
	cr_failure failure;
	cr_task task;

	CORAIL_SCOPE(scope);
	cr__alloc_fail_at(1);
	task = cr_spawn_with(&large, &scope, nothing, &unused);
	cr__alloc_fail_at(0);
	if (cr_task_error(task) == -ENOMEM)
		given_back = 1;
	CHECK_EQ(given_back, 1);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(cr_scope_wait(&scope), -ENOMEM);
	CHECK_EQ(cr_scope_failures(&scope, &failure, 1), 1);
	CHECK_EQ(failure.error, -ENOMEM);
	CHECK_STR(failure.name, "nothing");
	return 0;
}

TEST(a_run_without_memory_says_so)
{
	return 0;
}

static void every_allocation_of_a_run_may_fail(void)
{
	void *argument = NULL;
	int fds = test_open_fds(), r = -ENOMEM;

	for (uint64_t nth = 1; r != 0; nth++) {
		CHECK_LT(nth, 100);
		cr__alloc_fail_at(nth);
		r = cr_run(a_run_without_memory_says_so, argument);
		cr__alloc_fail_at(0);
		CHECK(r == 0 || r == -ENOMEM);
		CHECK_EQ(test_open_fds(), fds);
	}
}

int main(void)
{
	RUN_TASK(a_hundred_thousand_at_once);
	RUN_TASK(many_sleepers_are_cancelled_at_once);
	RUN_TASK(a_living_scope_keeps_the_last_results);
	RUN_TASK(results_that_were_read_are_kept_for_a_second_look);
	RUN_TASK(all_results_of_a_large_group_are_readable);
	RUN_TASK_WITH(&(cr_options){.task_count_max = 10}, no_more_than_the_limit_live_at_once);
	RUN_TASK(no_memory_for_a_stack_is_told);
	RUN(every_allocation_of_a_run_may_fail);
	return test_done();
}
