/* SPDX-License-Identifier: MIT */
/* A limit on how many, first come first served; who is cancelled while waiting leaves no trace. */

#include "client.h"

int cr__http_gate_enter(struct gate *gate, size_t *waiting)
{
	int r;

	if (gate->closed)
		return -ESHUTDOWN;
	if (gate->used < gate->max && !gate->turns.first) {
		gate->used++;
		return 0;
	}
	++*waiting;
	r = cr__turns_wait(&gate->turns);
	--*waiting;
	return r;
}

void cr__http_gate_leave(struct gate *gate)
{
	if (gate->closed || !cr__turns_give(&gate->turns, NULL, 0))
		gate->used--;
}

void cr__http_gate_close(struct gate *gate)
{
	gate->closed = true;
	cr__turns_wake(&gate->turns, -ECANCELED);
}
