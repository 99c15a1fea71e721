/* SPDX-License-Identifier: MIT */
#include "sync/waiters.h"

#include <errno.h>

/*
 * The semaphore: a count and a queue. The first who waits gets what it wants before anyone behind
 * it gets anything, or one who wants many would wait for ever.
 */

struct acquirer {
	struct cr__waiter waiter;
	cr_semaphore *semaphore;
	size_t wanted;
};

static struct acquirer *acquirer_of(struct cr__waiter *waiter)
{
	return CR__CONTAINER(waiter, struct acquirer, waiter);
}

/* Hands out what is there, in order. */
static void hand_out(cr_semaphore *semaphore)
{
	struct cr__waiter *first;

	while ((first = cr__waiters_first(&semaphore->cr__waiters)) != NULL) {
		if (acquirer_of(first)->wanted > semaphore->cr__count)
			return;
		semaphore->cr__count -= acquirer_of(first)->wanted;
		cr__waiters_remove(&semaphore->cr__waiters, first);
		cr__wake(cr__sched_self(), first->wait.task, 0);
	}
}

static enum cr__abort acquire_abort(struct cr__wait *wait)
{
	struct acquirer *own = acquirer_of(cr__waiter_of(wait));

	cr__waiters_remove(&own->semaphore->cr__waiters, &own->waiter);
	/* Those behind it may want less. */
	hand_out(own->semaphore);
	return CR__ABORT_DONE;
}

static int acquire_slowly(struct cr__sched *s, cr_semaphore *semaphore, size_t count)
{
	struct acquirer own = {
		.waiter.wait = {.abort = acquire_abort, .reason = "semaphore", .fd = -1},
		.semaphore = semaphore,
		.wanted = count,
	};
	int r;

	cr__waiters_push(&semaphore->cr__waiters, &own.waiter);
	r = cr__park(&own.waiter.wait);
	if (r < 0 || !cr__sync_cancelled(s))
		return r;
	semaphore->cr__count += count;
	hand_out(semaphore);
	return cr__park_refuse();
}

int cr_semaphore_try_acquire(cr_semaphore *semaphore, size_t count)
{
	if (semaphore->cr__count < count || cr__waiters_first(&semaphore->cr__waiters))
		return -EAGAIN;
	semaphore->cr__count -= count;
	return 0;
}

int cr_semaphore_acquire(cr_semaphore *semaphore, size_t count)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = cr__sync_enter(s);

	if (r < 0)
		return r;
	if (cr_semaphore_try_acquire(semaphore, count) == 0)
		return 0;
	return acquire_slowly(s, semaphore, count);
}

int cr_semaphore_release(cr_semaphore *semaphore, size_t count)
{
	const size_t bound = semaphore->cr__bound ? semaphore->cr__bound : SIZE_MAX;

	if (count > bound || semaphore->cr__count > bound - count)
		return -EOVERFLOW;
	semaphore->cr__count += count;
	hand_out(semaphore);
	return 0;
}

size_t cr_semaphore_count(const cr_semaphore *semaphore)
{
	return semaphore->cr__count;
}
