/* SPDX-License-Identifier: MIT */
/* Barrier and once. */

#include <corail/corail.h>

#include "support/core.h"
#include "support/settle.h"

enum { PARTIES = 4, ROUNDS = 10 };

struct meeting {
	cr_barrier barrier;
	int arrived, seen[ROUNDS][PARTIES];
};

static int meet(struct meeting *meeting)
{
	for (int round = 0; round < ROUNDS; round++) {
		int index;

		meeting->arrived++;
		index = cr_barrier_wait(&meeting->barrier);
		CHECK(index >= 0 && index < PARTIES);
		meeting->seen[round][index]++;
		/* Nobody is further before all have come. */
		CHECK_GE(meeting->arrived, (round + 1) * PARTIES);
	}
	return 0;
}

TEST(distinct_indices_again_and_again)
{
	struct meeting meeting = {.barrier = CORAIL_BARRIER(PARTIES)};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < PARTIES; i++)
		cr_spawn(&scope, meet, &meeting);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < PARTIES; i++)
			CHECK_EQ(meeting.seen[round][i], 1);
	return 0;
}

TEST(alone)
{
	cr_barrier barrier = CORAIL_BARRIER(1), nothing = {0};

	CHECK_EQ(cr_barrier_wait(&barrier), 0);
	CHECK_EQ(cr_barrier_wait(&barrier), 0);
	CHECK_EQ(cr_barrier_wait(&nothing), -EINVAL);
	return 0;
}

static int arrive(cr_barrier *barrier)
{
	return cr_barrier_wait(barrier);
}

/* What two who wait get when the third does something. */
static void two_wait(void (*third)(cr_barrier *barrier, const cr_task *tasks), int a, int b)
{
	cr_barrier barrier = CORAIL_BARRIER(3);
	cr_task tasks[2];

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	for (int i = 0; i < 2; i++) {
		tasks[i] = cr_spawn(&scope, arrive, &barrier);
		settle();
	}
	CHECK_EQ(cr_barrier_waiting(&barrier), 2);
	third(&barrier, tasks);
	CHECK_EQ(cr_await(tasks[0]), a);
	CHECK_EQ(cr_await(tasks[1]), b);
}

static void cancels_one(cr_barrier *barrier, const cr_task *tasks)
{
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_barrier_is_broken(barrier), 1);
	CHECK_EQ(cr_barrier_waiting(barrier), 0);
	/* Until it is made whole. */
	CHECK_EQ(cr_barrier_wait(barrier), -EPIPE);
	cr_barrier_reset(barrier);
	CHECK_EQ(cr_barrier_is_broken(barrier), 0);
}

static void breaks(cr_barrier *barrier, const cr_task *tasks)
{
	(void)tasks;
	cr_barrier_break(barrier);
	CHECK_EQ(cr_barrier_wait(barrier), -EPIPE);
}

static void resets(cr_barrier *barrier, const cr_task *tasks)
{
	(void)tasks;
	cr_barrier_reset(barrier);
	CHECK_EQ(cr_barrier_is_broken(barrier), 0);
	CHECK_EQ(cr_barrier_waiting(barrier), 0);
}

static void is_cancelled(cr_barrier *barrier, const cr_task *tasks)
{
	(void)tasks;
	CORAIL_SCOPE(scope);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_barrier_wait(barrier), -ECANCELED);
}

/* Everybody is there: who is cancelled only now has passed. */
static void comes_and_cancels_one(cr_barrier *barrier, const cr_task *tasks)
{
	CHECK_EQ(cr_barrier_wait(barrier), 2);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_barrier_is_broken(barrier), 0);
}

TEST(breaks_for_all)
{
	two_wait(cancels_one, -ECANCELED, -EPIPE);
	two_wait(breaks, -EPIPE, -EPIPE);
	two_wait(resets, -EPIPE, -EPIPE);
	two_wait(is_cancelled, -EPIPE, -EPIPE);
	two_wait(comes_and_cancels_one, 0, 1);
	return 0;
}

/* ------------------------------------------------------------------------------------- once --- */

struct setup {
	cr_once once;
	cr_event go;
	int runs, result, seen;
};

struct wanter {
	struct setup *setup;
	int seen;
};

static int set_up(struct setup *setup)
{
	int r;

	setup->runs++;
	r = cr_event_wait(&setup->go);
	return r < 0 ? r : setup->result;
}

static int want(struct wanter *wanter)
{
	wanter->seen = cr_once_run(&wanter->setup->once, set_up, wanter->setup);
	return wanter->seen;
}

static void start(cr_scope *scope, struct setup *setup, struct wanter *wanters, cr_task *tasks,
                  int count)
{
	for (int i = 0; i < count; i++) {
		wanters[i] = (struct wanter){setup, 1000};
		tasks[i] = cr_spawn(scope, want, &wanters[i]);
		settle();
	}
}

TEST(once_for_all)
{
	struct setup setup = {.result = 7};
	struct wanter wanters[5];
	cr_task tasks[5];

	CORAIL_SCOPE(scope);
	start(&scope, &setup, wanters, tasks, 5);
	CHECK_EQ(cr_once_is_done(&setup.once), 0);
	cr_event_set(&setup.go);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(wanters[i].seen, 7);
	CHECK_EQ(setup.runs, 1);
	CHECK_EQ(cr_once_is_done(&setup.once), 1);
	CHECK_EQ(cr_once_run(&setup.once, set_up, &setup), 7);
	CHECK_EQ(setup.runs, 1);
	return 0;
}

/* A failure is the runner's own: the next one tries again. */
TEST(once_fails)
{
	struct setup setup = {.result = -EPROTO};
	struct wanter wanters[2];
	cr_task tasks[2];

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	start(&scope, &setup, wanters, tasks, 2);
	cr_event_set(&setup.go);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	CHECK_EQ(wanters[0].seen, -EPROTO);
	CHECK_EQ(wanters[1].seen, -EPROTO);
	CHECK_EQ(setup.runs, 2);
	setup.result = 3;
	CHECK_EQ(cr_once_run(&setup.once, set_up, &setup), 3);
	CHECK_EQ(setup.runs, 3);
	return 0;
}

/* The runner is cancelled, then the one whose turn it is before it has run: the third does it. */
TEST(once_cancelled)
{
	struct setup setup = {.result = 7};
	struct wanter wanters[4];
	cr_task tasks[4];

	CORAIL_SCOPE(scope);
	start(&scope, &setup, wanters, tasks, 4);
	CHECK_EQ(cr_task_cancel(tasks[3]), 0);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_await(tasks[0]), -ECANCELED);
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	cr_event_set(&setup.go);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(wanters[1].seen, -ECANCELED);
	CHECK_EQ(wanters[2].seen, 7);
	CHECK_EQ(wanters[3].seen, -ECANCELED);
	return 0;
}

static int again(struct setup *setup)
{
	setup->seen = cr_once_run(&setup->once, again, setup);
	return 5;
}

TEST(once_within_itself)
{
	struct setup setup = {.seen = 0};

	CHECK_EQ(cr_once_run(&setup.once, again, &setup), 5);
	CHECK_EQ(setup.seen, -EDEADLK);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_once_run(&setup.once, again, &setup), -ECANCELED);
	}
	return 0;
}

int main(void)
{
	RUN_TASK(distinct_indices_again_and_again);
	RUN_TASK(alone);
	RUN_TASK(breaks_for_all);
	RUN_TASK(once_for_all);
	RUN_TASK(once_fails);
	RUN_TASK(once_cancelled);
	RUN_TASK(once_within_itself);
	return test_done();
}
