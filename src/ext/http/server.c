/* SPDX-License-Identifier: MIT */
/* The server: accepts, gives each connection a task, and ends gracefully or at once. */

#include "server.h"
#include "misuse.h"

#include <stdlib.h>
#include <string.h>

#include "../common/options.h"

/* How long the 503 to one connection too many may take: its buffers are empty, it takes none. */
#define TURN_AWAY_TIME cr_seconds(1)

int cr_http_server_open(const cr_http_server_options *options, cr_listener *listener,
                        cr_http_handler *handler, void *user, cr_http_server **ret_server)
{
	cr_http_server *server = calloc(1, sizeof *server);

	if (!server)
		return -ENOMEM;
	if (options)
		server->options = *options;
	cr__default_size(&server->options.connections_max, 10000);
	cr__default_size(&server->options.target_size_max, 8 * 1024);
	cr__default_size(&server->options.head_size_max, 32 * 1024);
	cr__default_size(&server->options.header_count_max, 100);
	if (server->options.body_size_max == 0)
		server->options.body_size_max = 1024 * 1024;
	cr__default_time(&server->options.head_time, cr_seconds(30));
	cr__default_time(&server->options.idle_time, cr_seconds(60));
	cr__default_time(&server->options.transfer_time, cr_seconds(60));
	if (!server->options.server_name)
		server->options.server_name = "corail";
	server->listener = listener;
	server->handler = handler;
	server->user = user;
	*ret_server = server;
	return 0;
}

void cr_http_server_close(cr_http_server *server)
{
	if (server && server->running)
		cr__http_misuse("cr_http_server_close: the server runs");
	free(server);
}

/* One connection too many: says so, and closes. */
static void turn_away(cr_http_server *server, cr_conn *conn)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				     "Retry-After: 1\r\nContent-Length: 0\r\n\r\n";

	server->stats.rejected++;
	(void)cr_timeout(TURN_AWAY_TIME, cr_conn_write(conn, answer, sizeof answer - 1));
	cr_conn_close(conn);
}

static void take(cr_http_server *server, cr_conn *conn)
{
	cr_spawn_options spawn = {.name = "http connection",
	                          .stack_size_bytes = server->options.stack_size_bytes,
	                          .optional = 1};
	struct link *link = malloc(sizeof *link);

	if (!link) {
		cr_conn_close(conn);
		return;
	}
	memset(link, 0, offsetof(struct link, input));
	memset(&link->start, 0, sizeof *link - offsetof(struct link, start));
	link->server = server;
	link->conn = conn;
	if (cr_task_error(cr_spawn_with(&spawn, server->scope, cr__http_link_run, link)) < 0) {
		cr_conn_close(conn);
		free(link);
		return;
	}
	link->next = server->first;
	link->from = &server->first;
	if (server->first)
		server->first->from = &link->next;
	server->first = link;
	server->stats.connections++;
	if (++server->stats.connections_alive > server->stats.connections_peak)
		server->stats.connections_peak = server->stats.connections_alive;
}

static int accept_all(cr_http_server *server)
{
	while (!server->stopping) {
		cr_conn *conn;
		int r = cr_listener_accept(server->listener, &conn);

		if (r == -ENOMEM) {
			/* That client was refused; others may be luckier. */
			r = cr_yield();
			if (r < 0)
				break;
			continue;
		}
		if (r < 0)
			return r == -ECANCELED && server->stopping ? 0 : r;
		if (server->stats.connections_alive >= server->options.connections_max)
			turn_away(server, conn);
		else
			take(server, conn);
	}
	return 0;
}

int cr_http_server_run(cr_http_server *server)
{
	int r, accepted = 0;

	if (server->running)
		return -EBUSY;
	if (cr_cancelled())
		return -ECANCELED;
	server->running = true;
	{
		CORAIL_SCOPE(scope);

		/*
		 * A connection that finds no memory for its task must not take the others with it.
		 */
		cr_scope_collect(&scope);
		server->scope = &scope;
		server->acceptor = cr_spawn(&scope, accept_all, server);
		cr_task_started(0);
		accepted = cr_await(server->acceptor);
		if (accepted < 0 && !server->stopping)
			cr_scope_cancel(&scope);
		r = cr_scope_wait(&scope);
		server->scope = NULL;
	}
	server->running = server->stopping = false;
	if (r == -ECANCELED)
		return r;
	return accepted;
}

void cr_http_server_stop(cr_http_server *server)
{
	if (!server->running || server->stopping)
		return;
	server->stopping = true;
	cr_task_cancel(server->acceptor);
	for (struct link *link = server->first; link; link = link->next) {
		if (link->idle)
			cr_conn_cancel(link->conn);
	}
}

void cr_http_server_stats_get(const cr_http_server *server, cr_http_server_stats *ret_stats)
{
	*ret_stats = server->stats;
}
