/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_LOOP_H
#define CR__LOOP_LOOP_H

/*
 * The loop: a backend, timers, callbacks and an inbox for other threads. It knows waiters with a
 * callback; what a task is, only the layer above knows.
 */

#include <corail/loop.h>

#include "base/list.h"
#include "loop/backend.h"
#include "loop/timers.h"

#include <stdatomic.h>
#include <stdbool.h>

/* A queued callback. */
struct cr__post {
	struct cr__post *next;
	void (*fn)(void *arg);
	void *arg;
};

struct cr__loop {
	/*
	 * How many more times tasks may hand over to each other before the loop polls. Whoever has
	 * work for the loop's next turn sets it to zero: the next suspension gives the loop the
	 * processor.
	 */
	int32_t left;
	_Atomic(struct cr__post *) inbox; /* from other threads, last in first out */
	struct cr__post *posts_head, **posts_tail;

	const struct cr__backend *backend;
	void *backend_state;
	struct cr__timers timers;
	struct cr__attachment *attachments; /* see attach.h */
	_Atomic bool sleeping; /* published before a wait: posters then have to wake it */
	int64_t id;
	struct cr__loop *registry_next;
	uint64_t seed;  /* sim's */
	uint64_t trace; /* digest of decisions */
	uint64_t turns, polls, posts;
};

/*
 * The one thing that is kept per thread. Initial-exec: an access is one instruction, also in
 * libcorail.so.
 */
extern __thread struct cr__loop *cr__loop_of_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The loop that runs on this thread, or NULL. */
static inline struct cr__loop *cr__loop_self(void)
{
	return cr__loop_of_thread;
}

/*
 * The first of all loops that run; under a lock of loop.c's, but for tools that look from outside.
 */
extern struct cr__loop *cr__loop_registry;

/* Opens a loop with that backend and registers it. Returns 0, or as cr__run(). */
int cr__loop_open(struct cr__loop *loop, const struct cr__backend *backend, uint64_t seed);
void cr__loop_close(struct cr__loop *loop);

/* The backend for an option: by number, by CORAIL_BACKEND, or the best that the probe accepts. */
int cr__loop_backend_choose(enum cr_backend wanted, const struct cr__backend **ret_backend);

/*
 * One turn: polls (waiting only when `busy` is false, and then for the next timer at most), fires
 * timers, takes the inbox in and runs the callbacks that were queued before. Returns 0, or what
 * ended the loop.
 */
int cr__loop_turn(struct cr__loop *loop, bool busy);

static inline cr_nsec cr__loop_now(struct cr__loop *loop)
{
	return loop->backend->now(loop);
}

/* Mixes a decision into the trace (FNV-1a over 64-bit words). */
static inline void cr__loop_trace(struct cr__loop *loop, uint64_t decision)
{
	loop->trace = (loop->trace ^ decision) * UINT64_C(0x100000001b3);
}

#endif
