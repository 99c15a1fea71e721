/* SPDX-License-Identifier: MIT */
/* Where cancellation meets something else: an end, another scope, a callback, a shield's end. */

#include "support/core.h"

#include "base/alloc.h"
#include "task/sched.h"

#include <corail/chan.h>

static int sleep_long(const int *result)
{
	int r = cr_sleep(cr_seconds(3600));

	return r == -ECANCELED && *result ? *result : r;
}

struct awaiter {
	cr_task task;
	int result, cancelled_after;
};

static int await_it(struct awaiter *a)
{
	a->result = cr_await(a->task);
	a->cancelled_after = cr_cancelled();
	return 0;
}

/* Its result is -ECANCELED; whoever awaits it from elsewhere is not cancelled by that. */
TEST(a_cancelled_task_s_result_cancels_nobody_who_awaits_it)
{
	static const int none;
	struct awaiter a = {.cancelled_after = -1};

	CORAIL_SCOPE(ours);
	CORAIL_SCOPE(theirs);
	a.task = cr_spawn(&theirs, sleep_long, &none);
	cr_spawn(&ours, await_it, &a);
	CHECK_EQ(cr_yield(), 0);
	cr_scope_cancel(&theirs);
	CHECK_EQ(cr_scope_wait(&theirs), 0);
	CHECK_EQ(cr_shield(cr_seconds(60), cr_yield()), 0);
	CHECK_EQ(a.result, -ECANCELED);
	CHECK_EQ(a.cancelled_after, 0);
	return 0;
}

/* One of three who await a task is cancelled in the turn in which the task ends. */
TEST(who_is_cancelled_beside_others_who_await_leaves_them_their_result)
{
	static const int seven = 7;
	struct awaiter a[3];
	cr_task task, awaiters[3];

	CORAIL_SCOPE(scope);
	task = cr_spawn(&scope, sleep_long, &seven);
	for (int i = 0; i < 3; i++) {
		a[i] = (struct awaiter){.task = task};
		awaiters[i] = cr_spawn(&scope, await_it, &a[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_task_cancel(awaiters[1]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(a[0].result, 7);
	CHECK_EQ(a[1].result, -ECANCELED);
	CHECK_EQ(a[1].cancelled_after, 1);
	CHECK_EQ(a[2].result, 7);
	CHECK_EQ(cr_await(task), 7);
	return 0;
}

static int fail_at_once(const int *error)
{
	return *error;
}

/* Nothing to do is done at once, and nothing is written. */
TEST(of_nothing_there_is_nothing_to_gather)
{
	const int *none = NULL;
	cr_call *no_calls = NULL;
	int statuses[1] = {77};
	size_t index = 99;

	CHECK_EQ(cr_gather(fail_at_once, none, 0), 0);
	CHECK_EQ(cr_gather_limit(fail_at_once, none, 0, 3), 0);
	CHECK_EQ(cr_gather_collect(fail_at_once, none, 0, statuses), 0);
	CHECK_EQ(cr_gather_first(fail_at_once, none, 0, &index), -EINVAL);
	CHECK_EQ(cr_gather_calls(no_calls, 0), 0);
	CHECK_EQ(statuses[0], 77);
	CHECK_EQ(index, 99);
	CORAIL_SCOPE(scope);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_gather(fail_at_once, none, 0), -ECANCELED);
	CHECK_EQ(cr_gather_calls(no_calls, 0), -ECANCELED);
	return 0;
}

struct group {
	cr_scope *scope;
	int again, value;
};

static int cancel_own_group(struct group *g)
{
	cr_scope_cancel(g->scope);
	g->again = cr_sleep(1);
	/* It goes on until it has ended by itself. */
	return g->value;
}

/* By its own child: the others are cancelled, it is no error, and what the child returns counts. */
TEST(a_group_that_its_own_child_cancels)
{
	static const int none;
	struct group g = {.value = 5};
	cr_task child, other;

	{
		CORAIL_SCOPE(scope);
		g.scope = &scope;
		other = cr_spawn(&scope, sleep_long, &none);
		child = cr_spawn(&scope, cancel_own_group, &g);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(cr_scope_cancelled(&scope), 1);
		/* In a cancelled scope even an answer that is there is refused to who waits ... */
		CHECK_EQ(cr_await(child), -ECANCELED);
		/* ... and can be read without waiting. */
		CHECK_EQ(cr_task_result(child, &g.value), 0);
		CHECK_EQ(g.value, 5);
		CHECK_EQ(cr_task_result(other, &g.value), 0);
		CHECK_EQ(g.value, -ECANCELED);
	}
	CHECK_EQ(g.again, -ECANCELED);
	CHECK_EQ(cr_cancelled(), 0);
	g.value = -EPROTO;
	CORAIL_SCOPE(scope);
	g.scope = &scope;
	cr_spawn(&scope, cancel_own_group, &g);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	return 0;
}

/* Cancelled from around, and its grace is over: it was cut short, and says so. */
TEST(a_shielded_scope_that_outlives_its_grace_was_cancelled)
{
	static const int none;
	int r;
	CORAIL_SCOPE(outer);

	cr_scope_cancel(&outer);
	for (int late = 0; late < 2; late++) {
		CORAIL_SCOPE(shielded);

		cr_scope_shield(&shielded, cr_millis(late ? 5 : 3600000));
		cr_spawn(&shielded, sleep_long, &none);
		if (!late) {
			/* By hand, while the shield holds: as ever no error. */
			CHECK_EQ(cr_sleep(cr_millis(1)), 0);
			cr_scope_cancel(&shielded);
		}
		r = cr_scope_wait(&shielded);
		CHECK_EQ(r, late ? -ECANCELED : 0);
	}
	return 0;
}

/* Its own deadline within the grace is its own, as without a shield. */
TEST(a_shielded_scope_that_outlives_its_deadline_timed_out)
{
	static const int none;
	CORAIL_SCOPE(outer);

	cr_scope_cancel(&outer);
	CORAIL_SCOPE(shielded);
	cr_scope_shield(&shielded, cr_seconds(3600));
	cr_scope_timeout_set(&shielded, cr_millis(5));
	cr_spawn(&shielded, sleep_long, &none);
	CHECK_EQ(cr_scope_wait(&shielded), -ETIMEDOUT);
	return 0;
}

/* A deadline in the past: the value of what needs no suspension stands, whatever it is. */
TEST(past_its_deadline_what_does_not_suspend_is_done)
{
	int values[4], value = 0;
	cr_chan_of(int) chan = {0};

	cr_chan_init(&chan, values, 4);
	CHECK_EQ(cr_timeout(-5, cr_chan_try_send(&chan, 7)), 0);
	CHECK_EQ(cr_timeout(0, cr_chan_send(&chan, 8)), -ETIMEDOUT);
	CHECK_EQ(cr_timeout(0, (int)cr_chan_length(&chan)), 1);
	CHECK_EQ(cr_timeout(cr_seconds(100), cr_chan_receive(&chan, &value)), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(cr_timeout(0, cr_yield()), -ETIMEDOUT);
	CHECK_EQ(cr_cancelled(), 0);
	return 0;
}

static void never(struct cr__timer *timer)
{
	(void)timer;
	FAIL("it was unset");
}

/* No memory for a deadline: what it was to guard ends at once, and says why. */
TEST(a_deadline_without_memory_says_so)
{
	static struct cr__timer fillers[8192];
	static const int none;
	struct cr__timers *timers = &cr__sched_self()->loop.timers;
	int count = 0, r;

	do {
		CHECK_LT(count, 8192);
		fillers[count].fire = never;
		CHECK_EQ(cr__timer_set(timers, &fillers[count++], CORAIL_NEVER), 0);
	} while (timers->slot_top + 1 < timers->committed);
	cr__alloc_fail_at(1);
	CHECK_EQ(cr_timeout(cr_seconds(3600), cr_yield()), -ENOMEM);
	CHECK_EQ(cr_timeout(cr_seconds(3600), 5), 5);
	{
		CORAIL_SCOPE(scope);

		cr_scope_collect(&scope);
		cr_scope_timeout_set(&scope, cr_seconds(3600));
		CHECK_EQ(cr_cancelled(), 1);
		cr_spawn(&scope, sleep_long, &none);
		r = cr_scope_wait(&scope);
		CHECK_EQ(r, -ENOMEM);
	}
	cr__alloc_fail_at(0);
	while (count > 0)
		cr__timer_unset(timers, &fillers[--count]);
	CHECK_EQ(cr_timeout(cr_seconds(3600), cr_yield()), 0);
	return 0;
}

struct reentry {
	cr_scope *scope;
	cr_event event;
	int depth, ran;
};

static int run_it(struct reentry *e)
{
	e->ran++;
	return cr_yield();
}

/* In the middle of the loop's turn: cancels, spawns, sets, and queues itself again. */
static void callback(void *arg)
{
	struct reentry *e = arg;

	cr_spawn(e->scope, run_it, e);
	if (--e->depth > 0) {
		CHECK_EQ(cr_loop_post(callback, e), 0);
		return;
	}
	cr_event_set(&e->event);
	cr_scope_cancel(e->scope);
}

TEST(a_callback_may_set_spawn_and_cancel_what_it_spawned_into)
{
	static const int none;
	struct reentry e = {.depth = 3};

	{
		CORAIL_SCOPE(scope);
		e.scope = &scope;
		cr_spawn(&scope, sleep_long, &none);
		CHECK_EQ(cr_loop_post(callback, &e), 0);
		/* Set, and cancelled at once: it has come. */
		CHECK_EQ(cr_event_wait(&e.event), 0);
		CHECK_EQ(cr_event_wait(&e.event), -ECANCELED);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(e.ran, 3);
	return 0;
}

static int spawn_more(struct reentry *e)
{
	cr_task task;

	CHECK_EQ(cr_sleep(cr_seconds(3600)), -ECANCELED);
	task = cr_spawn(e->scope, run_it, e);
	e->depth = cr_task_error(task);
	CHECK_EQ(cr_await(task), -ECANCELED);
	return 0;
}

/* Into a scope that its owner is leaving: refused, told, and no hang. */
TEST(nobody_is_born_into_a_scope_that_is_being_left)
{
	struct reentry e = {.depth = 0};

	{
		CORAIL_SCOPE(scope);
		e.scope = &scope;
		cr_spawn(&scope, spawn_more, &e);
		CHECK_EQ(cr_yield(), 0);
	}
	CHECK_EQ(e.depth, -ESHUTDOWN);
	CHECK_EQ(e.ran, 0);
	return 0;
}

static int main_that_is_cancelled(int *cleaned)
{
	CHECK_EQ(cr_task_cancel(cr_task_self()), 0);
	CHECK_EQ(cr_yield(), -ECANCELED);
	CHECK_EQ(cr_sleep(0), -ECANCELED);
	{
		static const int none;
		CORAIL_SCOPE(scope);

		/* Born cancelled. */
		cr_spawn(&scope, sleep_long, &none);
		CHECK_EQ(cr_scope_wait(&scope), -ECANCELED);
	}
	*cleaned = cr_shield(cr_seconds(60), cr_sleep(cr_millis(1)));
	return -ECANCELED;
}

static void a_cancelled_main_ends_the_run_with_what_it_returns(void)
{
	int cleaned = -1;

	CHECK_EQ(cr_run(main_that_is_cancelled, &cleaned), -ECANCELED);
	CHECK_EQ(cleaned, 0);
}

int main(void)
{
	RUN_TASK(a_cancelled_task_s_result_cancels_nobody_who_awaits_it);
	RUN_TASK(who_is_cancelled_beside_others_who_await_leaves_them_their_result);
	RUN_TASK(of_nothing_there_is_nothing_to_gather);
	RUN_TASK(a_group_that_its_own_child_cancels);
	RUN_TASK(a_shielded_scope_that_outlives_its_grace_was_cancelled);
	RUN_TASK(a_shielded_scope_that_outlives_its_deadline_timed_out);
	RUN_TASK(past_its_deadline_what_does_not_suspend_is_done);
	RUN_TASK(a_deadline_without_memory_says_so);
	RUN_TASK(a_callback_may_set_spawn_and_cancel_what_it_spawned_into);
	RUN_TASK(nobody_is_born_into_a_scope_that_is_being_left);
	RUN(a_cancelled_main_ends_the_run_with_what_it_returns);
	return test_done();
}
