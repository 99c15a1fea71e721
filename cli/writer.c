/* SPDX-License-Identifier: MIT */

/* The line of pages before a table, and the task that writes them. See writer.h. */

#include "writer.h"

#include <corail/task.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A batch ends when it has so many pages, or so many bytes. */
#define BATCH_COUNT 256
#define BATCH_BYTES (4 * 1024 * 1024)

/* There is room while the line is shorter than this. */
#define LINE_COUNT 1024
#define LINE_BYTES (16 * 1024 * 1024)

/* How long pages are still written after an interruption. A second one ends the command at once. */
#define INTERRUPTED_GRACE cr_seconds(30)

/* How often a batch is tried when the database is busy or away: for about 15 s. */
#define ATTEMPTS 7

void writer_init(struct writer *writer, struct get *get, struct table *table)
{
	*writer = (struct writer){.get = get, .table = table};
	writer->last = &writer->first;
	cr_event_set(&writer->roomy);
}

static bool has_room(const struct writer *writer)
{
	return writer->count < LINE_COUNT && writer->bytes < LINE_BYTES;
}

static void write_time(char *text, size_t size)
{
	struct timespec now;
	struct tm broken;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &broken);
	used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &broken);
	snprintf(text + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

int writer_add(struct writer *writer, struct page *page, struct outcome *outcome)
{
	struct record *record = calloc(1, sizeof *record);

	if (!record)
		return -ENOMEM;
	record->page = page;
	record->outcome = *outcome;
	*outcome = (struct outcome){0};
	write_time(record->fetched_at, sizeof record->fetched_at);
	*writer->last = record;
	writer->last = &record->next;
	writer->count++;
	writer->bytes += record->outcome.body.size;
	if (!has_room(writer))
		cr_event_clear(&writer->roomy);
	cr_event_set(&writer->filled);
	return 0;
}

int writer_wait(struct writer *writer)
{
	return cr_event_wait(&writer->roomy);
}

void writer_close(struct writer *writer)
{
	writer->closed = true;
	cr_event_set(&writer->filled);
}

/* Takes the first few records out of the line. */
static size_t take_batch(struct writer *writer, struct record **batch)
{
	uint64_t bytes = 0;
	size_t count = 0;

	while (writer->first && count < BATCH_COUNT && bytes < BATCH_BYTES) {
		struct record *record = writer->first;

		writer->first = record->next;
		if (!writer->first)
			writer->last = &writer->first;
		bytes += record->outcome.body.size;
		batch[count++] = record;
	}
	writer->count -= count;
	writer->bytes -= bytes;
	if (has_room(writer))
		cr_event_set(&writer->roomy);
	if (!writer->first && !writer->closed)
		cr_event_clear(&writer->filled);
	return count;
}

/* Why a page failed, in English: programs compare it. The text may be in `room`. */
static const char *error_text(const struct page *page, char *room, size_t size)
{
	if (page->state == PAGE_GOOD)
		return NULL;
	if (page->error < 0)
		return cr_strerror(page->error);
	snprintf(room, size, "%d%s%s", page->status, *cr_http_reason(page->status) ? " " : "",
	         cr_http_reason(page->status));
	return room;
}

static int write_once(struct writer *writer, struct record **batch, size_t count)
{
	struct text {
		char error[64], digest[DIGEST_TEXT_SIZE + 16];
	} *texts = calloc(count, sizeof *texts);
	struct table_row *rows = calloc(count, sizeof *rows);
	int r = -ENOMEM;

	for (size_t i = 0; texts && rows && i < count; i++) {
		const struct page *page = batch[i]->page;
		const struct outcome *outcome = &batch[i]->outcome;
		bool good = page->state == PAGE_GOOD;

		snprintf(texts[i].digest, sizeof texts[i].digest, "%s:%s",
		         outcome->digest[0] ? writer->get->options->digest : "", outcome->digest);
		rows[i] = (struct table_row){
			.url = page->url,
			.status = page->status,
			.bytes = good ? outcome->body.size : page->bytes,
			.body = !good                ? NULL
		                : outcome->body.data ? outcome->body.data
		                                     : "",
			.fetched_at = batch[i]->fetched_at,
			.digest = outcome->digest[0] ? texts[i].digest : NULL,
			.error = error_text(page, texts[i].error, sizeof texts[i].error),
		};
	}
	if (texts && rows)
		r = table_write(writer->table, rows, count);
	else
		writer->table->error = (cr_sql_error){.message = "out of memory"};
	free(rows);
	free(texts);
	return r;
}

/* What the rows themselves are to blame for; not the server's state, the network's or ours. */
static bool is_about_rows(const cr_sql_error *error, int r)
{
	switch (-r) {
	case CORAIL_E_SQL_DATA:
	case CORAIL_E_SQL_CONSTRAINT:
	case CORAIL_E_SQL_STATEMENT:
	case EMSGSIZE:
	case EINVAL:
		return true;
	case CORAIL_E_SQL_LIMIT: /* 54: "program limit exceeded", such as a key's length */
		return strncmp(error->sqlstate, "54", 2) == 0;
	default:
		return false;
	}
}

static bool may_pass(int r)
{
	switch (-r) {
	case CORAIL_E_SQL_CONNECTION:
	case CORAIL_E_SQL_CONFLICT:
	case CORAIL_E_SQL_ABORTED:
	case CORAIL_E_SQL_LIMIT:
	case CORAIL_E_SQL_LOCKED:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENOENT: /* of a server's Unix socket, while it starts */
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* Writes, again and again while that may help. Writing rows twice does no harm. */
static int write_records(struct writer *writer, struct record **batch, size_t count)
{
	cr_nsec delay = cr_millis(250);
	int r = write_once(writer, batch, count);

	for (int i = 1; i < ATTEMPTS && may_pass(r) && !is_about_rows(&writer->table->error, r);
	     i++) {
		if (cr_sleep(delay) < 0)
			return -ECANCELED;
		delay *= 2;
		r = write_once(writer, batch, count);
	}
	return r;
}

/* Settles a record that was written, or will never be, and frees it. */
static void settle(struct writer *writer, struct record *record, int r)
{
	struct page *page = record->page;

	if (r < 0 && page->state == PAGE_GOOD) {
		page->state = PAGE_FAILED;
		page->error = r;
		record->outcome.digest[0] = '\0';
		cr_buf_clear(&record->outcome.detail);
		cr_buf_printf(&record->outcome.detail, "%s", writer->table->error.message);
	}
	settle_page(writer->get, page, &record->outcome);
	outcome_free(&record->outcome);
	free(record);
}

/* Returns 0, or the error for which the whole run must end. */
static int write_batch(struct writer *writer, struct record **batch, size_t count)
{
	int r = write_records(writer, batch, count), fatal = 0;

	if (r < 0 && count > 1 && is_about_rows(&writer->table->error, r)) {
		/* One of them spoils the others: each for itself. */
		for (size_t i = 0; i < count; i++) {
			r = fatal ? fatal : write_records(writer, &batch[i], 1);
			if (r < 0 && !is_about_rows(&writer->table->error, r))
				fatal = r;
			settle(writer, batch[i], r);
		}
		return fatal;
	}
	if (r < 0 && !is_about_rows(&writer->table->error, r))
		fatal = r;
	for (size_t i = 0; i < count; i++)
		settle(writer, batch[i], r);
	return fatal;
}

int writer_run(struct writer *writer)
{
	struct record *batch[BATCH_COUNT];
	int r = 0;
	CORAIL_SCOPE(scope);

	cr_scope_shield(&scope, INTERRUPTED_GRACE);
	while (r == 0 && (writer->first || !writer->closed)) {
		size_t count = take_batch(writer, batch);

		r = count > 0 ? write_batch(writer, batch, count) : cr_event_wait(&writer->filled);
	}
	if (r == 0)
		return 0;
	get_abort(writer->get, r);
	/* What still comes, until those who fetch have ended, cannot be stored either. */
	cr_event_set(&writer->roomy);
	do {
		size_t count = take_batch(writer, batch);

		for (size_t i = 0; i < count; i++)
			settle(writer, batch[i], r);
	} while (writer->first || (!writer->closed && cr_event_wait(&writer->filled) == 0));
	return r;
}

void writer_free(struct writer *writer)
{
	while (writer->first) {
		struct record *record = writer->first;

		writer->first = record->next;
		outcome_free(&record->outcome);
		free(record);
	}
}
