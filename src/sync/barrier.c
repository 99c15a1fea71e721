/* SPDX-License-Identifier: MIT */
#include "sync/waiters.h"

#include <errno.h>

/*
 * The barrier. Who comes last wakes the others, each with the index that it came with, so that the
 * barrier is empty again before anyone runs: a fast one may be back before a slow one has left.
 */

struct party {
	struct cr__waiter waiter;
	cr_barrier *barrier;
	int index;
};

static void send_away(cr_barrier *barrier, int status)
{
	barrier->cr__count = 0;
	cr__waiters_wake_all(cr__sched_self(), &barrier->cr__waiters, status);
}

/* Those who wait will wait in vain for one who was cancelled. */
static enum cr__abort party_abort(struct cr__wait *wait)
{
	struct party *own = CR__CONTAINER(wait, struct party, waiter.wait);

	cr__waiters_remove(&own->barrier->cr__waiters, &own->waiter);
	cr_barrier_break(own->barrier);
	return CR__ABORT_DONE;
}

/* Everybody is there. */
static void let_go(struct cr__sched *s, cr_barrier *barrier)
{
	struct cr__waiter *waiter;

	barrier->cr__count = 0;
	while ((waiter = cr__waiters_pop(&barrier->cr__waiters)) != NULL)
		cr__wake(s, waiter->wait.task, CR__CONTAINER(waiter, struct party, waiter)->index);
}

int cr_barrier_wait(cr_barrier *barrier)
{
	struct party own = {
		.waiter.wait = {.abort = party_abort, .reason = "barrier", .fd = -1},
		.barrier = barrier,
	};
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = cr__sync_enter(s);

	if (barrier->cr__parties == 0)
		return -EINVAL;
	if (r < 0) {
		cr_barrier_break(barrier);
		return r;
	}
	if (barrier->cr__broken)
		return -EPIPE;
	own.index = (int)barrier->cr__count++;
	if (barrier->cr__count == barrier->cr__parties) {
		let_go(s, barrier);
		return own.index;
	}
	cr__waiters_push(&barrier->cr__waiters, &own.waiter);
	return cr__park(&own.waiter.wait);
}

void cr_barrier_break(cr_barrier *barrier)
{
	barrier->cr__broken = 1;
	send_away(barrier, -EPIPE);
}

void cr_barrier_reset(cr_barrier *barrier)
{
	barrier->cr__broken = 0;
	send_away(barrier, -EPIPE);
}

int cr_barrier_is_broken(const cr_barrier *barrier)
{
	return barrier->cr__broken;
}

size_t cr_barrier_waiting(const cr_barrier *barrier)
{
	return barrier->cr__count;
}
