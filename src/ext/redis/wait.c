/* SPDX-License-Identifier: MIT */
/* Tasks that wait for a change, and are told what came of it. */

#include "client.h"

struct waiter {
	cr_event event;
	struct waiter *next, *prev;
	int error;
};

static void unlink_waiter(struct waiters *waiters, struct waiter *waiter)
{
	*(waiter->prev ? &waiter->prev->next : &waiters->first) = waiter->next;
	*(waiter->next ? &waiter->next->prev : &waiters->last) = waiter->prev;
}

int cr__redis_wait(struct waiters *waiters)
{
	struct waiter waiter = {.prev = waiters->last};
	int r;

	*(waiters->last ? &waiters->last->next : &waiters->first) = &waiter;
	waiters->last = &waiter;
	r = cr_event_wait(&waiter.event);
	if (!cr_event_is_set(&waiter.event)) {
		unlink_waiter(waiters, &waiter);
		return r;
	}
	return waiter.error;
}

void cr__redis_wake(struct waiters *waiters, int error)
{
	while (waiters->first) {
		struct waiter *waiter = waiters->first;

		unlink_waiter(waiters, waiter);
		waiter->error = error;
		cr_event_set(&waiter->event);
	}
}
