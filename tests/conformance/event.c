/* SPDX-License-Identifier: MIT */
/* The event: order, the flag, cancellation. */

#include <corail/corail.h>
#include <corail/sync.h>

#include "support/on_sim.h"
#include "support/test.h"

struct waiter {
	cr_event *event;
	int *turn;
	int woken; /* which in order, from 1 */
};

static int wait_for(struct waiter *waiter)
{
	int r = cr_event_wait(waiter->event);

	if (r == 0)
		waiter->woken = ++*waiter->turn;
	return r;
}

static int body_order(int *unused)
{
	cr_event event = {0};
	int turn = 0;
	struct waiter waiters[5];
	CORAIL_SCOPE(scope);

	(void)unused;
	for (int i = 0; i < 5; i++) {
		waiters[i] = (struct waiter){&event, &turn, 0};
		cr_spawn(&scope, wait_for, &waiters[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_event_is_set(&event), 0);
	/* Set, then cleared: those who waited are woken all the same. */
	cr_event_set(&event);
	CHECK_EQ(cr_event_is_set(&event), 1);
	cr_event_clear(&event);
	CHECK_EQ(turn, 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(turn, 5);
	/* In sim the order is the seed's. */
	for (int i = 0; i < 5 && !on_sim(); i++)
		CHECK_EQ(waiters[i].woken, i + 1);
	/* Set: nobody waits. */
	cr_event_set(&event);
	CHECK_EQ(cr_event_wait(&event), 0);
	return 0;
}

static int body_cancel(int *unused)
{
	cr_event event = {0};
	int turn = 0;
	struct waiter waiters[3];
	cr_task tasks[3];
	CORAIL_SCOPE(scope);

	(void)unused;
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct waiter){&event, &turn, 0};
		tasks[i] = cr_spawn(&scope, wait_for, &waiters[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_await(tasks[1]), -ECANCELED);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_event_wait(&event)), -ETIMEDOUT);
	cr_event_set(&event);
	/* Woken and cancelled in the same turn: the event counts. */
	CHECK_EQ(cr_task_cancel(tasks[2]), 0);
	CHECK_EQ(cr_await(tasks[0]), 0);
	CHECK_EQ(cr_await(tasks[2]), 0);
	CHECK_EQ(turn, 2);
	{
		CORAIL_SCOPE(cancelled);
		cr_scope_cancel(&cancelled);
		CHECK_EQ(cr_event_wait(&event), -ECANCELED);
	}
	return 0;
}

static void order(void)
{
	int unused = 0;

	CHECK_EQ(cr_run(body_order, &unused), 0);
}

static void cancel(void)
{
	int unused = 0;

	CHECK_EQ(cr_run(body_cancel, &unused), 0);
}

int main(void)
{
	RUN(order);
	RUN(cancel);
	return test_done();
}
