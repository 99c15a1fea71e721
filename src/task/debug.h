/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_DEBUG_H
#define CR__TASK_DEBUG_H

/*
 * Debugging in the process: what CORAIL_DEBUG=1 turns on for a loop. Everything hangs on one object
 * that a loop either has or has not; the hot paths learn of it by a bit in cr__sched.special, which
 * they test anyway.
 *
 * Reports are put together on the loop's thread, but their addresses are turned into names by the
 * watchdog's thread: that takes more stack than a task may have.
 */

#include "base/locks.h"
#include "base/report.h"
#include "task/sched.h"

struct cr__watchdog;

struct cr__origin;

/* A task that was told of its cancellation and goes on. */
struct cr__refusal {
	int64_t task; /* its handle */
	cr_nsec since;
	uint32_t count;
	bool reported;
};

enum { CR__REFUSALS = 64, CR__LOCKS_KNOWN = 32 };

struct cr__debug {
	struct cr__watch watch;
	struct cr__sched *sched;
	cr_debug_options options; /* with the defaults filled in; the watchdog reads them, too */
	struct cr__watchdog *watchdog;
	struct cr__report report;
	struct cr__origin *origins; /* by descriptor */
	size_t origin_count;
	struct cr__refusal refusals[CR__REFUSALS];
	cr__locks_fn *locks;                /* NULL: libcorail-debug.so was not preloaded */
	void *locks_known[CR__LOCKS_KNOWN]; /* who was reported */
	unsigned locks_known_count;
	bool cycle_reported; /* a deadlock, and no task has run since */
	bool quiet_reported; /* one that another thread may end: only once */
};

/*
 * The watchdog, a layer above: only that layer may create threads. start() gives 0 or a negative
 * error; frames() appends lines for addresses to the loop's report; stop() is called once nothing
 * else is.
 */
struct cr__watchdog_hooks {
	int (*start)(struct cr__debug *debug);
	void (*frames)(struct cr__debug *debug, void *const *frames, size_t count);
	void (*stop)(struct cr__debug *debug);
};

extern const struct cr__watchdog_hooks cr__watchdog_hooks;

/* ---- debug.c ---- */

/* Gives the loop what options or environment ask for, nothing as a rule. Returns 0, -ENOMEM. */
int cr__debug_open(struct cr__sched *s, const cr_options *options);
void cr__debug_close(struct cr__sched *s);

/* The loop's thread after a turn: does what the watchdog asks for. */
void cr__debug_turned(struct cr__sched *s);

/* The running task suspends. */
void cr__debug_suspend(struct cr__sched *s, struct cr__task *self);

/* The running task was refused a suspension, because it is cancelled. */
void cr__debug_refuse(struct cr__sched *s, struct cr__task *self);

/*
 * Begins a report. Ended and printed by cr__debug_send(), with the addresses as lines of their own.
 */
struct cr__report *cr__debug_begin(struct cr__debug *debug);
void cr__debug_send(struct cr__debug *debug, int fd, void *const *frames, size_t count);

/* Appends "'name' (file.c:12)". */
void cr__report_task(struct cr__report *report, struct cr__task *task);

/* ---- debug_deadlock.c ---- */

/*
 * Whether nothing will ever happen on the loop again: no task can run, no timer and no operation is
 * left, in a world without an outside, and no other thread exists that could post. Only sim knows.
 */
bool cr__deadlock_certain(struct cr__sched *s);

/* Prints who waits for whom, always. */
void cr__deadlock_report(struct cr__sched *s, int fd, const char *what);

/*
 * The loop has been quiet for a while: prints the same if all wait for each other, or for what only
 * other threads could still do.
 */
void cr__deadlock_look(struct cr__debug *debug);

/* ---- debug_fds.c ---- */

/* The running task opened a descriptor, closed it, or gave it away. */
void cr__debug_opened(struct cr__debug *debug, int fd);
void cr__debug_closed(struct cr__debug *debug, int fd);

/* Prints which descriptors were opened by the library and never closed, and where. */
void cr__debug_leaks(struct cr__debug *debug);

/* The memory behind it. */
void cr__debug_origins_free(struct cr__debug *debug);

#endif
