/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu (qemu-user has threads of its own before any of ours) */
/* Jobs in worker processes: results, cancellation, queues, maps. */

#include <corail/processes.h>

#include "in_task.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct add {
	int a, b, sum;
};

static int add(struct add *a)
{
	a->sum = a->a + a->b;
	return a->a;
}

static cr_processes *open_pool(size_t count)
{
	cr_processes_options options = {.process_count_max = count, .name = "test"};
	cr_processes *pool;

	CHECK_EQ(cr_processes_open(&options, &pool), 0);
	return pool;
}

static int results_come_back(int *unused)
{
	cr_processes *pool = open_pool(0);
	struct add a = {1, 2, 0};

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, add, &a), 1);
	CHECK_EQ(a.sum, 3);
	a = (struct add){-5, 2, 0};
	CHECK_EQ(cr_processes_call(pool, add, &a), -5);
	CHECK_EQ(a.sum, -3);
	cr_processes_close(pool);
	cr_processes_close(NULL);
	return 0;
}

/* What only reads may have what nobody can write. */
static int read_only(const struct add *a)
{
	return a->a + a->b;
}

static int constants_are_read(int *unused)
{
	static const struct add constant = {20, 22, 0};
	cr_processes *pool = open_pool(1);

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, read_only, &constant), 42);
	cr_processes_close(pool);
	return 0;
}

struct large {
	unsigned char bytes[CORAIL_PROCESSES_ARGUMENT_MAX];
};

struct too_large {
	unsigned char bytes[CORAIL_PROCESSES_ARGUMENT_MAX + 1];
};

static int invert(struct large *large)
{
	for (size_t i = 0; i < sizeof large->bytes; i++)
		large->bytes[i] = (unsigned char)~large->bytes[i];
	return 0;
}

static int never(struct too_large *large)
{
	large->bytes[0] = 1;
	return 0;
}

/* The largest arguments go round in a ring that holds only a few of them. */
static int large_arguments(int *unused)
{
	static struct large many[12];
	static struct too_large too_large;
	cr_processes *pool = open_pool(2);

	(void)unused;
	for (int i = 0; i < 12; i++)
		memset(&many[i], i, sizeof many[i]);
	CHECK_EQ(cr_processes_map(pool, invert, many, 12), 0);
	for (int i = 0; i < 12; i++)
		for (size_t j = 0; j < sizeof many[i].bytes; j += 97)
			CHECK_EQ(many[i].bytes[j], 255 - i);
	CHECK_EQ(cr_processes_call(pool, never, &too_large), -EMSGSIZE);
	CHECK_EQ(too_large.bytes[0], 0);
	cr_processes_close(pool);
	return 0;
}

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

/* ------------------------------------------------------------------------------------- maps --- */

static int fail_at_50(struct add *a)
{
	a->sum = a->a + a->b;
	return a->a == 50 ? -EDOM : 0;
}

static int maps(int *unused)
{
	enum { COUNT = 500 };
	static struct add items[COUNT];
	static int statuses[COUNT];
	cr_processes_map_options options = {.statuses = statuses, .limit = 7};
	cr_processes *pool = open_pool(2);
	int ran = 0;

	(void)unused;
	for (int i = 0; i < COUNT; i++)
		items[i] = (struct add){i, 1, 0};
	CHECK_EQ(cr_processes_map(pool, add, items, COUNT), 0);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(items[i].sum, i + 1);
	CHECK_EQ(cr_processes_map(pool, add, items, 0), 0);

	for (int i = 0; i < COUNT; i++)
		items[i] = (struct add){i, 1, 0};
	CHECK_EQ(cr_processes_map_with(pool, &options, fail_at_50, items, COUNT), -EDOM);
	CHECK_EQ(statuses[50], -EDOM);
	for (int i = 0; i < COUNT; i++) {
		CHECK(statuses[i] == 0 || statuses[i] == -ECANCELED || i == 50);
		CHECK_EQ(items[i].sum, statuses[i] == -ECANCELED ? 0 : i + 1);
		ran += items[i].sum != 0;
	}
	CHECK_GT(ran, 50 - 7);

	/* One after the other: what came after the failure was not begun. */
	for (int i = 0; i < COUNT; i++)
		items[i] = (struct add){i, 1, 0};
	options.limit = 1;
	CHECK_EQ(cr_processes_map_with(pool, &options, fail_at_50, items, COUNT), -EDOM);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(items[i].sum != 0, i <= 50);

	options.limit = 7;
	options.collect = 1;
	CHECK_EQ(cr_processes_map_with(pool, &options, fail_at_50, items, COUNT), 1);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(statuses[i], i == 50 ? -EDOM : 0);
	cr_processes_close(pool);
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

/* A function that workers cannot have: where it is, nothing was when they were made. */
static int unknown_functions_are_refused(int *unused)
{
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_processes *pool = open_pool(1);
	struct add a = {1, 2, 0};
	int (*fn)(struct add *);

	(void)unused;
	memcpy(&fn, &memory, sizeof fn);
	if (!on_sim()) {
		CHECK_EQ(cr_processes_call(pool, fn, &a), -CORAIL_E_PROCESSES_UNKNOWN);
		CHECK_EQ(cr_processes_map(pool, fn, &a, 1), -CORAIL_E_PROCESSES_UNKNOWN);
	}
	munmap(memory, 4096);
	cr_processes_close(pool);
	return 0;
}

static int options_are_checked(int *unused)
{
	cr_processes_options many = {.process_count_max = 257}, unkind = {.nice = 20};
	cr_processes *pool;

	(void)unused;
	CHECK_EQ(cr_processes_open(&many, &pool), -EINVAL);
	CHECK_EQ(cr_processes_open(&unkind, &pool), -EINVAL);
	return 0;
}

int main(void)
{
	CHECK_EQ(cr_processes_prepare(), 0);
	CHECK_EQ(cr_processes_prepare(), 0);
	RUN_TASK(results_come_back);
	RUN_TASK(constants_are_read);
	RUN_TASK(large_arguments);
	RUN_TASK(cancelling_kills);
	RUN_TASK(waiting_jobs_are_taken_back);
	RUN_TASK(not_in_a_cancelled_scope);
	RUN_TASK(full_queues_refuse);
	RUN_TASK(nobody_waits_behind_a_long_job);
	RUN_TASK(closing_ends_calls);
	RUN_TASK(maps);
	RUN_TASK(maps_are_cancelled);
	RUN_TASK(unknown_functions_are_refused);
	RUN_TASK(options_are_checked);
	return test_done();
}
