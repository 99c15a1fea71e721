/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_H
#define CORAIL_TESTS_SIM_MODEL_H

/*
 * Random programs, beside a model of what they may do: who holds which lock, which value was sent
 * and which received, which task ended with what, which child of a scope lives. Each call's answer
 * is held against the model at once, and what must be true at all times is looked at after each
 * instruction: see model_check().
 */

#include "support/test.h"

#include <corail/chan.h>
#include <corail/select.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <stdbool.h>

enum {
	MODEL_TASKS = 60,
	MODEL_STEPS = 500,
	MODEL_DEPTH = 5,
	MODEL_CHANS = 4,
	MODEL_MUTEXES = 2,
	MODEL_PERMITS = 3,
	MODEL_VALUES = 4096,
};

typedef cr_chan_of(uint32_t) model_chan;

struct model_task {
	cr_task handle;
	struct model_scope *scope; /* NULL once it was left */
	uint64_t random;
	bool begun, done;
	int result;
};

struct model_scope {
	cr_scope *scope;
	struct model_scope *outer;
	int alive, first_error;
	bool awaited; /* failures of its children may be somebody else's to hear */
	cr_nsec deadline;
};

enum model_fate {
	MODEL_UNSENT, /* nobody may receive it */
	MODEL_OFFERED = 1,
	MODEL_SENT = 2, /* its send has returned 0 */
	MODEL_RECEIVED = 4,
};

struct model {
	struct model_task tasks[MODEL_TASKS];
	uint32_t task_count, steps, sleeping;
	uint8_t fates[MODEL_VALUES];
	uint32_t value_next;
	model_chan chans[MODEL_CHANS];
	uint32_t buffer[MODEL_CHANS][4];
	uint32_t both[MODEL_CHANS]; /* selects, which may wait at both ends */
	uint32_t owner_of_value[MODEL_VALUES];
	uint32_t last_received[MODEL_CHANS][MODEL_TASKS][MODEL_TASKS]; /* by whom, from whom */
	cr_mutex mutexes[MODEL_MUTEXES];
	uint32_t mutex_owner[MODEL_MUTEXES]; /* a task's number plus one; 0: free */
	cr_cond cond;
	cr_semaphore semaphore;
	uint32_t permits_taken;
	cr_limiter limiter;
	uint32_t limited;
	cr_rwlock rwlock;
	uint32_t readers, writers;
	cr_event event;
	uint64_t digest;
};

static inline uint32_t model_random(struct model_task *task, uint32_t bound)
{
	task->random = task->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((task->random >> 33) * bound >> 31);
}

static inline uint32_t model_number(const struct model *m, const struct model_task *task)
{
	return (uint32_t)(task - m->tasks);
}

/* In a cancelled scope whatever suspends says so. */
#define MODEL_ANSWER(was_cancelled, r)                                                             \
	do {                                                                                       \
		if (was_cancelled)                                                                 \
			CHECK_EQ((r), -ECANCELED);                                                 \
	} while (0)

/* ---------------------------------------------------------------------------------- values --- */

static inline uint32_t model_value_new(struct model *m, const struct model_task *self)
{
	uint32_t value = m->value_next++;

	CHECK_LT(value, MODEL_VALUES);
	m->owner_of_value[value] = model_number(m, self);
	m->fates[value] = MODEL_OFFERED;
	return value;
}

/* What its send, or the case of a select, has answered. */
static inline void model_value_answered(struct model *m, uint32_t value, bool sent)
{
	if (sent) {
		CHECK_EQ(m->fates[value] & MODEL_SENT, 0);
		m->fates[value] |= MODEL_SENT;
	} else {
		/* Says that it was not sent: then nobody has it, and nobody will. */
		CHECK_EQ(m->fates[value], MODEL_OFFERED);
		m->fates[value] = MODEL_UNSENT;
	}
}

static inline void model_value_received(struct model *m, const struct model_task *self, int chan,
                                        uint32_t value)
{
	uint32_t *last;

	CHECK_LT(value, m->value_next);
	CHECK_NE(m->fates[value] & MODEL_OFFERED, 0);
	CHECK_EQ(m->fates[value] & MODEL_RECEIVED, 0);
	m->fates[value] |= MODEL_RECEIVED;
	/* What one task gets of another's comes in the order in which it was sent. */
	last = &m->last_received[chan][model_number(m, self)][m->owner_of_value[value]];
	if (*last)
		CHECK_LT(*last - 1, value);
	*last = value + 1;
	m->digest = m->digest * 31 + value;
}

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
		      m->fates[value] == (MODEL_OFFERED | MODEL_SENT | MODEL_RECEIVED));
}

/* ---------------------------------------------------------------------- what is always true --- */

static inline void model_check_chan(const struct model *m, int i)
{
	const cr_chan *chan = &m->chans[i].cr__chan;
	bool receivers = chan->cr__receivers.first, senders = chan->cr__senders.first;

	CHECK_LE(chan->cr__length, chan->cr__capacity);
	CHECK(!receivers || chan->cr__length == 0);
	CHECK(!senders || chan->cr__length == chan->cr__capacity);
	CHECK(!receivers || !senders || m->both[i] > 0);
	CHECK(!chan->cr__closed || (!receivers && !senders));
}

/* Nobody waits for what is there: every release hands over at once. */
static inline void model_check(const struct model *m)
{
	for (int i = 0; i < MODEL_CHANS; i++)
		model_check_chan(m, i);
	for (int i = 0; i < MODEL_MUTEXES; i++) {
		CHECK(m->mutexes[i].cr__owner || !m->mutexes[i].cr__waiters.cr__first);
		CHECK(!m->mutex_owner[i] || m->mutexes[i].cr__owner);
	}
	CHECK_LE(m->permits_taken + cr_semaphore_count(&m->semaphore), MODEL_PERMITS);
	CHECK(!m->semaphore.cr__waiters.cr__first || cr_semaphore_count(&m->semaphore) < 2);
	CHECK(!m->event.cr__set || !m->event.cr__first);
	CHECK_LE(m->limited, cr_limiter_used(&m->limiter));
	CHECK(!m->limiter.cr__waiters.cr__first ||
	      cr_limiter_used(&m->limiter) >= cr_limiter_capacity(&m->limiter));
	CHECK(m->writers == 0 || (m->writers == 1 && m->readers == 0));
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
	for (int i = 0; i < MODEL_MUTEXES; i++)
		CHECK_EQ(m->mutexes[i].cr__owner, 0);
	CHECK(!m->cond.cr__waiters.cr__first);
	CHECK(!m->semaphore.cr__waiters.cr__first);
	CHECK_EQ(cr_semaphore_count(&m->semaphore), MODEL_PERMITS);
	CHECK_EQ(cr_limiter_used(&m->limiter), 0);
	CHECK_EQ(cr_limiter_waiting(&m->limiter), 0);
	CHECK_EQ(m->rwlock.cr__writer, 0);
	CHECK_EQ(m->rwlock.cr__reader_count, 0);
	CHECK(!m->event.cr__first);
	CHECK_EQ(m->sleeping, 0);
	for (uint32_t i = 1; i < m->task_count; i++) {
		CHECK_EQ(m->tasks[i].done, 1);
		CHECK_LT(cr_await(m->tasks[i].handle), 0);
	}
	model_values_conserved(m);
}

#endif
