/* SPDX-License-Identifier: MIT */
#include "sync/mutex.h"

#include <errno.h>

/*
 * The condition. A task that is signalled, or cancelled, has to have the mutex again before it goes
 * on: so it is not woken to ask for it, but moves over to the mutex's queue, parked as it is, and
 * is woken as the owner. From then on cancellation does not end its wait.
 */

struct cond_waiter {
	struct cr__locker locker;
	cr_cond *cond;
	bool signalled; /* by cr_cond_signal(): what it does not use, another one must get */
};

static struct cond_waiter *cond_waiter_of(struct cr__waiter *waiter)
{
	return CR__CONTAINER(waiter, struct cond_waiter, locker.waiter);
}

/* Out of the condition's queue, to the mutex. Returns as cr__mutex_give(). */
static int move(struct cr__sched *s, struct cond_waiter *own, int status)
{
	struct cr__wait *wait = &own->locker.waiter.wait;

	cr__waiters_remove(&own->cond->cr__waiters, &own->locker.waiter);
	own->locker.status = status;
	wait->abort = NULL;
	wait->reason = "mutex, after a condition";
	wait->holder = cr__mutex_holder;
	return cr__mutex_give(s, &own->locker);
}

static enum cr__abort cond_abort(struct cr__wait *wait)
{
	struct cr__sched *s = cr__sched_self();
	int r = move(s, cond_waiter_of(cr__waiter_of(wait)), -ECANCELED);

	if (r > 0)
		return CR__ABORT_DONE;
	if (r < 0)
		cr__wake(s, wait->task, r);
	return CR__ABORT_LATER;
}

static void wake(struct cr__sched *s, struct cond_waiter *own)
{
	int r = move(s, own, 0);

	if (r != 0)
		cr__wake(s, own->locker.waiter.wait.task, r > 0 ? 0 : r);
}

int cr_cond_wait(cr_cond *cond, cr_mutex *mutex)
{
	struct cond_waiter own = {
		.locker.waiter.wait = {.abort = cond_abort, .reason = "condition", .fd = -1},
		.locker.mutex = mutex,
		.cond = cond,
	};
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r;

	if (mutex->cr__owner != cr__sync_self(s))
		return -EPERM;
	if (cr__sync_cancelled(s))
		return cr__park_refuse();
	cr__waiters_push(&cond->cr__waiters, &own.locker.waiter);
	cr__mutex_release(s, mutex);
	r = cr__park(&own.locker.waiter.wait);
	if (r < 0 || !cr__sync_cancelled(s))
		return r;
	if (own.signalled)
		cr_cond_signal(cond);
	return cr__park_refuse();
}

void cr_cond_signal(cr_cond *cond)
{
	struct cr__waiter *first = cr__waiters_first(&cond->cr__waiters);

	if (!first)
		return;
	cond_waiter_of(first)->signalled = true;
	wake(cr__sched_self(), cond_waiter_of(first));
}

void cr_cond_broadcast(cr_cond *cond)
{
	struct cr__waiter *first;

	while ((first = cr__waiters_first(&cond->cr__waiters)) != NULL)
		wake(cr__sched_self(), cond_waiter_of(first));
}
