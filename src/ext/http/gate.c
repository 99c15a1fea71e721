/* SPDX-License-Identifier: MIT */
/* A limit on how many, first come first served; who is cancelled while waiting leaves no trace. */

#include "client.h"

struct gate_waiter {
	cr_event event;
	struct gate_waiter *next, *prev;
	bool granted;
};

static void waiter_unlink(struct gate *gate, struct gate_waiter *waiter)
{
	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		gate->first = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		gate->last = waiter->prev;
}

int cr__http_gate_enter(struct gate *gate, size_t *waiting)
{
	struct gate_waiter waiter = {.prev = gate->last};
	int r;

	if (gate->closed)
		return -ESHUTDOWN;
	if (gate->used < gate->max && !gate->first) {
		gate->used++;
		return 0;
	}
	if (gate->last)
		gate->last->next = &waiter;
	else
		gate->first = &waiter;
	gate->last = &waiter;
	++*waiting;
	r = cr_event_wait(&waiter.event);
	--*waiting;
	if (!cr_event_is_set(&waiter.event)) {
		waiter_unlink(gate, &waiter);
		return r;
	}
	if (!waiter.granted)
		return -ECANCELED;
	if (r < 0)
		cr__http_gate_leave(gate);
	return r;
}

void cr__http_gate_leave(struct gate *gate)
{
	struct gate_waiter *waiter = gate->first;

	if (!waiter || gate->closed) {
		gate->used--;
		return;
	}
	waiter_unlink(gate, waiter);
	waiter->granted = true;
	cr_event_set(&waiter->event);
}

void cr__http_gate_close(struct gate *gate)
{
	gate->closed = true;
	while (gate->first) {
		struct gate_waiter *waiter = gate->first;

		waiter_unlink(gate, waiter);
		cr_event_set(&waiter->event);
	}
}
