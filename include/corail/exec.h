/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_EXEC_H
#define CORAIL_EXEC_H

/*
 * Work on threads: what computes, or blocks, goes beside the loop.
 *
 * All tasks of a loop share one thread. A function that computes for long, or calls a library that
 * blocks, holds all of them up. cr_offload() runs it on a worker thread instead, and suspends its
 * caller until it is done, while the others go on. It is called as a task function is: arguments
 * and results are fields of one struct, the int is the status.
 *
 *	struct digest { const char *data; size_t size; unsigned char sum[32]; };
 *	static int digest(struct digest *d);      an ordinary function: it may block, not suspend
 *
 *	struct digest d = {.data = data, .size = size};
 *	r = cr_offload(digest, &d);
 *
 * Ownership. The job uses its caller's memory, so the call lasts until the job is done: cancelling
 * the caller takes a job that has not begun out of its queue at once, but one that runs is waited
 * for. It can ask, with cr_offload_cancelled(), and end early. cr_offload_copy() gives the job a
 * copy of its arguments: then a cancelled caller goes on at once and the job ends by itself, its
 * result unheard (abandoned).
 *
 * Pools. Jobs run on the threads of a pool, which all loops of the process share: the default one
 * is as wide as the processors that this process may really use, cr_cpu_count(); cr_threads_open()
 * makes others, for work that blocks, or that must not be more than so many at once. Threads are
 * made when there is work and go when there has been none for a while. All signals but those of
 * faults are blocked in them.
 *
 * Task-local values of the caller are seen by its job, except by one with a copy, which may outlive
 * them.
 *
 * A job is no task: a function marked CORAIL_SUSPENDS aborts in it. To use its loop, it calls
 * back: cr_call_threadsafe() runs a task function there and waits for its answer, from any thread.
 *
 * In the simulator a job runs for real, while its loop holds still: it takes no virtual time, and
 * only one runs at once. Jobs that wait for one another do not end there.
 *
 * fork(2). A child has none of its parent's threads. One that goes on without exec(2) may run loops
 * and jobs of its own if no loop ran in the thread that forked.
 */

#include <corail/base.h>
#include <corail/loop.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How many processors this process may use: those of its affinity mask (sched_getaffinity(2)), or
 * fewer where a control group allows it less time (cgroup v2 cpu.max, v1 cpu.cfs_quota_us, of its
 * own group and of those around; a part of a processor counts as a whole one). At least 1. Reads
 * files: ask once.
 */
CORAIL_API size_t cr_cpu_count(void);

/* ------------------------------------------------------------------------------------ pools --- */

/* A pool of threads. May be used from all loops of the process. */
typedef struct cr_threads cr_threads;

/* All zero means the defaults. */
typedef struct cr_threads_options {
	const char *name;        /* threads are NAME/1, ... (11 bytes are kept); NULL: "worker" */
	size_t thread_count_max; /* 0: cr_cpu_count(); at most 1,024 */
	size_t queue_limit;      /* how many jobs may wait for a thread; 0: no limit */
	size_t stack_size_bytes; /* of each thread; 0: as pthread_create(3) makes them */
	int nice;                /* added to the threads' niceness: 0 to 19, kinder the higher */
	cr_nsec idle;            /* a thread without work goes after that; 0: 10 s */
} cr_threads_options;

/*
 * Opens a pool; needs no loop, and makes no thread yet. Returns 0; -EINVAL for more threads than
 * allowed, a niceness out of range or a stack below PTHREAD_STACK_MIN; -ENOMEM.
 */
CORAIL_API int cr_threads_open(const cr_threads_options *options, cr_threads **ret_pool);

/*
 * Closes a pool: jobs that have not begun end with -ECANCELED, those that run are waited for, also
 * abandoned ones, and so are the threads. Nobody may use the pool any more. Suspends in a task (and
 * is not ended by cancellation), blocks elsewhere. Accepts NULL. The default pool stays: aborts.
 */
CORAIL_API CORAIL_SUSPENDS void cr_threads_close(cr_threads *pool);

/* The pool that is used where none is named. It is not to be closed. */
CORAIL_API cr_threads *cr_threads_default(void);

/* A pool at one moment. */
typedef struct cr_threads_stats {
	size_t thread_count_max;
	size_t threads; /* alive */
	size_t running; /* jobs that run now */
	size_t queued;  /* jobs that have not begun, up to the queue's limit */
	size_t waiting; /* jobs for which the queue has no room yet */
	uint64_t jobs;  /* that have ended */
} cr_threads_stats;

/* Looks at a pool, from any thread. */
CORAIL_API void cr_threads_stats_get(cr_threads *pool, cr_threads_stats *ret_stats);

/* ---------------------------------------------------------------------------------- offload --- */

/* All zero means the defaults. */
typedef struct cr_offload_options {
	cr_threads *pool; /* NULL: cr_threads_default() */
	/*
	 * With cr_offload_copy_with(): called on the worker with the copy of an abandoned job that
	 * has ended, to release what it holds. NULL: nothing to release.
	 */
	void (*abandoned)(void *copy);
	/* A full queue is -EAGAIN; else the caller waits for room, first come first served. */
	unsigned refuse_when_full : 1;
} cr_offload_options;

/*
 * cr_offload(fn, arg) runs `int fn(T *arg)` on a thread of the default pool and suspends until it
 * is done. Returns what fn returned, also when the caller was cancelled while it ran: the next
 * suspending call reports that. Or, and then fn was not called: -ECANCELED, in a cancelled scope or
 * when cancelled before the job had begun; -ENOMEM and -EAGAIN when not a single thread could be
 * made.
 */
#define cr_offload(fn, ...)                                                                        \
	(cr__offload(NULL, CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), 0, CORAIL__SITE(fn)))

/*
 * As cr_offload(), with a copy of *arg (a shallow one), which is copied back when the job is done.
 * Cancelled while the job runs, it returns -ECANCELED at once and *arg is as it was: the job
 * is abandoned, its copy freed when it ends. Also -ENOMEM when there is none for the copy.
 */
#define cr_offload_copy(fn, ...)                                                                   \
	(cr__offload(NULL, CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), sizeof *(__VA_ARGS__),    \
	             CORAIL__SITE(fn)))

/*
 * As cr_offload() and cr_offload_copy(), with options (a const cr_offload_options *). Also -EAGAIN
 * for a full queue, if they say so.
 */
#define cr_offload_with(options, fn, ...)                                                          \
	(cr__offload((options), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), 0, CORAIL__SITE(fn)))
#define cr_offload_copy_with(options, fn, ...)                                                     \
	(cr__offload((options), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),                      \
	             sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

CORAIL_API CORAIL_SUSPENDS int cr__offload(const cr_offload_options *options, cr__fn fn,
                                           const void *arg, size_t copy_size, cr__site site);

/*
 * In a job: whether its caller has been cancelled or its deadline has passed, or, in a
 * cr_offload_map(), another element has failed. The result may then be of no use. Cheap: ask often.
 * In a task: as cr_cancelled(). Elsewhere 0.
 */
CORAIL_API int cr_offload_cancelled(void);

/* All zero means: on the default pool, as many at once as it has threads, stop at a failure. */
typedef struct cr_offload_map_options {
	cr_threads *pool;     /* NULL: cr_threads_default() */
	size_t limit;         /* most that run at once; 0: as many as the pool has threads */
	int *statuses;        /* where each element's result goes, in order; NULL: nowhere */
	unsigned collect : 1; /* go on when one fails */
} cr_offload_map_options;

/*
 * Runs `int fn(T *)` on threads of the default pool, once for each of `count` elements of an array,
 * begun in order, and suspends the calling task until all are done. Results are in the elements.
 * Cheap for many small elements: they are handed out in chunks.
 * Returns 0; the first failure, after which no other element was begun; -ECANCELED when the caller
 * was cancelled, and then too what ran was waited for and the rest not begun; -ENOMEM and -EAGAIN
 * when not a single thread could be made.
 */
#define cr_offload_map(fn, array, count)                                                           \
	(cr__offload_map(NULL, CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),   \
	                 CORAIL__SITE(fn)))

/*
 * As cr_offload_map(), with options (a const cr_offload_map_options *). Elements that were not
 * begun have the status -ECANCELED. With .collect, returns how many failed or were not begun.
 */
#define cr_offload_map_with(options, fn, array, count)                                             \
	(cr__offload_map((options), CORAIL__FN_ELEMENT(fn, array), (array), (count),               \
	                 sizeof *(array), CORAIL__SITE(fn)))

CORAIL_API CORAIL_SUSPENDS int cr__offload_map(const cr_offload_map_options *options, cr__fn fn,
                                               const void *array, size_t count, size_t element_size,
                                               cr__site site);

/* ------------------------------------------------------------- from other threads to a loop --- */

/*
 * cr_call_threadsafe(loop, fn, arg): from a job, or any thread without a loop. Runs
 * `int fn(T *arg)` as a task of that loop (it may suspend), in the program's scope, and blocks the
 * calling thread until it has ended. `arg` is borrowed.
 * Returns what fn returned. Or -ESRCH when that loop has ended, or ends before the task has;
 * -ENOMEM, -EAGAIN when the task could not be made. On a thread that runs a loop it aborts.
 */
#define cr_call_threadsafe(loop, fn, ...)                                                          \
	(cr__call_threadsafe((loop), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),                 \
	                     CORAIL__SITE(fn)))

CORAIL_API int cr__call_threadsafe(cr_loop loop, cr__fn fn, const void *arg, cr__site site);

/* A task on a loop, in the hands of another thread. */
typedef struct cr_remote cr_remote;

/*
 * cr_run_threadsafe(loop, fn, arg, ret_remote): as cr_call_threadsafe(), but does not wait: from
 * any thread, also one that runs a loop. `arg` is borrowed until the task has ended.
 * Returns 0; -ESRCH when that loop has ended; -ENOMEM.
 */
#define cr_run_threadsafe(loop, fn, arg, ret_remote)                                               \
	(cr__run_threadsafe((loop), CORAIL__FN(fn, arg), (arg), CORAIL__SITE(fn), (ret_remote)))

CORAIL_API int cr__run_threadsafe(cr_loop loop, cr__fn fn, const void *arg, cr__site site,
                                  cr_remote **ret_remote);

/*
 * Blocks the calling thread until the task has ended. Returns as cr_call_threadsafe(), as often as
 * asked. On a thread that runs a loop it aborts: there, ask cr_remote_result().
 */
CORAIL_API int cr_remote_wait(cr_remote *remote);

/*
 * Reads the result without waiting: 0 and what cr_remote_wait() would return, or -EINPROGRESS.
 */
CORAIL_API int cr_remote_result(cr_remote *remote, int *ret_result);

/*
 * Cancels the task, from any thread: also before it has begun (it still starts: its first
 * suspending call returns -ECANCELED). Does nothing when it has ended. Does not wait.
 */
CORAIL_API void cr_remote_cancel(cr_remote *remote);

/*
 * Gives the handle back. A task that has not ended is cancelled and waited for, as by
 * cr_remote_wait(). Accepts NULL.
 */
CORAIL_API void cr_remote_close(cr_remote *remote);

#ifdef __cplusplus
}
#endif
#endif
