/* SPDX-License-Identifier: MIT */
#ifndef CR__SYNC_MUTEX_H
#define CR__SYNC_MUTEX_H

/* The mutex's inside, for the condition, whose waiters move on to the mutex without waking up. */

#include "sync/waiters.h"

/* Somebody who waits for a mutex, or for a condition and then for its mutex. */
struct cr__locker {
	struct cr__waiter waiter;
	cr_mutex *mutex;
	int status; /* that the suspended call gets once it has the mutex */
};

/* Who has the mutex that this locker waits for. */
cr_task cr__mutex_holder(const struct cr__wait *wait);

/*
 * Gives the mutex to a parked locker, or queues it there. Returns 1 when the locker has it now and
 * is to be woken; 0 when it is queued; -EOWNERDEAD when it never will have it.
 */
int cr__mutex_give(struct cr__sched *s, struct cr__locker *locker);

/* Unlocks: the first who waits has it. Only for its owner. */
void cr__mutex_release(struct cr__sched *s, cr_mutex *mutex);

#endif
