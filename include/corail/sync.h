/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SYNC_H
#define CORAIL_SYNC_H

/*
 * Tasks that wait for one another: event, mutex, reader-writer lock, condition, semaphore, limiter,
 * barrier, once.
 *
 * All of them live in your own frame or struct, need no memory and no end (only, nobody may use
 * them any more when they go away), and are for the tasks of one loop. What waits is served in the
 * order in which it came. Calls that need not wait do not suspend. In a cancelled scope what may
 * suspend returns -ECANCELED, and a task that is cancelled while it waits leaves no trace in any
 * queue; if what it waited for was already on its way to it, the next one gets it: no permit and no
 * wake-up is ever lost. Whatever releases does not suspend, and works in a cancelled scope too.
 *
 * An event is a flag that tasks can wait for. It is what a callback library needs to become
 * awaitable: a task starts the work and waits, the library's callback sets the event.
 *
 *	struct job { cr_event done; int status; };
 *
 *	start(job, on_done);                      on_done() calls cr_event_set(&job->done)
 *	r = cr_event_wait(&job->done);
 */

#include <corail/base.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who waits: a part of the objects below. */
struct cr__queue {
	void *cr__first, *cr__last;
};

#define CORAIL__NOBODY                                                                             \
	{                                                                                          \
		NULL, NULL                                                                         \
	}

/* ------------------------------------------------------------------------------------ event --- */

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

/* ------------------------------------------------------------------------------------ mutex --- */

/*
 * A mutex, for invariants that span a suspension; between two suspension points no other task of
 * the loop runs, so code that does not suspend needs none. Strictly first come, first served: it is
 * handed to the task that waits longest, and nobody slips in between. All zero is a free one.
 */
typedef struct cr_mutex {
	int64_t cr__owner; /* a task's id; 0: free */
	struct cr__queue cr__waiters;
	void *cr__hold[3];
} cr_mutex;

/*
 * Locks, waiting if need be; does not suspend when it is free. Returns 0: it is yours until you
 * call cr_mutex_unlock(). On an error it is not:
 * -ECANCELED: cancelled before it was yours, even if it was on its way to you: then the next one
 * has it; -EDEADLK: you have it already; -EOWNERDEAD: the task that had it ended without unlocking,
 * and will never do: all who wait and all who come get this error, until cr_mutex_recover().
 */
CORAIL_API CORAIL_SUSPENDS int cr_mutex_lock(cr_mutex *mutex);

/* Locks if it is free. Returns 0, -EBUSY when another task has it, -EDEADLK, -EOWNERDEAD. */
CORAIL_API int cr_mutex_try_lock(cr_mutex *mutex);

/*
 * Unlocks; who waits longest has it from this moment on. Returns 0, or -EPERM when the caller does
 * not have it.
 */
CORAIL_API int cr_mutex_unlock(cr_mutex *mutex);

/*
 * Takes over a mutex whose owner ended, for a caller that knows how to put right what it guards.
 * Returns 0: it is yours, and to be unlocked; -EPERM when it is free or its owner lives.
 */
CORAIL_API int cr_mutex_recover(cr_mutex *mutex);

/* The task that has it; a handle of id 0 when it is free. A stale one: see cr_mutex_recover(). */
CORAIL_API cr_task cr_mutex_owner(const cr_mutex *mutex);

/* What CORAIL_LOCK() declares. */
typedef struct cr_lock {
	int status; /* 0: locked; else as cr_mutex_lock() */
	cr_mutex *cr__mutex;
} cr_lock;

/*
 * Locks for the rest of the block, and unlocks on every way out of it. Look at the status:
 *
 *	CORAIL_LOCK(lock, &account->mutex);
 *	if (lock.status < 0)
 *		return lock.status;
 */
#define CORAIL_LOCK(name, mutex)                                                                   \
	cr_lock name CORAIL__CLEANUP(cr__lock_leave);                                              \
	cr__lock_enter(&name, (mutex))

CORAIL_API CORAIL_SUSPENDS void cr__lock_enter(cr_lock *lock, cr_mutex *mutex);
CORAIL_API void cr__lock_leave(cr_lock *lock);

/* ----------------------------------------------------------------------- reader-writer lock --- */

/*
 * Many readers or one writer. A writer that waits keeps further readers out; when it is done, all
 * readers who wait by then go in together, then the next writer: neither side starves. Writers are
 * served in the order in which they came. All zero is a free one.
 */
typedef struct cr_rwlock {
	int64_t cr__writer;  /* a task's id; 0: none */
	int64_t cr__readers; /* of the readers' ids, the exclusive or: of a single one, its id */
	size_t cr__reader_count;
	struct cr__queue cr__reading, cr__writing;
	void *cr__hold[3];
} cr_rwlock;

/*
 * Locks for reading; does not suspend unless a writer has it or waits. A task may do so more than
 * once, but not while a writer waits. Returns 0; -ECANCELED; -EDEADLK when the caller is the
 * writer, or the only reader and a writer waits for it; -EOWNERDEAD, as cr_mutex_lock(), when the
 * writer ended without unlocking.
 */
CORAIL_API CORAIL_SUSPENDS int cr_rwlock_read_lock(cr_rwlock *lock);

/* Locks for reading if that needs no waiting. Returns 0, -EBUSY, -EDEADLK, -EOWNERDEAD. */
CORAIL_API int cr_rwlock_try_read_lock(cr_rwlock *lock);

/*
 * Ends one reading. Returns 0, or -EPERM when there are no readers or the only one is another task.
 */
CORAIL_API int cr_rwlock_read_unlock(cr_rwlock *lock);

/*
 * Locks for writing; does not suspend when it is free. Returns 0; -ECANCELED; -EDEADLK when the
 * caller has it, for writing or as the only reader; -EOWNERDEAD: the writer ended without
 * unlocking, or the only reader did.
 */
CORAIL_API CORAIL_SUSPENDS int cr_rwlock_write_lock(cr_rwlock *lock);

/* Locks for writing if it is free. Returns 0, -EBUSY, -EDEADLK, -EOWNERDEAD. */
CORAIL_API int cr_rwlock_try_write_lock(cr_rwlock *lock);

/* Ends the writing. Returns 0, or -EPERM when the caller is not the writer. */
CORAIL_API int cr_rwlock_write_unlock(cr_rwlock *lock);

/*
 * Takes over, for writing, a lock whose writer or only reader ended. Returns 0, or -EPERM when none
 * did.
 */
CORAIL_API int cr_rwlock_recover(cr_rwlock *lock);

/* -------------------------------------------------------------------------------- condition --- */

/* A condition: tasks that wait, with a mutex, until something is true. All zero is valid. */
typedef struct cr_cond {
	struct cr__queue cr__waiters;
} cr_cond;

/*
 * Unlocks the mutex, waits for cr_cond_signal() or cr_cond_broadcast(), and locks it again: the
 * caller has it before and after, even when this returns -ECANCELED. Wait in a loop, as what you
 * wait for may be untrue again by then:
 *
 *	while (r == 0 && queue->count == 0)
 *		r = cr_cond_wait(&queue->filled, &queue->mutex);
 *
 * Returns 0; -ECANCELED, and the signal, if it was on its way, goes to the next one; -EPERM when
 * the caller does not have the mutex; -EOWNERDEAD when its new owner ended: the one case in which
 * the caller does not have it on return.
 */
CORAIL_API CORAIL_SUSPENDS int cr_cond_wait(cr_cond *cond, cr_mutex *mutex);

/* Wakes who waits longest, if anyone does. From any task or callback; the mutex is not needed. */
CORAIL_API void cr_cond_signal(cr_cond *cond);

/* Wakes all who wait, in the order in which they came. */
CORAIL_API void cr_cond_broadcast(cr_cond *cond);

/* -------------------------------------------------------------------------------- semaphore --- */

/*
 * A semaphore: a number of permits, which belong to nobody in particular. Served strictly in the
 * order of coming: who wants many is not overtaken by those who want few. All zero has none, and no
 * bound.
 */
typedef struct cr_semaphore {
	size_t cr__count, cr__bound;
	struct cr__queue cr__waiters;
} cr_semaphore;

/* Initialises one with so many permits: cr_semaphore slots = CORAIL_SEMAPHORE(3); */
#define CORAIL_SEMAPHORE(count)                                                                    \
	{                                                                                          \
		(count), 0, CORAIL__NOBODY                                                         \
	}

/* The same, and it will never hold more: a release too many is an error. */
#define CORAIL_SEMAPHORE_BOUNDED(count)                                                            \
	{                                                                                          \
		(count), (count), CORAIL__NOBODY                                                   \
	}

/*
 * Takes `count` permits at once, or none; does not suspend when they are there and nobody waits.
 * Returns 0, or -ECANCELED: if they were on their way, they go to the next.
 */
CORAIL_API CORAIL_SUSPENDS int cr_semaphore_acquire(cr_semaphore *semaphore, size_t count);

/* Takes `count` permits if that needs no waiting. Returns 0 or -EAGAIN. */
CORAIL_API int cr_semaphore_try_acquire(cr_semaphore *semaphore, size_t count);

/*
 * Gives `count` permits, to those who wait first. From any task or callback of the loop. Returns 0,
 * or -EOVERFLOW past the semaphore's bound (or SIZE_MAX), with nothing given.
 */
CORAIL_API int cr_semaphore_release(cr_semaphore *semaphore, size_t count);

/* How many permits are there. */
CORAIL_API size_t cr_semaphore_count(const cr_semaphore *semaphore);

/* ---------------------------------------------------------------------------------- limiter --- */

/*
 * A capacity limiter: at most so many tasks at once, and it knows which. Unlike a semaphore's, a
 * permit belongs to the task that acquired it, which cannot have two of one limiter and has to
 * release it; and the capacity can be changed. All zero has a capacity of none.
 */
typedef struct cr_limiter {
	size_t cr__capacity, cr__used, cr__waiting;
	struct cr__queue cr__waiters;
} cr_limiter;

/* Initialises one: cr_limiter uploads = CORAIL_LIMITER(10); */
#define CORAIL_LIMITER(capacity)                                                                   \
	{                                                                                          \
		(capacity), 0, 0, CORAIL__NOBODY                                                   \
	}

/*
 * A task's place within a limiter, in its own frame or struct; it must stay there until released.
 */
typedef struct cr_permit {
	int status; /* of CORAIL_PERMIT() */
	int64_t cr__owner;
	cr_limiter *cr__limiter;
	struct cr_permit *cr__next;
} cr_permit;

/*
 * Waits for a place, first come, first served; does not suspend when there is one. Returns 0: the
 * permit is to be released before the task ends (it aborts otherwise); -ECANCELED; -EDEADLK when
 * the calling task has a place in this limiter already.
 */
CORAIL_API CORAIL_SUSPENDS int cr_limiter_acquire(cr_limiter *limiter, cr_permit *permit);

/* Takes a place if that needs no waiting. Returns 0, -EAGAIN or -EDEADLK. */
CORAIL_API int cr_limiter_try_acquire(cr_limiter *limiter, cr_permit *permit);

/* Gives the place back. Returns 0, or -EPERM when the calling task does not hold that permit. */
CORAIL_API int cr_limiter_release(cr_permit *permit);

/*
 * Changes the capacity: raised, it lets more in at once; lowered, it evicts nobody. Does not
 * suspend.
 */
CORAIL_API void cr_limiter_resize(cr_limiter *limiter, size_t capacity);

/* How many it lets in, how many are in, and how many wait. */
CORAIL_API size_t cr_limiter_capacity(const cr_limiter *limiter);
CORAIL_API size_t cr_limiter_used(const cr_limiter *limiter);
CORAIL_API size_t cr_limiter_waiting(const cr_limiter *limiter);

/*
 * Acquires a permit for the rest of the block, and releases it on every way out. Look at its
 * status, as with CORAIL_LOCK().
 */
#define CORAIL_PERMIT(name, limiter)                                                               \
	cr_permit name CORAIL__CLEANUP(cr__permit_leave);                                          \
	cr__permit_enter(&name, (limiter))

CORAIL_API CORAIL_SUSPENDS void cr__permit_enter(cr_permit *permit, cr_limiter *limiter);
CORAIL_API void cr__permit_leave(cr_permit *permit);

/* ---------------------------------------------------------------------------------- barrier --- */

/*
 * A barrier: tasks wait until so many are there, then all go on; and again, as often as wanted. It
 * breaks when one of them will not come, because it was cancelled: nobody waits for it then.
 */
typedef struct cr_barrier {
	size_t cr__parties, cr__count;
	int cr__broken;
	struct cr__queue cr__waiters;
} cr_barrier;

/* Initialises one for so many parties: cr_barrier round = CORAIL_BARRIER(4); */
#define CORAIL_BARRIER(parties)                                                                    \
	{                                                                                          \
		(parties), 0, 0, CORAIL__NOBODY                                                    \
	}

/*
 * Waits until all parties are there; the last to come does not suspend. Returns an index that
 * nobody else got this time: 0 for the first to come, up to the number of parties less one. Or:
 * -EPIPE when the barrier is broken or breaks meanwhile; -ECANCELED, also when the caller was
 * cancelled before, which breaks it; -EINVAL for one without parties (all zero).
 */
CORAIL_API CORAIL_SUSPENDS int cr_barrier_wait(cr_barrier *barrier);

/* Breaks it: all who wait and all who come get -EPIPE. */
CORAIL_API void cr_barrier_break(cr_barrier *barrier);

/* Makes it whole and empty again; who waits gets -EPIPE. */
CORAIL_API void cr_barrier_reset(cr_barrier *barrier);

/* Whether it is broken: 1 or 0. How many wait. */
CORAIL_API int cr_barrier_is_broken(const cr_barrier *barrier);
CORAIL_API size_t cr_barrier_waiting(const cr_barrier *barrier);

/* ------------------------------------------------------------------------------------- once --- */

/* Something that is done once, by the first task that wants it; others wait. All zero is valid. */
typedef struct cr_once {
	int64_t cr__runner; /* the task that runs it now; 0: none */
	int cr__done, cr__value;
	struct cr__queue cr__waiters;
} cr_once;

/*
 * cr_once_run(once, fn, arg) makes sure that int fn(T *arg) has been run with success, once: the
 * first caller runs it, in its own task; those who come meanwhile wait; all get its result. A
 * failure is not remembered: it is the result of the caller whose fn it was, and the next one who
 * waits, or comes, runs it again, so that one who is cancelled spoils nothing for the others. Does
 * not suspend once it is done. Gives the result; -ECANCELED; -EDEADLK from within fn itself.
 */
#define cr_once_run(once_pointer, fn, ...)                                                         \
	CORAIL__ONCE(once_pointer, fn, (__VA_ARGS__), CORAIL__UNIQUE(once), CORAIL__UNIQUE(value))
#define CORAIL__ONCE(once_pointer, fn, arg, object, value)                                         \
	__extension__({                                                                            \
		cr_once *object = (once_pointer);                                                  \
		int value = 0;                                                                     \
		if (cr__once_enter(object, &value))                                                \
			value = cr__once_leave(object, (fn)(arg));                                 \
		value;                                                                             \
	})

/* Whether it has been done with success: 1 or 0. */
CORAIL_API int cr_once_is_done(const cr_once *once);

/* 1 when the caller has to run it and to call cr__once_leave(); else 0, with the result. */
CORAIL_API CORAIL_SUSPENDS int cr__once_enter(cr_once *once, int *ret_value);
CORAIL_API int cr__once_leave(cr_once *once, int value);

#ifdef __cplusplus
}
#endif
#endif
