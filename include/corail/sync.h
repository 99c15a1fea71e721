/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SYNC_H
#define CORAIL_SYNC_H

/*
 * Tasks that wait for one another: the event.
 *
 * An event is a flag that tasks can wait for. It is what a callback library needs to become
 * awaitable: a task starts the work and waits, the library's callback sets the event. It lives in
 * your own frame or struct, all zero is a valid event that is not set, and it needs no memory and
 * no end; only, nobody may wait for it any more when it goes away. Tasks and callbacks of one loop
 * only.
 *
 *	struct job { cr_event done; int status; };
 *
 *	start(job, on_done);                      on_done() calls cr_event_set(&job->done)
 *	r = cr_event_wait(&job->done);
 */

#include <corail/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An event; its fields are private. All zero is valid: not set. */
typedef struct cr_event {
	void *cr__first, *cr__last;
	int cr__set;
} cr_event;

/*
 * Sets the event: wakes all who wait, in the order in which they came; who waits later goes on at
 * once. Does not suspend. From any task or callback of the loop.
 */
CORAIL_API void cr_event_set(cr_event *event);

/* Takes the flag back. Those whom cr_event_set() woke stay woken. */
CORAIL_API void cr_event_clear(cr_event *event);

/* Whether it is set: 1 or 0. */
CORAIL_API int cr_event_is_set(const cr_event *event);

/*
 * Waits until the event is set. Returns 0, without suspending when it is set already; -ECANCELED,
 * even if it is set, when the scope was cancelled before the call.
 */
CORAIL_API CORAIL_SUSPENDS int cr_event_wait(cr_event *event);

#ifdef __cplusplus
}
#endif
#endif
