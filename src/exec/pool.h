/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_POOL_H
#define CR__EXEC_POOL_H

/*
 * Jobs and the pools that run them: what cr_offload(), files and blocking look-ups are made of.
 *
 * A job is a record in its owner's memory, as a rule in the frame of a task that waits for it: no
 * job needs memory of its own. It belongs to the pool from cr__job_submit() until done() is called
 * on the loop's thread, or until cr__job_withdraw() gave it back.
 */

#include <corail/exec.h>

#include "base/list.h"
#include "exec/inbox.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cr__agent;
struct cr__worker;

/* What has become of a job that has just run. */
enum cr__fate {
	CR__FATE_DONE,  /* done() is to be called */
	CR__FATE_AGAIN, /* it has more to do: behind those that are queued */
	CR__FATE_GONE,  /* nobody waits for it, and its record may be gone too */
};

enum cr__job_state {
	CR__JOB_IDLE,
	CR__JOB_QUEUED,  /* in the queue, or taken by a worker and not begun */
	CR__JOB_WAITING, /* for room in the queue */
	CR__JOB_HELD,    /* in the simulator's own queue */
	CR__JOB_RUNNING,
	CR__JOB_DONE,
};

struct cr__job {
	/* First what worker and loop pass to and fro: a cache line of it, and no more. */
	union {
		struct cr__list link;       /* in a list */
		struct cr__inbox_node node; /* in a pool's inbox */
		/*
		 * Ended, in an agent's stack; and one that is likely to be some way below it: to be
		 * fetched, not to be looked at.
		 */
		struct {
			struct cr__job *next, *ahead;
		};
	};
	/* On the worker. May block, must not suspend. */
	enum cr__fate (*run)(struct cr__job *job);
	struct cr__agent *agent; /* of the loop that is told */
	/* What run() calls, where it calls a function of the user's. */
	cr__fn fn;
	const void *arg;
	struct cr__worker *holder; /* who took it; NULL: it is in a queue of the pool */
	_Atomic uint32_t state;    /* enum cr__job_state */
	int result;                /* what run() left there, or why it was not run; else 0 */

	/*
	 * On the loop's thread, once it has run, or (then `result` says why) once it is certain
	 * that it never will. The record is the owner's again. Must not suspend.
	 */
	void (*done)(struct cr__job *job);
	struct cr_threads *pool;
	/* Whether its caller does not want it any more; NULL: it always does. On the worker. */
	bool (*cancelled)(const struct cr__job *job);
	cr__site site; /* where it was asked for and what it runs, for debuggers; NULL: unknown */
	struct cr__list out; /* the simulator's: those that have begun and not ended */
};

_Static_assert(offsetof(struct cr__job, done) == 64, "what a worker looks at: one cache line");

/*
 * Hands a job in, on a loop's thread (in a task or not). run, done and cancelled are set, the rest
 * is not looked at. Returns 0; -EAGAIN for a full queue, if `refuse`; -ENOMEM or -EAGAIN when not a
 * single thread could be made: then the job was not taken.
 */
int cr__job_submit(struct cr_threads *pool, struct cr__job *job, bool refuse);

/*
 * Takes a job back that has not begun, on its loop's thread. Returns true when done() will not be
 * called; false when it runs, or has run.
 */
bool cr__job_withdraw(struct cr__job *job);

/* Pools of the library's own: for files, and for look-ups that block. They always exist. */
struct cr_threads *cr__files_pool(void);
struct cr_threads *cr__names_pool(void);

/* How many threads it may have. */
size_t cr__pool_width(const struct cr_threads *pool);

/* The job that the calling thread runs, or NULL. */
struct cr__job *cr__job_current(void);

/* Calls a typed function through the pointer that CORAIL__FN() erased. */
static inline __attribute__((always_inline)) int cr__fn_call(cr__fn fn, const void *arg)
{
	/*
	 * The macro has checked that it is int (*)(T *) and that arg is a T *. All object pointers
	 * are passed alike in the ABIs that Corail runs on (System V psABI, AAPCS64, RISC-V).
	 */
	return ((int (*)(const void *))fn)(arg);
}

#endif
