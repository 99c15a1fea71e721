/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu (qemu-user has threads of its own before any of ours) */
/* Jobs in worker processes that are cancelled, that wait in queues, or whose pool is closed. */

#include "in_task.h"
#include "worker_processes.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

/* ------------------------------------------------------------------------------ cancellation -- */

/* A job that says when it has begun, and waits for leave to end: in memory that all share. */
struct gate {
	_Atomic int begun;
	sem_t open;
};

struct wait {
	cr_shared shared;
	int ran;
};

static int wait_for_gate(struct wait *w)
{
	struct gate *gate;
	void *memory;

	if (cr_shared_map(w->shared, &memory, NULL) < 0)
		return -EIO;
	gate = memory;
	gate->begun++;
	while (sem_wait(&gate->open) < 0)
		if (errno != EINTR)
			return -errno;
	sem_post(&gate->open); /* open for all that come */
	w->ran = 1;
	return 0;
}

struct call {
	cr_processes *pool;
	struct wait wait;
	const cr_processes_call_options *options;
	int result;
};

static int call(struct call *c)
{
	c->result = cr_processes_call_with(c->pool, c->options, wait_for_gate, &c->wait);
	return c->result;
}

static struct gate *new_gate(cr_shared *ret_shared)
{
	struct gate *gate;
	void *memory;

	CHECK_EQ(cr_shared_open(sizeof(struct gate), ret_shared), 0);
	CHECK_EQ(cr_shared_map(*ret_shared, &memory, NULL), 0);
	gate = memory;
	CHECK_EQ(sem_init(&gate->open, 1, 0), 0);
	return gate;
}

static void until_begun(const struct gate *gate, int count)
{
	while (gate->begun < count)
		CHECK_EQ(cr_sleep(cr_micros(200)), 0);
}

static int cancelling_kills(int *unused)
{
	cr_processes *pool = open_pool(1);
	cr_shared shared;
	struct gate *gate = new_gate(&shared);
	struct call c = {.pool = pool, .wait = {.shared = shared}};
	cr_processes_stats stats;
	struct add a = {1, 2, 0};
	pid_t before, after;

	(void)unused;
	if (on_sim()) { /* there it would be waited for */
		cr_shared_close(shared);
		cr_processes_close(pool);
		return 0;
	}
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, call, &c);

		CHECK_EQ(cr_yield(), 0);
		until_begun(gate, 1);
		while (cr_processes_pids(pool, &before, 1) == 0)
			CHECK_EQ(cr_sleep(cr_micros(200)), 0);
		CHECK_EQ(cr_task_cancel(task), 0);
		CHECK_EQ(cr_await(task), -ECANCELED);
		CHECK_EQ(c.wait.ran, 0);
		/* Dead, when the call has returned, and reaped. */
		CHECK_EQ(kill(before, 0), -1);
		CHECK_EQ(errno, ESRCH);
	}
	CHECK_EQ(cr_timeout(cr_millis(20), call(&c)), -ETIMEDOUT);
	CHECK_EQ(cr_processes_call(pool, add, &a), 1);
	CHECK_EQ(a.sum, 3);
	while (cr_processes_pids(pool, &after, 1) == 0)
		CHECK_EQ(cr_sleep(cr_micros(200)), 0);
	CHECK_NE(before, after);
	cr_processes_stats_get(pool, &stats);
	/* The second may not even have begun within its time. */
	CHECK(stats.deaths == 1 || stats.deaths == 2);
	CHECK_EQ(stats.running + stats.queued + stats.waiting, 0);
	cr_shared_close(shared);
	cr_processes_close(pool);
	return 0;
}

static int waiting_jobs_are_taken_back(int *unused)
{
	enum { COUNT = 40 };
	cr_processes *pool = open_pool(1);
	cr_shared shared;
	struct gate *gate = new_gate(&shared);
	struct call calls[COUNT];
	cr_processes_stats stats;

	(void)unused;
	if (!on_sim()) {
		cr_task tasks[COUNT];
		CORAIL_SCOPE(scope);

		for (int i = 0; i < COUNT; i++) {
			calls[i] = (struct call){.pool = pool, .wait = {.shared = shared}};
			tasks[i] = cr_spawn(&scope, call, &calls[i]);
		}
		CHECK_EQ(cr_yield(), 0);
		until_begun(gate, 1);
		/* All others, in the queue or with the worker, end unheard. */
		for (int i = 1; i < COUNT; i += 2)
			CHECK_EQ(cr_task_cancel(tasks[i]), 0);
		for (int i = 1; i < COUNT; i += 2)
			CHECK_EQ(cr_await(tasks[i]), -ECANCELED);
		sem_post(&gate->open);
		for (int i = 0; i < COUNT; i += 2)
			CHECK_EQ(cr_await(tasks[i]), 0);
		for (int i = 0; i < COUNT; i++)
			CHECK_EQ(calls[i].wait.ran, i % 2 == 0);
		CHECK_EQ(gate->begun, COUNT / 2);
		cr_processes_stats_get(pool, &stats);
		CHECK_EQ(stats.deaths, 0);
		CHECK_EQ(stats.processes, 1);
	}
	cr_shared_close(shared);
	cr_processes_close(pool);
	return 0;
}

/* In a cancelled scope nothing is begun. */
static int not_in_a_cancelled_scope(int *unused)
{
	cr_processes *pool = open_pool(1), *none;
	struct add a = {1, 2, 0}, items[2] = {{0}};

	(void)unused;
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_processes_call(pool, add, &a), -ECANCELED);
		CHECK_EQ(cr_processes_map(pool, add, items, 2), -ECANCELED);
		CHECK_EQ(cr_processes_open(NULL, &none), -ECANCELED);
	}
	CHECK_EQ(a.sum, 0);
	cr_processes_close(pool);
	return 0;
}

/* ----------------------------------------------------------------------------------- queues --- */

static int full_queues_refuse(int *unused)
{
	cr_processes_options options = {.process_count_max = 1, .queue_limit = 2};
	cr_processes_call_options refuse = {.refuse_when_full = 1};
	cr_processes *pool;
	cr_shared shared;
	struct gate *gate = new_gate(&shared);
	struct call calls[6], extra;
	cr_processes_stats stats;

	(void)unused;
	CHECK_EQ(cr_processes_open(&options, &pool), 0);
	if (!on_sim()) {
		CORAIL_SCOPE(scope);

		for (int i = 0; i < 6; i++) {
			calls[i] = (struct call){.pool = pool, .wait = {.shared = shared}};
			cr_spawn(&scope, call, &calls[i]);
		}
		CHECK_EQ(cr_yield(), 0);
		until_begun(gate, 1);
		cr_processes_stats_get(pool, &stats);
		CHECK_EQ(stats.process_count_max, 1);
		CHECK_EQ(stats.running + stats.queued + stats.waiting, 6);
		CHECK_EQ(stats.queued, 2);
		CHECK_GE(stats.waiting, 1);
		extra = (struct call){.pool = pool, .wait = {.shared = shared}, .options = &refuse};
		CHECK_EQ(call(&extra), -EAGAIN);
		sem_post(&gate->open);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		for (int i = 0; i < 6; i++)
			CHECK_EQ(calls[i].wait.ran, 1);
	}
	cr_shared_close(shared);
	cr_processes_close(pool);
	return 0;
}

/* A worker with nothing to do gets what another one was handed too early. */
static int nobody_waits_behind_a_long_job(int *unused)
{
	enum { COUNT = 60 };
	cr_processes *pool = open_pool(2);
	cr_shared closed, opened;
	struct gate *gate = new_gate(&closed);
	struct call calls[COUNT];

	(void)unused;
	sem_post(&new_gate(&opened)->open);
	if (!on_sim()) {
		cr_task tasks[COUNT];
		CORAIL_SCOPE(scope);

		for (int i = 0; i < COUNT; i++) {
			calls[i] = (struct call){.pool = pool,
			                         .wait = {.shared = i ? opened : closed}};
			tasks[i] = cr_spawn(&scope, call, &calls[i]);
		}
		for (int i = 1; i < COUNT; i++)
			CHECK_EQ(cr_await(tasks[i]), 0);
		until_begun(gate, 1);
		sem_post(&gate->open);
		CHECK_EQ(cr_await(tasks[0]), 0);
	}
	cr_shared_close(closed);
	cr_shared_close(opened);
	cr_processes_close(pool);
	return 0;
}

static int closing_ends_calls(int *unused)
{
	cr_processes *pool = open_pool(2);
	cr_shared shared;
	struct gate *gate = new_gate(&shared);
	struct call calls[10];
	pid_t pids[2];

	(void)unused;
	if (!on_sim()) {
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		for (int i = 0; i < 10; i++) {
			calls[i] = (struct call){.pool = pool, .wait = {.shared = shared}};
			cr_spawn(&scope, call, &calls[i]);
		}
		CHECK_EQ(cr_yield(), 0);
		until_begun(gate, 2);
		while (cr_processes_pids(pool, pids, 2) < 2)
			CHECK_EQ(cr_sleep(cr_micros(200)), 0);
		cr_processes_close(pool);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(kill(pids[i], 0), -1);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(calls[i].result, -ECANCELED);
		CHECK_EQ(gate->begun, 2);
	} else {
		cr_processes_close(pool);
	}
	cr_shared_close(shared);
	return 0;
}

struct map_call {
	cr_processes *pool;
	struct wait *items;
	int *statuses;
};

static int map_gates(struct map_call *m)
{
	cr_processes_map_options options = {.statuses = m->statuses};

	return cr_processes_map_with(m->pool, &options, wait_for_gate, m->items, 100);
}

static int maps_are_cancelled(int *unused)
{
	static struct wait items[100];
	static int statuses[100];
	cr_processes *pool = open_pool(2);
	cr_shared shared;
	struct gate *gate = new_gate(&shared);
	struct map_call m = {pool, items, statuses};
	cr_processes_stats stats;

	(void)unused;
	for (int i = 0; i < 100; i++)
		items[i].shared = shared;
	if (!on_sim()) {
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, map_gates, &m);

		CHECK_EQ(cr_yield(), 0);
		until_begun(gate, 2);
		CHECK_EQ(cr_task_cancel(task), 0);
		CHECK_EQ(cr_await(task), -ECANCELED);
		for (int i = 0; i < 100; i++)
			CHECK_EQ(statuses[i], -ECANCELED);
		CHECK_EQ(gate->begun, 2);
		cr_processes_stats_get(pool, &stats);
		CHECK_EQ(stats.running + stats.queued + stats.waiting, 0);
	}
	cr_shared_close(shared);
	cr_processes_close(pool);
	return 0;
}

int main(void)
{
	CHECK_EQ(cr_processes_prepare(), 0);
	RUN_TASK(cancelling_kills);
	RUN_TASK(waiting_jobs_are_taken_back);
	RUN_TASK(not_in_a_cancelled_scope);
	RUN_TASK(full_queues_refuse);
	RUN_TASK(nobody_waits_behind_a_long_job);
	RUN_TASK(closing_ends_calls);
	RUN_TASK(maps_are_cancelled);
	return test_done();
}
