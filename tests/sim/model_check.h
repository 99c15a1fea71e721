/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_CHECK_H
#define CORAIL_TESTS_SIM_MODEL_CHECK_H

/* What is true of model.h's programs at all times, and at the end. */

#include "sim/model_broadcast.h"
#include "sim/model_locals.h"
#include "sim/model_locks.h"
#include "sim/model_meetings.h"
#include "sim/model_queues.h"

/* At the end: what is left in the channels is what was sent and not received. */
static inline void model_values_conserved(struct model *m)
{
	for (int i = 0; i < MODEL_CHANS; i++) {
		uint32_t value = 0;

		while (cr_chan_try_receive(&m->chans[i], &value) == 0)
			model_value_received(m, &m->tasks[0], i, value);
	}
	for (uint32_t value = 0; value < m->value_next; value++)
		CHECK(m->fates[value] == MODEL_UNSENT ||
		      m->fates[value] == (MODEL_OFFERED | MODEL_SENT | MODEL_RECEIVED) ||
		      (m->fates[value] == (MODEL_OFFERED | MODEL_SENT) &&
		       m->queues[m->chan_of_value[value]].freed));
}

/* ---------------------------------------------------------------------- what is always true --- */

static inline void model_check_chan(const struct model *m, int i)
{
	const cr_chan *chan = &m->chans[i].cr__chan;
	bool receivers = chan->cr__receivers.first, senders = chan->cr__senders.first;

	CHECK(chan->cr__length <= chan->cr__capacity);
	CHECK(!receivers || chan->cr__length == 0);
	CHECK(!senders || chan->cr__length == chan->cr__capacity);
	CHECK(!receivers || !senders || m->both[i] > 0);
	CHECK(!chan->cr__closed || (!receivers && !senders));
}

/* Nobody waits for what is there: every release hands over at once. */
static void model_check(const struct model *m)
{
	for (int i = 0; i < MODEL_CHANS; i++)
		model_check_chan(m, i);
	CHECK(!m->event.cr__set || !m->event.cr__first);
	model_locks_check(m);
	model_queues_check(m);
	model_meetings_check(m);
	model_casts_check(m);
}

/* At the end: nobody holds or awaits anything. */
static inline void model_check_rest(struct model *m)
{
	model_check(m);
	for (int i = 0; i < MODEL_CHANS; i++) {
		CHECK(!m->chans[i].cr__chan.cr__receivers.first);
		CHECK(!m->chans[i].cr__chan.cr__senders.first);
		CHECK_EQ(m->both[i], 0);
	}
	CHECK(!m->event.cr__first);
	CHECK_EQ(m->sleeping, 0);
	for (uint32_t i = 1; i < m->task_count; i++) {
		CHECK_EQ(m->tasks[i].done, 1);
		CHECK_LT(cr_await(m->tasks[i].handle), 0);
	}
	model_locks_rest(m);
	model_values_conserved(m);
	model_queues_rest(m);
	model_meetings_rest(m);
	model_casts_rest(m);
	model_locals_rest(m);
}

#endif
