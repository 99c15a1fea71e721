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
#include "loop/watch.h"

#include <stdatomic.h>
#include <stdbool.h>

/*
 * A queued callback. One that is part of something larger has a drop(): it is not freed, may be
 * queued again as soon as fn() is called, and drop(arg) is called instead when its loop ends first.
 */
struct cr__post {
	struct cr__post *next;
	void (*fn)(void *arg);
	void *arg;
	void (*drop)(void *arg);
};

/*
 * Part of something that other threads reach through the loop. close() is called on the loop's
 * thread when nobody can find the loop any more, but all of it is still there, abandoned tasks too:
 * it waits for those threads. free() is called last.
 */
struct cr__closer {
	struct cr__closer *next;
	void (*close)(struct cr__closer *closer);
	void (*free)(struct cr__closer *closer);
};

struct cr__loop {
	/*
	 * The scheduler's count of tasks that got the processor, in steps of its own, and the
	 * count at which the next suspension gives it to the loop, so that it polls. Whoever has
	 * work for the loop's next turn makes them equal.
	 */
	uint32_t handed, poll_at;
	_Atomic(struct cr__post *) inbox; /* from other threads, last in first out */
	struct cr__post *posts_head, **posts_tail;

	const struct cr__backend *backend;
	void *backend_state;
	struct cr__timers timers;
	struct cr__attachment *attachments; /* see attach.h */
	struct cr__closer *closers;         /* the latest first */
	struct cr__agent *agent;            /* src/exec's; NULL: there was no job yet */
	struct cr__watch *watch;            /* NULL: nobody looks */
	_Atomic bool sleeping; /* published before a wait: posters then have to wake it */
	uint32_t owed;         /* jobs on other threads whose end will be posted */
	struct {
		uint32_t most, misses, skip;
	} spin; /* whether it looks for those before it sleeps: see post_awaited() */
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

/*
 * Opens a loop with that backend and registers it. Returns 0; -ENOSYS when the backend does not
 * work here; -EMFILE, -ENFILE, -ENOMEM.
 */
int cr__loop_open(struct cr__loop *loop, const struct cr__backend *backend, uint64_t seed);
void cr__loop_close(struct cr__loop *loop);

/*
 * The backend for an option: by number, or by CORAIL_BACKEND; NULL for the best that works here.
 * Returns 0; -EINVAL; -ENOSYS when this library was built without it.
 */
int cr__loop_backend_find(enum cr_backend wanted, const struct cr__backend **ret_backend);

/* Opens a loop with that backend. Returns 0, or as cr__loop_open(). */
int cr__loop_open_wanted(struct cr__loop *loop, enum cr_backend wanted, uint64_t seed);

/* Queues a callback of the loop's own thread. */
void cr__loop_post(struct cr__loop *loop, struct cr__post *post);

/*
 * Queues a callback from any thread and wakes the loop. The caller knows that the loop cannot end
 * meanwhile; where it does not, it asks by the handle: 0, or -ESRCH when that loop has ended.
 */
void cr__loop_post_foreign(struct cr__loop *loop, struct cr__post *post);
int cr__loop_post_handle(cr_loop handle, struct cr__post *post);

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
