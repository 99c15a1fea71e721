/* SPDX-License-Identifier: MIT */
/* Cancellation that meets something else in the same turn: nothing that completed is lost. */

#include "support/core.h"

#include <corail/debug.h>
#include <corail/sync.h>

struct waiter {
	cr_event event;
	int first, second;
};

static int wait_twice(struct waiter *w)
{
	w->first = cr_event_wait(&w->event);
	w->second = cr_yield();
	return w->second;
}

TEST(woken_and_cancelled_in_the_same_turn_it_has_its_result)
{
	struct waiter w = {.first = 9};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, wait_twice, &w);
	CHECK_EQ(cr_yield(), 0);
	cr_event_set(&w.event);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(w.first, 0);
	CHECK_EQ(w.second, -ECANCELED);
	return 0;
}

TEST(cancelled_and_then_woken_in_the_same_turn_it_has_not)
{
	struct waiter w = {.first = 9};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, wait_twice, &w);
	CHECK_EQ(cr_yield(), 0);
	cr_scope_cancel(&scope);
	cr_event_set(&w.event);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(w.first, -ECANCELED);
	CHECK_EQ(w.second, -ECANCELED);
	return 0;
}

struct target {
	cr_event gate;
	cr_scope *cancels; /* before it ends; NULL: nothing */
};

static int target(struct target *t)
{
	CHECK_EQ(cr_event_wait(&t->gate), 0);
	if (t->cancels)
		cr_scope_cancel(t->cancels);
	return 5;
}

struct joiner {
	cr_task target;
	cr_scope *cancels; /* once it has the result; NULL: nothing */
	int first, second;
};

static int join_target(struct joiner *j)
{
	j->first = cr_await(j->target);
	if (j->cancels)
		cr_scope_cancel(j->cancels);
	j->second = cr_yield();
	return 0;
}

/* The last deed of a task is to cancel who awaits it: too early for a result. */
TEST(cancelled_just_before_the_awaited_task_ends)
{
	struct target t = {.cancels = NULL};
	struct joiner j = {.first = 9};

	CORAIL_SCOPE(targets);
	CORAIL_SCOPE(joiners);
	t.cancels = &joiners;
	j.target = cr_spawn(&targets, target, &t);
	cr_spawn(&joiners, join_target, &j);
	CHECK_EQ(cr_yield(), 0);
	cr_event_set(&t.gate);
	CHECK_EQ(cr_scope_wait(&joiners), 0);
	CHECK_EQ(j.first, -ECANCELED);
	CHECK_EQ(j.second, -ECANCELED);
	return 0;
}

/*
 * Two await the same task; the first one that is woken cancels the second, which is woken already.
 */
TEST(a_result_that_has_arrived_survives_the_cancellation)
{
	struct target t = {.cancels = NULL};
	struct joiner killer = {.first = 9}, victim = {.first = 9};

	CORAIL_SCOPE(others);
	CORAIL_SCOPE(victims);
	killer.target = victim.target = cr_spawn(&others, target, &t);
	killer.cancels = &victims;
	cr_spawn(&others, join_target, &killer);
	cr_spawn(&victims, join_target, &victim);
	CHECK_EQ(cr_yield(), 0);
	cr_event_set(&t.gate);
	CHECK_EQ(cr_scope_wait(&victims), 0);
	CHECK_EQ(victim.first, 5);
	CHECK_EQ(victim.second, -ECANCELED);
	CHECK_EQ(killer.first, 5);
	CHECK_EQ(killer.second, 0);
	return 0;
}

struct timed {
	int slept;
	cr_scope *scope;
};

static int sleep_ten(struct timed *t)
{
	t->slept = cr_sleep(cr_millis(10));
	return cr_yield();
}

static int cancel_at_ten(struct timed *t)
{
	CHECK_EQ(cr_sleep(cr_millis(10)), 0);
	/* Where time is real, the other may have woken a turn earlier, and the scope be left. */
	if (t->scope)
		cr_scope_cancel(t->scope);
	return 0;
}

/* Both timers fire in one turn: the sleep was over when the cancellation came. */
TEST(a_sleep_that_is_over_returns_zero)
{
	struct timed t = {9, NULL};

	CORAIL_SCOPE(outer);
	{
		CORAIL_SCOPE(scope);
		t.scope = &scope;
		cr_spawn(&scope, sleep_ten, &t);
		cr_spawn(&outer, cancel_at_ten, &t);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		t.scope = NULL;
	}
	if (on_sim())
		CHECK_EQ(t.slept, 0);
	CHECK(t.slept == 0 || t.slept == -ECANCELED);
	return cr_scope_wait(&outer);
}

static void cancel_scope(void *scope)
{
	cr_scope_cancel(scope);
}

static void cancel_task(void *task)
{
	CHECK_EQ(cr_task_cancel(*(cr_task *)task), 0);
}

TEST(callbacks_may_cancel)
{
	struct nap naps[2] = {{cr_seconds(3600), 0, 0}, {cr_seconds(3600), 0, 0}};
	cr_nsec start = cr_now();
	cr_task task;

	CORAIL_SCOPE(scope);
	task = cr_spawn(&scope, nap, &naps[0]);
	cr_spawn(&scope, nap, &naps[1]);
	CHECK_EQ(cr_loop_post(cancel_task, &task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(cr_scope_count(&scope), 1);
	CHECK_EQ(cr_loop_post(cancel_scope, &scope), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(naps[1].seen, -ECANCELED);
	CHECK_ELAPSED(start, 0);
	return 0;
}

static int cancel_oneself(int *seen)
{
	CHECK_EQ(cr_task_cancel(cr_task_self()), 0);
	CHECK_EQ(cr_cancelled(), 1);
	*seen = cr_yield();
	return *seen;
}

TEST(a_task_may_cancel_itself)
{
	int seen = 0;

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, cancel_oneself, &seen);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(seen, -ECANCELED);
	return cr_scope_wait(&scope);
}

static int cancel_the_group(cr_scope *scope)
{
	cr_scope_cancel(scope);
	return cr_yield() == -ECANCELED ? 0 : -EIO;
}

TEST(a_child_may_cancel_its_group)
{
	struct nap napped = {cr_seconds(3600), 0, 0};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &napped);
	cr_spawn(&scope, cancel_the_group, &scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(napped.seen, -ECANCELED);
	return 0;
}

/* A waiter that is cancelled leaves no trace: the event then wakes the others, and only them. */
TEST(a_cancelled_waiter_leaves_the_queue)
{
	struct waiter w = {.first = 9};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		tasks[i] = cr_spawn(&scope, wait_twice, &w);
	CHECK_EQ(cr_yield(), 0);
	for (int i = 0; i < 3; i++) {
		int order[] = {1, 0, 2};

		CHECK_EQ(cr_task_cancel(tasks[order[i]]), 0);
		CHECK_EQ(cr_await(tasks[order[i]]), -ECANCELED);
	}
	CHECK(w.event.cr__first == NULL);
	cr_event_set(&w.event);
	return cr_scope_wait(&scope);
}

int main(void)
{
	RUN_TASK(woken_and_cancelled_in_the_same_turn_it_has_its_result);
	RUN_TASK(cancelled_and_then_woken_in_the_same_turn_it_has_not);
	RUN_TASK(cancelled_just_before_the_awaited_task_ends);
	RUN_TASK(a_result_that_has_arrived_survives_the_cancellation);
	RUN_TASK(a_sleep_that_is_over_returns_zero);
	RUN_TASK(callbacks_may_cancel);
	RUN_TASK(a_task_may_cancel_itself);
	RUN_TASK(a_child_may_cancel_its_group);
	RUN_TASK(a_cancelled_waiter_leaves_the_queue);
	return test_done();
}
