/* SPDX-License-Identifier: MIT */
#ifndef CR__SYNC_WAITERS_H
#define CR__SYNC_WAITERS_H

/*
 * Queues of parked tasks. A waiter is a record in the frame of the task that waits: queuing needs
 * no memory, and cancellation takes it out of the middle. What all objects here do alike:
 *
 *	s = cr__sched_in_task(caller); r = cr__sync_enter(s);   refuses in a cancelled scope
 *	... take it without waiting, if nobody waits ...
 *	cr__waiters_push(); r = cr__park();
 *	if (r == 0 && cr__sync_cancelled(s))                    it was handed to us, and we were
 *		... hand it on; r = cr__park_refuse();          cancelled before we ran
 *
 * Who releases hands the thing over, in the waiter's name, before the waiter runs: nobody can slip
 * in between.
 */

#include <corail/sync.h>

#include "task/block.h"

struct cr__waiter {
	struct cr__wait wait;
	struct cr__waiter *next, *prev;
};

static inline struct cr__waiter *cr__waiter_of(struct cr__wait *wait)
{
	return CR__CONTAINER(wait, struct cr__waiter, wait);
}

static inline struct cr__waiter *cr__waiters_first(const struct cr__queue *queue)
{
	return queue->cr__first;
}

static inline void cr__waiters_push(struct cr__queue *queue, struct cr__waiter *waiter)
{
	struct cr__waiter *last = queue->cr__last;

	waiter->next = NULL;
	waiter->prev = last;
	if (last)
		last->next = waiter;
	else
		queue->cr__first = waiter;
	queue->cr__last = waiter;
}

static inline void cr__waiters_remove(struct cr__queue *queue, struct cr__waiter *waiter)
{
	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		queue->cr__first = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		queue->cr__last = waiter->prev;
}

/* Takes the first one out; NULL when nobody waits. */
static inline struct cr__waiter *cr__waiters_pop(struct cr__queue *queue)
{
	struct cr__waiter *first = queue->cr__first;

	if (first)
		cr__waiters_remove(queue, first);
	return first;
}

/* Wakes all who wait in the queue now, in order, with the same status. */
static inline void cr__waiters_wake_all(struct cr__sched *s, struct cr__queue *queue, int status)
{
	struct cr__waiter *waiter;

	while ((waiter = cr__waiters_pop(queue)) != NULL)
		cr__wake(s, waiter->wait.task, status);
}

/* Whether the running task's next suspending call would be refused. */
static inline bool cr__sync_cancelled(const struct cr__sched *s)
{
	return __builtin_expect(s->special, 0) && cr__node_cancelled(cr__running(s)->inner);
}

/*
 * For a call that may complete without suspending: the budget is spent before, so that nobody gives
 * the processor away with a lock just taken. Returns 0 or -ECANCELED.
 */
static inline int cr__sync_enter(struct cr__sched *s)
{
	cr__budget_spend();
	return cr__sync_cancelled(s) ? cr__park_refuse() : 0;
}

/* The running task's handle as a number; 0 for the loop itself, which owns nothing. */
static inline int64_t cr__sync_self(const struct cr__sched *s)
{
	return s && s->current ? cr__running(s)->handle.id : 0;
}

/* The task behind such a number while it lives, else NULL. */
static inline struct cr__task *cr__sync_alive(struct cr__sched *s, int64_t id)
{
	struct cr__task *task = cr__task_lookup(s, (cr_task){id});

	return task && !(task->flags & CR__TASK_DONE) ? task : NULL;
}

#endif
