/* SPDX-License-Identifier: MIT */

/* The dispatcher: from a list of pages to tasks, never more of them than asked for. */

#include "get.h"

#include <corail/task.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int get_init(struct get *get, const struct get_options *options, const struct url_list *list)
{
	*get = (struct get){.options = options, .count = list->count, .store = {.dir = -1}};
	get->pages = calloc(list->count ? list->count : 1, sizeof *get->pages);
	if (!get->pages)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		get->pages[i].url = list->urls[i];
	return schedule_init(&get->schedule, list->urls, list->count, options->per_host);
}

void get_free(struct get *get)
{
	schedule_free(&get->schedule);
	store_close(&get->store);
	free(get->pages);
}

/*
 * The tasks' arguments: a pool, so that memory depends on how many run, not on how many there are.
 */
struct pool {
	struct get *get;
	struct place {
		struct pool *pool;
		struct page *page;
	} * places;
	struct place **unused;
	size_t unused_count;
	int fatal; /* the error for which the whole run must end, or 0 */
};

static int pool_init(struct pool *pool, struct get *get)
{
	size_t count = get->options->sequential ? 1 : get->options->concurrent;

	if (count > get->count)
		count = get->count;
	*pool = (struct pool){.get = get};
	pool->places = calloc(count + 1, sizeof *pool->places);
	pool->unused = calloc(count + 1, sizeof *pool->unused);
	if (!pool->places || !pool->unused)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		pool->places[i].pool = pool;
		pool->unused[pool->unused_count++] = &pool->places[i];
	}
	return 0;
}

static void pool_free(struct pool *pool)
{
	free(pool->places);
	free(pool->unused);
}

/* Takes note of a page that is done. */
static void finish_page(struct place *place, const struct outcome *outcome)
{
	struct pool *pool = place->pool;
	struct get *get = pool->get;
	struct page *page = place->page;

	get->progress.in_flight--;
	schedule_done(&get->schedule, (size_t)(page - get->pages));
	pool->unused[pool->unused_count++] = place;
	if (page->state == PAGE_MISSING)
		return;
	get->progress.done++;
	if (page->state == PAGE_GOOD) {
		get->good++;
		get->bytes += page->bytes;
	} else {
		get->progress.failed++;
		get->failed++;
	}
	if (pool->fatal == 0)
		pool->fatal = report_page(get, page, outcome);
}

/* A task: one page. */
static int run_page(struct place *place)
{
	struct outcome outcome = {0};

	fetch_page(place->pool->get, place->page, &outcome);
	finish_page(place, &outcome);
	outcome_free(&outcome);
	return 0;
}

/* Starts pages while there are places, and pages that may start. */
static void start_pages(struct pool *pool, cr_scope *scope)
{
	struct get *get = pool->get;
	size_t index;

	while (pool->unused_count > 0 && schedule_next(&get->schedule, &index)) {
		struct place *place = pool->unused[--pool->unused_count];
		cr_task task;

		place->page = &get->pages[index];
		get->progress.in_flight++;
		task = cr_spawn(scope, run_page, place);
		if (cr_task_error(task) < 0) {
			place->page->state = PAGE_FAILED;
			place->page->error = cr_task_error(task);
			finish_page(place, &(struct outcome){0});
		}
	}
}

/* Until every page was tried. Returns 0, -ECANCELED, or what makes it impossible to go on. */
static int dispatch(struct pool *pool)
{
	cr_task task;
	int r;
	CORAIL_SCOPE(scope);

	cr_scope_collect(&scope);
	do {
		start_pages(pool, &scope);
		r = cr_scope_next(&scope, &task);
	} while (r == 0 && pool->fatal == 0);
	if (pool->fatal < 0)
		return pool->fatal;
	return r == -ENOENT ? 0 : r;
}

int get_run(struct get *get)
{
	cr_nsec began = cr_now();
	struct pool pool;
	int r;

	progress_open(&get->progress, get->count,
	              !get->options->quiet && !(get->options->json && isatty(STDOUT_FILENO)));
	r = pool_init(&pool, get);
	if (r == 0) {
		CORAIL_SCOPE(display);
		cr_spawn(&display, progress_run, &get->progress);
		r = dispatch(&pool);
	}
	get->elapsed = cr_now() - began;
	progress_close(&get->progress);
	pool_free(&pool);
	cr_http_close(get->direct.http);
	cr_http_close(get->plain.http);
	cr_http_close(get->secure.http);
	get->direct.http = get->plain.http = get->secure.http = NULL;
	return r;
}
