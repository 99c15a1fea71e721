/* SPDX-License-Identifier: MIT */
/*
 * The request, as its handler sees it: head, and body read from the connection as it is asked for.
 */

#include "server.h"

#include <string.h>
#include <strings.h>

/* An unread body of at most this size is skipped to keep the connection. */
#define SKIP_MAX 65536

static const char *text(const cr_http_exchange *exchange, uint32_t offset)
{
	return exchange->link->head.text.data + offset;
}

const char *cr_http_exchange_method(const cr_http_exchange *exchange)
{
	return exchange->link->head.method;
}

const char *cr_http_exchange_target(const cr_http_exchange *exchange)
{
	return text(exchange, exchange->link->head.target);
}

const char *cr_http_exchange_path(const cr_http_exchange *exchange)
{
	return text(exchange, exchange->link->head.path);
}

const char *cr_http_exchange_query(const cr_http_exchange *exchange)
{
	return text(exchange, exchange->link->head.query);
}

static const char *head_field(const struct head *head, const char *name)
{
	for (size_t i = 0; i < head->field_count; i++) {
		if (strcasecmp(head->text.data + head->fields[i].name, name) == 0)
			return head->text.data + head->fields[i].value;
	}
	return NULL;
}

const char *cr_http_exchange_header(const cr_http_exchange *exchange, const char *name)
{
	return head_field(&exchange->link->head, name);
}

int cr_http_exchange_header_at(const cr_http_exchange *exchange, size_t index,
                               const char **ret_name, const char **ret_value)
{
	const struct head *head = &exchange->link->head;

	if (index >= head->field_count)
		return -ENOENT;
	*ret_name = head->text.data + head->fields[index].name;
	*ret_value = head->text.data + head->fields[index].value;
	return 0;
}

int64_t cr_http_exchange_length(const cr_http_exchange *exchange)
{
	return exchange->link->head.length;
}

/* ------------------------------------------------------------------------------------- body --- */

/* Lets a client that waits for it send its body: RFC 9110, section 10.1.1. */
static int say_continue(cr_http_exchange *exchange)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec vector = {(void *)line, sizeof line - 1};

	if (exchange->continued || (exchange->replied && exchange->out.size == 0))
		return 0;
	exchange->continued = true;
	return cr__http_write(exchange->link, &vector, 1);
}

/* Goes on until there is a piece of the body, or its end. Returns 1, 0 at the end, or an error. */
static int next_piece(cr_http_exchange *exchange)
{
	struct link *link = exchange->link;

	while (link->piece_size == 0) {
		ssize_t n;

		if (link->message_done)
			return 0;
		if (cr__http_parse(link) < 0)
			return link->refusal == 413 ? -CORAIL_E_HTTP_TOO_LARGE
			                            : -CORAIL_E_HTTP_PROTOCOL;
		if (link->piece_size || link->message_done || link->start < link->end)
			continue;
		n = say_continue(exchange);
		if (n == 0)
			n = cr__http_fill(link, link->server->options.transfer_time);
		else
			return (int)n;
		if (n == 0 || n == -ECONNRESET)
			return -CORAIL_E_HTTP_TRUNCATED;
		if (n < 0)
			return (int)n;
	}
	return 1;
}

/* As next_piece(), remembering what makes the connection unusable. */
static int wait_for_piece(cr_http_exchange *exchange)
{
	int r = exchange->body_error;

	if (r == 0) {
		r = next_piece(exchange);
		/* A cancelled read has lost nothing. */
		if (r < 0 && r != -ECANCELED)
			exchange->body_error = r;
	}
	return r;
}

static void take(struct link *link, size_t size)
{
	link->piece += size;
	link->piece_size -= size;
}

ssize_t cr_http_exchange_read(cr_http_exchange *exchange, void *data, size_t size)
{
	struct link *link = exchange->link;
	int r;

	if (size == 0)
		return 0;
	r = wait_for_piece(exchange);
	if (r <= 0)
		return r;
	if (size > link->piece_size)
		size = link->piece_size;
	memcpy(data, link->piece, size);
	take(link, size);
	return (ssize_t)size;
}

int cr_http_exchange_body(cr_http_exchange *exchange, cr_buf *body)
{
	struct link *link = exchange->link;
	int r;

	while ((r = wait_for_piece(exchange)) > 0) {
		r = cr_buf_append(body, link->piece, link->piece_size);
		if (r < 0)
			return r;
		take(link, link->piece_size);
	}
	return r;
}

bool cr__http_exchange_uncertain(const cr_http_exchange *exchange)
{
	const struct link *link = exchange->link;

	return !exchange->continued && link->head.length != 0 && link->body_size == 0;
}

static int skip(cr_http_exchange *exchange)
{
	struct link *link = exchange->link;
	uint64_t skipped = 0;
	int r = 0;

	while (skipped <= SKIP_MAX && (r = wait_for_piece(exchange)) > 0) {
		skipped += link->piece_size;
		take(link, link->piece_size);
	}
	return r;
}

bool cr__http_exchange_finish(cr_http_exchange *exchange)
{
	struct link *link = exchange->link;

	if (cr__http_exchange_uncertain(exchange))
		return false;
	exchange->continued = true;
	/* All of it, not each piece: who sends a byte now and then would stay for days. */
	return cr_timeout(link->server->options.transfer_time, skip(exchange)) == 0 &&
	       link->message_done;
}
