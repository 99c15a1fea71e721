/* SPDX-License-Identifier: MIT */
/*
 * Children in the order in which they end: each once, with or without failures, until none is left.
 */

#include "support/core.h"

static int next_result(cr_scope *scope, int *ret_result)
{
	cr_task task;
	int r = cr_scope_next(scope, &task);

	return r < 0 ? r : cr_task_result(task, ret_result);
}

/* Each ends when the one before it has ended. */
TEST(in_the_order_of_completion)
{
	struct gate gates[] = {{.result = 1},
	                       {.result = 2, .next = &gates[2]},
	                       {.result = 3, .next = &gates[0]}};
	int result = 0;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, pass, &gates[i]);
	cr_event_set(&gates[1].open);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 2);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 3);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 1);
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	return 0;
}

/* By the clock, where it is virtual: a real one lets naps begin late. */
TEST(in_the_order_of_time)
{
	struct nap naps[] = {{cr_millis(30), 1, 0}, {cr_millis(10), 2, 0}, {cr_millis(20), 3, 0}};
	cr_nsec start = cr_now();
	int result = 0;

	if (!on_sim())
		return 0;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, nap, &naps[i]);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 2);
	CHECK_ELAPSED(start, cr_millis(10));
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 3);
	CHECK_ELAPSED(start, cr_millis(20));
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 1);
	CHECK_ELAPSED(start, cr_millis(30));
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	return 0;
}

TEST(those_that_ended_before_come_first)
{
	struct gate gates[] = {{.result = 1}, {.result = 2, .next = &gates[0]}, {.result = 3}};
	int result = 0;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, pass, &gates[i]);
	cr_event_set(&gates[1].open);
	while (cr_scope_count(&scope) > 1)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 2);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 1);
	cr_event_set(&gates[2].open);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 3);
	return 0;
}

TEST(a_failure_while_the_owner_waits_here_counts_as_awaited)
{
	struct nap failing = {cr_millis(1), -EPROTO, 0};
	struct gate sibling = {.result = 3, .seen = 9};
	int result = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &failing);
	cr_spawn(&scope, pass, &sibling);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, -EPROTO);
	CHECK_EQ(cr_scope_cancelled(&scope), 0);
	cr_event_set(&sibling.open);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 3);
	CHECK_EQ(sibling.seen, 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

static int fail(int *error)
{
	return *error;
}

TEST(in_a_collecting_scope_no_failure_hides_the_others)
{
	int errors[10], result = 0;

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	for (int i = 0; i < 10; i++) {
		errors[i] = i % 2 ? -1 - i : i;
		cr_spawn(&scope, fail, &errors[i]);
	}
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(next_result(&scope, &result), 0);
		CHECK_EQ(result, errors[i]);
	}
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	return 0;
}

struct reader {
	cr_task task;
};

static int await_it(struct reader *r)
{
	return cr_await(r->task) == 7 ? 1 : -EIO;
}

TEST(results_that_another_one_read_are_left_out)
{
	struct nap first = {cr_millis(1), 7, 0}, second = {cr_millis(9), 8, 0};
	struct reader reader;
	int result = 0;

	CORAIL_SCOPE(readers);
	CORAIL_SCOPE(scope);
	reader.task = cr_spawn(&scope, nap, &first);
	cr_spawn(&scope, nap, &second);
	cr_spawn(&readers, await_it, &reader);
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 8);
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	return 0;
}

/*
 * Every child's result goes to somebody else: the owner wakes each time, and waits again, in one
 * call.
 */
TEST(many_results_that_others_read)
{
	enum { MANY = 3000 };
	static struct nap naps[MANY];
	static struct reader readers[MANY];
	int result = 0;

	CORAIL_SCOPE(other);
	CORAIL_SCOPE(scope);
	for (int i = 0; i < core_many(MANY); i++) {
		naps[i] = (struct nap){cr_micros(i), 7, 0};
		readers[i].task = cr_spawn(&scope, nap, &naps[i]);
		cr_spawn(&other, await_it, &readers[i]);
	}
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	return 0;
}

TEST(a_deadline_ends_the_wait_and_loses_nobody)
{
	struct nap napped = {cr_millis(20), 7, 0};
	cr_nsec start = cr_now();
	cr_task task;
	int result = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &napped);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_scope_next(&scope, &task)), -ETIMEDOUT);
	CHECK_ELAPSED(start, cr_millis(5));
	CHECK_EQ(next_result(&scope, &result), 0);
	CHECK_EQ(result, 7);
	CHECK_ELAPSED(start, cr_millis(20));
	return 0;
}

struct chain {
	cr_scope *scope;
	int left;
};

static int spawn_next(struct chain *c)
{
	int left = c->left--;

	if (left > 0)
		cr_spawn(c->scope, spawn_next, c);
	return left;
}

TEST(children_of_children_are_reported_too)
{
	struct chain c = {NULL, 100};
	int result = 0;

	CORAIL_SCOPE(scope);
	c.scope = &scope;
	cr_spawn(&scope, spawn_next, &c);
	for (int i = 100; i >= 0; i--) {
		CHECK_EQ(next_result(&scope, &result), 0);
		CHECK_EQ(result, i);
	}
	CHECK_EQ(next_result(&scope, &result), -ENOENT);
	return 0;
}

TEST(cancelled_the_owner_is_told)
{
	struct nap napped = {cr_seconds(100), 0, 0};
	cr_task task = {77};

	CORAIL_SCOPE(outer);
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &napped);
	cr_scope_timeout_set(&outer, cr_millis(5));
	CHECK_EQ(cr_scope_next(&scope, &task), -ECANCELED);
	CHECK_EQ(task.id, 77);
	CHECK_EQ(cr_scope_next(&scope, &task), -ECANCELED);
	CHECK_EQ(cr_scope_wait(&scope), -ECANCELED);
	CHECK_EQ(napped.seen, -ECANCELED);
	return 0;
}

int main(void)
{
	RUN_TASK(in_the_order_of_completion);
	RUN_TASK(in_the_order_of_time);
	RUN_TASK(those_that_ended_before_come_first);
	RUN_TASK(a_failure_while_the_owner_waits_here_counts_as_awaited);
	RUN_TASK(in_a_collecting_scope_no_failure_hides_the_others);
	RUN_TASK(results_that_another_one_read_are_left_out);
	RUN_TASK(many_results_that_others_read);
	RUN_TASK(a_deadline_ends_the_wait_and_loses_nobody);
	RUN_TASK(children_of_children_are_reported_too);
	RUN_TASK(cancelled_the_owner_is_told);
	return test_done();
}
