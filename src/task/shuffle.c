/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

void cr__sched_shuffle(struct cr__sched *s)
{
	uint32_t count = cr__queue_count(s);

	/*
	 * Fisher and Yates, with the backend's random numbers. Without a seed the order stays as it
	 * is.
	 */
	for (uint32_t i = count; s->loop.seed && i > 1; i--) {
		uint32_t j = (uint32_t)(s->loop.backend->shuffle(&s->loop, i) % i);
		struct cr__slot *a = cr__slot_at(s, cr__slot_behind(s->loop.handed, j));
		struct cr__slot *b = cr__slot_at(s, cr__slot_behind(s->loop.handed, i - 1));
		struct cr__slot swapped = *a;

		*a = *b;
		*b = swapped;
	}
	cr__loop_trace(&s->loop, (uint64_t)cr__loop_now(&s->loop));
	for (uint32_t i = 0; i < count; i++)
		cr__loop_trace(&s->loop, cr__slot_at(s, cr__slot_behind(s->loop.handed, i))->index);
}
