/* SPDX-License-Identifier: MIT */
/* Programmer errors: a message that says what is wrong, the tree of tasks, and the end. */

#include "support/child.h"
#include "support/core.h"

#include <corail/debug.h>
#include <corail/sync.h>

static cr_scope shared;

static int suspend_outside(void *unused)
{
	(void)unused;
	return cr_sleep(1);
}

static int spawn_outside(void *unused)
{
	struct nap n = {0};

	(void)unused;
	cr_spawn(&shared, nap, &n);
	return 0;
}

static int enter_outside(void *unused)
{
	(void)unused;
	cr_scope_enter(&shared);
	return 0;
}

static int program_scope_outside(void *unused)
{
	(void)unused;
	cr_scope_program();
	return 0;
}

static void suspend_in_callback(void *unused)
{
	(void)unused;
	cr_yield();
}

TEST(callback_suspends)
{
	CHECK_EQ(cr_loop_post(suspend_in_callback, NULL), 0);
	return cr_yield();
}

TEST(scope_not_entered)
{
	struct nap n = {0};

	cr_spawn(&shared, nap, &n);
	return 0;
}

TEST(scope_left_twice)
{
	cr_scope_enter(&shared);
	cr_scope_leave(&shared);
	cr_scope_leave(&shared);
	return 0;
}

TEST(wait_after_leaving)
{
	cr_scope_enter(&shared);
	cr_scope_leave(&shared);
	return cr_scope_wait(&shared);
}

TEST(cancel_after_leaving)
{
	cr_scope_enter(&shared);
	cr_scope_leave(&shared);
	cr_scope_cancel(&shared);
	return 0;
}

TEST(deadline_of_no_scope)
{
	cr_scope_timeout_set(&shared, 1);
	return 0;
}

TEST(returns_from_inside_a_scope)
{
	cr_scope_enter(&shared);
	return 0;
}

static int wait_for_scope(cr_scope *scope)
{
	return cr_scope_wait(scope);
}

TEST(another_task_waits)
{
	CORAIL_SCOPE(mine);
	cr_spawn(&mine, wait_for_scope, &mine);
	return cr_scope_wait(&mine);
}

TEST(outer_before_inner)
{
	cr_scope inner, outer;

	cr_scope_enter(&outer);
	cr_scope_enter(&inner);
	cr_scope_leave(&outer);
	return 0;
}

TEST(shield_too_late)
{
	struct nap n = {0};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &n);
	cr_scope_shield(&scope, 1);
	return 0;
}

static int run_task(void *task)
{
	int (*fn)(void *) = *(int (**)(void *))task;
	void *nothing = NULL;

	return cr_run(fn, nothing);
}

static void expect_outside(int (*fn)(void *unused), const char *text)
{
	struct child c;

	child_run(&c, fn, NULL);
	CHECK_DIED(&c, SIGABRT, text);
	CHECK_SAYS(&c, "corail: ");
}

static void expect_inside(int (*fn)(void *unused), const char *text)
{
	struct child c;

	child_run(&c, run_task, &fn);
	CHECK_DIED(&c, SIGABRT, text);
	CHECK_SAYS(&c, "corail: ");
	CHECK_SAYS(&c, "program_panic.c:");
	CHECK_SAYS(&c, "on loop 1");
}

static void what_needs_a_task_says_so(void)
{
	expect_outside(suspend_outside, "cr_sleep() called outside a task");
	expect_outside(spawn_outside, "cr_spawn() called without a loop");
	expect_outside(enter_outside, "cr_scope_enter() called outside a task");
	expect_outside(program_scope_outside, "cr_scope_program() called without a loop");
	expect_inside(callback_suspends, "cr_yield() called outside a task");
}

static void scopes_are_entered_and_left_in_order(void)
{
	expect_inside(scope_not_entered, "the scope was not entered, or was left already");
	expect_inside(scope_left_twice, "cr_scope_leave(): the scope was not entered");
	expect_inside(wait_after_leaving, "cr_scope_wait(): the scope was not entered");
	expect_inside(cancel_after_leaving, "cr_scope_cancel(): the scope was not entered");
	expect_inside(deadline_of_no_scope, "cr_scope_deadline_set(): the scope was not entered");
	expect_inside(returns_from_inside_a_scope,
	              "returned from inside a scope that it did not leave");
	expect_inside(outer_before_inner, "a scope inside this one was not left yet");
}

static void a_scope_is_its_owner_s(void)
{
	expect_inside(another_task_waits,
	              "cr_scope_wait(): only the task that entered a scope may do this");
	expect_inside(shield_too_late, "shield a scope before anything runs in it");
}

int main(void)
{
	RUN(what_needs_a_task_says_so);
	RUN(scopes_are_entered_and_left_in_order);
	RUN(a_scope_is_its_owner_s);
	return test_done();
}
