/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include "base/alloc.h"
#include "base/panic.h"

#include <corail/exec.h>

#include <errno.h>
#include <string.h>

/* Pools of processes: life and death. */

int cr_processes_prepare(void)
{
	return cr__zygote_start();
}

static void hand_out(void *arg)
{
	struct cr_processes *pool = arg;

	pool->posted = false;
	if (pool->start_error && !pool->alive)
		cr__queue_fail(pool, pool->start_error);
	pool->start_error = 0;
	cr__crew_dispatch(pool);
	if (pool->closer_parked && pool->closing && !pool->alive) {
		pool->closer_parked = false;
		cr__unpark(pool->closer.task, 0);
	}
}

/* The loop ends before its pool was closed. */
static void drop(void *arg)
{
	(void)arg;
}

static void pool_init(struct cr_processes *pool, const cr_processes_options *options, size_t count)
{
	const char *name = options->name ? options->name : "worker";

	pool->loop = cr__loop_self();
	cr__list_init(&pool->queue);
	cr__list_init(&pool->idle);
	pool->post = (struct cr__post){.fn = hand_out, .arg = pool, .drop = drop};
	pool->event = pool->zygote = -1;
	pool->queue_limit = options->queue_limit;
	pool->crew_count = count;
	pool->limits.jobs_max = options->jobs_max;
	pool->limits.memory_limit_bytes = options->memory_limit_bytes;
	pool->limits.cpu_limit_seconds = options->cpu_limit_seconds;
	pool->limits.nice = options->nice;
	memcpy(pool->limits.name, name, strnlen(name, sizeof pool->limits.name - 1));
	for (size_t i = 0; i < count; i++) {
		struct cr__crewman *worker = &pool->crew[i];

		worker->pool = pool;
		worker->number = (uint32_t)i;
		worker->memory = worker->socket = worker->their_socket = -1;
		cr__list_init(&worker->idle);
	}
}

static int pool_connect(struct cr_processes *pool)
{
	pool->event = cr__zygote_event();
	if (pool->event < 0)
		return pool->event;
	pool->zygote = cr__zygote_connect(&pool->limits, pool->event, &pool->zygote_pid);
	return pool->zygote < 0 ? pool->zygote : cr__crew_listen(pool);
}

static void park_closer(struct cr_processes *pool)
{
	pool->closer = (struct cr__wait){.reason = "processes close", .fd = -1};
	pool->closer_parked = true;
	cr__park(&pool->closer);
}

/* Nobody waits for a job any more, and there are no workers. */
static void pool_free(struct cr_processes *pool)
{
	while (!cr__crew_deafen(pool) || pool->posted)
		park_closer(pool);
	if (pool->event >= 0)
		cr__fd_close(pool->loop, pool->event);
	if (pool->zygote >= 0)
		cr__fd_close(pool->loop, pool->zygote);
	cr__free(pool);
}

int cr_processes_open(const cr_processes_options *options, cr_processes **ret_pool)
{
	static const cr_processes_options defaults;
	const cr_processes_options *o = options ? options : &defaults;
	size_t count = o->process_count_max;
	struct cr_processes *pool;
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (!count) {
		count = cr_cpu_count();
		if (count > CR__PROCESSES_MAX)
			count = CR__PROCESSES_MAX;
	}
	if (count > CR__PROCESSES_MAX || o->nice < 0 || o->nice > 19)
		return -EINVAL;
	pool = cr__alloc_zero(1, sizeof *pool + count * sizeof pool->crew[0]);
	if (!pool)
		return -ENOMEM;
	pool_init(pool, o, count);
	pool->sim = pool->loop->backend == &cr__backend_sim;
	if (!pool->sim)
		r = cr__zygote_start();
	if (!pool->sim && r == 0)
		r = pool_connect(pool);
	if (r < 0) {
		pool_free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

void cr_processes_close(cr_processes *pool)
{
	if (!pool)
		return;
	cr__task_current(__func__);
	if (pool->loop != cr__loop_self())
		cr__panic("cr_processes_close: the pool belongs to another loop");
	pool->closing = true;
	for (size_t i = 0; i < pool->crew_count; i++) {
		struct cr__crewman *worker = &pool->crew[i];

		if (!worker->alive)
			continue;
		for (size_t j = 0; j < CR__CHANNEL_CELLS; j++)
			if (worker->errands[j])
				worker->errands[j]->cancelled = true;
		cr__crewman_kill(worker);
	}
	cr__queue_fail(pool, -ECANCELED);
	while (pool->alive || pool->sim_running)
		park_closer(pool);
	pool_free(pool);
}

void cr_processes_stats_get(const cr_processes *pool, cr_processes_stats *ret_stats)
{
	const size_t limit = pool->queue_limit ? pool->queue_limit : SIZE_MAX;
	const size_t queued = pool->queued < limit ? pool->queued : limit;

	*ret_stats = (cr_processes_stats){
		.process_count_max = pool->crew_count,
		.processes = pool->alive,
		.running = pool->running + pool->sim_running,
		.queued = queued,
		.waiting = pool->queued - queued,
		.jobs = pool->jobs,
		.deaths = pool->deaths,
	};
}

size_t cr_processes_pids(const cr_processes *pool, pid_t *pids, size_t count)
{
	size_t found = 0;

	for (size_t i = 0; i < pool->crew_count; i++) {
		if (pool->crew[i].pid <= 0)
			continue;
		if (found < count)
			pids[found] = pool->crew[i].pid;
		found++;
	}
	return found;
}
