/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <corail/task.h>

#include <errno.h>

/* A task for each connection, no more than so many at once. */

enum { CONN_COUNT_MAX = 10000 };

struct client {
	cr_conn *conn;
	int (*handler)(cr_conn *conn, void *arg);
	void *arg;
};

static int client_run(struct client *client)
{
	client->handler(client->conn, client->arg);
	cr_conn_close(client->conn);
	return 0;
}

/* Waits until fewer than `count_max` handlers run. Returns 0 or -ECANCELED. */
static int room_wait(cr_scope *scope, size_t count_max)
{
	while (cr_scope_count(scope) >= count_max) {
		cr_task task;
		int r = cr_scope_next(scope, &task);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * A handler for which there is no memory costs its client the connection, not the server its life.
 */
static void client_spawn(cr_scope *scope, const cr_spawn_options *options, struct client *client)
{
	cr_task task = cr_spawn_copy_with(options, scope, client_run, client);

	if (cr_task_error(task) < 0)
		cr_conn_close(client->conn);
}

/*
 * Accepts and spawns until the caller is cancelled or the listener closed. Returns why it stopped.
 */
static int clients_accept(cr_listener *listener, const cr_serve_options *options, cr_scope *scope,
                          struct client *client, const bool *closed)
{
	const cr_spawn_options spawn = {.name = options->name ? options->name : "serve",
	                                .stack_size_bytes = options->stack_size_bytes,
	                                .optional = 1};
	const size_t count_max = options->conn_count_max ? options->conn_count_max : CONN_COUNT_MAX;

	for (;;) {
		int r = room_wait(scope, count_max);

		if (r == 0)
			r = *closed ? -ECANCELED : cr_listener_accept(listener, &client->conn);
		if (r == 0)
			client_spawn(scope, &spawn, client);
		else if (r == -ENOMEM)
			r = cr_yield(); /* so that somebody may give some back, or cancel us */
		if (r < 0)
			return r;
	}
}

int cr_listener_serve(cr_listener *listener, const cr_serve_options *options,
                      int (*handler)(cr_conn *conn, void *arg), void *arg)
{
	static const cr_serve_options defaults;
	struct client client = {NULL, handler, arg};
	bool closed = listener->closing;
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (listener->server_closed)
		return -EBUSY;
	listener->server_closed = &closed;

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	r = clients_accept(listener, options ? options : &defaults, &scope, &client, &closed);
	if (!closed) {
		listener->server_closed = NULL;
		return r;
	}
	cr_scope_wait(&scope);
	return cr_cancelled() ? -ECANCELED : 0;
}
