/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/alloc.h"

#include <errno.h>

/* Takes the queue apart into s->batch. Returns how many, or 0 when there is no memory for it. */
static size_t collect(struct cr__sched *s)
{
	size_t count = 0;

	for (struct cr__task *task = s->head; task; task = task->next)
		count++;
	if (count > s->batch_capacity) {
		struct cr__task **batch = cr__realloc(s->batch, 2 * count * sizeof(struct cr__task *));

		if (!batch)
			return 0;
		s->batch = batch;
		s->batch_capacity = 2 * count;
	}
	count = 0;
	for (struct cr__task *task = s->head; task; task = task->next)
		s->batch[count++] = task;
	return count;
}

void cr__sched_shuffle(struct cr__sched *s)
{
	size_t count = collect(s);

	/* Fisher and Yates, with the backend's random numbers. Without a seed the order stays as it is. */
	for (size_t i = count; s->loop.seed && i > 1; i--) {
		size_t j = s->loop.backend->shuffle(&s->loop, i) % i;
		struct cr__task *other = s->batch[j];

		s->batch[j] = s->batch[i - 1];
		s->batch[i - 1] = other;
	}
	if (count)
		s->head = NULL;
	cr__loop_trace(&s->loop, (uint64_t)cr__loop_now(&s->loop));
	for (size_t i = 0; i < count; i++) {
		cr__loop_trace(&s->loop, (uint64_t)(s->batch[i] - s->blocks));
		cr__ready(s, s->batch[i]);
	}
}
