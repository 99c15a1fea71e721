/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_AGENT_H
#define CR__EXEC_AGENT_H

/*
 * A loop's agent: how threads tell a loop that its jobs are done, and what the loop still owes to
 * other threads. Made at a loop's first job, and freed with the loop.
 *
 * Workers push finished jobs to an intrusive stack. Only who finds it empty posts to the loop's
 * inbox; the others go along: one post, and one wake-up at most, for as many as the loop finds.
 *
 * In the simulator nothing is left to chance: jobs wait in a queue of the agent's own, and one
 * after the other runs, on a thread of its pool, while the loop holds still until it has ended or
 * waits for an answer from that very loop.
 */

#include "exec/pool.h"
#include "loop/loop.h"

struct cr__agent {
	struct cr__loop *loop;
	struct cr__closer closer;
	struct cr__post post;  /* runs when `done` is not empty */
	struct cr__list calls; /* of other threads, whose tasks have not ended */

	/* What workers write: not on a cache line with what the loop reads. */
	char apart[64];
	_Atomic(struct cr__job *) done;
	_Atomic uint32_t posting; /* threads that are about to touch the loop */
	_Atomic uint32_t signal;  /* what the loop's thread sleeps on when it must hold still */
	_Atomic bool watched;     /* somebody sleeps there, or may */
	char apart_too[64];

	bool sim, sim_posted;
	struct cr__post sim_post;
	struct cr__list sim_queue, sim_out;
	_Atomic bool sim_active; /* the job for which the loop holds still runs */
};

/* The agent of the loop that runs on this thread; made if need be. NULL: no memory. */
struct cr__agent *cr__agent_self(void);

/* Any thread: pushes a finished job. The agent may be gone when this returns. */
void cr__agent_push(struct cr__agent *agent, struct cr__job *job);

/* ---- sim_agent.c: the simulator ---- */

void cr__agent_sim_init(struct cr__agent *agent);

/* Queues a job. Its turn comes in the loop's next turn. */
void cr__agent_hold(struct cr__agent *agent, struct cr__job *job);

/* How many jobs of a pool wait there, and how many have begun and not ended. */
size_t cr__agent_held(const struct cr__agent *agent, const struct cr_threads *pool);
size_t cr__agent_out(const struct cr__agent *agent, const struct cr_threads *pool);

/* A pool is closed, or (NULL) the loop: its jobs that wait there will not run. */
void cr__agent_forget(struct cr__agent *agent, const struct cr_threads *pool);

/* On a worker whose job is about to wait for the loop: lets it go on. */
void cr__agent_release(struct cr__agent *agent);

/* On the loop: the answer is about to be given to the job, which runs from then on. */
void cr__agent_resume(struct cr__agent *agent);

/* On the loop, after that: holds still until the job has ended, or waits again. */
void cr__agent_stand(struct cr__agent *agent);

/* ---- agent.c, for the above ---- */

/* Calls done() of what has ended. */
void cr__agent_drain(struct cr__agent *agent);

/* ---- call.c ---- */

/* Tells other threads that wait for tasks of this loop that it ends. */
void cr__calls_fail(struct cr__agent *agent);

/*
 * Spawns a task that another thread asked for into the program's scope: it is cancelled and joined
 * with the leftovers. That there is no room for it is no failure of the scope's. Returns 0, -ESRCH
 * when the loop is ending, or as cr_task_error().
 */
int cr__call_spawn(cr__fn fn, const void *arg, cr__site site, cr_task *ret_task);

#endif
