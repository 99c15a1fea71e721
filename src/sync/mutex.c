/* SPDX-License-Identifier: MIT */
#include "sync/mutex.h"

#include "task/handover.h"
#include "task/keep.h"

#include <errno.h>

/*
 * The mutex: its owner's number and a queue. It is free exactly when the number is zero, and then
 * nobody waits. While somebody does, it hangs in its owner's list, so that the owner's end is heard
 * of; see task/keep.h.
 */

_Static_assert(sizeof(struct cr__hold) <= sizeof((cr_mutex){0}.cr__hold), "too few words");

static struct cr__hold *hold_of(cr_mutex *mutex)
{
	return (struct cr__hold *)(void *)&mutex->cr__hold;
}

/* Its owner has ended: all who wait will never have it. */
static void owner_ended(struct cr__hold *hold)
{
	cr_mutex *mutex = CR__CONTAINER(hold, cr_mutex, cr__hold);

	cr__waiters_wake_all(cr__sched_self(), &mutex->cr__waiters, -EOWNERDEAD);
}

static void locker_remove(struct cr__locker *locker)
{
	cr_mutex *mutex = locker->mutex;

	cr__waiters_remove(&mutex->cr__waiters, &locker->waiter);
	if (!cr__waiters_first(&mutex->cr__waiters))
		cr__hold_forget(hold_of(mutex));
}

static enum cr__abort lock_abort(struct cr__wait *wait)
{
	locker_remove(CR__CONTAINER(wait, struct cr__locker, waiter.wait));
	return CR__ABORT_DONE;
}

cr_task cr__mutex_holder(const struct cr__wait *wait)
{
	const struct cr__locker *locker = CR__CONTAINER(wait, const struct cr__locker, waiter.wait);

	return (cr_task){locker->mutex->cr__owner};
}

/* Queues behind an owner. Returns 0, or -EOWNERDEAD. */
static int enqueue(struct cr__sched *s, struct cr__locker *locker)
{
	cr_mutex *mutex = locker->mutex;

	if (!cr__waiters_first(&mutex->cr__waiters)) {
		struct cr__task *owner = cr__sync_alive(s, mutex->cr__owner);

		if (!owner)
			return -EOWNERDEAD;
		cr__hold_watch(hold_of(mutex), owner, owner_ended);
	}
	cr__waiters_push(&mutex->cr__waiters, &locker->waiter);
	return 0;
}

int cr__mutex_give(struct cr__sched *s, struct cr__locker *locker)
{
	if (locker->mutex->cr__owner)
		return enqueue(s, locker);
	locker->mutex->cr__owner = locker->waiter.wait.task->handle.id;
	return 1;
}

void cr__mutex_release(struct cr__sched *s, cr_mutex *mutex)
{
	struct cr__waiter *first = cr__waiters_pop(&mutex->cr__waiters);
	struct cr__task *task;

	if (__builtin_expect(!first, 1)) {
		mutex->cr__owner = 0;
		return;
	}
	task = first->wait.task;
	cr__hold_forget(hold_of(mutex));
	mutex->cr__owner = task->handle.id;
	if (cr__waiters_first(&mutex->cr__waiters))
		cr__hold_watch(hold_of(mutex), task, owner_ended);
	cr__wake(s, task, CR__CONTAINER(first, struct cr__locker, waiter)->status);
}

/* Waits for a mutex that another task has. */
static __attribute__((noinline)) int lock_slowly(struct cr__sched *s, cr_mutex *mutex)
{
	struct cr__locker locker = {
		.waiter.wait = {.abort = lock_abort,
	                        .reason = "mutex",
	                        .fd = -1,
	                        .holder = cr__mutex_holder},
		.mutex = mutex,
	};
	int r;

	if (mutex->cr__owner == cr__sync_self(s))
		return -EDEADLK;
	r = enqueue(s, &locker);
	if (r == 0)
		r = cr__park_in(s, cr__running(s), &locker.waiter.wait);
	if (r < 0 || !cr__sync_cancelled(s))
		return r;
	cr__mutex_release(s, mutex);
	return cr__park_refuse();
}

int cr_mutex_lock(cr_mutex *mutex)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = cr__sync_enter(s);

	if (r < 0)
		return r;
	if (__builtin_expect(mutex->cr__owner != 0, 0))
		return lock_slowly(s, mutex);
	mutex->cr__owner = cr__sync_self(s);
	return 0;
}

int cr_mutex_try_lock(cr_mutex *mutex)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int64_t self = cr__sync_self(s);

	if (mutex->cr__owner == self)
		return -EDEADLK;
	if (mutex->cr__owner)
		return cr__sync_alive(s, mutex->cr__owner) ? -EBUSY : -EOWNERDEAD;
	mutex->cr__owner = self;
	return 0;
}

int cr_mutex_unlock(cr_mutex *mutex)
{
	struct cr__sched *s = cr__sched_self();

	if (!mutex->cr__owner || mutex->cr__owner != cr__sync_self(s))
		return -EPERM;
	cr__mutex_release(s, mutex);
	return 0;
}

int cr_mutex_recover(cr_mutex *mutex)
{
	struct cr__sched *s = cr__sched_in_task(__func__);

	if (!mutex->cr__owner || cr__sync_alive(s, mutex->cr__owner))
		return -EPERM;
	mutex->cr__owner = cr__sync_self(s);
	return 0;
}

cr_task cr_mutex_owner(const cr_mutex *mutex)
{
	return (cr_task){mutex->cr__owner};
}

void cr__lock_enter(cr_lock *lock, cr_mutex *mutex)
{
	lock->cr__mutex = mutex;
	lock->status = cr_mutex_lock(mutex);
}

void cr__lock_leave(cr_lock *lock)
{
	if (lock->status == 0)
		cr_mutex_unlock(lock->cr__mutex);
}
