/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include "base/alloc.h"

#include <errno.h>

/* cr_processes_map(): an array in processes, with one task that waits. */

enum { LIMIT_PER_PROCESS = 32 };

struct map;

struct item {
	struct cr__errand errand;
	struct map *map;
	size_t index;
	bool active; /* handed in, and not heard of */
};

struct map {
	struct cr__wait wait;
	cr_processes *pool;
	cr__fn fn;
	const char *array;
	size_t count, element_size, next;
	int *statuses;
	bool collect, cancelled;
	bool parked;
	struct item *items;
	size_t item_count, pending;
	size_t failed;
	int error; /* the first failure, or why no more can be handed in */
};

static void item_done(struct cr__errand *errand);

/* Hands the next element in, if there is one and it is wanted. */
static void item_next(struct item *item)
{
	struct map *map = item->map;
	int r;

	if (map->next == map->count || map->error || map->cancelled)
		return;
	item->index = map->next;
	item->errand = (struct cr__errand){
		.fn = map->fn,
		.arg = map->array + map->next * map->element_size,
		.size = map->element_size,
		.done = item_done,
	};
	r = cr__errand_submit(map->pool, &item->errand, false);
	if (r < 0) {
		map->error = r;
		return;
	}
	item->active = true;
	map->pending++;
	map->next++;
}

/* After a failure: what has not begun will not. */
static void withdraw_all(struct map *map)
{
	for (size_t i = 0; i < map->item_count; i++) {
		struct item *item = &map->items[i];

		if (!item->active || !cr__errand_withdraw(&item->errand))
			continue;
		item->active = false;
		map->pending--;
	}
}

static void item_done(struct cr__errand *errand)
{
	struct item *item = CR__CONTAINER(errand, struct item, errand);
	struct map *map = item->map;
	const int result = errand->result;

	item->active = false;
	map->pending--;
	if (map->statuses)
		map->statuses[item->index] = result;
	if (result < 0) {
		map->failed++;
		if (!map->collect && !map->error && !map->cancelled) {
			map->error = result;
			withdraw_all(map);
		}
	}
	item_next(item);
	if (map->pending == 0 && map->parked) {
		map->parked = false;
		cr__unpark(map->wait.task, 0);
	}
}

static enum cr__abort map_abort(struct cr__wait *wait)
{
	struct map *map = CR__CONTAINER(wait, struct map, wait);

	map->cancelled = true;
	withdraw_all(map);
	for (size_t i = 0; i < map->item_count; i++) {
		struct item *item = &map->items[i];

		if (!item->active || !cr__errand_cancel(&item->errand))
			continue;
		item->active = false;
		map->pending--;
	}
	map->parked = map->pending > 0;
	return map->parked ? CR__ABORT_LATER : CR__ABORT_DONE;
}

static int outcome(const struct map *map, size_t ended)
{
	if (map->cancelled)
		return -ECANCELED;
	if (map->error)
		return map->error;
	return map->collect ? (int)(map->failed + map->count - ended) : 0;
}

static int run_inside(struct map *map, cr__site site)
{
	for (; map->next < map->count && !map->error; map->next++) {
		const void *arg = map->array + map->next * map->element_size;
		int r = cr__processes_call(map->pool, NULL, map->fn, arg, map->element_size, site);

		if (map->statuses)
			map->statuses[map->next] = r;
		map->failed += r < 0;
		if (r < 0 && !map->collect)
			map->error = r;
		if (cr_cancelled() && map->next + 1 < map->count) {
			map->error = -ECANCELED;
		}
	}
	return outcome(map, map->next);
}

static int run(struct map *map, size_t limit)
{
	int r;

	map->item_count = limit < map->count ? limit : map->count;
	map->items = cr__alloc_zero(map->item_count, sizeof *map->items);
	if (!map->items)
		return -ENOMEM;
	for (size_t i = 0; i < map->item_count; i++) {
		map->items[i].map = map;
		item_next(&map->items[i]);
	}
	if (map->pending) {
		map->parked = true;
		r = cr__park(&map->wait);
		if (r < 0)
			map->cancelled = true;
	}
	cr__free(map->items);
	return outcome(map, map->next);
}

int cr__processes_map(cr_processes *pool, const cr_processes_map_options *options, cr__fn fn,
                      const void *array, size_t count, size_t element_size, cr__site site)
{
	static const cr_processes_map_options defaults;
	const cr_processes_map_options *o = options ? options : &defaults;
	struct map map = {
		.wait = {.abort = map_abort, .reason = "processes map", .fd = -1},
		.pool = pool,
		.fn = fn,
		.array = array,
		.count = count,
		.element_size = element_size,
		.statuses = o->statuses,
		.collect = o->collect,
	};
	int r = cr__processes_check(pool, fn, element_size, "cr_processes_map");

	for (size_t i = 0; o->statuses && i < count; i++)
		o->statuses[i] = -ECANCELED;
	if (r < 0 || count == 0)
		return r;
	if (pool->sim)
		return run_inside(&map, site);
	return run(&map, o->limit ? o->limit : LIMIT_PER_PROCESS * pool->crew_count);
}
