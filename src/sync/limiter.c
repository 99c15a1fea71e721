/* SPDX-License-Identifier: MIT */
#include "sync/waiters.h"
#include "task/keep.h"

#include <errno.h>

/*
 * The limiter: places, a queue, and permits that know whose they are. A task's permits are a list
 * of its own, which is as short as the number of limiters that it is in at once.
 */

struct entrant {
	struct cr__waiter waiter;
	cr_limiter *limiter;
};

/* Lets in as many as there is room for, in order. */
static void let_in(cr_limiter *limiter)
{
	while (limiter->cr__used < limiter->cr__capacity) {
		struct cr__waiter *first = cr__waiters_pop(&limiter->cr__waiters);

		if (!first)
			return;
		limiter->cr__waiting--;
		limiter->cr__used++;
		cr__wake(cr__sched_self(), first->wait.task, 0);
	}
}

static void place_free(cr_limiter *limiter)
{
	limiter->cr__used--;
	let_in(limiter);
}

static enum cr__abort enter_abort(struct cr__wait *wait)
{
	struct entrant *own = CR__CONTAINER(wait, struct entrant, waiter.wait);

	cr__waiters_remove(&own->limiter->cr__waiters, &own->waiter);
	own->limiter->cr__waiting--;
	return CR__ABORT_DONE;
}

static int enter_slowly(struct cr__sched *s, cr_limiter *limiter)
{
	struct entrant own = {
		.waiter.wait = {.abort = enter_abort, .reason = "limiter", .fd = -1},
		.limiter = limiter,
	};
	int r;

	cr__waiters_push(&limiter->cr__waiters, &own.waiter);
	limiter->cr__waiting++;
	r = cr__park(&own.waiter.wait);
	if (r < 0 || !cr__sync_cancelled(s))
		return r;
	place_free(limiter);
	return cr__park_refuse();
}

/* The calling task's permit of that limiter, or NULL. */
static cr_permit *permit_of(struct cr__task *self, const cr_limiter *limiter)
{
	cr_permit *permit = cr__task_keeps(self)->permits;

	while (permit && permit->cr__limiter != limiter)
		permit = permit->cr__next;
	return permit;
}

static void permit_link(struct cr__sched *s, cr_permit *permit, cr_limiter *limiter)
{
	struct cr__extra *extra = cr__task_keeps(cr__running(s));

	permit->cr__owner = cr__sync_self(s);
	permit->cr__limiter = limiter;
	permit->cr__next = extra->permits;
	extra->permits = permit;
}

static int enter(struct cr__sched *s, cr_limiter *limiter)
{
	if (permit_of(cr__running(s), limiter))
		return -EDEADLK;
	/* Nobody waits while there is room. */
	if (limiter->cr__used >= limiter->cr__capacity)
		return -EAGAIN;
	limiter->cr__used++;
	return 0;
}

int cr_limiter_acquire(cr_limiter *limiter, cr_permit *permit)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = cr__sync_enter(s);

	if (r == 0)
		r = enter(s, limiter);
	if (r == -EAGAIN)
		r = enter_slowly(s, limiter);
	if (r == 0)
		permit_link(s, permit, limiter);
	return r;
}

int cr_limiter_try_acquire(cr_limiter *limiter, cr_permit *permit)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = enter(s, limiter);

	if (r == 0)
		permit_link(s, permit, limiter);
	return r;
}

int cr_limiter_release(cr_permit *permit)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	cr_permit **at = &cr__task_keeps(cr__running(s))->permits;

	while (*at && *at != permit)
		at = &(*at)->cr__next;
	if (!*at)
		return -EPERM;
	*at = permit->cr__next;
	place_free(permit->cr__limiter);
	return 0;
}

void cr_limiter_resize(cr_limiter *limiter, size_t capacity)
{
	limiter->cr__capacity = capacity;
	let_in(limiter);
}

size_t cr_limiter_capacity(const cr_limiter *limiter)
{
	return limiter->cr__capacity;
}

size_t cr_limiter_used(const cr_limiter *limiter)
{
	return limiter->cr__used;
}

size_t cr_limiter_waiting(const cr_limiter *limiter)
{
	return limiter->cr__waiting;
}

void cr__permit_enter(cr_permit *permit, cr_limiter *limiter)
{
	permit->status = cr_limiter_acquire(limiter, permit);
}

void cr__permit_leave(cr_permit *permit)
{
	if (permit->status == 0)
		cr_limiter_release(permit);
}
