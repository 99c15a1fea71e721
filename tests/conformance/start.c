/* SPDX-License-Identifier: MIT */
/* The start hand-shake: a parent that goes on when its child is ready. */

#include "support/core.h"

#include <corail/sync.h>

struct server {
	cr_nsec delay;
	int value, result;
	int seen; /* by its last sleep */
	cr_event stop;
};

static int serve(struct server *s)
{
	int r = cr_sleep(s->delay);

	s->seen = r;
	if (r < 0)
		return r;
	if (s->value >= 0)
		cr_task_started(s->value);
	r = s->result < 0 ? s->result : cr_event_wait(&s->stop);
	s->seen = r;
	return r;
}

TEST(the_parent_goes_on_when_the_child_is_ready)
{
	struct server server = {.delay = cr_millis(5), .value = 42, .seen = 9};
	cr_nsec start = cr_now();
	cr_task task = {0};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_scope_start(&scope, serve, &server, &task), 42);
	CHECK_ELAPSED(start, cr_millis(5));
	CHECK_EQ(cr_scope_count(&scope), 1);
	CHECK_STR(cr_task_name(task), "serve");
	cr_event_set(&server.stop);
	CHECK_EQ(cr_await(task), 0);
	return cr_scope_wait(&scope);
}

TEST(the_handle_is_not_obligatory)
{
	struct server server = {.value = 0};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_scope_start(&scope, serve, &server, NULL), 0);
	CHECK_EQ(cr_scope_count(&scope), 1);
	return 0;
}

TEST(a_child_that_fails_first_gives_its_error_to_the_parent_alone)
{
	struct server server = {.delay = cr_millis(1), .value = -1, .result = -EADDRINUSE};
	struct nap sibling = {cr_millis(5), 3, 9};
	cr_task task = {77};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &sibling);
	CHECK_EQ(cr_scope_start(&scope, serve, &server, &task), -EADDRINUSE);
	CHECK_EQ(task.id, 77);
	CHECK_EQ(cr_scope_cancelled(&scope), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(sibling.seen, 0);
	return 0;
}

TEST(a_child_that_fails_later_fails_the_scope)
{
	struct server server = {.value = 1, .result = -EPIPE};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_scope_start(&scope, serve, &server, NULL), 1);
	CHECK_EQ(cr_scope_wait(&scope), -EPIPE);
	return 0;
}

static int end_silently(int *unused)
{
	(void)unused;
	return 5;
}

TEST(a_child_that_says_nothing_is_an_error)
{
	int unused = 0;
	cr_task task = {77};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_scope_start(&scope, end_silently, &unused, &task), -ENOMSG);
	CHECK_EQ(task.id, 77);
	return cr_scope_wait(&scope);
}

static int start_twice(int *value)
{
	cr_task_started(*value);
	cr_task_started(*value + 1);
	return 0;
}

TEST(only_the_first_word_counts)
{
	int value = 6, negative = -6;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_scope_start(&scope, start_twice, &value, NULL), 6);
	CHECK_EQ(cr_scope_start(&scope, start_twice, &negative, NULL), 0);
	/* Without a hand-shake it says nothing to nobody. */
	cr_task_started(3);
	cr_spawn(&scope, start_twice, &value);
	return cr_scope_wait(&scope);
}

static int start_server(struct server *s)
{
	cr_task task;

	CORAIL_SCOPE(scope);
	return cr_scope_start(&scope, serve, s, &task);
}

TEST(a_cancelled_parent_cancels_the_child)
{
	struct server server = {.delay = cr_seconds(3600), .value = 1, .seen = 9};
	cr_nsec start = cr_now();

	CORAIL_SCOPE(scope);
	cr_task parent = cr_spawn(&scope, start_server, &server);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_EQ(cr_task_cancel(parent), 0);
	CHECK_EQ(cr_await(parent), -ECANCELED);
	CHECK_EQ(server.seen, -ECANCELED);
	CHECK_ELAPSED(start, cr_millis(1));
	return cr_scope_wait(&scope);
}

/*
 * The deadline is inside the scope that the child lives in: it would go on, and nobody have its
 * handle.
 */
TEST(a_deadline_around_the_start_ends_the_child)
{
	struct server server = {.delay = cr_seconds(3600), .value = 1, .seen = 9};
	struct nap sibling = {cr_millis(20), 3, 9};
	cr_nsec start = cr_now();
	cr_task task = {77};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &sibling);
	CHECK_EQ(cr_timeout(cr_millis(10), cr_scope_start(&scope, serve, &server, &task)),
	         -ETIMEDOUT);
	CHECK_EQ(task.id, 77);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(server.seen, -ECANCELED);
	CHECK_EQ(sibling.seen, 0);
	CHECK_ELAPSED(start, cr_millis(20));
	return 0;
}

static int ready_and_cancel(cr_scope **parents)
{
	cr_task_started(8);
	cr_scope_cancel(*parents);
	return 0;
}

struct starting {
	cr_scope *children, *parents;
	int first, second;
};

static int start_in_other_scope(struct starting *s)
{
	s->first = cr_scope_start(s->children, ready_and_cancel, &s->parents, NULL);
	s->second = cr_yield();
	return 0;
}

TEST(a_word_and_a_cancellation_in_the_same_turn)
{
	struct starting s = {.first = 9};

	CORAIL_SCOPE(children);
	CORAIL_SCOPE(parents);
	s.children = &children;
	s.parents = &parents;
	cr_spawn(&parents, start_in_other_scope, &s);
	CHECK_EQ(cr_scope_wait(&parents), 0);
	CHECK_EQ(s.first, 8);
	CHECK_EQ(s.second, -ECANCELED);
	return 0;
}

int main(void)
{
	RUN_TASK(the_parent_goes_on_when_the_child_is_ready);
	RUN_TASK(the_handle_is_not_obligatory);
	RUN_TASK(a_child_that_fails_first_gives_its_error_to_the_parent_alone);
	RUN_TASK(a_child_that_fails_later_fails_the_scope);
	RUN_TASK(a_child_that_says_nothing_is_an_error);
	RUN_TASK(only_the_first_word_counts);
	RUN_TASK(a_cancelled_parent_cancels_the_child);
	RUN_TASK(a_deadline_around_the_start_ends_the_child);
	RUN_TASK(a_word_and_a_cancellation_in_the_same_turn);
	return test_done();
}
