/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_QUEUES_H
#define CORAIL_TESTS_SIM_MODEL_QUEUES_H

/*
 * What model.h's programs do with queues beyond what they do with all channels: bursts, the order
 * in which values come out, work that is done and waited for, the end of a queue.
 */

#include "sim/model_program.h"

/* The urgency of a value: there are many equal ones. */
static inline int model_urgency(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (int)(*x % 8) - (int)(*y % 8);
}

static inline void model_queues_init(struct model *m)
{
	cr_queue_init(&m->chans[MODEL_FIFO], NULL);
	cr_queue_init(&m->chans[MODEL_LIFO],
	              &((cr_queue_options){.order = CORAIL_QUEUE_LIFO, .capacity = 3}));
	cr_queue_init(&m->chans[MODEL_PRIORITY], &((cr_queue_options){
							 .order = CORAIL_QUEUE_PRIORITY,
							 .capacity = 20,
							 .compare = model_urgency,
						 }));
}

static inline int model_queue_of(struct model_frame *f)
{
	return MODEL_PLAIN + (int)model_random(f->self, MODEL_CHANS - MODEL_PLAIN);
}

/* Many at once, so that a queue has to grow. */
static inline int model_burst(struct model_frame *f)
{
	int queue = model_queue_of(f);
	cr_chan *chan = &f->m->chans[queue].cr__chan;

	for (uint32_t count = 1 + model_random(f->self, 20); count > 0; count--) {
		uint32_t value = model_value_new(f->m, f->self, queue);
		bool closed = cr__chan_is_closed(chan);
		bool full = cr__chan_length(chan) == cr__chan_capacity(chan);
		int r = cr_chan_try_send(&f->m->chans[queue], value);

		CHECK_EQ(r, closed ? -EPIPE : full ? -EAGAIN : 0);
		model_value_answered(f->m, value, r == 0);
	}
	return 0;
}

/* Whether a queue gives one value before another, when both are there. */
static inline bool model_comes_before(int queue, uint32_t a, uint32_t b)
{
	int order = model_urgency(&a, &b);

	if (queue == MODEL_LIFO)
		return a > b;
	return queue == MODEL_FIFO || order == 0 ? a < b : order < 0;
}

/* Takes all there is: in order, if nothing came in between from senders that waited. */
static inline int model_drain(struct model_frame *f)
{
	int queue = model_queue_of(f);
	bool alone = !f->m->chans[queue].cr__chan.cr__senders.first;
	uint32_t value, last = UINT32_MAX;

	while (cr_chan_try_receive(&f->m->chans[queue], &value) == 0) {
		model_value_received(f->m, f->self, queue, value);
		if (alone && last != UINT32_MAX)
			CHECK(model_comes_before(queue, last, value));
		last = value;
	}
	CHECK_EQ(cr_chan_length(&f->m->chans[queue]), 0);
	return 0;
}

/* As often as values were received, by whomever. */
static inline int model_done(struct model_frame *f)
{
	int i = model_queue_of(f);
	struct model_queue *queue = &f->m->queues[i];

	for (uint32_t count = model_random(f->self, 10); count > 0 && queue->undone; count--) {
		queue->undone--;
		CHECK_EQ(cr_queue_task_done(&f->m->chans[i]), 0);
		queue->empties += cr_queue_unfinished(&f->m->chans[i]) == 0;
	}
	return 0;
}

static inline int model_join(struct model_frame *f)
{
	int i = model_queue_of(f);
	const struct model_queue *queue = &f->m->queues[i];
	bool cancelled = cr_cancelled(), freed = queue->freed;
	bool empty = cr_queue_unfinished(&f->m->chans[i]) == 0;
	uint32_t empties = queue->empties;
	int r = cr_queue_join(&f->m->chans[i]);

	MODEL_ANSWER(cancelled, r);
	if (empty && !cancelled)
		CHECK_EQ(r, 0);
	else if (freed && !cancelled)
		CHECK_EQ(r, -EPIPE);
	else if (r == 0)
		CHECK_GT(queue->empties, empties);
	else
		CHECK(r == -ECANCELED || (r == -EPIPE && queue->freed));
	return r == -EPIPE ? 0 : r;
}

static inline void model_queue_free(struct model *m, int queue)
{
	m->queues[queue].freed = true;
	cr_queue_free(&m->chans[queue]);
	CHECK_EQ(cr_chan_length(&m->chans[queue]), 0);
	CHECK_EQ(cr_chan_is_closed(&m->chans[queue]), 1);
}

static inline void model_queues_check(const struct model *m)
{
	for (int i = MODEL_PLAIN; i < MODEL_CHANS; i++) {
		size_t known = m->queues[i].undone + cr_chan_length(&m->chans[i]);
		size_t unfinished = cr_queue_unfinished(&m->chans[i]);
		bool joiners = m->chans[i].cr__queue.cr__joiners.first;

		CHECK_GE(unfinished, known);
		CHECK(!joiners || (unfinished > 0 && !m->queues[i].freed));
	}
}

/* At the end, when what was left was received: all of it can be done, unless some was dropped. */
static inline void model_queues_rest(struct model *m)
{
	for (int i = MODEL_PLAIN; i < MODEL_CHANS; i++) {
		struct model_queue *queue = &m->queues[i];

		CHECK(!m->chans[i].cr__queue.cr__joiners.first);
		if (!queue->freed)
			CHECK_EQ(cr_queue_unfinished(&m->chans[i]), queue->undone);
		while (!queue->freed && queue->undone--)
			CHECK_EQ(cr_queue_task_done(&m->chans[i]), 0);
		if (!queue->freed)
			CHECK_EQ(cr_queue_task_done(&m->chans[i]), -EINVAL);
		cr_queue_free(&m->chans[i]);
	}
}

#endif
