/* SPDX-License-Identifier: MIT */
/* The end of a connection, and what it does to those who are using it; and its details. */
#include "in_task.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

struct user {
	cr_conn *conn;
	int result;
};

static int user_read(struct user *u)
{
	char byte;

	u->result = (int)cr_conn_read(u->conn, &byte, 1);
	return 0;
}

static int user_read_exactly(struct user *u)
{
	char bytes[10];

	u->result = cr_conn_read_exactly(u->conn, bytes, sizeof bytes);
	return 0;
}

static int user_write(struct user *u)
{
	static char data[16 * 1024 * 1024];

	u->result = cr_conn_write(u->conn, data, sizeof data);
	return 0;
}

/* Close cancels what is in flight, and returns when those calls have. */
static void close_ends(cr_conn *c[2])
{
	struct user reader = {c[0], 1}, writer = {c[0], 1};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, user_read, &reader);
	cr_spawn(&scope, user_write, &writer);
	CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	CHECK_EQ(cr_conn_close(c[0]), 0);
	CHECK_EQ(reader.result, -ECANCELED);
	CHECK_EQ(writer.result, -ECANCELED);
	CHECK_EQ(cr_scope_wait(&scope), 0);
}

static int close_ends_tcp(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	close_ends(c);
	cr_conn_close(c[1]);
	return 0;
}

static int close_ends_unix(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	close_ends(c);
	cr_conn_close(c[1]);
	return 0;
}

static int close_between_steps(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	{
		struct user reader = {c[0], 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, user_read_exactly, &reader);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_conn_write(c[1], "abc", 3), 0);
		CHECK_EQ(cr_conn_close(c[0]), 0);
		CHECK_EQ(reader.result, -ECANCELED);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_conn_close(c[1]);
	return 0;
}

/* Who opens closes, cancelled or not. */
static int close_when_cancelled(int *unused)
{
	cr_conn *c[2];
	char byte;

	(void)unused;
	tcp_pair(c);
	{
		struct user reader = {c[0], 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, user_read, &reader);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_conn_close(c[0]), 0);
		CHECK_EQ(reader.result, -ECANCELED);
	}
	CHECK_EQ(cr_conn_read(c[1], &byte, 1), 0);
	cr_conn_close(c[1]);
	return 0;
}

static int close_null(int *unused)
{
	(void)unused;
	CHECK_EQ(cr_conn_close(NULL), 0);
	cr_conn_abort(NULL);
	cr_listener_close(NULL);
	cr_poller_close(NULL);
	return 0;
}

static int cancel_leaves_open(int *unused)
{
	cr_conn *c[2];
	char data[4] = {0};

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	{
		struct user reader = {c[0], 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, user_read, &reader);
		CHECK_EQ(cr_yield(), 0);
		cr_conn_cancel(c[0]);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(reader.result, -ECANCELED);
	}
	CHECK_EQ(cr_conn_write(c[1], "on", 2), 0);
	CHECK_EQ(cr_conn_read(c[0], data, sizeof data), 2);
	CHECK_STR(data, "on");
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int ends(int *unused)
{
	cr_conn *c[2];
	cr_addr local, peer;
	char text[CORAIL_ADDR_TEXT_SIZE];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_local(c[0], &local), 0);
	CHECK_EQ(cr_conn_peer(c[1], &peer), 0);
	CHECK(cr_addr_equal(&local, &peer));
	CHECK_GT(cr_addr_format(&local, text, sizeof text), 0);
	CHECK_MEM(text, "127.0.0.1:", 10);
	CHECK_EQ(cr_conn_nodelay_set(c[0], 0), 0);
	CHECK_EQ(cr_conn_keepalive_set(c[0], cr_seconds(60)), 0);
	CHECK_EQ(cr_conn_keepalive_set(c[0], CORAIL_NEVER), 0);
	CHECK_EQ(cr_conn_keepalive_set(c[0], 0), 0);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int option(cr_conn *conn, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	CHECK_EQ(getsockopt(cr_conn_fd(conn), level, name, &value, &length), 0);
	return value;
}

static int options_are_set(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	CHECK(option(c[0], IPPROTO_TCP, TCP_NODELAY));
	CHECK(option(c[1], IPPROTO_TCP, TCP_NODELAY));
	CHECK_EQ(option(c[0], SOL_SOCKET, SO_KEEPALIVE), 0);
	CHECK_EQ(cr_conn_keepalive_set(c[0], cr_seconds(60)), 0);
	CHECK(option(c[0], SOL_SOCKET, SO_KEEPALIVE));
	CHECK_EQ(option(c[0], IPPROTO_TCP, TCP_KEEPIDLE), 60);
	CHECK_EQ(option(c[0], IPPROTO_TCP, TCP_KEEPINTVL), 15);
	CHECK(fcntl(cr_conn_fd(c[1]), F_GETFD) & FD_CLOEXEC);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int from_pipe(int *unused)
{
	int fds[2];
	cr_conn *in, *out;
	char line[16];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_EQ(cr_conn_from_fd(fds[0], &in), 0);
	CHECK_EQ(cr_conn_from_fd(fds[1], &out), 0);
	CHECK_EQ(cr_conn_write(out, "through a pipe\n", 15), 0);
	CHECK_EQ(cr_conn_read_line(in, line, sizeof line), 14);
	CHECK_STR(line, "through a pipe");
	CHECK_EQ(cr_conn_shutdown_write(out), -EOPNOTSUPP);
	CHECK_EQ(cr_conn_close(out), 0);
	CHECK_EQ(cr_conn_read_line(in, line, sizeof line), -ENODATA);
	CHECK_EQ(cr_conn_close(in), 0);
	CHECK_EQ(cr_conn_from_fd(fds[0], &in), -EBADF);
	return 0;
}

/* A transport of somebody else's: upper case over another connection. */
static ssize_t upper_read(void *state, void *buffer, size_t size)
{
	ssize_t n = cr_conn_read(state, buffer, size);

	for (ssize_t i = 0; i < n; i++)
		if (((char *)buffer)[i] >= 'a' && ((char *)buffer)[i] <= 'z')
			((char *)buffer)[i] -= 'a' - 'A';
	return n;
}

static ssize_t upper_write(void *state, const struct iovec *vector, int count)
{
	return count > 0 ? cr_conn_write_some(state, vector->iov_base, vector->iov_len) : 0;
}

static int upper_shutdown_write(void *state)
{
	return cr_conn_shutdown_write(state);
}

static void upper_cancel(void *state)
{
	cr_conn_cancel(state);
}

static int upper_close(void *state, int reset)
{
	if (!reset)
		return cr_conn_close(state);
	cr_conn_abort(state);
	return 0;
}

static const cr_transport upper = {
	.read = upper_read,
	.write = upper_write,
	.shutdown_write = upper_shutdown_write,
	.cancel = upper_cancel,
	.close = upper_close,
};

static int layered(int *unused)
{
	cr_conn *c[2], *top;
	char line[16];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_from_transport(&upper, c[0], &top), 0);
	CHECK_EQ(cr_conn_write(c[1], "hello\n", 6), 0);
	CHECK_EQ(cr_conn_read_line(top, line, sizeof line), 5);
	CHECK_STR(line, "HELLO");
	CHECK_EQ(cr_conn_fd(top), -1);
	CHECK(cr_conn_transport_state(top, &upper) == c[0]);
	CHECK(!cr_conn_transport_state(c[0], &upper));
	CHECK_EQ(cr_conn_nodelay_set(top, 1), -EOPNOTSUPP);
	{
		struct user reader = {top, 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, user_read, &reader);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_conn_close(top), 0);
		CHECK_EQ(reader.result, -ECANCELED);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(cr_conn_read(c[1], line, sizeof line), 0);
	cr_conn_close(c[1]);
	return 0;
}

int main(void)
{
	RUN_TASK(close_ends_tcp);
	RUN_TASK(close_ends_unix);
	RUN_TASK(close_between_steps);
	RUN_TASK(close_when_cancelled);
	RUN_TASK(close_null);
	RUN_TASK(cancel_leaves_open);
	RUN_TASK(ends);
	RUN_TASK(layered);
	if (!on_sim()) {
		RUN_TASK(options_are_set);
		RUN_TASK(from_pipe);
	}
	return test_done();
}
