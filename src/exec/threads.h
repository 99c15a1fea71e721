/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_THREADS_H
#define CR__EXEC_THREADS_H

/*
 * What the pool's files share.
 *
 *	pools.c   life and death of pools; fork(2)
 *	pool.c    the queue: submitting and withdrawing
 *	worker.c  threads: taking jobs, stealing them, resting, leaving
 *
 * Jobs are submitted to an inbox, without a lock; those of a pool whose queue is limited to the
 * queue itself, under the lock. A worker takes several at once when there are many and keeps them
 * in a list of its own, under a lock of its own, so that the pool's is not taken for each; one that
 * finds nothing steals from the others' lists. Jobs leave the inbox and change lists only under the
 * pool's lock; whoever has to see all that have not begun empties the inbox into the queue first.
 * Order of locks: pool, then worker.
 *
 * A worker that looks for work is `searching`. Who submits wakes a thread, or makes one, only when
 * nobody searches: the one who searches will find the job. When it does, and was the last to
 * search, and there is more, it wakes the next. So no job is left behind while a thread sleeps.
 * Without the lock this holds because all of it is sequentially consistent: who submits pushes and
 * then reads `searching` and `spare`; a worker that gives up lowers `searching` and raises `spare`
 * and then looks into the inbox again. One of the two sees the other.
 */

#include "exec/pool.h"
#include "task/park.h"

#include <pthread.h>
#include <sched.h>

enum {
	CR__THREADS_MAX = 1024,
	CR__THREADS_NAME_SIZE = 12,
	/*
	 * How many records of ended jobs a loop fetches at a time. Each was written on another
	 * processor, and through `next` alone it would wait for one after the other.
	 */
	CR__ENDED_AHEAD = 8,
};

/* A thread, or the record of one that has gone, which the next one takes. */
struct cr__worker {
	struct cr_threads *pool;
	struct cr__worker *next; /* of all that the pool ever had */
	struct cr__list sleeper; /* in the pool's list while it sleeps */
	size_t number;
	pthread_t thread;
	bool alive;
	_Atomic uint32_t awake; /* what it sleeps on */
	_Atomic(struct cr__job *) current;
	_Atomic uint64_t jobs;                  /* that have ended */
	struct cr__job *ended[CR__ENDED_AHEAD]; /* the latest of them, which may be gone */

	/* Its own jobs, not on a cache line with what others write. */
	char apart[64];
	_Atomic bool locked; /* held for a few instructions: see cr__worker_lock() */
	struct cr__list local;
	size_t local_count;
};

struct cr_threads {
	pthread_mutex_t lock;
	struct cr__list queue;   /* not begun, older than what is in the inbox */
	struct cr__list waiting; /* for room in the queue */
	_Atomic size_t queued;   /* in the queue. Written under the lock; spinning workers peek */
	size_t waiting_count;
	struct cr__worker *workers;
	struct cr__list sleepers; /* last in first out: the warmest is woken */
	size_t threads;
	size_t spin; /* how long a worker spins before it sleeps, as things are going */
	bool closing;
	_Atomic uint32_t gone;   /* raised when the last thread of a closing pool leaves */
	struct cr__wait *closer; /* a task that waits for the same; NULL */
	struct cr__job closed;   /* tells it */

	/* Constant once opened. */
	struct cr_threads *next; /* of all pools: for fork(2) */
	char name[CR__THREADS_NAME_SIZE];
	size_t thread_count_max, queue_limit, stack_size_bytes;
	int nice;
	cr_nsec idle;
	size_t spin_max;

	/* Touched without the lock: not on a cache line with what the lock guards. */
	char apart[64];
	_Atomic size_t searching; /* written under the lock, like the next */
	_Atomic size_t spare;     /* threads that sleep, or that may still be made */
	char apart_too[64];
	struct cr__inbox inbox;
};

/*
 * With the pool's lock: sees to it that somebody will look for work; whom to wake is to be woken
 * when the lock was given back. Returns 0, or why not a single thread could be made.
 */
int cr__worker_wanted(struct cr_threads *pool, struct cr__worker **ret_wake);

/* With the pool's lock: empties the inbox into the queue. */
void cr__pool_collect(struct cr_threads *pool);

/* With the pool's lock: about how many jobs have not been taken. */
size_t cr__pool_depth(struct cr_threads *pool);

/* With the pool's lock: the next job, and room for one that waits; NULL when none is in reach. */
struct cr__job *cr__pool_take(struct cr_threads *pool);

/* Puts a job behind the others, from any thread. Returns 0, or as cr__job_submit(). */
int cr__pool_put(struct cr_threads *pool, struct cr__job *job, bool refuse);

/* Ends what a worker or a closing pool is done with: its loop will call done(). Any thread. */
void cr__job_finish(struct cr__job *job);

/* The same, where job->ahead is set. */
void cr__job_ended(struct cr__job *job);

/*
 * The lock around a worker's own jobs: one atomic exchange where a mutex needs two, for each job.
 * Only a thief, or who takes a job back, ever meets the worker here.
 */
static inline void cr__worker_lock(struct cr__worker *worker)
{
	while (atomic_exchange_explicit(&worker->locked, true, memory_order_acquire))
		sched_yield();
}

static inline void cr__worker_unlock(struct cr__worker *worker)
{
	atomic_store_explicit(&worker->locked, false, memory_order_release);
}

/* Wakes a worker that cr__worker_wanted() chose; NULL: nobody. */
void cr__worker_wake(struct cr__worker *worker);

#endif
