/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Task-local values over calls between loops: lent until the call returns. */

#include <corail/local.h>
#include <corail/loops.h>

#include "base/alloc.h"
#include "support/core.h"

static int ends;

static void count_end(void *value)
{
	(void)value;
	ends++;
}

/* What a caller lends: the value is there for the call and what it spawns, and not after it. */
static cr_local tag, counted = CORAIL_LOCAL(count_end);

struct lent {
	cr_loop loop;
	cr_event ended, looked;
	void *seen, *seen_below, *seen_after;
};

static int look_below(struct lent *l)
{
	l->seen_below = cr_local_get(&counted);
	return 0;
}

/* In the program's scope, and so alive when the call has returned. */
static int look_after(struct lent *l)
{
	int r = cr_event_wait(&l->ended);

	l->seen_after = cr_local_get(&tag);
	cr_event_set(&l->looked);
	return r;
}

static int look(struct lent *l)
{
	CORAIL_SCOPE(scope);

	l->seen = cr_local_get(&tag);
	cr_spawn(&scope, look_below, l);
	cr_spawn(cr_scope_program(), look_after, l);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	/* Its own affair. */
	CHECK_EQ(cr_local_set(&tag, &l->seen_after), 0);
	CHECK_EQ(cr_local_set(&counted, NULL), 0);
	return cr_yield();
}

/* Back there: whoever has inherited the values and lives on. */
static int let_look_after(struct lent *l)
{
	CHECK(cr_local_get(&tag) != NULL);
	cr_event_set(&l->ended);
	return cr_event_wait(&l->looked);
}

static int lend_to(cr_loop loop)
{
	struct lent l = {.loop = loop};

	ends = 0;
	l.seen_after = &l;
	CHECK_EQ(cr_local_set(&tag, &l), 0);
	CHECK_EQ(cr_local_set(&counted, &l.ended), 0);
	CHECK_EQ(cr_call_loop(loop, look, &l), 0);
	CHECK(l.seen == &l);
	CHECK(l.seen_below == &l.ended);
	CHECK(cr_local_get(&tag) == &l);
	CHECK(cr_local_get(&counted) == &l.ended);
	CHECK_EQ(cr_call_loop(loop, let_look_after, &l), 0);
	CHECK(l.seen_after == NULL);
	CHECK_EQ(ends, 0);
	CHECK_EQ(cr_local_set(&counted, NULL), 0);
	CHECK_EQ(ends, 1);
	CHECK_EQ(cr_local_set(&tag, NULL), 0);
	return 0;
}

TEST(own_loop_sees_locals)
{
	return lend_to(cr_loop_current());
}

static int add_one(int *number)
{
	++*number;
	return 0;
}

/* The memory for what is lent is needed before the function begins. */
TEST(locals_without_memory)
{
	int number = 0;

	CHECK_EQ(cr_call_loop(cr_loop_current(), add_one, &number), 0);
	CHECK_EQ(cr_local_set(&tag, &number), 0);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		cr__alloc_fail_once(nth);
		CHECK_EQ(cr_call_loop(cr_loop_current(), add_one, &number), -ENOMEM);
		cr__alloc_fail_at(0);
		CHECK_EQ(number, 1);
	}
	CHECK_EQ(cr_local_set(&tag, NULL), 0);
	return 0;
}

static int end_it(cr_event *over)
{
	cr_event_set(over);
	return 0;
}

/* The second loop waits to be called until the first one has seen enough. */
static int on_each_loop(cr_event *over)
{
	if (cr_loops_index() == 1)
		return cr_event_wait(over);
	CHECK_EQ(lend_to(cr_loops_at(1)), 0);
	return cr_call_loop(cr_loops_at(1), end_it, over);
}

static void other_loop_sees_locals(void)
{
	cr_event over = {0};

	CHECK_EQ(cr_loops(2, on_each_loop, &over), 0);
}

int main(void)
{
	RUN_TASK(own_loop_sees_locals);
	RUN_TASK(locals_without_memory);
	if (!on_sim())
		RUN(other_loop_sees_locals);
	return test_done();
}
