/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Calls of a loop to itself, and tasks that are handed to it: the same rules as between two. */

#include <corail/exec.h>
#include <corail/loops.h>

#include "question.h"
#include "support/core.h"
#include "support/full.h"

/* --------------------------------------------------------------------------- one's own loop --- */

/* A loop calls itself, also in the simulator. */
TEST(own_loop)
{
	struct question q = {.input = 21, .result = 5};

	CHECK_EQ(cr_call_loop(cr_loop_current(), answer, &q), 5);
	CHECK_EQ(q.answer, 42);
	CHECK_EQ(q.loop, cr_loop_current().id);
	q.result = -EPROTO;
	CHECK_EQ(cr_call_loop(cr_loop_current(), answer, &q), -EPROTO);
	CHECK_EQ(cr_scope_cancelled(cr_scope_program()), 0);
	return 0;
}

static int waits(struct gate *gate)
{
	cr_event_set(&gate->next->open);
	return pass(gate);
}

static int calls_own(struct gate *gate)
{
	return cr_call_loop(cr_loop_current(), waits, gate);
}

TEST(own_loop_cancelled)
{
	struct gate begun = {.result = 0}, gate = {.next = &begun};
	cr_task task;
	CORAIL_SCOPE(scope);

	task = cr_spawn(&scope, calls_own, &gate);
	CHECK_EQ(cr_event_wait(&begun.open), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(gate.seen, -ECANCELED);
	/* Before it has begun: it begins all the same, and finds itself cancelled. */
	gate.seen = 0;
	task = cr_spawn(&scope, calls_own, &gate);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(gate.seen, 0);
	return 0;
}

TEST(no_such_loop)
{
	struct question q = {.input = 1};
	int r = on_sim() ? -EOPNOTSUPP : -ESRCH;

	CHECK_EQ(cr_call_loop((cr_loop){0}, answer, &q), r);
	CHECK_EQ(cr_call_loop((cr_loop){INT64_MAX}, answer, &q), r);
	CHECK_EQ(cr_spawn_loop((cr_loop){INT64_MAX}, answer, &q), r);
	{
		CORAIL_SCOPE(scope);

		cr_scope_cancel(&scope);
		CHECK_EQ(cr_call_loop(cr_loop_current(), answer, &q), -ECANCELED);
	}
	CHECK_EQ(q.answer, 0);
	return 0;
}

struct note_to_self {
	cr_event *told;
	char text[100];
};

static int read_note(struct note_to_self *n)
{
	note("%s", n->text);
	cr_event_set(n->told);
	return 0;
}

TEST(spawn_on_own_loop)
{
	cr_event told = {0};
	struct note_to_self n = {.told = &told, .text = "copied"};

	CHECK_EQ(cr_spawn_loop(cr_loop_current(), read_note, &n), 0);
	memset(&n, 0, sizeof n);
	CHECK_EQ(cr_event_wait(&told), 0);
	CHECK_STR(core_log, "copied");
	return 0;
}

static int too_large(char (*text)[20000])
{
	return (*text)[0];
}

TEST(spawn_of_too_much)
{
	static char text[20000];

	CHECK_EQ(cr_spawn_loop(cr_loop_current(), too_large, &text), -E2BIG);
	return 0;
}

/* What was accepted and could not begin is given back. */
struct thing {
	int *released;
};

static int never_begins(struct thing *thing)
{
	(void)thing;
	FAIL("the loop had ended");
}

static void release(void *copy)
{
	struct thing *thing = copy;

	++*thing->released;
}

static int spawn_and_end(struct thing *thing)
{
	cr_spawn_loop_options options = {.dropped = release};

	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_spawn_loop_with(&options, cr_loop_current(), never_begins, thing), 0);
	return 0;
}

static int spawn_without_room(struct thing *thing)
{
	cr_spawn_loop_options options = {.dropped = release};

	CHECK_EQ(cr_spawn_loop_with(&options, cr_loop_current(), never_begins, thing), 0);
	full_begin();
	while (*thing->released == 0)
		CHECK_EQ(cr_yield(), 0);
	full_end();
	return 0;
}

/* Its spawner hears of it: no reason for that loop's program to fail. */
static void dropped_without_room(void)
{
	int released = 0;
	struct thing thing = {&released};

	CHECK_EQ(cr_run(spawn_without_room, &thing), 0);
	CHECK_EQ(released, 1);
}

static void dropped_at_the_end(void)
{
	int released = 0;
	struct thing thing = {&released};

	CHECK_EQ(cr_run(spawn_and_end, &thing), 0);
	CHECK_EQ(released, 3);
}

static int fails(struct thing *thing)
{
	(void)thing;
	return -EPROTO;
}

static int spawn_a_failure(struct thing *thing)
{
	CHECK_EQ(cr_spawn_loop(cr_loop_current(), fails, thing), 0);
	while (!cr_scope_cancelled(cr_scope_program()))
		CHECK_EQ(cr_yield(), 0);
	return 0;
}

/* Nobody waits for it, and its failure is not lost. */
static void failure_of_a_spawned_one(void)
{
	struct thing thing = {NULL};

	CHECK_EQ(cr_run(spawn_a_failure, &thing), -EPROTO);
}

int main(void)
{
	RUN_TASK(own_loop);
	RUN_TASK(own_loop_cancelled);
	RUN_TASK(no_such_loop);
	RUN_TASK(spawn_on_own_loop);
	RUN_TASK(spawn_of_too_much);
	RUN(dropped_without_room);
	RUN(dropped_at_the_end);
	RUN(failure_of_a_spawned_one);
	return test_done();
}
