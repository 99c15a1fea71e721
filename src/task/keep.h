/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_KEEP_H
#define CR__TASK_KEEP_H

/*
 * What a task must let go of before it ends: mutexes that others wait for, places in limiters.
 *
 * A mutex that nobody waits for knows its owner by its handle alone, and locking it costs no list.
 * Only when a second task comes does the mutex put itself into its owner's list, so that those who
 * wait hear of it when the owner ends instead of waiting for ever. What is in the list has waiters
 * parked on it, so its memory is there, whatever the owner did.
 */

#include "task/sched.h"

/* A part of what a task holds and others wait for. All zero: in no list. */
struct cr__hold {
	struct cr__hold *next, **at;
	void (*ended)(struct cr__hold *hold); /* the owner has ended: wakes who waits */
};

/* A task's lists, set up at first use. */
static inline struct cr__extra *cr__task_keeps(struct cr__task *task)
{
	struct cr__extra *extra = cr__task_extra(task);

	if (!(task->flags & CR__TASK_KEEPS)) {
		task->flags |= CR__TASK_KEEPS;
		extra->holds = NULL;
		extra->permits = NULL;
	}
	return extra;
}

static inline bool cr__hold_watched(const struct cr__hold *hold)
{
	return hold->at != NULL;
}

/* Has hold->ended() called when that task ends. */
static inline void cr__hold_watch(struct cr__hold *hold, struct cr__task *task,
                                  void (*ended)(struct cr__hold *hold))
{
	struct cr__extra *extra = cr__task_keeps(task);

	hold->ended = ended;
	hold->next = extra->holds;
	hold->at = &extra->holds;
	if (hold->next)
		hold->next->at = &hold->next;
	extra->holds = hold;
}

/* Takes it out of its list, if it is in one. */
static inline void cr__hold_forget(struct cr__hold *hold)
{
	if (!hold->at)
		return;
	*hold->at = hold->next;
	if (hold->next)
		hold->next->at = hold->at;
	hold->at = NULL;
}

/* For a task that ends: tells those who wait for what it holds. Panics if it has a permit left. */
void cr__keeps_end(struct cr__task *task);

#endif
