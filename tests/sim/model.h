/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_H
#define CORAIL_TESTS_SIM_MODEL_H

/*
 * Random programs, beside a model of what they may do: who holds which lock, which value was sent
 * and which received, which task ended with what and has which values, which child of a scope
 * lives. Each call's answer is held against the model at once, and what must be true at all times
 * is looked at after each instruction: see model_check().
 */

#include "support/test.h"

#include <corail/broadcast.h>
#include <corail/local.h>
#include <corail/queue.h>
#include <corail/select.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <stdbool.h>

enum {
	MODEL_TASKS = 80,
	MODEL_STEPS = 600,
	MODEL_DEPTH = 5,
	MODEL_PLAIN = 4, /* channels; the others are queues */
	MODEL_FIFO = MODEL_PLAIN,
	MODEL_LIFO,
	MODEL_PRIORITY,
	MODEL_CHANS,
	MODEL_MUTEXES = 2,
	MODEL_PERMITS = 3,
	MODEL_VALUES = 8192,
	MODEL_PARTIES = 3,
	MODEL_ONCES = 8,
	MODEL_CASTS = 2, /* the first drops values, the second waits */
	MODEL_KEYS = 3,
	MODEL_CELLS = 512,
};

/* A queue, or a channel: what takes a channel takes both. */
typedef cr_queue_of(uint32_t) model_chan;

/* A task-local value, and how many tasks have it. */
struct model_cell {
	uint32_t holders;
	int key;
	bool destroyed;
};

struct model_task {
	cr_task handle;
	struct model_scope *scope; /* NULL once it was left */
	uint64_t random;
	bool begun, done;
	int result;
	struct model_cell *locals[MODEL_KEYS];
	uint64_t watched; /* the version it has seen */
};

/* What is known of a queue. */
struct model_queue {
	uint32_t undone;  /* received, and not said to be done */
	uint32_t empties; /* how often all was done */
	bool freed;
};

typedef cr_broadcast_of(uint32_t) model_broadcast;
typedef cr_subscriber_of(uint32_t) model_subscriber;

/*
 * A broadcast. Its values are numbers from 1 on, in the order in which they were offered; who sends
 * does not overtake, so that those that were sent have places in the same order.
 */
struct model_cast {
	model_broadcast broadcast;
	model_subscriber shared; /* by all tasks, to the end */
	uint32_t subscribers;    /* with that one */
	uint32_t offered;
	uint8_t fates[MODEL_VALUES];
	uint32_t log[MODEL_VALUES]; /* by place: the value, once somebody has received it */
	uint32_t received, missed;  /* by the shared one */
	bool freed;
};

struct model_once {
	cr_once once;
	uint32_t runner; /* a task's number plus one; 0: nobody */
	bool done;
	int value;
};

struct model_scope {
	cr_scope *scope;
	struct model_scope *outer;
	int alive, first_error;
	bool awaited; /* failures of its children may be somebody else's to hear */
	cr_nsec deadline;
};

/* Who has a lock. */
struct model_owner {
	uint32_t task;      /* its number plus one; 0: nobody */
	uint32_t recovered; /* how often it was, from one that had ended */
};

enum model_fate {
	MODEL_UNSENT, /* nobody may receive it */
	MODEL_OFFERED = 1,
	MODEL_SENT = 2, /* its send has returned 0 */
	MODEL_RECEIVED = 4,
	MODEL_SHARED = 8, /* of a broadcast: received by the subscriber that tasks share */
};

struct model {
	struct model_task tasks[MODEL_TASKS];
	uint32_t task_count, steps, sleeping;
	uint8_t fates[MODEL_VALUES];
	uint32_t value_next;
	model_chan chans[MODEL_CHANS];
	uint32_t buffer[MODEL_PLAIN][4];
	struct model_queue queues[MODEL_CHANS];
	uint32_t both[MODEL_CHANS]; /* selects, which may wait at both ends */
	uint32_t owner_of_value[MODEL_VALUES];
	uint8_t chan_of_value[MODEL_VALUES];
	uint32_t last_received[MODEL_CHANS][MODEL_TASKS][MODEL_TASKS]; /* by whom, from whom */
	cr_mutex mutexes[MODEL_MUTEXES];
	struct model_owner mutex_owner[MODEL_MUTEXES];
	cr_cond cond;
	cr_semaphore semaphore;
	uint32_t permits_taken;
	cr_limiter limiter;
	uint32_t limited;
	cr_rwlock rwlock;
	uint32_t readers;
	struct model_owner writer;
	cr_event event;
	cr_barrier barrier;
	uint32_t barrier_indices[MODEL_PARTIES], barrier_resets; /* how often each was given */
	struct model_once onces[MODEL_ONCES];
	struct model_cast casts[MODEL_CASTS];
	cr_watch_of(uint64_t) watch;
	uint64_t watch_sets;
	cr_local keys[MODEL_KEYS]; /* the first has a destructor */
	struct model_cell cells[MODEL_CELLS];
	uint32_t cell_count;
	uint64_t digest;
};

/* What must be true at all times. */
static void model_check(const struct model *m);

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

static inline uint32_t model_value_new(struct model *m, const struct model_task *self, int chan)
{
	uint32_t value = m->value_next++;

	CHECK_LT(value, MODEL_VALUES);
	m->owner_of_value[value] = model_number(m, self);
	m->chan_of_value[value] = (uint8_t)chan;
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
	CHECK_EQ(m->chan_of_value[value], chan);
	m->fates[value] |= MODEL_RECEIVED;
	if (chan >= MODEL_PLAIN)
		m->queues[chan].undone++;
	/* What one task gets of another's comes in the order in which it was sent. */
	last = &m->last_received[chan][model_number(m, self)][m->owner_of_value[value]];
	if (*last && chan != MODEL_LIFO && chan != MODEL_PRIORITY)
		CHECK_LT(*last - 1, value);
	*last = value + 1;
	m->digest = m->digest * 31 + value;
}

#endif
