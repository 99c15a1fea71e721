/* SPDX-License-Identifier: MIT */
/* Deadlines: scopes that cancel themselves. */

#include "support/core.h"

#include <corail/debug.h>

static uint64_t timers_pending(void)
{
	cr_loop_stats stats;

	CHECK_EQ(cr_debug_stats(&stats), 0);
	return stats.timers_pending;
}

static int sleep_and_tell(cr_nsec duration, int *seen)
{
	*seen = cr_sleep(duration);
	return *seen;
}

TEST(ten_milliseconds_around_ten_seconds)
{
	cr_nsec start = cr_now();
	int seen = 9;

	CHECK_EQ(cr_timeout(cr_millis(10), sleep_and_tell(cr_seconds(10), &seen)), -ETIMEDOUT);
	CHECK_EQ(seen, -ECANCELED);
	CHECK_ELAPSED(start, cr_millis(10));
	CHECK_EQ(timers_pending(), 0);
	return cr_yield();
}

TEST(a_body_that_ends_first_is_no_error)
{
	int seen = 9;

	CHECK_EQ(cr_timeout(cr_seconds(10), sleep_and_tell(cr_millis(1), &seen)), 0);
	CHECK_EQ(seen, 0);
	CHECK_EQ(timers_pending(), 0);
	CHECK_EQ(cr_timeout(cr_seconds(10), 5 + 6), 11);
	CHECK_EQ(cr_timeout(cr_seconds(10), -EPIPE), -EPIPE);
	CHECK_EQ(cr_timeout(CORAIL_NEVER, cr_sleep(1)), 0);
	CHECK_EQ(cr_timeout(CORAIL_NEVER, (int64_t)1 << 40), (int64_t)1 << 40);
	return 0;
}

TEST(zero_or_the_past_runs_to_the_first_suspension)
{
	const cr_nsec durations[] = {0, -1, -cr_seconds(5), INT64_MIN};
	int seen;

	for (int i = 0; i < 4; i++) {
		seen = 9;
		CHECK_EQ(cr_timeout(durations[i], sleep_and_tell(1, &seen)), -ETIMEDOUT);
		CHECK_EQ(seen, -ECANCELED);
		CHECK_EQ(cr_timeout(durations[i], 7), 7);
	}
	CORAIL_SCOPE(scope);
	cr_scope_deadline_set(&scope, 0);
	CHECK_EQ(cr_yield(), -ECANCELED);
	CHECK_EQ(cr_scope_wait(&scope), -ETIMEDOUT);
	return 0;
}

TEST(of_nested_equal_deadlines_the_outermost_reports)
{
	cr_nsec when = cr_now() + cr_millis(10);

	for (int outer_first = 0; outer_first < 2; outer_first++) {
		int inner_result;

		CORAIL_SCOPE(outer);
		{
			CORAIL_SCOPE(inner);
			when = cr_now() + cr_millis(10);
			cr_scope_deadline_set(outer_first ? &outer : &inner, when);
			cr_scope_deadline_set(outer_first ? &inner : &outer, when);
			CHECK_EQ(cr_sleep(cr_seconds(10)), -ECANCELED);
			/* The other timer may fire a turn later. */
			while (!cr_scope_cancelled(&outer))
				CHECK_EQ(cr_shield(cr_seconds(100), cr_sleep(1)), 0);
			inner_result = cr_scope_wait(&inner);
		}
		CHECK_EQ(inner_result, -ECANCELED);
		CHECK_EQ(cr_scope_wait(&outer), -ETIMEDOUT);
	}
	return 0;
}

TEST(an_inner_timeout_handled_and_then_the_outer_one)
{
	cr_nsec start = cr_now();

	CORAIL_SCOPE(outer);
	cr_scope_timeout_set(&outer, on_sim() ? cr_millis(50) : cr_seconds(100));
	CHECK_EQ(cr_timeout(cr_millis(10), cr_sleep(cr_seconds(10))), -ETIMEDOUT);
	/* Where time is real, a stalled machine must not let both be over at once. */
	if (!on_sim())
		cr_scope_timeout_set(&outer, cr_millis(40));
	CHECK_EQ(cr_sleep(cr_seconds(10)), -ECANCELED);
	CHECK_EQ(cr_scope_wait(&outer), -ETIMEDOUT);
	CHECK_ELAPSED(start, cr_millis(50));
	return 0;
}

TEST(the_outer_one_first_passes_through_the_inner_one)
{
	cr_nsec start = cr_now();
	int inner = 9, outer;

	outer = cr_timeout(cr_millis(10),
	                   inner = cr_timeout(cr_seconds(50), cr_sleep(cr_seconds(100))));
	CHECK_EQ(inner, -ECANCELED);
	CHECK_EQ(outer, -ETIMEDOUT);
	CHECK_ELAPSED(start, cr_millis(10));
	return 0;
}

struct timed {
	int result;
};

static int time_out(struct timed *t)
{
	t->result = cr_timeout(cr_seconds(50), cr_sleep(cr_seconds(100)));
	return t->result;
}

TEST(an_outside_cancel_before_the_deadline_is_no_timeout)
{
	struct timed t = {9};

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, time_out, &t);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(t.result, -ECANCELED);
	CHECK_EQ(timers_pending(), 0);
	return cr_scope_wait(&scope);
}

TEST(a_scope_cancelled_by_hand_before_its_deadline_has_not_timed_out)
{
	CORAIL_SCOPE(scope);
	cr_scope_timeout_set(&scope, cr_millis(50));
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_shield(cr_seconds(90), cr_sleep(cr_millis(60))), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

static int move_it(cr_scope *scope)
{
	CHECK_EQ(cr_sleep(cr_seconds(2)), 0);
	cr_scope_deadline_set(scope, cr_now() + cr_seconds(1));
	return 0;
}

/* From 10 s to 3 s at t = 2 s; where time is real, a thousandth of that. */
TEST(a_deadline_may_be_moved_nearer)
{
	cr_nsec start = cr_now();

	CORAIL_SCOPE(movers);
	CORAIL_SCOPE(scope);
	cr_scope_timeout_set(&scope, cr_seconds(10));
	if (on_sim()) {
		cr_spawn(&movers, move_it, &scope);
		CHECK_EQ(cr_sleep(cr_seconds(100)), -ECANCELED);
		CHECK_ELAPSED(start, cr_seconds(3));
	} else {
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		cr_scope_deadline_set(&scope, start + cr_millis(3));
		CHECK_EQ(cr_sleep(cr_seconds(100)), -ECANCELED);
		CHECK_ELAPSED(start, cr_millis(3));
	}
	CHECK_EQ(cr_scope_wait(&scope), -ETIMEDOUT);
	return 0;
}

TEST(a_deadline_may_be_moved_away_and_disarmed)
{
	CORAIL_SCOPE(scope);
	cr_scope_timeout_set(&scope, cr_millis(50));
	cr_scope_timeout_set(&scope, cr_seconds(20));
	CHECK_EQ(timers_pending(), 1);
	CHECK_EQ(cr_sleep(cr_millis(60)), 0);
	cr_scope_deadline_set(&scope, CORAIL_NEVER);
	CHECK_EQ(timers_pending(), 0);
	if (on_sim())
		CHECK_EQ(cr_sleep(cr_seconds(30)), 0);
	CHECK_EQ(cr_deadline(), CORAIL_NEVER);
	return cr_scope_wait(&scope);
}

TEST(past_it_cannot_be_taken_back)
{
	CORAIL_SCOPE(scope);
	cr_scope_timeout_set(&scope, 0);
	cr_scope_deadline_set(&scope, CORAIL_NEVER);
	CHECK_EQ(cr_yield(), -ECANCELED);
	CHECK_EQ(cr_scope_wait(&scope), -ETIMEDOUT);
	return 0;
}

struct asked {
	cr_nsec deadline;
};

static int ask(struct asked *a)
{
	a->deadline = cr_deadline();
	return 0;
}

TEST(the_nearest_deadline_can_be_asked_for)
{
	cr_nsec now = cr_now();
	struct asked asked = {0};

	CHECK_EQ(cr_deadline(), CORAIL_NEVER);
	CORAIL_SCOPE(one);
	cr_scope_deadline_set(&one, now + cr_seconds(100));
	CHECK_EQ(cr_deadline(), now + cr_seconds(100));
	{
		CORAIL_SCOPE(two);
		CHECK_EQ(cr_deadline(), now + cr_seconds(100));
		cr_scope_deadline_set(&two, now + cr_seconds(200));
		CHECK_EQ(cr_deadline(), now + cr_seconds(100));
		cr_scope_deadline_set(&two, now + cr_seconds(50));
		CHECK_EQ(cr_deadline(), now + cr_seconds(50));
		CHECK_EQ(cr_await(cr_spawn(&two, ask, &asked)), 0);
		CHECK_EQ(asked.deadline, now + cr_seconds(50));
		CHECK_EQ(cr_await(cr_spawn(&one, ask, &asked)), 0);
		CHECK_EQ(asked.deadline, now + cr_seconds(100));
		{
			CORAIL_SCOPE(three);
			cr_scope_shield(&three, cr_seconds(100));
			CHECK_EQ(cr_deadline(), CORAIL_NEVER);
			cr_scope_deadline_set(&three, now + cr_seconds(300));
			CHECK_EQ(cr_deadline(), now + cr_seconds(300));
		}
	}
	CHECK_EQ(cr_deadline(), now + cr_seconds(100));
	return 0;
}

TEST(a_deadline_cancels_children_too)
{
	struct nap naps[3] = {{cr_seconds(100), 0, 9}, {cr_seconds(100), 0, 9}, {0, 4, 9}};
	cr_task last = {0};
	cr_nsec start;

	CORAIL_SCOPE(scope);
	cr_scope_timeout_set(&scope, cr_seconds(50));
	for (int i = 0; i < 3; i++)
		last = cr_spawn(&scope, nap, &naps[i]);
	CHECK_EQ(cr_await(last), 4);
	start = cr_now();
	cr_scope_timeout_set(&scope, cr_millis(10));
	CHECK_EQ(cr_scope_wait(&scope), -ETIMEDOUT);
	CHECK_ELAPSED(start, cr_millis(10));
	CHECK_EQ(naps[0].seen, -ECANCELED);
	CHECK_EQ(naps[1].seen, -ECANCELED);
	CHECK_EQ(naps[2].seen, 0);
	return 0;
}

TEST(a_failure_weighs_more_than_the_deadline)
{
	struct nap naps[2] = {{cr_seconds(100), 0, 9}, {cr_millis(1), -EPROTO, 9}};

	CORAIL_SCOPE(scope);
	cr_scope_timeout_set(&scope, cr_seconds(50));
	for (int i = 0; i < 2; i++)
		cr_spawn(&scope, nap, &naps[i]);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	return 0;
}

int main(void)
{
	RUN_TASK(ten_milliseconds_around_ten_seconds);
	RUN_TASK(a_body_that_ends_first_is_no_error);
	RUN_TASK(zero_or_the_past_runs_to_the_first_suspension);
	RUN_TASK(of_nested_equal_deadlines_the_outermost_reports);
	RUN_TASK(an_inner_timeout_handled_and_then_the_outer_one);
	RUN_TASK(the_outer_one_first_passes_through_the_inner_one);
	RUN_TASK(an_outside_cancel_before_the_deadline_is_no_timeout);
	RUN_TASK(a_scope_cancelled_by_hand_before_its_deadline_has_not_timed_out);
	RUN_TASK(a_deadline_may_be_moved_nearer);
	RUN_TASK(a_deadline_may_be_moved_away_and_disarmed);
	RUN_TASK(past_it_cannot_be_taken_back);
	RUN_TASK(the_nearest_deadline_can_be_asked_for);
	RUN_TASK(a_deadline_cancels_children_too);
	RUN_TASK(a_failure_weighs_more_than_the_deadline);
	return test_done();
}
