/* SPDX-License-Identifier: MIT */
/* A task for each connection, with a bound. */
#include "in_task.h"

struct server {
	cr_listener *listener;
	cr_serve_options options;
	char target[32];
	int running, most, served;
	int result;
	int fail;
};

/* Echoes lines until the client has had enough. */
static int echo(cr_conn *conn, void *arg)
{
	struct server *s = arg;
	char line[64];
	ssize_t n;

	s->running++;
	if (s->running > s->most)
		s->most = s->running;
	while ((n = cr_conn_read_line(conn, line, sizeof line - 1)) >= 0) {
		line[n] = '\n';
		if (cr_conn_write(conn, line, (size_t)n + 1) < 0)
			break;
	}
	s->running--;
	s->served++;
	return s->fail;
}

static int serve(struct server *s)
{
	s->result = cr_listener_serve(s->listener, &s->options, echo, s);
	return 0;
}

static void server_open(struct server *s)
{
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &s->listener), 0);
	snprintf(s->target, sizeof s->target, "127.0.0.1:%d", cr_listener_port(s->listener));
	s->result = 1;
}

static int ask(struct server *s)
{
	cr_conn *conn;
	char line[64];
	int r = cr_conn_open(s->target, &conn);

	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(cr_conn_write(conn, "hello\n", 6), 0);
		CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 5);
		CHECK_STR(line, "hello");
		/* Nobody leaves before three are served at once. */
		while (s->most < (int)s->options.conn_count_max)
			CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	}
	cr_conn_close(conn);
	return 0;
}

/* A client that is being served: it has had its first answer. */
static cr_conn *client_open(const struct server *s)
{
	cr_conn *conn;
	char line[8];

	CHECK_EQ(cr_conn_open(s->target, &conn), 0);
	CHECK_EQ(cr_conn_write(conn, "a\n", 2), 0);
	CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 1);
	return conn;
}

/*
 * Twenty clients, three at once; a handler's failure is its own. Closing lets those who run finish.
 */
static int bounded(int *unused)
{
	struct server s = {.options = {.conn_count_max = 3}, .fail = -EIO};

	(void)unused;
	server_open(&s);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, serve, &s);
		{
			CORAIL_SCOPE(clients);
			for (int i = 0; i < 20; i++)
				cr_spawn(&clients, ask, &s);
			CHECK_EQ(cr_scope_wait(&clients), 0);
		}
		cr_listener_close(s.listener);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(s.result, 0);
	CHECK_EQ(s.served, 20);
	CHECK_EQ(s.running, 0);
	CHECK_EQ(s.most, 3);
	return 0;
}

static int close_lets_handlers_finish(int *unused)
{
	struct server s = {0};
	cr_conn *conn;
	char line[8];

	(void)unused;
	server_open(&s);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, serve, &s);
		conn = client_open(&s);
		cr_listener_close(s.listener);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(s.result, 1);
		CHECK_EQ(cr_conn_write(conn, "b\n", 2), 0);
		CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 1);
		CHECK_STR(line, "b");
		cr_conn_close(conn);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(s.result, 0);
	CHECK_EQ(s.served, 1);
	return 0;
}

static int cancel_ends_handlers(int *unused)
{
	struct server s = {0};
	cr_conn *conn;
	char line[8];

	(void)unused;
	server_open(&s);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, serve, &s);
		conn = client_open(&s);
		CHECK_EQ(s.running, 1);
		cr_scope_cancel(&scope);
	}
	CHECK_EQ(s.result, -ECANCELED);
	CHECK_EQ(s.running, 0);
	CHECK_EQ(cr_conn_read(conn, line, sizeof line), 0);
	cr_conn_close(conn);
	cr_listener_close(s.listener);
	return 0;
}

/* Closed while the server waits for a handler to end and not for a client. */
static int close_when_full(int *unused)
{
	struct server s = {.options = {.conn_count_max = 1}};
	cr_conn *conn;

	(void)unused;
	server_open(&s);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, serve, &s);
		conn = client_open(&s);
		CHECK_EQ(cr_listener_serve(s.listener, NULL, echo, &s), -EBUSY);
		cr_listener_close(s.listener);
		cr_conn_close(conn);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(s.result, 0);
	return 0;
}

int main(void)
{
	RUN_TASK(bounded);
	RUN_TASK(close_lets_handlers_finish);
	RUN_TASK(cancel_ends_handlers);
	RUN_TASK(close_when_full);
	return test_done();
}
