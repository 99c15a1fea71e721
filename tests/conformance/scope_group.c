/* SPDX-License-Identifier: MIT */
/* Scopes as groups: waiting for all, failures, spawning while waiting, leaving early. */

#include "support/core.h"

static int give(int *value)
{
	return *value;
}

TEST(both_results_are_readable)
{
	int values[] = {42, 11}, result = 0;
	cr_task a, b;

	CORAIL_SCOPE(scope);
	a = cr_spawn(&scope, give, &values[0]);
	b = cr_spawn(&scope, give, &values[1]);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_task_result(a, &result), 0);
	CHECK_EQ(result, 42);
	CHECK_EQ(cr_task_result(b, &result), 0);
	CHECK_EQ(result, 11);
	return 0;
}

TEST(waiting_for_nobody_returns_at_once)
{
	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

TEST(the_first_failure_cancels_the_sibling)
{
	struct nap failing = {cr_millis(5), -EPROTO, 0}, sibling = {cr_seconds(900), 0, 0};
	cr_nsec start = cr_now();
	cr_failure failures[4];

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &sibling);
	cr_task task = cr_spawn(&scope, nap, &failing);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	CHECK_ELAPSED(start, cr_millis(5));
	CHECK_EQ(sibling.seen, -ECANCELED);
	CHECK_EQ(cr_scope_cancelled(&scope), 1);
	CHECK_EQ(cr_scope_failures(&scope, failures, 4), 1);
	CHECK_EQ(failures[0].error, -EPROTO);
	CHECK_EQ(failures[0].task.id, task.id);
	CHECK_STR(failures[0].name, "nap");
	return 0;
}

static int fail(int *error)
{
	return *error;
}

TEST(two_failures_in_the_same_turn_are_both_readable)
{
	int errors[] = {-EPROTO, -EPIPE};
	cr_failure failures[4];

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 2; i++)
		cr_spawn(&scope, fail, &errors[i]);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	CHECK_EQ(cr_scope_failures(&scope, failures, 4), 2);
	CHECK_EQ(failures[0].error, -EPROTO);
	CHECK_EQ(failures[1].error, -EPIPE);
	CHECK_EQ(cr_scope_failures(&scope, failures, 1), 2);
	CHECK_EQ(cr_scope_failures(&scope, NULL, 0), 2);
	return 0;
}

TEST(the_first_sixteen_failures_are_kept_all_are_counted)
{
	cr_failure failures[20] = {{{0}, 0, NULL}};
	int errors[20];

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	for (int i = 0; i < 20; i++) {
		errors[i] = -1 - i;
		cr_spawn(&scope, fail, &errors[i]);
	}
	CHECK_EQ(cr_scope_wait(&scope), -1);
	CHECK_EQ(cr_scope_failures(&scope, failures, 20), 20);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(failures[i].error, -1 - i);
	CHECK_EQ(failures[16].error, 0);
	return 0;
}

TEST(a_collecting_scope_cancels_nobody)
{
	struct nap failing = {cr_millis(1), -EPROTO, 0}, sibling = {cr_millis(5), 3, 9};
	cr_nsec start = cr_now();

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	cr_spawn(&scope, nap, &failing);
	cr_task task = cr_spawn(&scope, nap, &sibling);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	CHECK_ELAPSED(start, cr_millis(5));
	CHECK_EQ(sibling.seen, 0);
	CHECK_EQ(cr_await(task), 3);
	return 0;
}

static int clean_up_with(struct nap *n)
{
	n->seen = cr_sleep(n->duration);
	return n->result;
}

TEST(a_clean_up_that_fails_is_a_failure_too)
{
	struct nap failing = {cr_millis(1), -EPROTO, 0}, sibling = {cr_seconds(900), -EPIPE, 0};
	cr_failure failures[2];

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &failing);
	cr_spawn(&scope, clean_up_with, &sibling);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	CHECK_EQ(sibling.seen, -ECANCELED);
	CHECK_EQ(cr_scope_failures(&scope, failures, 2), 2);
	CHECK_EQ(failures[1].error, -EPIPE);
	return 0;
}

struct family {
	struct nap naps[5];
	int waited;
};

static int five_sleepers(struct family *f)
{
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 5; i++)
		cr_spawn(&scope, nap, &f->naps[i]);
	f->waited = cr_scope_wait(&scope);
	return f->waited;
}

TEST(a_cancelled_parent_s_children_all_see_it)
{
	struct family f = {.waited = 9};

	for (int i = 0; i < 5; i++)
		f.naps[i].duration = cr_seconds(100);
	CORAIL_SCOPE(scope);
	cr_task parent = cr_spawn(&scope, five_sleepers, &f);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_EQ(cr_task_cancel(parent), 0);
	CHECK_EQ(cr_await(parent), -ECANCELED);
	CHECK_EQ(f.waited, -ECANCELED);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(f.naps[i].seen, -ECANCELED);
	return cr_scope_wait(&scope);
}

struct generation {
	cr_scope *scope;
	int left, ended;
};

static int have_a_child(struct generation *g)
{
	int r = cr_sleep(cr_millis(1));

	if (r == 0 && g->left-- > 0)
		cr_spawn(g->scope, have_a_child, g);
	g->ended++;
	return r;
}

TEST(waiting_covers_those_that_are_spawned_meanwhile)
{
	struct generation g = {NULL, 10, 0};
	cr_nsec start = cr_now();

	CORAIL_SCOPE(scope);
	g.scope = &scope;
	cr_spawn(&scope, have_a_child, &g);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(g.ended, 11);
	CHECK_ELAPSED(start, cr_millis(11));
	return 0;
}

struct late {
	cr_scope *scope;
	int error;
};

static int never(int *unused)
{
	(void)unused;
	FAIL("spawned into a scope that was closing");
}

static int spawn_when_cancelled(struct late *l)
{
	int unused = 0, r = cr_sleep(cr_seconds(100));

	CHECK_EQ(r, -ECANCELED);
	l->error = cr_task_error(cr_spawn_copy(l->scope, never, &unused));
	return r;
}

TEST(a_scope_that_is_being_left_takes_nobody_in)
{
	struct late l = {NULL, 0};

	{
		CORAIL_SCOPE(scope);
		l.scope = &scope;
		cr_spawn(&scope, spawn_when_cancelled, &l);
		CHECK_EQ(cr_yield(), 0);
	}
	CHECK_EQ(l.error, -ESHUTDOWN);
	return cr_yield();
}

TEST(cancelling_a_group_is_no_error)
{
	struct nap naps[3] = {{cr_seconds(100), 0, 0}, {cr_seconds(100), 0, 0}, {0, 0, 0}};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, nap, &naps[i]);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(naps[0].seen, -ECANCELED);
	CHECK_EQ(naps[2].seen, 0);
	return 0;
}

TEST(cancelling_one_child_leaves_the_others_alone)
{
	struct nap naps[3] = {{cr_seconds(100), 0, 0}, {cr_millis(5), 0, 9}, {cr_millis(7), 0, 9}};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		tasks[i] = cr_spawn(&scope, nap, &naps[i]);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(naps[0].seen, -ECANCELED);
	CHECK_EQ(naps[1].seen, 0);
	CHECK_EQ(naps[2].seen, 0);
	return 0;
}

static int leave_early(struct nap *n)
{
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, n);
	CHECK_EQ(cr_yield(), 0);
	if (n->result)
		return n->result;
	FAIL("returned above");
}

TEST(every_way_out_joins_the_children)
{
	struct nap n = {cr_seconds(100), 12, 9};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_await(cr_spawn(&scope, leave_early, &n)), 12);
	CHECK_EQ(n.seen, -ECANCELED);
	for (int i = 0; i < 3; i++) {
		CORAIL_SCOPE(inner);
		n.seen = 9;
		cr_spawn(&inner, nap, &n);
		CHECK_EQ(cr_yield(), 0);
		if (i < 2)
			continue;
		break;
	}
	CHECK_EQ(n.seen, -ECANCELED);
	return 0;
}

int main(void)
{
	RUN_TASK(both_results_are_readable);
	RUN_TASK(waiting_for_nobody_returns_at_once);
	RUN_TASK(the_first_failure_cancels_the_sibling);
	RUN_TASK(two_failures_in_the_same_turn_are_both_readable);
	RUN_TASK(the_first_sixteen_failures_are_kept_all_are_counted);
	RUN_TASK(a_collecting_scope_cancels_nobody);
	RUN_TASK(a_clean_up_that_fails_is_a_failure_too);
	RUN_TASK(a_cancelled_parent_s_children_all_see_it);
	RUN_TASK(waiting_covers_those_that_are_spawned_meanwhile);
	RUN_TASK(a_scope_that_is_being_left_takes_nobody_in);
	RUN_TASK(cancelling_a_group_is_no_error);
	RUN_TASK(cancelling_one_child_leaves_the_others_alone);
	RUN_TASK(every_way_out_joins_the_children);
	return test_done();
}
