/* SPDX-License-Identifier: MIT */
#include "sync/waiters.h"

#include <errno.h>

/*
 * Once. Whoever runs it is known, and hands the duty to the first who waits when it failed: the
 * error of one, a cancelled one above all, is not the error of all.
 */

/* Of those who wait: woken with this, they have to run it. */
enum { YOUR_TURN = 1 };

struct once_waiter {
	struct cr__waiter waiter;
	cr_once *once;
};

static enum cr__abort once_abort(struct cr__wait *wait)
{
	struct once_waiter *own = CR__CONTAINER(wait, struct once_waiter, waiter.wait);

	cr__waiters_remove(&own->once->cr__waiters, &own->waiter);
	return CR__ABORT_DONE;
}

static cr_task once_holder(const struct cr__wait *wait)
{
	const struct once_waiter *own = CR__CONTAINER(wait, const struct once_waiter, waiter.wait);

	return (cr_task){own->once->cr__runner};
}

/* The runner failed, or never ran: the next one, if there is one. */
static void pass_on(cr_once *once)
{
	struct cr__waiter *next = cr__waiters_pop(&once->cr__waiters);
	struct cr__sched *s = cr__sched_self();

	once->cr__runner = 0;
	if (!next)
		return;
	once->cr__runner = next->wait.task->handle.id;
	cr__wake(s, next->wait.task, YOUR_TURN);
}

/* Waits for the runner. Returns YOUR_TURN, 0 when it is done, or an error. */
static int once_wait(struct cr__sched *s, cr_once *once)
{
	struct once_waiter own = {
		.waiter.wait = {.abort = once_abort,
	                        .reason = "once",
	                        .fd = -1,
	                        .holder = once_holder},
		.once = once,
	};
	int r;

	if (once->cr__runner == cr__sync_self(s))
		return -EDEADLK;
	cr__waiters_push(&once->cr__waiters, &own.waiter);
	r = cr__park(&own.waiter.wait);
	if (r != YOUR_TURN || !cr__sync_cancelled(s))
		return r;
	pass_on(once);
	return cr__park_refuse();
}

int cr__once_enter(cr_once *once, int *ret_value)
{
	struct cr__sched *s = cr__sched_in_task("cr_once_run");
	int r = cr__sync_enter(s);

	if (r == 0 && !once->cr__done) {
		if (!once->cr__runner) {
			once->cr__runner = cr__sync_self(s);
			return 1;
		}
		r = once_wait(s, once);
		if (r == YOUR_TURN)
			return 1;
	}
	*ret_value = r < 0 ? r : once->cr__value;
	return 0;
}

int cr__once_leave(cr_once *once, int value)
{
	if (value < 0) {
		pass_on(once);
		return value;
	}
	once->cr__runner = 0;
	once->cr__done = 1;
	once->cr__value = value;
	cr__waiters_wake_all(cr__sched_self(), &once->cr__waiters, 0);
	return value;
}

int cr_once_is_done(const cr_once *once)
{
	return once->cr__done;
}
