/* SPDX-License-Identifier: MIT */
/*
 * Cancellation is a state, not an event: it holds until the scope is left, whoever asks and how
 * often.
 */

#include "support/core.h"

#include <corail/debug.h>
#include <corail/sync.h>

static int sleep_an_hour(int *seen)
{
	return *seen = cr_sleep(cr_seconds(3600));
}

TEST(a_sleeper_ends_at_once_and_its_timer_is_gone)
{
	cr_nsec start = cr_now();
	cr_loop_stats stats;
	int seen = 0;

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, sleep_an_hour, &seen);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.timers_pending, 1);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.timers_pending, 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(seen, -ECANCELED);
	CHECK_ELAPSED(start, 0);
	CHECK_EQ(cr_task_cancel(task), -ESRCH);
	return cr_scope_wait(&scope);
}

struct owned {
	char *memory;
	int first;
};

static int owns_memory(struct owned *owned)
{
	owned->first = cr_yield();
	free(owned->memory);
	owned->memory = NULL;
	return owned->first;
}

/* It owns what it was given, and must be able to release it. */
TEST(cancelled_before_its_first_run_a_task_still_starts)
{
	struct owned by_task = {malloc(10), 7}, by_scope = {malloc(10), 7};
	cr_task task;

	{
		CORAIL_SCOPE(scope);
		task = cr_spawn(&scope, owns_memory, &by_task);
		CHECK_EQ(cr_task_cancel(task), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK(by_task.memory == NULL);
		CHECK_EQ(by_task.first, -ECANCELED);
		cr_spawn(&scope, owns_memory, &by_scope);
	}
	CHECK(by_scope.memory == NULL);
	CHECK_EQ(by_scope.first, -ECANCELED);
	return 0;
}

static int give(int *value)
{
	return *value;
}

TEST(every_suspending_call_fails_again_and_again)
{
	int value = 5;
	cr_event event = {.cr__set = 1};
	size_t index;
	cr_task task, next;

	CORAIL_SCOPE(outer);
	task = cr_spawn(&outer, give, &value);
	CHECK_EQ(cr_yield(), 0);
	{
		CORAIL_SCOPE(scope);
		CHECK_EQ(cr_cancelled(), 0);
		cr_scope_cancel(&scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_cancelled(), 1);
		CHECK_EQ(cr_scope_cancelled(&scope), 1);
		for (int i = 0; i < 3; i++) {
			int values[2] = {1, 2}, statuses[2] = {9, 9};

			CHECK_EQ(cr_yield(), -ECANCELED);
			CHECK_EQ(cr_sleep(0), -ECANCELED);
			CHECK_EQ(cr_sleep(1), -ECANCELED);
			CHECK_EQ(cr_sleep_until(0), -ECANCELED);
			CHECK_EQ(cr_await(task), -ECANCELED);
			CHECK_EQ(cr_task_wait_first(&task, 1, &index), -ECANCELED);
			CHECK_EQ(cr_scope_next(&scope, &next), -ECANCELED);
			CHECK_EQ(cr_event_wait(&event), -ECANCELED);
			CHECK_EQ(cr_gather(give, values, 2), -ECANCELED);
			CHECK_EQ(cr_gather(give, values, 0), -ECANCELED);
			CHECK_EQ(cr_gather_limit(give, values, 2, 1), -ECANCELED);
			CHECK_EQ(cr_gather_collect(give, values, 2, statuses), -ECANCELED);
			CHECK_EQ(cr_gather_first(give, values, 2, &index), -ECANCELED);
			CHECK_EQ(cr_scope_start(&scope, give, &values[0], NULL), -ECANCELED);
			CHECK_EQ(cr_timeout(cr_seconds(1), cr_yield()), -ECANCELED);
		}
	}
	CHECK_EQ(cr_cancelled(), 0);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_await(task), 5);
	return 0;
}

TEST(what_does_not_suspend_still_works)
{
	struct nap napped = {cr_seconds(5), 3, 77};
	int result = 0;
	cr_task task;

	CORAIL_SCOPE(scope);
	cr_scope_cancel(&scope);
	task = cr_spawn(&scope, nap, &napped);
	CHECK_EQ(cr_task_error(task), 0);
	CHECK_EQ(cr_task_result(task, &result), -EINPROGRESS);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_task_result(task, &result), 0);
	CHECK_EQ(result, -ECANCELED);
	CHECK_EQ(napped.seen, -ECANCELED);
	return 0;
}

struct three {
	cr_scope *second;
	int inner, middle, outer, after;
};

/* Scopes 1 > 2 > 3, where 2 and 3 are cancelled: 2 absorbs it, 1 goes on. */
TEST(the_outermost_cancelled_scope_absorbs_it)
{
	struct three r;

	CORAIL_SCOPE(one);
	{
		CORAIL_SCOPE(two);
		{
			CORAIL_SCOPE(three);
			cr_scope_cancel(&two);
			cr_scope_cancel(&three);
			r.inner = cr_yield();
			CHECK_EQ(cr_scope_wait(&three), -ECANCELED);
		}
		r.middle = cr_yield();
		CHECK_EQ(cr_scope_wait(&two), 0);
	}
	r.outer = cr_yield();
	CHECK_EQ(cr_scope_wait(&one), 0);
	CHECK_EQ(r.inner, -ECANCELED);
	CHECK_EQ(r.middle, -ECANCELED);
	CHECK_EQ(r.outer, 0);
	return 0;
}

TEST(an_inner_cancel_does_not_reach_out)
{
	CORAIL_SCOPE(one);
	{
		CORAIL_SCOPE(two);
		cr_scope_cancel(&two);
		{
			CORAIL_SCOPE(three);
			CHECK_EQ(cr_scope_cancelled(&three), 1);
			CHECK_EQ(cr_yield(), -ECANCELED);
		}
	}
	CHECK_EQ(cr_scope_cancelled(&one), 0);
	return cr_yield();
}

struct deep {
	int depth, ended;
	cr_scope *top;
};

static int go_deeper(struct deep *deep)
{
	int r;

	CORAIL_SCOPE(scope);
	if (--deep->depth > 0) {
		cr_spawn(&scope, go_deeper, deep);
		r = cr_scope_wait(&scope);
	} else {
		r = cr_sleep(cr_seconds(3600));
	}
	deep->ended++;
	return r;
}

TEST(many_levels_are_cancelled_at_once)
{
	const int levels = core_many(500);
	struct deep deep = {levels, 0, NULL};
	cr_nsec start;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, go_deeper, &deep);
	while (deep.depth > 0)
		CHECK_EQ(cr_yield(), 0);
	start = cr_now();
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(deep.ended, levels);
	CHECK_LT(cr_now() - start, cr_seconds(60));
	return 0;
}

static int compute(int *done)
{
	volatile unsigned sum = 0;

	for (unsigned i = 0; i < 100000; i++)
		sum += i;
	*done = sum != 0;
	CHECK_EQ(cr_cancelled(), 1);
	return cr_yield();
}

TEST(code_that_computes_finishes_its_computation)
{
	int done = 0;

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, compute, &done);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(done, 1);
	CHECK_EQ(cr_await(task), -ECANCELED);
	return 0;
}

static int ignores_it(int *calls)
{
	/* The classic mistake: an error that nobody looks at. */
	while (*calls < 1000000) {
		if (cr_sleep(cr_millis(1)) < 0)
			++*calls;
		if (*calls < 0)
			return 0;
	}
	return -EIO;
}

static int stop_it(int *calls)
{
	CHECK_EQ(cr_shield(cr_seconds(60), cr_sleep(cr_micros(1))), 0);
	*calls = INT32_MIN;
	return 0;
}

/* A task that ignores its cancellation harms itself, not the others. */
TEST(a_task_that_ignores_it_starves_nobody)
{
	int calls = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, ignores_it, &calls);
	cr_spawn(&scope, stop_it, &calls);
	CHECK_EQ(cr_yield(), 0);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(a_sleeper_ends_at_once_and_its_timer_is_gone);
	RUN_TASK(cancelled_before_its_first_run_a_task_still_starts);
	RUN_TASK(every_suspending_call_fails_again_and_again);
	RUN_TASK(what_does_not_suspend_still_works);
	RUN_TASK(the_outermost_cancelled_scope_absorbs_it);
	RUN_TASK(an_inner_cancel_does_not_reach_out);
	RUN_TASK(many_levels_are_cancelled_at_once);
	RUN_TASK(code_that_computes_finishes_its_computation);
	RUN_TASK(a_task_that_ignores_it_starves_nobody);
	return test_done();
}
