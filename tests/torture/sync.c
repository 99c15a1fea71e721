/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/*
 * What tasks wait for one another with, tortured: after whatever was cancelled wherever, each
 * object is as free as it was, nobody is left in a queue, and no permit or wake-up is lost.
 */

#include "support/torture.h"

#include <corail/corail.h>

enum { TASKS = 4, ROUNDS = 2 };

struct things {
	cr_mutex mutex;
	cr_rwlock rwlock;
	cr_cond cond;
	cr_semaphore semaphore;
	cr_limiter limiter;
	cr_barrier barrier;
	cr_once once;
	int inside, readers, items, ran;
};

static int empty(const struct cr__queue *queue)
{
	return !queue->cr__first && !queue->cr__last;
}

/* Runs a function in several tasks, in a scope that is struck. What it returns is that scope's. */
static int together(struct torture *t, struct things *things, int (*fn)(struct things *))
{
	int r;

	{
		CORAIL_SCOPE(scope);
		torture_victim(t, &scope);
		for (int i = 0; i < TASKS; i++)
			cr_spawn(&scope, fn, things);
		r = cr_scope_wait(&scope);
		torture_victim(t, NULL);
	}
	return r;
}

/* One of several is cancelled, not all: the others must come to their end all the same. */
static int one_of_many(struct torture *t, struct things *things, int (*fn)(struct things *))
{
	int spared = 0, r;

	CORAIL_SCOPE(others);
	for (int i = 0; i < TASKS; i++)
		spared += !cr_task_error(cr_spawn(&others, fn, things));
	r = together(t, things, fn);
	if (!torture_short_of_memory(t)) {
		CHECK_EQ(spared, TASKS);
		CHECK_EQ(cr_scope_wait(&others), 0);
	}
	return r;
}

static int lock(struct things *things)
{
	for (int i = 0; i < ROUNDS; i++) {
		CORAIL_LOCK(guard, &things->mutex);
		if (guard.status < 0)
			return guard.status;
		CHECK_EQ(things->inside++, 0);
		cr_yield();
		CHECK_EQ(--things->inside, 0);
	}
	return 0;
}

static int mutexes(struct torture *t)
{
	struct things things = {.inside = 0};
	int r = one_of_many(t, &things, lock);

	CHECK_EQ(things.mutex.cr__owner, 0);
	CHECK(empty(&things.mutex.cr__waiters));
	return r;
}

static int leave_locked(struct things *things)
{
	int r = cr_mutex_lock(&things->mutex);

	if (r == 0)
		r = cr_yield();
	return r == -EOWNERDEAD ? 0 : r;
}

/* Owners that end without unlocking: nobody hangs. */
static int dead_owners(struct torture *t)
{
	struct things things = {.inside = 0};
	int r = one_of_many(t, &things, leave_locked);

	CHECK(empty(&things.mutex.cr__waiters));
	if (cr_mutex_owner(&things.mutex).id) {
		CHECK_EQ(cr_mutex_recover(&things.mutex), 0);
		CHECK_EQ(cr_mutex_unlock(&things.mutex), 0);
	}
	return r;
}

static int read_or_write(struct things *things)
{
	for (int i = 0; i < ROUNDS; i++) {
		int r = cr_rwlock_read_lock(&things->rwlock);

		if (r < 0)
			return r;
		things->readers++;
		CHECK_EQ(things->inside, 0);
		cr_yield();
		CHECK_EQ(things->inside, 0);
		things->readers--;
		CHECK_EQ(cr_rwlock_read_unlock(&things->rwlock), 0);
		r = cr_rwlock_write_lock(&things->rwlock);
		if (r < 0)
			return r;
		CHECK_EQ(things->inside++, 0);
		cr_yield();
		CHECK_EQ(things->readers, 0);
		CHECK_EQ(--things->inside, 0);
		CHECK_EQ(cr_rwlock_write_unlock(&things->rwlock), 0);
	}
	return 0;
}

static int rwlocks(struct torture *t)
{
	struct things things = {.inside = 0};
	int r = one_of_many(t, &things, read_or_write);

	CHECK_EQ(things.rwlock.cr__writer, 0);
	CHECK_EQ(things.rwlock.cr__reader_count, 0);
	CHECK_EQ(things.rwlock.cr__readers, 0);
	CHECK(empty(&things.rwlock.cr__reading));
	CHECK(empty(&things.rwlock.cr__writing));
	return r;
}

/* Takes one item; the one who supplies them signals once for each. */
static int consume(struct things *things)
{
	CORAIL_LOCK(guard, &things->mutex);
	if (guard.status < 0)
		return guard.status;
	while (things->items == 0) {
		int r = cr_cond_wait(&things->cond, &things->mutex);

		CHECK_EQ(things->mutex.cr__owner, cr_task_self().id);
		if (r < 0)
			return r;
	}
	CHECK_EQ(things->inside++, 0);
	things->items--;
	cr_yield();
	CHECK_EQ(--things->inside, 0);
	return 0;
}

static int supply(struct things *things)
{
	for (int i = 0; i < 2 * TASKS; i++) {
		{
			CORAIL_LOCK(guard, &things->mutex);
			if (guard.status < 0)
				return guard.status;
			things->items++;
			cr_cond_signal(&things->cond);
			cr_yield();
		}
		cr_yield();
	}
	return 0;
}

/* One signal for each consumer: a lost one leaves one waiting for ever. */
static int conditions(struct torture *t)
{
	struct things things = {.inside = 0};
	int r, ready;

	CORAIL_SCOPE(supplier);
	ready = cr_task_error(cr_spawn(&supplier, supply, &things)) == 0;
	if (ready)
		r = one_of_many(t, &things, consume);
	else
		r = -ENOMEM;
	if (!torture_short_of_memory(t))
		CHECK_EQ(cr_scope_wait(&supplier), 0);
	CHECK(empty(&things.cond.cr__waiters));
	return r;
}

static int acquire(struct things *things)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t count = 1 + (size_t)i;
		int r = cr_semaphore_acquire(&things->semaphore, count);

		if (r < 0)
			return r;
		things->inside += (int)count;
		CHECK_LE(things->inside, 3);
		cr_yield();
		things->inside -= (int)count;
		CHECK_EQ(cr_semaphore_release(&things->semaphore, count), 0);
	}
	return 0;
}

static int semaphores(struct torture *t)
{
	struct things things = {.semaphore = CORAIL_SEMAPHORE_BOUNDED(3)};
	int r = one_of_many(t, &things, acquire);

	CHECK_EQ(cr_semaphore_count(&things.semaphore), 3);
	CHECK(empty(&things.semaphore.cr__waiters));
	return r;
}

static int enter(struct things *things)
{
	for (int i = 0; i < ROUNDS; i++) {
		CORAIL_PERMIT(permit, &things->limiter);
		if (permit.status < 0)
			return permit.status;
		CHECK_LE(++things->inside, 3);
		cr_limiter_resize(&things->limiter, things->ran++ % 2 ? 2 : 3);
		cr_yield();
		things->inside--;
	}
	return 0;
}

static int limiters(struct torture *t)
{
	struct things things = {.limiter = CORAIL_LIMITER(2)};
	int r = one_of_many(t, &things, enter);

	CHECK_EQ(cr_limiter_used(&things.limiter), 0);
	CHECK_EQ(cr_limiter_waiting(&things.limiter), 0);
	CHECK(empty(&things.limiter.cr__waiters));
	return r;
}

static int meet(struct things *things)
{
	for (int i = 0; i < ROUNDS; i++) {
		int r = cr_barrier_wait(&things->barrier);

		if (r < 0)
			return r == -EPIPE ? 0 : r;
	}
	return 0;
}

static int barriers(struct torture *t)
{
	struct things things = {.barrier = CORAIL_BARRIER(2 * TASKS)};
	int r = one_of_many(t, &things, meet);

	CHECK_EQ(cr_barrier_waiting(&things.barrier), 0);
	CHECK(empty(&things.barrier.cr__waiters));
	return r;
}

static int set_up(struct things *things)
{
	int r;

	CHECK_EQ(things->inside++, 0);
	r = cr_sleep(cr_micros(10));
	CHECK_EQ(--things->inside, 0);
	if (r == 0)
		things->ran++;
	return r;
}

static int once(struct things *things)
{
	return cr_once_run(&things->once, set_up, things);
}

static int onces(struct torture *t)
{
	struct things things = {.ran = 0};
	int r = one_of_many(t, &things, once);

	if (!torture_short_of_memory(t))
		CHECK_EQ(things.ran, 1);
	CHECK_EQ(things.once.cr__runner, 0);
	CHECK(empty(&things.once.cr__waiters));
	return r;
}

static void destroy(void *value)
{
	--*(int *)value;
}

static cr_local counted = CORAIL_LOCAL(destroy), other;

static int inherit(int *alive)
{
	int r;

	++*alive;
	r = cr_local_set(&counted, alive);
	if (r < 0)
		--*alive;
	else
		r = cr_yield();
	return r;
}

static int locals(struct torture *t)
{
	int alive = 1, r = cr_local_set(&counted, &alive);

	(void)t;
	if (r < 0)
		return r;
	r = cr_local_set(&other, &alive);
	if (r == 0) {
		CORAIL_SCOPE(scope);
		for (int i = 0; i < TASKS; i++)
			cr_spawn(&scope, inherit, &alive);
		r = cr_scope_wait(&scope);
	}
	CHECK_EQ(alive, 1);
	cr_local_set(&counted, NULL);
	CHECK_EQ(alive, 0);
	return r;
}

static int ticks(struct torture *t)
{
	cr_interval interval;
	int r = 0;

	(void)t;
	cr_interval_start(&interval, cr_micros(50), CORAIL_MISSED_SKIP);
	for (int i = 0; i < 4 && r >= 0; i++)
		r = cr_interval_wait(&interval);
	return r;
}

static int echo(cr_conn *conn, void *arg)
{
	char byte;
	ssize_t r = cr_conn_read(conn, &byte, 1);

	(void)arg;
	return r > 0 ? cr_conn_write(conn, &byte, 1) : (int)r;
}

static int serve(cr_listener **listener)
{
	return cr_listener_serve(*listener, NULL, echo, NULL);
}

static int shut_down(struct torture *t, cr_listener *listener)
{
	cr_shutdown_report report;
	cr_conn *conn = NULL;
	char target[32];
	int r;

	snprintf(target, sizeof target, "127.0.0.1:%d", cr_listener_port(listener));
	CORAIL_SCOPE(scope);
	if (cr_task_error(cr_spawn(&scope, serve, &listener)) < 0)
		return -ENOMEM;
	r = cr_conn_open(target, &conn);
	if (r == 0)
		r = cr_conn_write(conn, "x", 1);
	cr_shutdown(&scope,
	            &(cr_shutdown_options){.listeners = &listener,
	                                   .listener_count = 1,
	                                   .drain = cr_millis(1),
	                                   .cleanup = cr_seconds(10)},
	            &report);
	if (!torture_short_of_memory(t))
		CHECK_EQ(report.late, 0);
	cr_conn_close(conn);
	return r;
}

static int shuts_down(struct torture *t)
{
	cr_listener *listener;
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	if (r < 0)
		return r;
	r = shut_down(t, listener);
	cr_listener_close(listener);
	return r;
}

int main(void)
{
	TORTURE(mutexes);
	TORTURE(dead_owners);
	TORTURE(rwlocks);
	TORTURE(conditions);
	TORTURE(semaphores);
	TORTURE(limiters);
	TORTURE(barriers);
	TORTURE(onces);
	TORTURE(locals);
	TORTURE(ticks);
	TORTURE(shuts_down);
	return test_done();
}
