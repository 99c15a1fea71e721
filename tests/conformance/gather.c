/* SPDX-License-Identifier: MIT */
/* Gather: one function over an array, or several functions, all at once or so many at a time. */

#include "support/core.h"

TEST(results_are_in_the_order_of_arguments)
{
	struct nap naps[] = {{cr_millis(20), 1, 9}, {cr_millis(10), 2, 9}, {0, 3, 9}};
	cr_nsec start = cr_now();
	int statuses[3];

	CHECK_EQ(cr_gather(nap, naps, 3), 0);
	CHECK_ELAPSED(start, cr_millis(20));
	CHECK_EQ(cr_gather_collect(nap, naps, 3, statuses), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(naps[i].seen, 0);
		CHECK_EQ(statuses[i], i + 1);
	}
	return 0;
}

TEST(of_none_it_returns_at_once)
{
	struct nap *none = NULL;
	size_t index = 9;

	CHECK_EQ(cr_gather(nap, none, 0), 0);
	CHECK_EQ(cr_gather_limit(nap, none, 0, 3), 0);
	CHECK_EQ(cr_gather_collect(nap, none, 0, NULL), 0);
	CHECK_EQ(cr_gather_calls(NULL, 0), 0);
	CHECK_EQ(cr_gather_first(nap, none, 0, &index), -EINVAL);
	CHECK_EQ(index, 9);
	return 0;
}

TEST(the_first_failure_cancels_the_rest)
{
	struct nap naps[] = {{cr_seconds(100), 1, 9},
	                     {cr_millis(5), -EPROTO, 9},
	                     {cr_seconds(100), 3, 9}};
	int statuses[3] = {9, 9, 9};
	cr_gather_options options = {.statuses = statuses};
	cr_nsec start = cr_now();

	CHECK_EQ(cr_gather_with(&options, nap, naps, 3), -EPROTO);
	CHECK_ELAPSED(start, cr_millis(5));
	CHECK_EQ(naps[0].seen, -ECANCELED);
	CHECK_EQ(naps[2].seen, -ECANCELED);
	CHECK_EQ(statuses[0], -ECANCELED);
	CHECK_EQ(statuses[1], -EPROTO);
	CHECK_EQ(statuses[2], -ECANCELED);
	return cr_yield();
}

TEST(collecting_lets_all_of_them_end)
{
	struct nap naps[] = {{cr_millis(3), 1, 9},
	                     {cr_millis(1), -EPROTO, 9},
	                     {cr_millis(2), -EPIPE, 9}};
	int statuses[3] = {9, 9, 9};

	CHECK_EQ(cr_gather_collect(nap, naps, 3, statuses), 2);
	CHECK_EQ(statuses[0], 1);
	CHECK_EQ(statuses[1], -EPROTO);
	CHECK_EQ(statuses[2], -EPIPE);
	return 0;
}

struct counted {
	int number;
	int *running, *most;
};

static int count_running(struct counted *c)
{
	int r;

	note("%d", c->number);
	if (++*c->running > *c->most)
		*c->most = *c->running;
	r = cr_sleep(cr_millis(1 + c->number % 3));
	--*c->running;
	return r;
}

TEST(never_more_than_the_limit_and_started_in_order)
{
	struct counted all[10];
	int running = 0, most = 0;

	for (int i = 0; i < 10; i++)
		all[i] = (struct counted){i, &running, &most};
	CHECK_EQ(cr_gather_limit(count_running, all, 10, 3), 0);
	CHECK_EQ(most, 3);
	CHECK_EQ(running, 0);
	CHECK_STR(core_log, "0 1 2 3 4 5 6 7 8 9");
	most = 0;
	core_log_clear();
	CHECK_EQ(cr_gather_limit(count_running, all, 10, 1), 0);
	CHECK_EQ(most, 1);
	most = 0;
	CHECK_EQ(cr_gather_limit(count_running, all, 10, 0), 0);
	CHECK_EQ(most, 10);
	most = 0;
	CHECK_EQ(cr_gather_limit(count_running, all, 10, 1000), 0);
	CHECK_EQ(most, 10);
	return 0;
}

TEST(with_a_limit_a_failure_keeps_the_rest_from_starting)
{
	struct nap naps[] = {{0, 1, 9}, {cr_millis(1), -EPROTO, 9}, {0, 3, 9}, {0, 4, 9}};
	int statuses[4] = {9, 9, 9, 9};
	cr_gather_options options = {.limit = 1, .statuses = statuses};

	CHECK_EQ(cr_gather_with(&options, nap, naps, 4), -EPROTO);
	CHECK_EQ(naps[0].seen, 0);
	CHECK_EQ(naps[2].seen, 9);
	CHECK_EQ(naps[3].seen, 9);
	CHECK_EQ(statuses[0], 1);
	CHECK_EQ(statuses[1], -EPROTO);
	CHECK_EQ(statuses[2], -ECANCELED);
	CHECK_EQ(statuses[3], -ECANCELED);
	return 0;
}

struct gatherer {
	struct nap naps[5];
	int result;
	size_t limit;
};

static int gather_naps(struct gatherer *g)
{
	g->result = cr_gather_limit(nap, g->naps, 5, g->limit);
	return g->result;
}

TEST(cancelling_the_waiter_cancels_every_child)
{
	for (size_t limit = 0; limit < 3; limit += 2) {
		struct gatherer g = {.result = 9, .limit = limit};

		for (int i = 0; i < 5; i++)
			g.naps[i] = (struct nap){cr_seconds(100), i, 9};
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, gather_naps, &g);
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
		CHECK_EQ(cr_task_cancel(task), 0);
		CHECK_EQ(cr_await(task), -ECANCELED);
		CHECK_EQ(g.result, -ECANCELED);
		for (int i = 0; i < 5; i++)
			CHECK_EQ(g.naps[i].seen, limit == 0 || i < 2 ? -ECANCELED : 9);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	return 0;
}

TEST(a_deadline_around_a_gather)
{
	struct nap naps[] = {{cr_seconds(100), 1, 9}, {cr_seconds(100), 2, 9}};
	int statuses[2] = {9, 9};
	cr_nsec start = cr_now();

	CHECK_EQ(cr_timeout(cr_millis(10), cr_gather(nap, naps, 2)), -ETIMEDOUT);
	CHECK_ELAPSED(start, cr_millis(10));
	CHECK_EQ(cr_timeout(cr_millis(1), cr_gather_collect(nap, naps, 2, statuses)), -ETIMEDOUT);
	CHECK_EQ(statuses[0], -ECANCELED);
	CHECK_EQ(statuses[1], -ECANCELED);
	return 0;
}

static int gather_one(struct nap *n)
{
	return cr_gather(nap, n, 1);
}

TEST(gathers_nest)
{
	struct nap naps[3] = {{cr_millis(1), 0, 9}, {cr_millis(1), -EPROTO, 9}, {100, 0, 9}};

	CHECK_EQ(cr_gather(gather_one, naps, 3), -EPROTO);
	CHECK_EQ(naps[1].seen, 0);
	return 0;
}

TEST(the_first_success_wins)
{
	struct nap naps[] = {{cr_millis(1), -EPROTO, 9},
	                     {cr_seconds(100), 2, 9},
	                     {cr_millis(5), 33, 9},
	                     {cr_seconds(100), 4, 9}};
	cr_nsec start = cr_now();
	size_t index = 9;

	CHECK_EQ(cr_gather_first(nap, naps, 4, &index), 33);
	CHECK_EQ(index, 2);
	CHECK_ELAPSED(start, cr_millis(5));
	CHECK_EQ(naps[1].seen, -ECANCELED);
	CHECK_EQ(naps[3].seen, -ECANCELED);
	return cr_yield();
}

TEST(when_all_fail_the_first_failure)
{
	struct gate gates[] = {{.result = -EPIPE, .seen = 9},
	                       {.result = -EPROTO, .next = &gates[0]}};
	size_t index = 9;

	cr_event_set(&gates[1].open);
	CHECK_EQ(cr_gather_first(pass, gates, 2, &index), -EPROTO);
	CHECK_EQ(index, 9);
	CHECK_EQ(gates[0].seen, 0);
	return 0;
}

TEST(of_two_successes_in_one_turn_the_earlier)
{
	struct nap naps[] = {{0, 10, 9}, {0, 20, 9}};
	size_t index = 9;

	CHECK_EQ(cr_gather_first(nap, naps, 2, &index), 10);
	CHECK_EQ(index, 0);
	return 0;
}

static int cancels_itself(struct nap *n)
{
	cr_task_cancel(cr_task_self());
	n->seen = cr_yield();
	return n->seen;
}

/* An element that was cancelled by somebody else has no result: that is not a success. */
TEST(an_element_that_was_cancelled_is_no_success)
{
	struct nap naps[2] = {{0, 0, 9}, {0, 0, 9}};
	cr_call calls[] = {cr_call_of(cancels_itself, &naps[0]), cr_call_of(nap, &naps[1])};
	int statuses[2] = {9, 9};
	size_t index = 9;

	CHECK_EQ(cr_gather(cancels_itself, naps, 2), -ECANCELED);
	CHECK_EQ(cr_gather_first(cancels_itself, naps, 2, &index), -ECANCELED);
	CHECK_EQ(index, 9);
	CHECK_EQ(cr_gather_calls(calls, 2), -ECANCELED);
	CHECK_EQ(calls[0].status, -ECANCELED);
	CHECK_EQ(calls[1].status, 0);
	CHECK_EQ(cr_gather_collect(cancels_itself, naps, 2, statuses), 2);
	CHECK_EQ(statuses[1], -ECANCELED);
	return cr_yield();
}

struct text {
	const char *text;
};

static int say(struct text *t)
{
	int r = cr_yield();

	note("%s", t->text);
	return r < 0 ? r : (int)strlen(t->text);
}

TEST(different_functions_at_once)
{
	struct text hello = {"hello"};
	struct nap napped = {cr_millis(1), 7, 9}, failing = {cr_millis(5), -EPROTO, 9},
		   sibling = {cr_seconds(100), 0, 9};
	cr_call calls[] = {cr_call_of(say, &hello), cr_call_of(nap, &napped)};
	cr_call failing_calls[] = {cr_call_of(nap, &sibling), cr_call_of(nap, &failing)};

	CHECK_EQ(cr_gather_calls(calls, 2), 0);
	CHECK_EQ(calls[0].status, 5);
	CHECK_EQ(calls[1].status, 7);
	CHECK_STR(core_log, "hello");
	CHECK_EQ(cr_gather_calls(failing_calls, 2), -EPROTO);
	CHECK_EQ(failing_calls[0].status, -ECANCELED);
	CHECK_EQ(failing_calls[1].status, -EPROTO);
	return 0;
}

static int give_number(int *number)
{
	return *number;
}

TEST(ten_thousand_elements)
{
	static int numbers[10000], statuses[10000];

	size_t count = (size_t)core_many(10000);

	for (size_t i = 0; i < count; i++)
		numbers[i] = (int)i;
	CHECK_EQ(cr_gather_collect(give_number, numbers, count, statuses), 0);
	CHECK_MEM(statuses, numbers, count * sizeof *numbers);
	CHECK_EQ(cr_gather_limit(give_number, numbers, count, 7), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(results_are_in_the_order_of_arguments);
	RUN_TASK(of_none_it_returns_at_once);
	RUN_TASK(the_first_failure_cancels_the_rest);
	RUN_TASK(collecting_lets_all_of_them_end);
	RUN_TASK(never_more_than_the_limit_and_started_in_order);
	RUN_TASK(with_a_limit_a_failure_keeps_the_rest_from_starting);
	RUN_TASK(cancelling_the_waiter_cancels_every_child);
	RUN_TASK(a_deadline_around_a_gather);
	RUN_TASK(gathers_nest);
	RUN_TASK(the_first_success_wins);
	RUN_TASK(when_all_fail_the_first_failure);
	RUN_TASK(of_two_successes_in_one_turn_the_earlier);
	RUN_TASK(an_element_that_was_cancelled_is_no_success);
	RUN_TASK(different_functions_at_once);
	RUN_TASK(ten_thousand_elements);
	return test_done();
}
