/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_PROCESSES_H
#define CORAIL_PROCESSES_H

/*
 * Work in other processes: what computes, and may crash, leak, or has to be stopped by force.
 *
 * A job on a thread (<corail/exec.h>) shares everything with the program, also its fate. One in a
 * process has a memory of its own: it can be killed at any moment, and when it crashes that is an
 * error of its call and nothing else. It is called as a task function is: arguments and results are
 * fields of one struct, the int is the status.
 *
 *	struct parse { char text[1000]; int fields; };
 *	static int parse(struct parse *p);        an ordinary function: it may block, or crash
 *
 *	int main(void)
 *	{
 *		cr_processes_prepare();           before any thread exists
 *		return cr_run(program, &args);
 *	}
 *	...
 *	r = cr_processes_open(NULL, &pool);
 *	r = cr_processes_call(pool, parse, &p);
 *
 * Where workers come from. They are forks of one process, the zygote, which is itself a fork of the
 * program, made while that had a single thread: what a fork of a program with threads inherits is
 * locks that nobody will ever unlock. So the zygote is made by cr_processes_prepare(), first thing
 * in main, or else by the first cr_processes_open(), if there is still no second thread. Workers
 * see the program's data as they were at that moment, and not a change since. Of its descriptors
 * they have standard output and error; standard input is /dev/null.
 *
 * What crosses. The struct is copied to the worker and back, a shallow copy: a pointer in it is
 * good for nothing, unless to what existed before the zygote was made. Put data into the struct (at
 * most CORAIL_PROCESSES_ARGUMENT_MAX bytes), or, where they are large, into a cr_shared: memory
 * that both sides map, and that nobody copies.
 *
 * Death. Cancelling a call, or its deadline, kills the worker in the middle of the job (SIGKILL),
 * and the call returns when that is dead; one that has not begun is taken back. A worker that
 * crashes, or is killed, or exits, fails the call whose job it ran, with
 * -CORAIL_E_PROCESSES_DIED, and cr_processes_fault says how; a new worker takes its place. Jobs
 * that it had been handed and not begun go to others: each is run once, or reported as failed.
 * Children that a job started are its own affair.
 *
 * When the program dies, however it dies, no worker is left: the zygote and the workers are killed
 * by the kernel (PR_SET_PDEATHSIG in prctl(2)) or see their sockets hang up.
 *
 * Signals. Workers start with every handler at its default, and ignore SIGINT, SIGQUIT and SIGHUP:
 * what a terminal sends to its whole process group is the program's to decide. The zygote is a
 * child of the program: wait(2) for any child knows it too. SIGCHLD is not used.
 *
 * A pool belongs to the loop that opened it, and is used by its tasks only.
 *
 * In the simulator jobs run in this process, as those of cr_offload() do there: in a fixed order,
 * in no virtual time, with a copy of their arguments. There a crash is the program's, and a job
 * that has begun is waited for.
 */

#include <corail/base.h>
#include <corail/task.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest struct that can be handed to a job. */
#define CORAIL_PROCESSES_ARGUMENT_MAX 65536

/*
 * Makes the zygote, for all pools of the process. Call it first thing in main: workers begin with
 * what the program has done by then, and its memory. Once it is there, does nothing.
 * Returns 0; -CORAIL_E_PROCESSES_LATE when the process has more than one thread; -EAGAIN, -ENOMEM
 * as fork(2); -EMFILE, -ENFILE.
 */
CORAIL_API int cr_processes_prepare(void);

/* ------------------------------------------------------------------------------------ pools --- */

/* A pool of worker processes. */
typedef struct cr_processes cr_processes;

/* All zero means the defaults. */
typedef struct cr_processes_options {
	const char *name; /* of the processes, as ps(1) shows it (15 bytes); NULL: "worker" */
	size_t process_count_max; /* 0: cr_cpu_count(); at most 256 */
	size_t queue_limit;       /* how many jobs may be queued; 0: no limit */
	uint64_t jobs_max;        /* a worker is replaced after so many jobs; 0: never */
	/*
	 * How much address space a worker may take beyond what it starts with (RLIMIT_AS in
	 * setrlimit(2)): allocations fail then; 0: no limit
	 */
	size_t memory_limit_bytes;
	unsigned cpu_limit_seconds; /* processor time of a job, then SIGXCPU ends it; 0: no limit */
	int nice;                   /* added to the workers' niceness: 0 to 19 */
} cr_processes_options;

/*
 * Opens a pool; starts no worker yet, they come with the work. Also makes the zygote, if there is
 * none. May suspend only where it fails. Returns 0; -EINVAL for more processes than allowed or a
 * niceness out of range; -ENOMEM; -EMFILE, -ENFILE; -ECANCELED; -CORAIL_E_PROCESSES_LOST when the
 * zygote is gone; or as cr_processes_prepare().
 */
CORAIL_API CORAIL_SUSPENDS int cr_processes_open(const cr_processes_options *options,
                                                 cr_processes **ret_pool);

/*
 * Closes a pool: its calls end with -ECANCELED, its workers are killed, and have ended when this
 * returns. Suspends, and is not ended by cancellation. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_processes_close(cr_processes *pool);

/* A pool at one moment. */
typedef struct cr_processes_stats {
	size_t process_count_max;
	size_t processes; /* alive, or about to be */
	size_t running;   /* jobs handed to workers */
	size_t queued;    /* jobs handed to nobody yet, up to the queue's limit */
	size_t waiting;   /* those beyond it */
	uint64_t jobs;    /* that have ended, well or not */
	uint64_t deaths;  /* of workers, by a crash, a kill, an exit or old age */
} cr_processes_stats;

/* Looks at a pool. */
CORAIL_API void cr_processes_stats_get(const cr_processes *pool, cr_processes_stats *ret_stats);

/*
 * Writes the numbers of up to `count` workers that are alive (of one that has just been started,
 * the number is not known at once). Returns how many there are.
 */
CORAIL_API size_t cr_processes_pids(const cr_processes *pool, pid_t *pids, size_t count);

/* ------------------------------------------------------------------------------------ calls --- */

/* How a worker died under a job. */
typedef struct cr_processes_fault {
	int signal; /* that killed it; 0: it exited */
	int code;   /* what it gave to _exit(2); -1: a signal killed it */
	pid_t pid;
	char text[100]; /* "worker 1234 was killed by SIGSEGV (Segmentation fault)" */
} cr_processes_fault;

/* All zero means the defaults. */
typedef struct cr_processes_call_options {
	cr_processes_fault *fault; /* written when the worker died; NULL: nowhere */
	/* a full queue is -EAGAIN; else the caller waits for room, first come first served */
	unsigned refuse_when_full : 1;
} cr_processes_call_options;

/*
 * cr_processes_call(pool, fn, arg) runs `int fn(T *arg)` in a worker process, on a copy of *arg,
 * and suspends until it is done and what it wrote has been copied back.
 * Returns what fn returned. Or, and then *arg is as it was:
 *
 *	-ECANCELED                  the caller was cancelled, or the pool closed: fn was not run, or
 *	                            it was killed while it ran
 *	-CORAIL_E_PROCESSES_DIED    the worker died while it ran fn
 *	-CORAIL_E_PROCESSES_UNKNOWN fn is in a library that was loaded after the zygote was made
 *	-CORAIL_E_PROCESSES_LOST    the zygote has died, and the workers with it
 *	-CORAIL_E_PROCESSES_START   workers die again and again before they begin a job
 *	-EMSGSIZE                   *arg is larger than CORAIL_PROCESSES_ARGUMENT_MAX
 *	-EAGAIN, -ENOMEM, -EMFILE   not a single worker could be started
 */
#define cr_processes_call(pool, fn, ...)                                                           \
	(cr__processes_call((pool), NULL, CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),            \
	                    sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

/*
 * As cr_processes_call(), with options (a const cr_processes_call_options *). Also -EAGAIN for a
 * full queue, if they say so.
 */
#define cr_processes_call_with(pool, options, fn, ...)                                             \
	(cr__processes_call((pool), (options), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),       \
	                    sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

CORAIL_API CORAIL_SUSPENDS int cr__processes_call(cr_processes *pool,
                                                  const cr_processes_call_options *options,
                                                  cr__fn fn, const void *arg, size_t size,
                                                  cr__site site);

/* All zero means: enough at once to keep all workers busy, stop at a failure. */
typedef struct cr_processes_map_options {
	size_t limit;         /* most that are handed in at once; 0: 32 for each process */
	int *statuses;        /* where each element's result goes, in order; NULL: nowhere */
	unsigned collect : 1; /* go on when one fails */
} cr_processes_map_options;

/*
 * Runs `int fn(T *)` in worker processes, once for each of `count` elements of an array, handed in
 * in order, and suspends the calling task until all are done. Results are in the elements.
 * Returns 0; the first failure, after which no other element is begun, but those that run are
 * waited for; -ECANCELED when the caller was cancelled: those that run are killed; -ENOMEM; else
 * as cr_processes_call().
 */
#define cr_processes_map(pool, fn, array, count)                                                   \
	(cr__processes_map((pool), NULL, CORAIL__FN_ELEMENT(fn, array), (array), (count),          \
	                   sizeof *(array), CORAIL__SITE(fn)))

/*
 * As cr_processes_map(), with options (a const cr_processes_map_options *). Elements that were not
 * run have the status -ECANCELED. With .collect, returns how many failed or were not run.
 */
#define cr_processes_map_with(pool, options, fn, array, count)                                     \
	(cr__processes_map((pool), (options), CORAIL__FN_ELEMENT(fn, array), (array), (count),     \
	                   sizeof *(array), CORAIL__SITE(fn)))

CORAIL_API CORAIL_SUSPENDS int cr__processes_map(cr_processes *pool,
                                                 const cr_processes_map_options *options, cr__fn fn,
                                                 const void *array, size_t count,
                                                 size_t element_size, cr__site site);

/* ---------------------------------------------------------------------------- shared memory --- */

/*
 * Memory that the program and its workers map: a value, to be put into a job's struct. Who opens
 * it closes it, when no job uses it any more: one that does dies of SIGBUS.
 */
typedef struct cr_shared {
	uint64_t id;
} cr_shared;

/*
 * Makes shared memory of `size_bytes` (memfd_create(2)), all zero; pages are taken when they are
 * touched. From any thread of the program, not in a worker. Returns 0; -EINVAL for a size of zero;
 * -EPERM in a worker; -ENOMEM; -EMFILE, -ENFILE.
 */
CORAIL_API int cr_shared_open(size_t size_bytes, cr_shared *ret_shared);

/*
 * Where it is mapped here, and how large it is (ret_size_bytes may be NULL). In a worker it is
 * mapped when it is first asked for, which waits for the program's loop once, and stays good until
 * the job ends. Returns 0; -ESRCH when it is closed; -ENOMEM, -EMFILE in a worker.
 */
CORAIL_API int cr_shared_map(cr_shared shared, void **ret_data, size_t *ret_size_bytes);

/* Gives the memory back. Does nothing when it is closed already, or in a worker. */
CORAIL_API void cr_shared_close(cr_shared shared);

#ifdef __cplusplus
}
#endif
#endif
