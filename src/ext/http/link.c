/* SPDX-License-Identifier: MIT */
/* One connection's life: heads, handlers, answers, until either side has had enough. */

#include "server.h"

#include <stdlib.h>

#include "../common/time.h"

/* How long, and how much, is read after the last answer, so that a reset does not destroy it. */
#define LINGER_TIME cr_seconds(2)
#define LINGER_SIZE (256 * 1024)

/* How long it is until a point in time, which may be CORAIL_NEVER. */
static cr_nsec time_until(cr_nsec when)
{
	return when == CORAIL_NEVER ? when : when - cr_now();
}

/*
 * Reads until a head is complete. Returns 1; 0 when the connection is to be closed without a word.
 */
static int read_head(struct link *link)
{
	const cr_http_server_options *options = &link->server->options;
	cr_nsec deadline = cr__time_after(cr_now(), options->idle_time);
	bool begun = false;

	for (;;) {
		ssize_t n;

		if (link->end > link->start) {
			if (cr__http_parse(link) < 0)
				return -1;
			if (link->head.complete)
				return 1;
		}
		if (link->begun && !begun) {
			begun = true;
			deadline = cr__time_after(cr_now(), options->head_time);
		}
		if (!link->begun && link->server->stopping)
			return 0;
		link->idle = !link->begun;
		n = cr__http_fill(link, time_until(deadline));
		link->idle = false;
		if (n == -ETIME && link->begun) {
			link->refusal = 408;
			return -1;
		}
		if (n <= 0)
			return 0;
	}
}

static bool run_handler(struct link *link)
{
	cr_http_server *server = link->server;
	cr_http_exchange exchange = {.link = link, .continued = !link->head.expects};
	bool on;
	int r;

	server->stats.exchanges++;
	server->stats.exchanges_alive++;
	r = server->handler(&exchange, server->user);
	on = cr__http_reply_end(&exchange, r);
	server->stats.exchanges_alive--;
	cr__http_exchange_free(&exchange);
	return on;
}

/*
 * A connection that is closed with unread input is reset, and the reset may overtake the answer
 * (RFC 9112, section 9.6): say that there is no more, and read on for a little while.
 */
static int linger(struct link *link)
{
	size_t size = 0;
	ssize_t n;

	if (cr_conn_shutdown_write(link->conn) < 0)
		return 0;
	while (size < LINGER_SIZE) {
		n = cr_conn_read(link->conn, link->input, sizeof link->input);
		if (n <= 0)
			return (int)n;
		size += (size_t)n;
	}
	return 0;
}

static void serve(struct link *link)
{
	bool on = true;

	while (on) {
		int r = read_head(link);

		if (r == 0)
			return;
		if (r < 0) {
			link->server->stats.rejected++;
			cr__http_refuse(link, link->refusal);
			break;
		}
		on = run_handler(link);
		if (on)
			cr__http_parse_next(link);
	}
	if (link->abort)
		return;
	(void)cr_timeout(LINGER_TIME, linger(link));
}

int cr__http_link_run(struct link *link)
{
	cr_http_server *server = link->server;

	cr__http_parse_begin(link);
	serve(link);
	if (link->abort)
		cr_conn_abort(link->conn);
	else
		cr_conn_close(link->conn);
	cr__http_parse_end(link);
	*link->from = link->next;
	if (link->next)
		link->next->from = link->from;
	server->stats.connections_alive--;
	free(link);
	return 0;
}
