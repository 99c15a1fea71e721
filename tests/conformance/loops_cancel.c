/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Loops on several threads that are cancelled: by their caller, by SIGINT, before they begin. */

#include <corail/exec.h>
#include <corail/loops.h>

#include "support/child.h"
#include "support/core.h"

#include <stdatomic.h>

enum { COUNT = 4 };

struct tally {
	_Atomic size_t runs;
};

struct shared {
	_Atomic int running, cleaned, leftovers;
	cr_loop caller;
	cr_event all_run;
};

static int background(struct shared *s)
{
	int r = cr_sleep(CORAIL_NEVER);

	atomic_fetch_add(&s->leftovers, 1);
	return r;
}

static void tell(void *arg)
{
	struct shared *s = arg;

	cr_event_set(&s->all_run);
}

static int wait_for_the_end(struct shared *s)
{
	int r;

	cr_spawn(cr_scope_program(), background, s);
	CHECK_EQ(cr_yield(), 0);
	if (atomic_fetch_add(&s->running, 1) == COUNT - 1)
		CHECK_EQ(cr_loop_post_threadsafe(s->caller, tell, s), 0);
	r = cr_sleep(CORAIL_NEVER);
	CHECK_EQ(cr_shield(cr_seconds(20), cr_sleep(cr_micros(10))), 0);
	atomic_fetch_add(&s->cleaned, 1);
	return r;
}

static int run_loops(struct shared *s)
{
	return cr_loops(COUNT, wait_for_the_end, s);
}

/* All main tasks are cancelled, clean up, and what they left behind is joined. */
TEST(caller_is_cancelled)
{
	struct shared s = {.caller = cr_loop_current()};
	cr_task task;
	CORAIL_SCOPE(scope);

	task = cr_spawn(&scope, run_loops, &s);
	CHECK_EQ(cr_event_wait(&s.all_run), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(s.cleaned, COUNT);
	CHECK_EQ(s.leftovers, COUNT);
	return 0;
}

static int ends_well_all_the_same(struct shared *s)
{
	wait_for_the_end(s);
	return 0;
}

static int run_loops_that_end_well(struct shared *s)
{
	return cr_loops(COUNT, ends_well_all_the_same, s);
}

/* A result that is there is not lost. */
TEST(cancelled_and_yet_well)
{
	struct shared s = {.caller = cr_loop_current()};
	cr_task task;
	CORAIL_SCOPE(scope);

	task = cr_spawn(&scope, run_loops_that_end_well, &s);
	CHECK_EQ(cr_event_wait(&s.all_run), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), 0);
	CHECK_EQ(s.cleaned, COUNT);
	return 0;
}

static int sleep_for_ever(struct tally *t)
{
	atomic_fetch_add(&t->runs, 1);
	return cr_sleep(CORAIL_NEVER);
}

/* Cancelled at any time, from before the first thread runs on. */
TEST(cancelled_early)
{
	struct tally t = {0};

	for (int i = 0; i < 20; i++) {
		int r = cr_timeout(cr_micros(50 * i), cr_loops(2, sleep_for_ever, &t));

		CHECK_EQ(r, -ETIMEDOUT);
	}
	{
		CORAIL_SCOPE(scope);
		size_t runs = t.runs;

		cr_scope_cancel(&scope);
		CHECK_EQ(cr_loops(2, sleep_for_ever, &t), -ECANCELED);
		CHECK_EQ(t.runs, runs);
	}
	return 0;
}

static int raise_sigint(struct shared *s)
{
	int r;

	cr_spawn(cr_scope_program(), background, s);
	if (cr_loops_index() == 1)
		CHECK_EQ(kill(getpid(), SIGINT), 0);
	r = cr_sleep(CORAIL_NEVER);
	atomic_fetch_add(&s->cleaned, 1);
	return r;
}

static int interrupted(void *arg)
{
	static struct shared s;

	(void)arg;
	CHECK_EQ(cr_loops(COUNT, raise_sigint, &s), -EINTR);
	CHECK_EQ(s.cleaned, COUNT);
	CHECK_EQ(s.leftovers, COUNT);
	return 0;
}

static void sigint_ends_all(void)
{
	struct child *c = malloc(sizeof *c);

	CHECK(c != NULL);
	child_run(c, interrupted, NULL);
	CHECK_STR(c->errors, "");
	CHECK_EQ(c->status, 0);
	free(c);
}

int main(void)
{
	if (on_sim())
		SKIP("the simulator has one loop");
	/* First: it forks, which ThreadSanitizer wants done before there are threads. */
	RUN(sigint_ends_all);
	RUN_TASK(caller_is_cancelled);
	RUN_TASK(cancelled_and_yet_well);
	RUN_TASK(cancelled_early);
	return test_done();
}
