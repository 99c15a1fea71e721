/* SPDX-License-Identifier: MIT */
/* Waiting for tasks: results, several waiters, the first of many, and handles that are no more. */

#include "support/core.h"

#include <corail/debug.h>

static int give(int *value)
{
	return *value;
}

static int say_later(int *number)
{
	CHECK_EQ(cr_yield(), 0);
	note("other%d", *number);
	return 0;
}

TEST(a_finished_task_answers_without_suspending)
{
	int value = 42, number = 1, result = 0;
	cr_task task;

	CORAIL_SCOPE(scope);
	task = cr_spawn(&scope, give, &value);
	CHECK_EQ(cr_task_result(task, &result), -EINPROGRESS);
	CHECK_EQ(result, 0);
	CHECK_EQ(cr_yield(), 0);
	cr_spawn(&scope, say_later, &number);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(cr_await(task), 42);
	CHECK_EQ(cr_task_result(task, &result), 0);
	CHECK_EQ(result, 42);
	CHECK_STR(core_log, "");
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_await(task), 42);
	CHECK_STR(core_log, "other1");
	return 0;
}

struct waiter {
	cr_task target;
	int number;
};

static int wait_for(struct waiter *w)
{
	int r = cr_await(w->target);

	note("%d:%d", w->number, r);
	return 0;
}

TEST(several_waiters_all_get_the_result_in_order)
{
	struct waiter waiters[4];
	struct nap target = {cr_millis(5), 7, 0};

	CORAIL_SCOPE(scope);
	waiters[0].target = cr_spawn(&scope, nap, &target);
	for (int i = 0; i < 4; i++) {
		waiters[i] = (struct waiter){waiters[0].target, i};
		cr_spawn(&scope, wait_for, &waiters[i]);
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "0:7 1:7 2:7 3:7");
	return 0;
}

TEST(a_cancelled_waiter_leaves_the_task_and_the_others_alone)
{
	struct gate target = {.result = 7, .seen = 9};
	struct waiter waiters[3];
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, pass, &target);
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct waiter){task, i};
		tasks[i] = cr_spawn(&scope, wait_for, &waiters[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_await(tasks[1]), 0);
	cr_event_set(&target.open);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "1:-125 0:7 2:7");
	CHECK_EQ(target.seen, 0);
	return 0;
}

TEST(an_error_that_is_awaited_does_not_fail_the_scope)
{
	struct nap target = {cr_millis(1), -EPROTO, 0}, sibling = {cr_millis(20), 3, 0};

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, nap, &target), other = cr_spawn(&scope, nap, &sibling);
	CHECK_EQ(cr_await(task), -EPROTO);
	CHECK_EQ(cr_await(other), 3);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_await(task), -EPROTO);
	return 0;
}

TEST(an_error_that_nobody_awaits_fails_the_scope)
{
	struct nap target = {cr_millis(1), -EPROTO, 0}, sibling = {cr_seconds(900), 3, 0};
	cr_nsec start = cr_now();

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &target);
	cr_task other = cr_spawn(&scope, nap, &sibling);
	CHECK_EQ(cr_await(other), -ECANCELED);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	CHECK_ELAPSED(start, cr_millis(1));
	return 0;
}

static int await_oneself(int *unused)
{
	size_t index = 9;
	cr_task self = cr_task_self();

	(void)unused;
	CHECK_EQ(cr_await(self), -EDEADLK);
	CHECK_EQ(cr_task_wait_first(&self, 1, &index), -EDEADLK);
	CHECK_EQ(index, 9);
	return 0;
}

TEST(nobody_waits_for_himself)
{
	int unused = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, await_oneself, &unused);
	return cr_scope_wait(&scope);
}

static cr_task kept;

TEST(a_handle_is_stale_once_its_scope_was_left)
{
	int value = 5, result = 77;
	size_t index = 9;

	{
		CORAIL_SCOPE(scope);
		kept = cr_spawn(&scope, give, &value);
		CHECK_STR(cr_task_name(kept), "give");
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(cr_await(kept), 5);
		CHECK(cr_task_name(kept) == NULL);
		CHECK_EQ(cr_task_cancel(kept), -ESRCH);
	}
	CHECK_EQ(cr_await(kept), -ESRCH);
	CHECK_EQ(cr_task_result(kept, &result), -ESRCH);
	CHECK_EQ(result, 77);
	CHECK_EQ(cr_task_cancel(kept), -ESRCH);
	CHECK_EQ(cr_task_wait_first(&kept, 1, &index), -ESRCH);
	CHECK_EQ(index, 9);
	CHECK(cr_task_name(kept) == NULL);
	CHECK_EQ(cr_await((cr_task){0}), -ESRCH);
	CHECK_EQ(cr_await((cr_task){-ENOMEM}), -ENOMEM);
	CHECK_EQ(cr_task_cancel((cr_task){-EAGAIN}), -EAGAIN);
	return 0;
}

/* The next run: the same blocks, other generations or another loop. */
TEST(a_handle_of_an_earlier_run_is_stale)
{
	int value = 6;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++) {
		cr_task task = cr_spawn(&scope, give, &value);

		CHECK_NE(task.id, kept.id);
		CHECK_EQ(cr_await(kept), -ESRCH);
		CHECK_EQ(cr_await(task), 6);
	}
	return 0;
}

TEST(the_first_of_several_and_the_others_go_on)
{
	struct gate first = {.result = 1}, third = {.result = 3};
	struct nap second = {cr_millis(10), 2, 0};
	cr_nsec start = cr_now();
	cr_task tasks[3];
	size_t index = 9;

	CORAIL_SCOPE(scope);
	tasks[0] = cr_spawn(&scope, pass, &first);
	tasks[1] = cr_spawn(&scope, nap, &second);
	tasks[2] = cr_spawn(&scope, pass, &third);
	CHECK_EQ(cr_task_wait_first(tasks, 3, &index), 2);
	CHECK_EQ(index, 1);
	CHECK_ELAPSED(start, cr_millis(10));
	CHECK_EQ(cr_scope_count(&scope), 2);
	/* Ended already: the first such in the array, without suspending. */
	CHECK_EQ(cr_task_wait_first(tasks, 3, &index), 2);
	CHECK_EQ(index, 1);
	cr_event_set(&first.open);
	cr_event_set(&third.open);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_task_wait_first(tasks, 3, &index), 1);
	CHECK_EQ(index, 0);
	CHECK_EQ(cr_task_wait_first(tasks, 0, &index), -EINVAL);
	return 0;
}

TEST(two_that_end_in_the_same_turn_are_both_readable)
{
	int values[] = {10, 20};
	cr_task tasks[2];
	size_t index = 9;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 2; i++)
		tasks[i] = cr_spawn(&scope, give, &values[i]);
	CHECK_EQ(cr_task_wait_first(tasks, 2, &index), 10);
	CHECK_EQ(index, 0);
	CHECK_EQ(cr_await(tasks[1]), 20);
	return 0;
}

/* The same task twice, more tasks than fit the frame, and a waiter that gives up. */
TEST(many_and_duplicates_and_giving_up)
{
	struct gate gates[100];
	cr_task tasks[101];
	size_t index = 999;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 100; i++) {
		gates[i] = (struct gate){.result = i, .next = i > 0 ? &gates[i - 1] : NULL};
		tasks[i] = cr_spawn(&scope, pass, &gates[i]);
	}
	tasks[100] = tasks[99];
	CHECK_EQ(cr_timeout(cr_millis(1), cr_task_wait_first(tasks, 101, &index)), -ETIMEDOUT);
	CHECK_EQ(index, 999);
	cr_event_set(&gates[99].open);
	CHECK_EQ(cr_task_wait_first(tasks, 101, &index), 99);
	CHECK(index == 99 || index == 100);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

static int fail_soon(int *error)
{
	CHECK_EQ(cr_yield(), 0);
	return *error;
}

TEST(the_first_one_s_error_counts_as_awaited)
{
	struct gate sibling = {.result = 1};
	int error = -EPROTO;
	cr_task tasks[2];
	size_t index = 9;

	CORAIL_SCOPE(scope);
	tasks[0] = cr_spawn(&scope, pass, &sibling);
	tasks[1] = cr_spawn(&scope, fail_soon, &error);
	CHECK_EQ(cr_task_wait_first(tasks, 2, &index), -EPROTO);
	CHECK_EQ(index, 1);
	cr_event_set(&sibling.open);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(a_finished_task_answers_without_suspending);
	RUN_TASK(several_waiters_all_get_the_result_in_order);
	RUN_TASK(a_cancelled_waiter_leaves_the_task_and_the_others_alone);
	RUN_TASK(an_error_that_is_awaited_does_not_fail_the_scope);
	RUN_TASK(an_error_that_nobody_awaits_fails_the_scope);
	RUN_TASK(nobody_waits_for_himself);
	RUN_TASK(a_handle_is_stale_once_its_scope_was_left);
	RUN_TASK(a_handle_of_an_earlier_run_is_stale);
	RUN_TASK(the_first_of_several_and_the_others_go_on);
	RUN_TASK(two_that_end_in_the_same_turn_are_both_readable);
	RUN_TASK(many_and_duplicates_and_giving_up);
	RUN_TASK(the_first_one_s_error_counts_as_awaited);
	return test_done();
}
