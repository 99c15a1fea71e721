/* SPDX-License-Identifier: MIT */
/*
 * The event: a flag and a FIFO of parked tasks. The links are in the waiters' frames; cancellation
 * takes a waiter out of the middle, so that nothing of it remains.
 */

#include <corail/sync.h>

#include "task/park.h"

#include <stddef.h>

struct waiter {
	struct cr__wait wait;
	cr_event *event;
	struct waiter *next, *prev;
};

static void waiter_unlink(struct waiter *waiter)
{
	cr_event *event = waiter->event;

	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		event->cr__first = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		event->cr__last = waiter->prev;
}

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	waiter_unlink((struct waiter *)((char *)wait - offsetof(struct waiter, wait)));
	return CR__ABORT_DONE;
}

void cr_event_set(cr_event *event)
{
	struct waiter *waiter, *next;

	event->cr__set = 1;
	waiter = event->cr__first;
	event->cr__first = event->cr__last = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next;
		cr__unpark(waiter->wait.task, 0);
	}
}

void cr_event_clear(cr_event *event)
{
	event->cr__set = 0;
}

int cr_event_is_set(const cr_event *event)
{
	return event->cr__set;
}

int cr_event_wait(cr_event *event)
{
	struct waiter waiter = {
		.wait = {.abort = waiter_abort, .reason = "event", .fd = -1},
		.event = event,
	};
	int r = cr__park_check("cr_event_wait");

	if (r < 0 || event->cr__set)
		return r;
	waiter.prev = event->cr__last;
	if (waiter.prev)
		waiter.prev->next = &waiter;
	else
		event->cr__first = &waiter;
	event->cr__last = &waiter;
	return cr__park(&waiter.wait);
}
