/* SPDX-License-Identifier: MIT */

/* The dispatcher: from a list of pages to tasks, never more of them than asked for. */

#include "writer.h"

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

void get_abort(struct get *get, int error)
{
	if (get->fatal == 0)
		get->fatal = error;
	if (get->running)
		cr_scope_cancel(get->running);
}

void settle_page(struct get *get, struct page *page, const struct outcome *outcome)
{
	int r;

	get->progress.done++;
	if (page->state == PAGE_GOOD) {
		get->good++;
		get->bytes += page->bytes;
	} else {
		get->progress.failed++;
		get->failed++;
	}
	r = get->fatal == 0 || get->writer ? report_page(get, page, outcome) : 0;
	if (r < 0) {
		get->unprinted = get->fatal == 0;
		get_abort(get, r);
	}
}

/* A page's place is free for the next one. */
static void leave_place(struct place *place)
{
	struct pool *pool = place->pool;

	pool->get->progress.in_flight--;
	schedule_done(&pool->get->schedule, (size_t)(place->page - pool->get->pages));
	pool->unused[pool->unused_count++] = place;
}

/* A task: one page. */
static int run_page(struct place *place)
{
	struct get *get = place->pool->get;
	struct page *page = place->page;
	struct outcome outcome = {0};
	bool handed_over = false;

	fetch_page(get, page, &outcome);
	if (page->state != PAGE_MISSING && get->writer) {
		handed_over = writer_add(get->writer, page, &outcome) == 0;
		if (!handed_over) {
			page->state = PAGE_FAILED;
			page->error = -ENOMEM;
		}
	}
	if (handed_over)
		writer_wait(get->writer);
	else if (page->state != PAGE_MISSING)
		settle_page(get, page, &outcome);
	outcome_free(&outcome);
	leave_place(place);
	return 0;
}

/* Starts pages while there are places, and pages that may start. */
static void start_pages(struct pool *pool, cr_scope *scope)
{
	struct get *get = pool->get;
	size_t index;

	while (pool->unused_count > 0 && schedule_next(&get->schedule, &index)) {
		struct place *place;
		cr_task task;

		if (get->pages[index].state == PAGE_STORED) {
			schedule_done(&get->schedule, index);
			continue;
		}
		place = pool->unused[--pool->unused_count];
		place->page = &get->pages[index];
		get->progress.in_flight++;
		task = cr_spawn(scope, run_page, place);
		if (cr_task_error(task) < 0) {
			place->page->state = PAGE_FAILED;
			place->page->error = cr_task_error(task);
			settle_page(get, place->page, &(struct outcome){0});
			leave_place(place);
		}
	}
}

/* Until every page was tried. Returns 0, -ECANCELED, or what makes it impossible to go on. */
static int dispatch(struct pool *pool)
{
	struct get *get = pool->get;
	cr_task task;
	int r;
	CORAIL_SCOPE(scope);

	cr_scope_collect(&scope);
	get->running = &scope;
	do {
		start_pages(pool, &scope);
		r = cr_scope_next(&scope, &task);
	} while (r == 0 && get->fatal == 0);
	get->running = NULL;
	if (get->fatal < 0)
		return get->fatal;
	return r == -ENOENT ? 0 : r;
}

/* The same beside a task that writes pages into the table, which ends when all is written. */
static int dispatch_and_write(struct pool *pool)
{
	struct get *get = pool->get;
	struct writer writer;
	int r, written;

	writer_init(&writer, get, &get->table);
	get->writer = &writer;
	{
		CORAIL_SCOPE(writing);
		cr_scope_collect(&writing);
		cr_spawn(&writing, writer_run, &writer);
		r = dispatch(pool);
		writer_close(&writer);
		written = cr_scope_wait(&writing);
	}
	writer_free(&writer);
	get->writer = NULL;
	if (get->fatal < 0)
		return get->fatal;
	return r < 0 ? r : written;
}

/* Opens the table and looks which pages it has. */
static int prepare_table(struct get *get)
{
	int r = table_open(&get->table, get->options->table);

	if (r == 0 && !get->options->refetch)
		r = skip_stored(get);
	get->unopened = r < 0 && r != -ECANCELED;
	return r;
}

static int run_pages(struct pool *pool)
{
	struct get *get = pool->get;
	int r = get->options->table ? prepare_table(get) : 0;

	if (r == 0) {
		CORAIL_SCOPE(display);
		cr_spawn(&display, progress_run, &get->progress);
		r = get->options->table ? dispatch_and_write(pool) : dispatch(pool);
	}
	table_close(&get->table);
	return r;
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
		CORAIL_SCOPE(whole);
		get->whole = &whole;
		cr_spawn(&whole, stop_on_signal, get);
		r = run_pages(&pool);
	}
	get->whole = NULL;
	get->elapsed = cr_now() - began;
	progress_close(&get->progress);
	pool_free(&pool);
	cr_http_close(get->direct.http);
	cr_http_close(get->plain.http);
	cr_http_close(get->secure.http);
	get->direct.http = get->plain.http = get->secure.http = NULL;
	return r;
}
