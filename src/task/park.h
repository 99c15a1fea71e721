/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_PARK_H
#define CR__TASK_PARK_H

/*
 * The contract for whatever suspends a task. A suspending function
 *
 *	r = cr__park_check();            -ECANCELED in a cancelled scope: before anything is started
 *	... queue the wait somewhere, or start an operation ...
 *	r = cr__park(&wait);             suspends; returns what cr__unpark() was given
 *
 * and cancellation calls wait->abort(), on whatever stack the canceller runs, at most once for a
 * wait:
 *
 *	CR__ABORT_DONE   the wait was taken out of every queue: the task is woken with -ECANCELED
 *	CR__ABORT_LATER  it cannot be undone now; somebody will still call cr__unpark() (an
 *	                 operation's own completion, which io_uring always owes)
 *
 * A wait whose abort is NULL is not ended by cancellation (joining a scope).
 *
 * A wait for something that another task holds (a mutex, a task's own end) can say who that is, so
 * that a report of a deadlock names who waits for whom: wait->holder(), for diagnostics only.
 */

#include <corail/task.h>

#include <stdbool.h>

struct cr__task;
struct cr__loop;

enum cr__abort {
	CR__ABORT_DONE,
	CR__ABORT_LATER,
};

struct cr__wait {
	enum cr__abort (*abort)(struct cr__wait *wait);
	struct cr__task *task; /* written by cr__park() */
	const char *reason;    /* one static word for dumps: "recv", "sleep" */
	int fd;                /* for dumps; -1 without */
	/*
	 * The task that must do something before this wait can end; {0} when none is known, or when
	 * it could be any of several. Does not suspend, changes nothing. NULL: the wait cannot
	 * tell.
	 */
	cr_task (*holder)(const struct cr__wait *wait);
};

/* The calling task; panics outside one, naming the function that wants to suspend. */
struct cr__task *cr__task_current(const char *caller);

/* The calling task's loop, NULL outside a task. */
struct cr__loop *cr__task_loop(void);

/* 0, or -ECANCELED when the calling task's scope is cancelled; panics outside a task. */
int cr__park_check(const char *caller);

/*
 * What a suspending function returns in a cancelled scope: -ECANCELED. It counts against the
 * budget, so that a loop that ignores it keeps neither the other tasks nor the end of the program
 * from going on.
 */
int cr__park_refuse(void);

/* Suspends the calling task until cr__unpark(). Returns its status. */
int cr__park(struct cr__wait *wait);

/*
 * Makes a parked task runnable, with the value that its cr__park() returns. On its own loop only.
 */
void cr__unpark(struct cr__task *task, int status);

/*
 * For calls that completed without suspending: counts against the task's budget, and yields once it
 * is used up, so that an always-ready descriptor starves nobody. Never fails: a result must not be
 * lost.
 */
void cr__budget_spend(void);

/*
 * For calls that return -EBUSY because somebody else holds a direction of a descriptor: in a loop
 * that is being debugged, reports who does.
 */
void cr__debug_busy(const char *caller, int fd);

#endif
