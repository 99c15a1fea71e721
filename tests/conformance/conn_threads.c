/* SPDX-License-Identifier: MIT */
/* Four threads with a loop each: connections, closes under readers, names; nothing is shared. */
#include "in_task.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 20 };

static int echo(cr_conn *conn, void *arg)
{
	char data[64];
	ssize_t n;

	(void)arg;
	while ((n = cr_conn_read(conn, data, sizeof data)) > 0)
		if (cr_conn_write(conn, data, (size_t)n) < 0)
			break;
	return 0;
}

struct server {
	cr_listener *listener;
	char target[64];
};

static int serve(struct server *s)
{
	cr_listener_serve(s->listener, NULL, echo, NULL);
	return 0;
}

static int call(struct server *s)
{
	char line[16];
	cr_conn *conn;

	CHECK_EQ(cr_conn_open(s->target, &conn), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(cr_conn_write(conn, "hello\n", 6), 0);
		CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 5);
		CHECK_STR(line, "hello");
	}
	cr_conn_close(conn);
	return 0;
}

static int read_one(cr_conn *conn)
{
	char byte;

	CHECK_EQ(cr_fd_read(cr_conn_fd(conn), &byte, 1), -ECANCELED);
	return 0;
}

/* A close that has to wait for a call on the plain descriptor. */
static void close_under_reader(void)
{
	cr_conn *c[2];

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_conn_pair(c), 0);
	cr_spawn(&scope, read_one, c[0]);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_conn_close(c[0]), 0);
	CHECK_EQ(cr_conn_close(c[1]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
}

static int work(int *number)
{
	struct server s;
	cr_dns_address found[2];
	char host[32];

	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &s.listener), 0);
	snprintf(host, sizeof host, "thread%d.test", *number);
	CHECK_EQ(cr_dns_host_set(host, "127.0.0.1"), 0);
	CHECK_EQ(cr_dns_lookup(host, AF_INET, found, 2), 1);
	snprintf(s.target, sizeof s.target, "%s:%d", host, cr_listener_port(s.listener));

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, serve, &s);
	for (int i = 0; i < ROUNDS; i++) {
		struct server calls[4] = {s, s, s, s};

		CHECK_EQ(cr_gather(call, calls, 4), 0);
		close_under_reader();
	}
	cr_listener_close(s.listener);
	return cr_scope_wait(&scope);
}

static void *thread(void *arg)
{
	CHECK_EQ(cr_run(work, (int *)arg), 0);
	return NULL;
}

static void independent(void)
{
	pthread_t threads[THREADS];
	int numbers[THREADS], fds = test_open_fds();

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CHECK_EQ(pthread_create(&threads[i], NULL, thread, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(test_open_fds(), fds);
}

int main(void)
{
	RUN(independent);
	return test_done();
}
