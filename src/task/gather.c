/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include <errno.h>
#include <stdint.h>

/*
 * Many tasks at once, over an array: a scope of its own around them, so that nothing outlives the
 * call.
 */

struct gather {
	cr__fn fn;
	const char *array;
	size_t count, element_size, limit;
	int *statuses;
	cr__site site;
	uint32_t scope_state;
};

static void spawn_one(struct cr__scope *scope, const struct gather *g, size_t i)
{
	struct cr__extra extra = {.ret_status = g->statuses ? &g->statuses[i] : NULL, .index = i};
	const void *element = g->array + i * g->element_size;
	cr_task task;

	if (!g->statuses && !(g->scope_state & CR__SCOPE_FIRST)) {
		cr__spawn((cr_scope *)(void *)scope, NULL, g->fn, element, 0, g->site);
		return;
	}
	task = cr__spawn_extra(scope, g->fn, element, g->site, &extra);
	if (g->statuses && cr_task_error(task) < 0)
		g->statuses[i] = cr_task_error(task);
}

/*
 * What a gather returns whose caller was not cancelled: an element that somebody cancelled has no
 * result.
 */
static int outcome(const struct cr__scope *scope)
{
	if (scope->error)
		return scope->error;
	return scope->cancelled ? -ECANCELED : 0;
}

/*
 * Runs all; the scope tells what came of it, and is the caller's to leave. Returns 0 or -ECANCELED.
 */
static int run_all(cr_scope *opaque, const struct gather *g)
{
	struct cr__scope *scope = cr__scope_of(opaque);
	uint32_t limit = g->limit && g->limit < UINT32_MAX ? (uint32_t)g->limit : UINT32_MAX;

	scope->state |= CR__SCOPE_FORGET | g->scope_state;
	for (size_t i = 0; g->statuses && i < g->count; i++)
		g->statuses[i] = -ECANCELED;
	for (size_t i = 0; i < g->count; i++) {
		cr__scope_wait_below(scope, limit - 1, "gather");
		if (cr__node_cancelled(&scope->node))
			break;
		spawn_one(scope, g, i);
	}
	cr__scope_wait_below(scope, 0, "gather");
	return cr__node_cancelled(scope->node.parent) ? -ECANCELED : 0;
}

int cr__gather(const cr_gather_options *options, cr__fn fn, const void *array, size_t count,
               size_t element_size, cr__site site)
{
	static const cr_gather_options defaults;
	const cr_gather_options *o = options ? options : &defaults;
	struct gather g = {fn,       array,       count, element_size,
	                   o->limit, o->statuses, site,  o->collect ? CR__SCOPE_COLLECT : 0};
	int r = cr__park_check("cr_gather");
	struct cr__scope *sc;

	if (r < 0 || count == 0)
		return r;
	CORAIL_SCOPE(scope);
	sc = cr__scope_of(&scope);
	r = run_all(&scope, &g);
	if (r < 0)
		return r;
	return o->collect ? (int)(sc->failed + sc->cancelled) : outcome(sc);
}

int cr__gather_limit(cr__fn fn, const void *array, size_t count, size_t element_size, size_t limit,
                     cr__site site)
{
	return cr__gather(&(cr_gather_options){.limit = limit}, fn, array, count, element_size,
	                  site);
}

int cr__gather_collect(cr__fn fn, const void *array, size_t count, size_t element_size,
                       int *statuses, cr__site site)
{
	return cr__gather(&(cr_gather_options){.statuses = statuses, .collect = 1}, fn, array,
	                  count, element_size, site);
}

int cr__gather_first(cr__fn fn, const void *array, size_t count, size_t element_size,
                     size_t *ret_index, cr__site site)
{
	struct gather g = {fn, array, count, element_size,
	                   0,  NULL,  site,  CR__SCOPE_COLLECT | CR__SCOPE_FIRST};
	int r = cr__park_check("cr_gather_first");
	struct cr__scope *sc;

	if (r < 0)
		return r;
	if (count == 0)
		return -EINVAL;
	CORAIL_SCOPE(scope);
	sc = cr__scope_of(&scope);
	r = run_all(&scope, &g);
	if (sc->state & CR__SCOPE_WON) {
		*ret_index = sc->winner;
		return sc->winner_result;
	}
	return r < 0 ? r : outcome(sc);
}

int cr_gather_calls(cr_call *calls, size_t count)
{
	int r = cr__park_check("cr_gather_calls");
	struct cr__scope *sc;

	if (r < 0)
		return r;
	CORAIL_SCOPE(scope);
	sc = cr__scope_of(&scope);
	sc->state |= CR__SCOPE_FORGET;
	for (size_t i = 0; i < count; i++) {
		struct cr__extra extra = {.ret_status = &calls[i].status};

		calls[i].status = -ECANCELED;
		cr__spawn_extra(sc, calls[i].fn, calls[i].arg, calls[i].site, &extra);
	}
	cr__scope_wait_below(sc, 0, "gather");
	return cr__node_cancelled(sc->node.parent) ? -ECANCELED : outcome(sc);
}
