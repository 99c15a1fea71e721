/* SPDX-License-Identifier: MIT */
/* Clean-up when cancelled: its order, its errors, and shields with their grace. */

#include "support/core.h"

#include <corail/debug.h>

static int innermost(void)
{
	int r = cr_sleep(cr_seconds(100));

	note("innermost");
	return r;
}

static int middle(void)
{
	int r = innermost();

	note("middle");
	return r;
}

static int outermost(int *unused)
{
	int r = middle();

	(void)unused;
	note("outermost");
	return r;
}

TEST(clean_ups_run_innermost_first)
{
	int unused = 0;

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, outermost, &unused);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_STR(core_log, "innermost middle outermost");
	return cr_scope_wait(&scope);
}

static int fails_to_clean_up(int *error)
{
	int r = cr_sleep(cr_seconds(100));

	CHECK_EQ(r, -ECANCELED);
	return *error;
}

TEST(a_clean_up_that_fails_is_the_task_s_result)
{
	int error = -EPROTO;

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, fails_to_clean_up, &error);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -EPROTO);
	return cr_scope_wait(&scope);
}

struct cleaner {
	cr_nsec grace, takes;
	int before, during, after;
	cr_nsec took;
};

static int clean_up(struct cleaner *c)
{
	cr_nsec start;

	c->before = cr_sleep(cr_seconds(100));
	start = cr_now();
	c->during = cr_shield(c->grace, cr_sleep(c->takes));
	c->took = cr_now() - start;
	c->after = cr_yield();
	return c->before;
}

static void cancel_cleaner(struct cleaner *c)
{
	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, clean_up, c);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(c->before, -ECANCELED);
	CHECK_EQ(c->after, -ECANCELED);
}

TEST(clean_up_under_a_shield_may_suspend)
{
	struct cleaner c = {.grace = cr_seconds(50), .takes = cr_millis(10)};
	cr_loop_stats stats;

	cancel_cleaner(&c);
	CHECK_EQ(c.during, 0);
	CHECK_GE(c.took, cr_millis(10));
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_EQ(stats.timers_pending, 0);
	return 0;
}

TEST(past_its_grace_it_is_cancelled)
{
	struct cleaner c = {.grace = cr_millis(5), .takes = cr_seconds(100)};

	cancel_cleaner(&c);
	CHECK_EQ(c.during, -ECANCELED);
	CHECK_GE(c.took, cr_millis(5));
	if (on_sim())
		CHECK_EQ(c.took, cr_millis(5));
	return 0;
}

TEST(a_grace_of_zero_is_no_shield)
{
	struct cleaner c = {.grace = 0, .takes = cr_seconds(100)};

	cancel_cleaner(&c);
	CHECK_EQ(c.during, -ECANCELED);
	return 0;
}

/*
 * The shield is entered first and the cancellation comes later: the grace begins then, not before.
 */
TEST(the_grace_begins_with_the_cancellation)
{
	cr_nsec start = cr_now();
	int first, second;

	CORAIL_SCOPE(outer);
	cr_scope_timeout_set(&outer, on_sim() ? cr_millis(50) : cr_seconds(100));
	{
		CORAIL_SCOPE(inner);
		cr_scope_shield(&inner, cr_millis(30));
		first = cr_sleep(cr_millis(40));
		CHECK_EQ(cr_scope_cancelled(&outer), 0);
		/* Where time is real, the machine may have stalled until now. */
		if (!on_sim())
			cr_scope_timeout_set(&outer, cr_millis(10));
		second = cr_sleep(cr_seconds(100));
		CHECK_EQ(cr_scope_cancelled(&inner), 1);
	}
	CHECK_EQ(first, 0);
	CHECK_EQ(second, -ECANCELED);
	CHECK_ELAPSED(start, cr_millis(80));
	return 0;
}

TEST(without_a_shield_an_inner_scope_is_cancelled)
{
	CORAIL_SCOPE(outer);
	cr_scope_cancel(&outer);
	{
		CORAIL_SCOPE(inner);
		CHECK_EQ(cr_sleep(1), -ECANCELED);
	}
	{
		CORAIL_SCOPE(shielded);
		cr_scope_shield(&shielded, cr_seconds(50));
		CHECK_EQ(cr_scope_cancelled(&shielded), 0);
		CHECK_EQ(cr_sleep(1), 0);
		{
			CORAIL_SCOPE(within);
			CHECK_EQ(cr_sleep(1), 0);
		}
	}
	CHECK_EQ(cr_sleep(1), -ECANCELED);
	return 0;
}

TEST(a_shielded_scope_may_have_children)
{
	struct nap naps[2] = {{cr_millis(5), 1, 9}, {cr_millis(7), 2, 9}};

	CORAIL_SCOPE(outer);
	cr_scope_cancel(&outer);
	{
		CORAIL_SCOPE(inner);
		cr_scope_shield(&inner, cr_seconds(50));
		cr_spawn(&inner, nap, &naps[0]);
		cr_spawn(&inner, nap, &naps[1]);
		CHECK_EQ(cr_scope_wait(&inner), 0);
	}
	CHECK_EQ(naps[0].seen, 0);
	CHECK_EQ(naps[1].seen, 0);
	return 0;
}

TEST(a_shielded_scope_s_own_deadline_counts)
{
	cr_nsec start = cr_now();

	CORAIL_SCOPE(outer);
	cr_scope_cancel(&outer);
	{
		CORAIL_SCOPE(inner);
		cr_scope_shield(&inner, cr_seconds(50));
		cr_scope_timeout_set(&inner, cr_millis(5));
		CHECK_EQ(cr_sleep(cr_seconds(40)), -ECANCELED);
		CHECK_EQ(cr_scope_wait(&inner), -ETIMEDOUT);
	}
	CHECK_ELAPSED(start, cr_millis(5));
	return 0;
}

TEST(a_shielded_scope_may_be_cancelled_itself)
{
	CORAIL_SCOPE(outer);
	cr_scope_cancel(&outer);
	{
		CORAIL_SCOPE(inner);
		cr_scope_shield(&inner, cr_seconds(50));
		CHECK_EQ(cr_yield(), 0);
		cr_scope_cancel(&inner);
		CHECK_EQ(cr_yield(), -ECANCELED);
	}
	return 0;
}

/* A second shield sets a new grace, also to take it away; what is outside stays cancelled. */
TEST(a_shield_may_be_renewed_and_taken_away)
{
	CORAIL_SCOPE(outer);
	cr_scope_cancel(&outer);
	{
		CORAIL_SCOPE(inner);
		cr_scope_shield(&inner, cr_seconds(1));
		cr_scope_shield(&inner, cr_seconds(1));
	}
	CHECK_EQ(cr_yield(), -ECANCELED);
	{
		cr_nsec start = cr_now();

		CORAIL_SCOPE(inner);
		cr_scope_shield(&inner, on_sim() ? cr_millis(1) : cr_seconds(1));
		cr_scope_shield(&inner, cr_seconds(50));
		CHECK_EQ(cr_sleep(cr_millis(5)), 0);
		cr_scope_shield(&inner, cr_millis(5));
		CHECK_EQ(cr_sleep(cr_seconds(40)), -ECANCELED);
		CHECK_ELAPSED(start, cr_millis(10));
	}
	{
		CORAIL_SCOPE(inner);
		for (int i = 0; i < 5; i++)
			cr_scope_shield(&inner, cr_seconds(50));
		CHECK_EQ(cr_yield(), 0);
		cr_scope_shield(&inner, 0);
		CHECK_EQ(cr_yield(), -ECANCELED);
	}
	CHECK_EQ(cr_yield(), -ECANCELED);
	CHECK_EQ(cr_sleep(1), -ECANCELED);
	return 0;
}

/* When the outer shield's grace is over, the inner one's begins. */
TEST(shields_within_shields)
{
	cr_nsec start = cr_now();

	CORAIL_SCOPE(top);
	cr_scope_cancel(&top);
	{
		CORAIL_SCOPE(outer);
		cr_scope_shield(&outer, cr_millis(10));
		{
			CORAIL_SCOPE(inner);
			cr_scope_shield(&inner, cr_millis(5));
			CHECK_EQ(cr_sleep(cr_seconds(100)), -ECANCELED);
			CHECK_ELAPSED(start, cr_millis(15));
		}
		CHECK_EQ(cr_yield(), -ECANCELED);
	}
	return 0;
}

TEST(a_shield_gives_the_value_of_its_expression)
{
	int eleven = 11;

	CHECK_EQ(cr_shield(cr_seconds(50), eleven), 11);
	CHECK_EQ(cr_shield(cr_seconds(50), cr_timeout(cr_millis(1), cr_sleep(cr_seconds(90)))),
	         -ETIMEDOUT);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_shield(cr_millis(2), cr_sleep(cr_seconds(9)))),
	         -ETIMEDOUT);
	return 0;
}

struct shielded_group {
	struct nap inside, outside;
};

static int partly_shielded(struct shielded_group *g)
{
	CORAIL_SCOPE(plain);
	cr_spawn(&plain, nap, &g->outside);
	{
		CORAIL_SCOPE(shielded);
		cr_scope_shield(&shielded, cr_seconds(50));
		cr_spawn(&shielded, nap, &g->inside);
		CHECK_EQ(cr_scope_wait(&shielded), 0);
	}
	return cr_scope_wait(&plain);
}

TEST(a_cancelled_task_s_shielded_children_go_on)
{
	struct shielded_group g = {{cr_millis(20), 0, 9}, {cr_seconds(100), 0, 9}};
	cr_nsec start = cr_now();

	CORAIL_SCOPE(scope);
	cr_task task = cr_spawn(&scope, partly_shielded, &g);
	CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(g.inside.seen, 0);
	CHECK_EQ(g.outside.seen, -ECANCELED);
	CHECK_ELAPSED(start, cr_millis(20));
	return cr_scope_wait(&scope);
}

int main(void)
{
	RUN_TASK(clean_ups_run_innermost_first);
	RUN_TASK(a_clean_up_that_fails_is_the_task_s_result);
	RUN_TASK(clean_up_under_a_shield_may_suspend);
	RUN_TASK(past_its_grace_it_is_cancelled);
	RUN_TASK(a_grace_of_zero_is_no_shield);
	RUN_TASK(the_grace_begins_with_the_cancellation);
	RUN_TASK(without_a_shield_an_inner_scope_is_cancelled);
	RUN_TASK(a_shielded_scope_may_have_children);
	RUN_TASK(a_shielded_scope_s_own_deadline_counts);
	RUN_TASK(a_shielded_scope_may_be_cancelled_itself);
	RUN_TASK(a_shield_may_be_renewed_and_taken_away);
	RUN_TASK(shields_within_shields);
	RUN_TASK(a_shield_gives_the_value_of_its_expression);
	RUN_TASK(a_cancelled_task_s_shielded_children_go_on);
	return test_done();
}
