/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

void cr__sched_shuffle(struct cr__sched *s)
{
	uint32_t count = s->tail - s->head;

	/*
	 * Fisher and Yates, with the backend's random numbers. Without a seed the order stays as it
	 * is.
	 */
	for (uint32_t i = count; s->loop.seed && i > 1; i--) {
		uint32_t j = (uint32_t)(s->loop.backend->shuffle(&s->loop, i) % i);
		struct cr__slot *a = &s->queue[(s->head + j) & s->mask];
		struct cr__slot *b = &s->queue[(s->head + i - 1) & s->mask];
		struct cr__slot swapped = *a;

		*a = *b;
		*b = swapped;
	}
	cr__loop_trace(&s->loop, (uint64_t)cr__loop_now(&s->loop));
	for (uint32_t i = 0; i < count; i++)
		cr__loop_trace(&s->loop, s->queue[(s->head + i) & s->mask].index);
}
