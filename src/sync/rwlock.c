/* SPDX-License-Identifier: MIT */
#include "sync/waiters.h"
#include "task/keep.h"

#include <errno.h>

/*
 * The reader-writer lock: phases. A writer that leaves lets in all readers who wait at that moment,
 * the last reader that leaves lets in the first writer; readers who come while a writer waits queue
 * up. So nobody waits for more than one phase of the other kind, and writers for those before them.
 *
 * Readers are counted, not listed, for a list would need memory. But the exclusive or of their
 * numbers is, when one is left, that one's number: which is what an end without unlocking, an
 * attempt to turn a read lock into a write lock, and the report of a deadlock are about.
 */

struct locker {
	struct cr__waiter waiter;
	cr_rwlock *lock;
};

_Static_assert(sizeof(struct cr__hold) <= sizeof((cr_rwlock){0}.cr__hold), "too few words");

static struct cr__hold *hold_of(cr_rwlock *lock)
{
	return (struct cr__hold *)(void *)&lock->cr__hold;
}

/* Who has it, if that is one: the writer or the only reader. Else 0. */
static int64_t holder_of(const cr_rwlock *lock)
{
	if (lock->cr__writer)
		return lock->cr__writer;
	return lock->cr__reader_count == 1 ? lock->cr__readers : 0;
}

static cr_task holder(const struct cr__wait *wait)
{
	const struct locker *own = CR__CONTAINER(wait, const struct locker, waiter.wait);

	return (cr_task){holder_of(own->lock)};
}

static void send_away(struct cr__sched *s, cr_rwlock *lock)
{
	cr__waiters_wake_all(s, &lock->cr__writing, -EOWNERDEAD);
	cr__waiters_wake_all(s, &lock->cr__reading, -EOWNERDEAD);
}

static void owner_ended(struct cr__hold *hold)
{
	send_away(cr__sched_self(), CR__CONTAINER(hold, cr_rwlock, cr__hold));
}

/* Whoever has it now, and others wait for: its end must be heard of. */
static void watch(struct cr__sched *s, cr_rwlock *lock)
{
	const int64_t id = holder_of(lock);
	struct cr__task *task;

	cr__hold_forget(hold_of(lock));
	if (!id || !(lock->cr__writing.cr__first || lock->cr__reading.cr__first))
		return;
	task = cr__sync_alive(s, id);
	if (task)
		cr__hold_watch(hold_of(lock), task, owner_ended);
	else
		send_away(s, lock);
}

static void reader_add(cr_rwlock *lock, int64_t id)
{
	lock->cr__readers ^= id;
	lock->cr__reader_count++;
}

static void readers_let_in(struct cr__sched *s, cr_rwlock *lock)
{
	struct cr__waiter *waiter;

	while ((waiter = cr__waiters_pop(&lock->cr__reading)) != NULL) {
		reader_add(lock, waiter->wait.task->handle.id);
		cr__wake(s, waiter->wait.task, 0);
	}
}

static void writer_let_in(struct cr__sched *s, cr_rwlock *lock)
{
	struct cr__waiter *waiter = cr__waiters_pop(&lock->cr__writing);

	if (!waiter)
		return;
	lock->cr__writer = waiter->wait.task->handle.id;
	cr__wake(s, waiter->wait.task, 0);
}

static void read_end(struct cr__sched *s, cr_rwlock *lock)
{
	lock->cr__readers ^= cr__sync_self(s);
	if (--lock->cr__reader_count == 0)
		writer_let_in(s, lock);
	watch(s, lock);
}

static void write_end(struct cr__sched *s, cr_rwlock *lock)
{
	lock->cr__writer = 0;
	if (lock->cr__reading.cr__first)
		readers_let_in(s, lock);
	else
		writer_let_in(s, lock);
	watch(s, lock);
}

static enum cr__abort read_abort(struct cr__wait *wait)
{
	struct locker *own = CR__CONTAINER(wait, struct locker, waiter.wait);

	cr__waiters_remove(&own->lock->cr__reading, &own->waiter);
	watch(cr__sched_self(), own->lock);
	return CR__ABORT_DONE;
}

static enum cr__abort write_abort(struct cr__wait *wait)
{
	struct locker *own = CR__CONTAINER(wait, struct locker, waiter.wait);
	struct cr__sched *s = cr__sched_self();

	cr__waiters_remove(&own->lock->cr__writing, &own->waiter);
	/* It may have been all that kept readers out. */
	if (!own->lock->cr__writing.cr__first && !own->lock->cr__writer)
		readers_let_in(s, own->lock);
	watch(s, own->lock);
	return CR__ABORT_DONE;
}

/* Queues up and waits until it was let in. Returns 0, -ECANCELED with nothing held, -EOWNERDEAD. */
static int wait_for(struct cr__sched *s, cr_rwlock *lock, struct cr__queue *queue,
                    enum cr__abort (*abort)(struct cr__wait *), const char *reason,
                    void (*end)(struct cr__sched *s, cr_rwlock *lock))
{
	struct locker own = {
		.waiter.wait = {.abort = abort, .reason = reason, .fd = -1, .holder = holder},
		.lock = lock,
	};
	int r;

	cr__waiters_push(queue, &own.waiter);
	watch(s, lock);
	r = cr__park(&own.waiter.wait);
	if (r < 0 || !cr__sync_cancelled(s))
		return r;
	end(s, lock);
	return cr__park_refuse();
}

static int busy_or_dead(struct cr__sched *s, const cr_rwlock *lock)
{
	const int64_t id = holder_of(lock);

	return id && !cr__sync_alive(s, id) ? -EOWNERDEAD : -EBUSY;
}

int cr_rwlock_try_read_lock(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	const int64_t self = cr__sync_self(s);

	if (lock->cr__writer)
		return lock->cr__writer == self ? -EDEADLK : busy_or_dead(s, lock);
	if (lock->cr__writing.cr__first)
		return holder_of(lock) == self ? -EDEADLK : -EBUSY;
	reader_add(lock, self);
	return 0;
}

int cr_rwlock_read_lock(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = cr__sync_enter(s);

	if (r == 0)
		r = cr_rwlock_try_read_lock(lock);
	if (r == -EBUSY)
		r = wait_for(s, lock, &lock->cr__reading, read_abort, "read lock", read_end);
	return r;
}

int cr_rwlock_read_unlock(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_self();

	if (!lock->cr__reader_count)
		return -EPERM;
	if (lock->cr__reader_count == 1 && lock->cr__readers != cr__sync_self(s))
		return -EPERM;
	read_end(s, lock);
	return 0;
}

int cr_rwlock_try_write_lock(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	const int64_t self = cr__sync_self(s);

	if (holder_of(lock) == self)
		return -EDEADLK;
	if (lock->cr__writer || lock->cr__reader_count)
		return busy_or_dead(s, lock);
	lock->cr__writer = self;
	return 0;
}

int cr_rwlock_write_lock(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	int r = cr__sync_enter(s);

	if (r == 0)
		r = cr_rwlock_try_write_lock(lock);
	if (r == -EBUSY)
		r = wait_for(s, lock, &lock->cr__writing, write_abort, "write lock", write_end);
	return r;
}

int cr_rwlock_write_unlock(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_self();

	if (!lock->cr__writer || lock->cr__writer != cr__sync_self(s))
		return -EPERM;
	write_end(s, lock);
	return 0;
}

int cr_rwlock_recover(cr_rwlock *lock)
{
	struct cr__sched *s = cr__sched_in_task(__func__);
	const int64_t id = holder_of(lock);

	if (!id || cr__sync_alive(s, id))
		return -EPERM;
	lock->cr__writer = cr__sync_self(s);
	lock->cr__readers = 0;
	lock->cr__reader_count = 0;
	return 0;
}
