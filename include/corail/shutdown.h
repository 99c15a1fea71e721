/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SHUTDOWN_H
#define CORAIL_SHUTDOWN_H

/*
 * Ending in phases, as a server should: it stops accepting, lets those who are being served finish,
 * for so long; cancels what is left, lets it clean up, for so long; and says who is late.
 *
 *	CORAIL_SCOPE(scope);
 *	cr_spawn(&scope, serve, &server);         cr_listener_serve(), for one
 *	r = cr_signal_wait(signals, &info);
 *	r = cr_shutdown(&scope, &(cr_shutdown_options){.listeners = &server.listener,
 *	                                               .listener_count = 1,
 *	                                               .drain = cr_seconds(30)}, &report);
 *
 * A scope outlives its tasks, so this abandons nobody: one that neither ends by itself nor when it
 * is cancelled still holds up whoever leaves the scope. After -ETIMEDOUT a program that would
 * rather end than wait calls _exit(2).
 */

#include <corail/base.h>
#include <corail/debug.h>
#include <corail/net.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero means the defaults. */
typedef struct cr_shutdown_options {
	/* stopped first, so that cr_listener_serve() takes no more; still to be closed */
	cr_listener *const *listeners;
	size_t listener_count;
	void (*stop)(void *arg); /* then called, to stop whatever else brings work; NULL */
	cr_nsec drain;   /* how long tasks may take to finish; 0: 10 s; negative: not at all */
	cr_nsec cleanup; /* how long they may take once cancelled; 0: 5 s */
	/* called at the end for each task that is late; NULL. *info is valid during the call */
	void (*late)(const cr_task_info *info, void *arg);
	void *arg;          /* of stop() and late() */
	unsigned print : 1; /* print those that are late on standard error, as cr_debug_dump() */
} cr_shutdown_options;

/* What became of the tasks in the scope, in scopes of theirs, and so on. */
typedef struct cr_shutdown_report {
	size_t running;   /* when it began */
	size_t cancelled; /* had not finished by the end of the drain */
	size_t late;      /* had not ended by the end of the clean-up */
	cr_nsec took;     /* from beginning to end */
} cr_shutdown_report;

/*
 * Shuts a scope down; only its owner may, else it aborts. Each phase ends as soon as no task is
 * left. Works in a cancelled scope, too: then, or when the caller is cancelled meanwhile, draining
 * is over, as the tasks are cancelled already. `options` and `ret_report` may be NULL; the report
 * is written in any case. Returns 0 when all have ended, by themselves or cancelled; -ETIMEDOUT
 * when some are late.
 */
CORAIL_API CORAIL_SUSPENDS int cr_shutdown(cr_scope *scope, const cr_shutdown_options *options,
                                           cr_shutdown_report *ret_report);

#ifdef __cplusplus
}
#endif
#endif
