/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Servers with several loops: one port for all, one listener for all. */

#include "in_task.h"
#include "meeting.h"

#include <corail/loops.h>
#include <corail/loops_net.h>

#include <stdatomic.h>
#include <stdbool.h>

enum { COUNT = 3, CLIENTS = 30 };

/* ------------------------------------------------------------------------- one port for all --- */

struct server {
	cr_shared_port port;
	struct meeting opened;
	_Atomic int served[COUNT], total;
};

static int echo_line(cr_conn *conn, void *arg)
{
	struct server *server = arg;
	char line[32];
	ssize_t n = cr_conn_read_line(conn, line, sizeof line - 1);

	if (n < 0)
		return (int)n;
	line[n] = '\n';
	atomic_fetch_add(&server->served[cr_loops_index()], 1);
	atomic_fetch_add(&server->total, 1);
	return cr_conn_write(conn, line, (size_t)n + 1);
}

struct client {
	int port;
	int number;
};

static int ask(struct client *client)
{
	char line[32], answer[32];
	cr_conn *conn;
	int size = snprintf(line, sizeof line, "%d\n", client->number);

	CHECK_EQ(loopback_dial(client->port, &conn), 0);
	CHECK_EQ(cr_conn_write(conn, line, (size_t)size), 0);
	CHECK_EQ(cr_conn_read_line(conn, answer, sizeof answer), size - 1);
	CHECK_EQ(strtol(answer, NULL, 10), client->number);
	return cr_conn_close(conn);
}

static int ask_often(int port, int count)
{
	struct client clients[CLIENTS];

	for (int i = 0; i < count; i++)
		clients[i] = (struct client){port, i};
	return cr_gather(ask, clients, (size_t)count);
}

static int serve_for_a_while(cr_listener *listener, struct server *server)
{
	struct server *s = server;
	CORAIL_SCOPE(scope);

	while (atomic_load(&s->total) < COUNT * CLIENTS) {
		cr_conn *conn;
		int r = cr_timeout(cr_millis(5), cr_listener_accept(listener, &conn));

		if (r == -ETIMEDOUT)
			continue;
		CHECK_EQ(r, 0);
		echo_line(conn, s);
		cr_conn_close(conn);
	}
	return 0;
}

struct asking {
	struct server *server;
};

static int ask_from_here(struct asking *asking)
{
	return ask_often(cr_shared_port_get(&asking->server->port), CLIENTS);
}

/* All choose at once, and all listen on one port. */
static int serve_shared(struct server *server)
{
	struct asking asking = {server};
	cr_listener *listener;
	CORAIL_SCOPE(scope);

	CHECK_EQ(cr_listener_open_shared("127.0.0.1:0", NULL, &server->port, &listener), 0);
	CHECK_EQ(cr_listener_port(listener), cr_shared_port_get(&server->port));
	meet(&server->opened);
	cr_spawn(&scope, ask_from_here, &asking);
	CHECK_EQ(serve_for_a_while(listener, server), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	cr_listener_close(listener);
	return 0;
}

static void one_port_for_all(void)
{
	struct server server = {.total = 0};

	CHECK_EQ(cr_shared_port_get(&server.port), 0);
	CHECK_EQ(cr_loops(COUNT, serve_shared, &server), 0);
	CHECK_EQ(server.total, COUNT * CLIENTS);
}

static int no_port_of_unix_sockets(int *unused)
{
	cr_shared_port port = {{0}};
	cr_listener *listener;

	(void)unused;
	CHECK_EQ(cr_listener_open_shared("unix:@somewhere", NULL, &port, &listener), -EAFNOSUPPORT);
	CHECK_EQ(cr_listener_open_shared("nowhere", NULL, &port, &listener), -EINVAL);
	CHECK_EQ(cr_shared_port_get(&port), 0);
	return 0;
}

/* --------------------------------------------------------------------- one listener for all --- */

struct distributing {
	cr_listener *listener;
	const cr_distribute_options *options;
	struct server *server;
	int result;
};

static int distribute(struct distributing *d)
{
	d->result = cr_listener_distribute(d->listener, d->options, echo_line, d->server);
	return d->result;
}

/* The first loop accepts, all serve, in turn. */
static int distribute_in_turn(struct server *server)
{
	struct distributing d = {.server = server};
	CORAIL_SCOPE(scope);

	if (cr_loops_index() != 0) {
		while (atomic_load(&server->total) < CLIENTS)
			CHECK_EQ(cr_sleep(cr_micros(100)), 0);
		meet(&server->opened);
		return 0;
	}
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &d.listener), 0);
	cr_spawn(&scope, distribute, &d);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(distribute(&(struct distributing){.listener = d.listener}), -EBUSY);
	CHECK_EQ(ask_often(cr_listener_port(d.listener), CLIENTS), 0);
	cr_listener_close(d.listener);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(d.result, 0);
	meet(&server->opened);
	return 0;
}

static void each_in_turn(void)
{
	struct server server = {.total = 0};
	int fds = test_open_fds();

	CHECK_EQ(cr_loops(COUNT, distribute_in_turn, &server), 0);
	CHECK_EQ(server.total, CLIENTS);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(server.served[i], CLIENTS / COUNT);
	CHECK_EQ(test_open_fds(), fds);
}

/* Keeps its connection for as long as the client does. */
static int hold(cr_conn *conn, void *arg)
{
	struct server *server = arg;
	char byte;

	atomic_fetch_add(&server->served[cr_loops_index()], 1);
	CHECK_EQ(cr_conn_write(conn, "+", 1), 0);
	return (int)cr_conn_read(conn, &byte, 1);
}

static int distribute_held(struct distributing *d)
{
	d->result = cr_listener_distribute(d->listener, d->options, hold, d->server);
	return d->result;
}

static cr_conn *dial_held(int port)
{
	char byte;
	cr_conn *conn;

	CHECK_EQ(loopback_dial(port, &conn), 0);
	CHECK_EQ(cr_conn_read(conn, &byte, 1), 1);
	return conn;
}

/* Three each; then those of the first two loops leave, and the next go there. */
static int distribute_by_load(struct server *server)
{
	static const cr_distribute_options options = {.least_loaded = 1};
	struct distributing d = {.server = server, .options = &options};
	cr_conn *conns[3 * COUNT];
	char byte;
	cr_task task;
	CORAIL_SCOPE(scope);

	if (cr_loops_index() != 0) {
		meet(&server->opened);
		return 0;
	}
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &d.listener), 0);
	task = cr_spawn(&scope, distribute_held, &d);
	for (int i = 0; i < 3 * COUNT; i++)
		conns[i] = dial_held(cr_listener_port(d.listener));
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(server->served[i], 3);
	/* Cancelled: the handlers are, too, wherever they run, and their connections closed. */
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	for (int i = 0; i < 3 * COUNT; i++) {
		CHECK_EQ(cr_conn_read(conns[i], &byte, 1), 0);
		cr_conn_close(conns[i]);
	}
	cr_listener_close(d.listener);
	meet(&server->opened);
	return 0;
}

static void least_loaded_and_cancelled(void)
{
	struct server server = {.total = 0};
	int fds = test_open_fds();

	CHECK_EQ(cr_loops(COUNT, distribute_by_load, &server), 0);
	CHECK_EQ(test_open_fds(), fds);
}

/* Whether it was served: the loop that was about to may have ended, and closed its connections. */
static bool ask_gently(int port)
{
	char byte;
	cr_conn *conn;
	bool served;

	CHECK_EQ(loopback_dial(port, &conn), 0);
	served = cr_conn_write(conn, "x\n", 2) == 0 && cr_conn_read(conn, &byte, 1) == 1;
	cr_conn_close(conn);
	return served;
}

/* A loop that has ended is left out; one that ends later, too. */
static int distribute_to_the_living(struct server *server)
{
	struct distributing d = {.server = server};
	CORAIL_SCOPE(scope);

	if (cr_loops_index() == 1)
		return 0;
	if (cr_loops_index() == 2) {
		while (atomic_load(&server->served[2]) == 0)
			CHECK_EQ(cr_sleep(cr_micros(100)), 0);
		return 0;
	}
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &d.listener), 0);
	cr_spawn(&scope, distribute, &d);
	for (int served = 0; served < 10 * CLIENTS;)
		served += ask_gently(cr_listener_port(d.listener));
	cr_listener_close(d.listener);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_GT(server->served[0], CLIENTS);
	CHECK_GT(server->served[2], 0);
	return 0;
}

static void those_that_end(void)
{
	struct server server = {.total = 0};
	int fds = test_open_fds();

	CHECK_EQ(cr_loops(COUNT, distribute_to_the_living, &server), 0);
	CHECK_EQ(test_open_fds(), fds);
}

/* Nobody is left to serve. */
static int distribute_to_nobody(int *unused)
{
	cr_loop gone[2] = {{INT64_MAX}, {INT64_MAX - 1}};
	cr_distribute_options options = {.loops = gone, .loop_count = 2};
	struct distributing d = {.options = &options};

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &d.listener), 0);
	CHECK_EQ(distribute(&d), on_sim() ? -EOPNOTSUPP : -ESRCH);
	options.loop_count = 0;
	CHECK_EQ(distribute(&d), -EINVAL);
	cr_listener_close(d.listener);
	return 0;
}

/* Under cr_run() there is one loop: it accepts and serves, also in the simulator. */
static int distribute_to_oneself(int *unused)
{
	static const cr_distribute_options options = {.serve = {.conn_count_max = 2}};
	static struct server server;
	struct distributing d = {.options = &options, .server = &server};
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &d.listener), 0);
	cr_spawn(&scope, distribute, &d);
	CHECK_EQ(ask_often(cr_listener_port(d.listener), CLIENTS), 0);
	cr_listener_close(d.listener);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(server.total, CLIENTS);
	return 0;
}

int main(void)
{
	RUN_TASK(no_port_of_unix_sockets);
	RUN_TASK(distribute_to_nobody);
	RUN_TASK(distribute_to_oneself);
	if (on_sim())
		return test_done();
	RUN(one_port_for_all);
	RUN(each_in_turn);
	RUN(least_loaded_and_cancelled);
	RUN(those_that_end);
	return test_done();
}
