/* SPDX-License-Identifier: MIT */

/* One page: attempts, the waits between them, and the body on its way into a file. */

#include "get.h"
#include "retry.h"

#include <corail/io.h>
#include <corail/task.h>
#include <errno.h>
#include <string.h>

/* How long a server may be silent when no --timeout says otherwise. */
#define SILENCE_MAX cr_seconds(60)

/* The body of an error page is read to its end if it is short: that keeps the connection. */
#define DRAIN_MAX (64 * 1024)

#define CHUNK_SIZE (32 * 1024)

/* A page for a database is held in memory as a whole; the largest, unless --max-size says more. */
#define STORED_MAX (256 * 1024 * 1024)

/* One attempt at a page. */
struct attempt {
	struct get *get;
	struct page *page;
	struct outcome *outcome;
	cr_http *http;
	cr_nsec silence;     /* longest wait for the next byte */
	cr_nsec retry_after; /* what the server asked for */
	cr_http_detail detail;
};

static void drain(struct attempt *attempt, cr_http_response *response)
{
	char chunk[CHUNK_SIZE];
	size_t left = DRAIN_MAX;
	ssize_t n = 1;

	while (n > 0 && left > 0) {
		n = cr_timeout(attempt->silence, cr_http_body_read(response, chunk, sizeof chunk));
		left -= n > 0 && (size_t)n < left ? (size_t)n : left;
	}
}

/* Where a body goes. */
struct sink {
	int fd;                /* -1: into no file */
	struct digest *digest; /* NULL: none */
	cr_buf *body;          /* NULL: not into memory */
};

static int pour(const struct sink *sink, const char *data, size_t size)
{
	int r = sink->digest ? digest_add(sink->digest, data, size) : 0;

	if (r == 0 && sink->body) {
		r = cr_buf_append(sink->body, data, size);
		return r == -EMSGSIZE ? -CORAIL_E_HTTP_TOO_LARGE : r;
	}
	return r == 0 && sink->fd >= 0 ? cr_fd_write_all(sink->fd, data, size) : r;
}

/* Moves the body into the sink, counting it. */
static int copy_body(struct attempt *attempt, cr_http_response *response, const struct sink *sink)
{
	uint64_t max_size = attempt->get->options->max_size;
	struct page *page = attempt->page;
	char chunk[CHUNK_SIZE];

	if (max_size && cr_http_response_length(response) > (int64_t)max_size)
		return -CORAIL_E_HTTP_TOO_LARGE;
	for (;;) {
		ssize_t n = cr_timeout(attempt->silence,
		                       cr_http_body_read(response, chunk, sizeof chunk));
		int r;

		if (n <= 0)
			return (int)n;
		page->bytes += (uint64_t)n;
		attempt->get->progress.bytes += (uint64_t)n;
		if (max_size && page->bytes > max_size)
			return -CORAIL_E_HTTP_TOO_LARGE;
		r = pour(sink, chunk, (size_t)n);
		if (r < 0)
			return r;
	}
}

/* Moves the body into the page's file, or memory, or nowhere, and through the digest. */
static int save_body(struct attempt *attempt, cr_http_response *response, struct digest *digest)
{
	const struct store *store = &attempt->get->store;
	struct sink sink = {.fd = -1, .digest = digest};
	cr_buf *body = &attempt->outcome->body;
	struct store_file file;
	int r;

	if (attempt->get->writer) {
		cr_buf_clear(body);
		body->limit_bytes = attempt->get->options->max_size ? 0 : STORED_MAX;
		sink.body = body;
	}
	if (!attempt->page->name)
		return copy_body(attempt, response, &sink);
	r = store_create(store, &file);
	if (r < 0)
		return r;
	sink.fd = file.fd;
	r = copy_body(attempt, response, &sink);
	if (r < 0) {
		store_discard(store, &file);
		return r;
	}
	return store_commit(store, &file, attempt->page->name);
}

static int take_body(struct attempt *attempt, cr_http_response *response)
{
	const char *name = attempt->get->options->digest;
	struct digest *digest = NULL;
	int r = name ? digest_open(name, &digest) : 0;

	if (r == 0)
		r = save_body(attempt, response, digest);
	if (r == 0 && digest)
		r = digest_end(digest, attempt->outcome->digest);
	digest_close(digest);
	return r;
}

static int run_attempt(struct attempt *attempt)
{
	cr_http_request request = {.url = attempt->page->url, .detail = &attempt->detail};
	cr_http_response *response = NULL;
	int r = cr_timeout(attempt->silence, cr_http_send(attempt->http, &request, &response));

	if (r < 0) {
		/* That of a redirect, if it was one that cannot be followed. */
		attempt->page->status = r == attempt->detail.error ? attempt->detail.status : 0;
		return r;
	}
	attempt->page->status = cr_http_response_status(response);
	if (attempt->page->status >= 400) {
		attempt->retry_after =
			retry_after(cr_http_response_header(response, "Retry-After"));
		drain(attempt, response);
	} else {
		r = take_body(attempt, response);
	}
	if (r < 0)
		snprintf(attempt->detail.text, sizeof attempt->detail.text, "%s",
		         cr_http_error_detail(response));
	cr_http_response_close(response);
	return r;
}

/* The whole of an attempt under its deadline, with the result in the page. */
static void try_once(struct attempt *attempt)
{
	struct page *page = attempt->page;
	cr_nsec timeout = attempt->get->options->timeout;

	page->attempts++;
	page->bytes = 0;
	page->status = 0;
	attempt->retry_after = 0;
	attempt->detail = (cr_http_detail){0};
	attempt->silence = timeout ? CORAIL_NEVER : SILENCE_MAX;
	page->error = cr_timeout(timeout ? timeout : CORAIL_NEVER, run_attempt(attempt));
	if (page->error == -ECANCELED)
		page->state = PAGE_MISSING;
	else
		page->state = page->error < 0 || page->status >= 400 ? PAGE_FAILED : PAGE_GOOD;
}

void fetch_page(struct get *get, struct page *page, struct outcome *outcome)
{
	struct attempt attempt = {.get = get, .page = page, .outcome = outcome};
	cr_nsec began = cr_now();

	page->error = url_is_good(page->url)
	                      ? get_session(get, page->url, &attempt.http, &outcome->proxy)
	                      : -CORAIL_E_HTTP_URL;
	if (page->error < 0) {
		page->state = PAGE_FAILED;
		return;
	}
	for (;;) {
		cr_nsec delay;

		try_once(&attempt);
		if (page->state != PAGE_FAILED || page->attempts > get->options->retries ||
		    !retry_is_worthwhile(page->error, page->status) ||
		    attempt.retry_after > RETRY_AFTER_MAX)
			break;
		delay = retry_delay(page->attempts + 1);
		if (delay < attempt.retry_after)
			delay = attempt.retry_after;
		if (cr_sleep(delay) < 0) {
			page->state = PAGE_MISSING;
			break;
		}
	}
	page->elapsed = cr_now() - began;
	if (attempt.detail.text[0])
		cr_buf_append(&outcome->detail, attempt.detail.text, strlen(attempt.detail.text));
}

void outcome_free(struct outcome *outcome)
{
	cr_buf_free(&outcome->detail);
	cr_buf_free(&outcome->body);
}
