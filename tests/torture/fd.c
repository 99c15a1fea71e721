/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/* Plain descriptors and pollers, tortured. */

#include "support/torture.h"

#include <corail/io.h>
#include <corail/net.h>
#include <corail/task.h>

#include <fcntl.h>

static int fill_pipe(int *fd)
{
	static const char block[200000];
	int r = cr_fd_write_all(*fd, block, sizeof block);

	cr_fd_close(*fd);
	return r;
}

static int moves_bytes_through_a_pipe(struct torture *t)
{
	static char buffer[10000];
	size_t total = 0;
	ssize_t n;
	int fds[2];

	(void)t;
	if (on_sim())
		return cr_sleep(1);
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CORAIL_SCOPE(scope);
	if (cr_task_error(cr_spawn(&scope, fill_pipe, &fds[1])) < 0)
		cr_fd_close(fds[1]);
	while ((n = cr_fd_read(fds[0], buffer, sizeof buffer)) > 0)
		total += (size_t)n;
	if (n == 0 && !torture_delivered(t))
		CHECK_EQ(total, 200000);
	cr_fd_close(fds[0]);
	return (int)n;
}

static int poke(cr_conn *conn)
{
	int r = cr_sleep(cr_micros(50));

	return r < 0 ? r : cr_conn_write(conn, "x", 1);
}

static int polls(struct torture *t)
{
	cr_poller_event event;
	cr_poller *poller;
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, poke, conns[1]);
		r = cr_poller_open(&poller);
		if (r == 0) {
			r = cr_poller_set(poller, cr_conn_fd(conns[0]), POLLIN, NULL);
			if (r == 0)
				r = cr_poller_wait(poller, &event, 1);
			if (r == 1)
				CHECK_EQ(event.fd, cr_conn_fd(conns[0]));
			cr_poller_close(poller);
		}
		if (r >= 0)
			r = cr_fd_poll(cr_conn_fd(conns[0]), POLLIN);
	}
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return r;
}

static int wait_for_events(cr_poller *poller)
{
	cr_poller_event event;

	return cr_poller_wait(poller, &event, 1);
}

/*
 * A poller that is closed while a task waits in it, with a descriptor in it that is closed before.
 */
static int closes_a_poller(struct torture *t)
{
	cr_poller *poller;
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	r = cr_poller_open(&poller);
	if (r == 0) {
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		cr_spawn(&scope, wait_for_events, poller);
		cr_poller_set(poller, cr_conn_fd(conns[0]), POLLIN, NULL);
		cr_poller_set(poller, cr_conn_fd(conns[1]), POLLIN, NULL);
		r = cr_sleep(cr_micros(50));
		cr_poller_set(poller, cr_conn_fd(conns[0]), 0, NULL);
		cr_conn_close(conns[0]);
		conns[0] = NULL;
		cr_poller_close(poller);
	}
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return r;
}

static int read_byte(int *fd)
{
	char byte;
	ssize_t n = cr_fd_read(*fd, &byte, 1);

	return n == -ECANCELED ? 0 : (int)n;
}

/* A descriptor is forgotten under a reader, and goes on to be used. */
static int forgets_under_a_reader(struct torture *t)
{
	cr_conn *conns[2];
	int fd, r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	fd = cr_conn_fd(conns[0]);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, read_byte, &fd);
		r = cr_sleep(cr_micros(50));
		cr_fd_forget(fd);
		if (r == 0)
			r = cr_scope_wait(&scope);
	}
	if (r == 0)
		r = cr_conn_write(conns[1], "x", 1);
	if (r == 0)
		r = read_byte(&fd);
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return r;
}

int main(void)
{
	TORTURE(moves_bytes_through_a_pipe);
	TORTURE(polls);
	TORTURE(closes_a_poller);
	TORTURE(forgets_under_a_reader);
	return test_done();
}
