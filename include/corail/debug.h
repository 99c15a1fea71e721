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

/* How many bytes of the calling task's stack were ever touched, in whole pages, by mincore(2). */
CORAIL_API size_t cr_debug_stack_high_water(void);

#ifdef __cplusplus
}
#endif
#endif
