/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_HELD_JOB_H
#define CORAIL_TESTS_HELD_JOB_H

/*
 * A job on a thread that says when it has begun, and then waits for the test: on the real backends
 * only, since in the simulator it holds the loop that is to let it go.
 */

#include <corail/exec.h>
#include <corail/loop.h>
#include <corail/sync.h>

#include "test.h"

#include <semaphore.h>
#include <stdatomic.h>

enum { HELD_RESULT = 5 };

struct held {
	cr_loop loop;
	cr_event begun;
	sem_t open; /* posted by the test: the job ends */
	_Atomic int runs, ended, saw_cancel;
	cr_threads *pool;
	int status; /* of hold_offloaded(), 99 before */
};

/* On the loop that calls this, and a pool; NULL: the default one. */
static inline void held_init(struct held *h, cr_threads *pool)
{
	*h = (struct held){.loop = cr_loop_current(), .pool = pool, .status = 99};
	CHECK_EQ(sem_init(&h->open, 0, 0), 0);
}

static inline void held_say_begun(void *arg)
{
	struct held *h = arg;

	cr_event_set(&h->begun);
}

/* The job. */
static inline int hold(struct held *h)
{
	h->runs++;
	CHECK_EQ(cr_loop_post_threadsafe(h->loop, held_say_begun, h), 0);
	while (sem_wait(&h->open) < 0)
		CHECK_EQ(errno, EINTR);
	h->saw_cancel = cr_offload_cancelled();
	h->ended = 1;
	return HELD_RESULT;
}

/* The task that waits for it. */
static inline int hold_offloaded(struct held *h)
{
	cr_offload_options options = {.pool = h->pool};

	h->status = cr_offload_with(&options, hold, h);
	return h->status;
}

#endif
