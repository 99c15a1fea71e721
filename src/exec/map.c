/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "task/local.h"
#include "task/park.h"

#include <errno.h>

/*
 * cr_offload_map(): an array on threads, with one task that waits. A few runners are queued as
 * jobs; each takes chunks of the array until it has had its share of time, and then goes behind
 * whatever else is queued. Chunks grow while they are quick, so that small elements cost little,
 * and stay small enough that the last ones are spread over all runners.
 */

enum { RUNNERS_ON_STACK = 16 };

static const cr_nsec chunk_short = 50000, share = 500000;

struct runner {
	struct cr__job job;
	struct map *map;
	size_t chunk;
	size_t begun, failed;
};

struct map {
	struct cr__wait wait;
	cr__fn fn;
	cr__site site;
	struct cr__locals *locals;
	const char *array;
	size_t count, element_size;
	int *statuses;
	bool collect, sim;
	struct runner *runners;
	size_t runner_count, submitted, pending; /* whose done() is owed */
	_Atomic size_t next;                     /* the first element that nobody has taken */
	_Atomic int error;                       /* the first failure */
	_Atomic bool cancelled;
};

static bool stopped(const struct map *map)
{
	return atomic_load_explicit(&map->cancelled, memory_order_relaxed) ||
	       atomic_load_explicit(&map->error, memory_order_relaxed);
}

static bool runner_cancelled(const struct cr__job *job)
{
	return stopped(((const struct runner *)(const void *)job)->map);
}

_Static_assert(offsetof(struct runner, job) == 0, "runner_cancelled() counts on it");

static void element(struct runner *runner, size_t i)
{
	struct map *map = runner->map;
	int r, none = 0;

	runner->begun++;
	r = cr__fn_call(map->fn, map->array + i * map->element_size);
	if (map->statuses)
		map->statuses[i] = r;
	if (r >= 0)
		return;
	runner->failed++;
	if (!map->collect)
		atomic_compare_exchange_strong(&map->error, &none, r);
}

/* Takes a chunk and does it. Returns false when nothing is left. */
static bool chunk(struct runner *runner)
{
	struct map *map = runner->map;
	size_t from = atomic_load_explicit(&map->next, memory_order_relaxed), take;

	do {
		take = (map->count - from) / (2 * map->runner_count) + 1;
		if (from >= map->count || stopped(map))
			return false;
		if (take > runner->chunk)
			take = runner->chunk;
	} while (!atomic_compare_exchange_weak(&map->next, &from, from + take));
	for (size_t i = from; i < from + take && !stopped(map); i++)
		element(runner, i);
	return true;
}

/* Returns true when nothing is left, false when its share of time was used up. */
static bool take_share(struct runner *runner)
{
	cr_nsec start = cr__clock_monotonic(), before = start, now;

	while (chunk(runner)) {
		now = cr__clock_monotonic();
		/* In the simulator nothing depends on what a clock says. */
		if (runner->map->sim)
			continue;
		if (now - before < chunk_short && runner->chunk < runner->map->count)
			runner->chunk *= 2;
		else if (now - before >= chunk_short && runner->chunk > 1)
			runner->chunk /= 2;
		before = now;
		if (now - start >= share)
			return false;
	}
	return true;
}

static enum cr__fate runner_run(struct cr__job *job)
{
	struct runner *runner = CR__CONTAINER(job, struct runner, job);
	bool over;

	if (runner->map->locals)
		cr__locals_install(runner->map->locals);
	over = take_share(runner);
	if (runner->map->locals)
		cr__locals_install(NULL);
	return over ? CR__FATE_DONE : CR__FATE_AGAIN;
}

static void runner_done(struct cr__job *job)
{
	struct map *map = CR__CONTAINER(job, struct runner, job)->map;

	if (--map->pending == 0)
		cr__unpark(map->wait.task, 0);
}

static enum cr__abort map_abort(struct cr__wait *wait)
{
	struct map *map = CR__CONTAINER(wait, struct map, wait);

	atomic_store_explicit(&map->cancelled, true, memory_order_relaxed);
	for (size_t i = 0; i < map->submitted; i++)
		map->pending -= cr__job_withdraw(&map->runners[i].job);
	return map->pending ? CR__ABORT_LATER : CR__ABORT_DONE;
}

/* Queues the runners: with one, it works. */
static int start(struct map *map, struct cr_threads *pool)
{
	for (size_t i = 0; i < map->runner_count; i++) {
		struct runner *runner = &map->runners[i];
		int r;

		*runner = (struct runner){.map = map, .chunk = 1};
		runner->job.run = runner_run;
		runner->job.done = runner_done;
		runner->job.cancelled = runner_cancelled;
		runner->job.site = map->site;
		r = cr__job_submit(pool, &runner->job, false);
		if (r < 0)
			return i ? 0 : r;
		map->submitted++;
		map->pending++;
	}
	return 0;
}

static int outcome(const struct map *map, int r)
{
	size_t begun = 0, failed = 0;
	int error = 0;

	for (size_t i = 0; i < map->submitted; i++) {
		begun += map->runners[i].begun;
		failed += map->runners[i].failed;
		if (map->runners[i].job.result < 0)
			error = map->runners[i].job.result;
	}
	if (map->error)
		return map->error;
	if (begun < map->count) {
		if (map->cancelled || r < 0)
			return -ECANCELED;
		if (error < 0 && !map->collect)
			return error;
	}
	return map->collect ? (int)(failed + map->count - begun) : 0;
}

static int run(struct map *map, struct cr_threads *pool, size_t limit)
{
	struct runner few[RUNNERS_ON_STACK];
	size_t width = cr__pool_width(pool);
	struct cr__agent *agent = cr__agent_self();
	int r;

	if (!agent)
		return -ENOMEM;
	map->sim = agent->sim;
	if (limit && limit < width)
		width = limit;
	if (map->count < width)
		width = map->count;
	map->runners = few;
	if (width > RUNNERS_ON_STACK) {
		map->runners = cr__alloc(width * sizeof *map->runners);
		if (!map->runners)
			return -ENOMEM;
	}
	map->runner_count = width;
	r = start(map, pool);
	if (r == 0) {
		r = cr__park(&map->wait);
		r = outcome(map, r);
	}
	if (map->runners != few)
		cr__free(map->runners);
	return r;
}

int cr__offload_map(const cr_offload_map_options *options, cr__fn fn, const void *array,
                    size_t count, size_t element_size, cr__site site)
{
	static const cr_offload_map_options defaults;
	const cr_offload_map_options *o = options ? options : &defaults;
	struct map map = {
		.wait = {.abort = map_abort, .reason = "offload map", .fd = -1},
		.fn = fn,
		.site = site,
		.array = array,
		.count = count,
		.element_size = element_size,
		.statuses = o->statuses,
		.collect = o->collect,
	};
	int r = cr__park_check("cr_offload_map");

	for (size_t i = 0; o->statuses && i < count; i++)
		o->statuses[i] = -ECANCELED;
	if (r < 0 || count == 0)
		return r;
	map.locals = cr__locals_hold();
	r = run(&map, o->pool ? o->pool : cr_threads_default(), o->limit);
	cr__locals_drop(map.locals);
	return r;
}
