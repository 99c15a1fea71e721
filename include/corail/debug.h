/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_DEBUG_H
#define CORAIL_DEBUG_H

/*
 * Looking inside: every task alive with its name, where it was spawned, in which state, and what it
 * waits for. tools/corail-gdb.py shows the same, with backtraces, from a debugger or a core file.
 */

#include <corail/base.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cr_task_state {
	CORAIL_TASK_READY = 1, /* will run in this turn or the next */
	CORAIL_TASK_RUNNING,   /* the caller */
	CORAIL_TASK_WAITING,   /* parked; see wait_reason */
};

/* A task, as cr_debug_tasks() shows it. All pointers are valid only during the visit. */
typedef struct cr_task_info {
	cr_task task;
	cr_task parent; /* who owns the scope it was spawned into; stale for main */
	enum cr_task_state state;
	const char *name;
	const char *site;        /* "file.c:12" */
	const char *wait_reason; /* "sleep", "recv", "await", ...; NULL unless waiting */
	int wait_fd;             /* the descriptor it waits for, or -1 */
	int cancelled;
	size_t stack_size_bytes; /* reserved */
} cr_task_info;

/*
 * Calls visit() for every task of this thread's loop, parents before children. visit() returns 0 to
 * go on. Returns how many were visited; 0 without a loop. Does not suspend; nor may visit().
 */
CORAIL_API size_t cr_debug_tasks(int (*visit)(const cr_task_info *info, void *arg), void *arg);

/*
 * Prints the tree of this thread's tasks to a descriptor. Allocates nothing. Returns 0, or an error
 * of write(2).
 */
CORAIL_API int cr_debug_dump(int fd);

/* Counters of this thread's loop since it began. */
typedef struct cr_loop_stats {
	uint64_t turns; /* of the loop */
	uint64_t polls; /* of the kernel: system calls that wait or submit */
	uint64_t tasks_spawned;
	uint64_t tasks_alive;
	uint64_t stacks_cached; /* free stacks kept for the next spawn */
	/* the most that any ended or pooled task's stack was seen to use */
	uint64_t stack_bytes_high;
	uint64_t timers_pending;
	uint64_t posts;
} cr_loop_stats;

/* Returns 0, or -ESRCH without a loop on this thread. */
CORAIL_API int cr_debug_stats(cr_loop_stats *ret_stats);

/*
 * A digest of every scheduling decision so far (which task ran, when): equal for two runs in sim
 * with the same seed. 0 without a loop.
 */
CORAIL_API uint64_t cr_debug_trace(void);

/*
 * ---- reports: CORAIL_DEBUG=1 ----
 *
 * With CORAIL_DEBUG=1 in the environment, with cr_options.debug, or after cr_debug_enable(), a loop
 * is watched, and each of these is reported in a block of lines that begin with "corail:":
 *
 *  - a task, or a callback, that computes or blocks for longer than `blocked` without suspending:
 *    while it does, by a thread of the library's own, with the backtrace and, if it is a known one,
 *    the call that blocks; and how long it was in the end;
 *  - a call that returns -EBUSY, and who holds that direction of the descriptor;
 *  - a suspension while the thread holds a lock of POSIX threads (when libcorail-debug.so is
 *    preloaded, which counts them);
 *  - a task that is cancelled and goes on;
 *  - a deadlock: who waits for whom, and the cycles;
 *  - at the end of the run, descriptors that were opened through the library and never closed, and
 *    where they were opened.
 *
 * A loop that is not watched pays nothing. One that is uses the signal SIGRTMAX - 5, which it takes
 * and gives back; a sleep or poll that the signal interrupts is begun again.
 */

/*
 * All zero means: what the environment says, else the defaults. Durations: a negative one turns
 * that report off.
 */
typedef struct cr_debug_options {
	int fd;          /* where reports go; 0: CORAIL_DEBUG_FD, else standard error */
	cr_nsec blocked; /* without suspending; 0: CORAIL_DEBUG_BLOCKED_MS, else 100 ms */
	/* a task goes on after its first -ECANCELED; 0: CORAIL_DEBUG_IGNORED_MS, else 1 s */
	cr_nsec ignored;
	/* nothing happens, then a deadlock is looked for; 0: CORAIL_DEBUG_IDLE_MS, else 1 s */
	cr_nsec idle;
} cr_debug_options;

/*
 * Watches the loops that begin from now on, in all threads, whatever the environment says. NULL: as
 * with all zero. Copies the options; they hold for CORAIL_DEBUG and cr_options.debug too.
 */
CORAIL_API void cr_debug_enable(const cr_debug_options *options);

/* Does not watch the loops that begin from now on, unless their cr_options say so. */
CORAIL_API void cr_debug_disable(void);

/* Whether this thread's loop is watched. */
CORAIL_API int cr_debug_enabled(void);

/*
 * Looks for tasks of this thread's loop that wait for each other in a cycle, by awaiting, by
 * joining scopes, or for mutexes, and if there are any prints who waits for whom to a descriptor.
 * Works without debugging too. Returns how many tasks are on cycles; -ESRCH without a loop;
 * -ENOMEM; or an error of write(2).
 */
CORAIL_API int cr_debug_deadlock(int fd);

/*
 * Prints the descriptors that were opened through this thread's loop and are open now, each with
 * the task and the calls that opened it. Returns how many; -ESRCH when the loop is not watched.
 */
CORAIL_API int cr_debug_descriptors(int fd);

/* How many bytes of the calling task's stack were ever touched, in whole pages, by mincore(2). */
CORAIL_API size_t cr_debug_stack_high_water(void);

#ifdef __cplusplus
}
#endif
#endif
