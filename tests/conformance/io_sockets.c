/* SPDX-License-Identifier: MIT */
/* Plain descriptors that every backend has: sockets, by the functions of io.h alone. */
#include "fd_user.h"
#include "in_task.h"

/* A connected pair of descriptors, as a library of connections would hand them over. */
static void fd_pair(cr_conn *conns[2], int fds[2])
{
	CHECK_EQ(cr_conn_pair(conns), 0);
	fds[0] = cr_conn_fd(conns[0]);
	fds[1] = cr_conn_fd(conns[1]);
}

static void pair_close(cr_conn *conns[2])
{
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
}

/* The same over TCP. */
static void tcp_fds(cr_conn *conns[2], int fds[2])
{
	tcp_pair(conns);
	fds[0] = cr_conn_fd(conns[0]);
	fds[1] = cr_conn_fd(conns[1]);
}

static int send_five(int *fd)
{
	cr_yield();
	cr_yield();
	CHECK_EQ(cr_fd_send(*fd, "12345", 5, 0), 5);
	return 0;
}

static int transfers(int *unused)
{
	struct iovec out[2] = {{(char[]){"scat"}, 4}, {(char[]){"ter"}, 3}};
	char a[5] = {0}, b[8] = {0}, data[16] = {0};
	struct iovec in[2] = {{a, 4}, {b, 7}};
	cr_conn *c[2];
	int fds[2];

	(void)unused;
	fd_pair(c, fds);
	CHECK_EQ(cr_fd_write(fds[0], "hello", 5), 5);
	CHECK_EQ(cr_fd_read(fds[1], data, sizeof data), 5);
	CHECK_STR(data, "hello");
	CHECK_EQ(cr_fd_writev(fds[0], out, 2), 7);
	CHECK_EQ(cr_fd_readv(fds[1], in, 2), 7);
	CHECK_STR(a, "scat");
	CHECK_STR(b, "ter");
	CHECK_EQ(cr_fd_send(fds[0], "send", 4, 0), 4);
	CHECK_EQ(cr_fd_recv(fds[1], data, 4, MSG_PEEK), 4);
	CHECK_EQ(cr_fd_recv(fds[1], data, sizeof data, 0), 4);
	CHECK_MEM(data, "send", 4);
	CHECK_EQ(cr_fd_recv(fds[1], data, 1, MSG_DONTWAIT), -EAGAIN);
	pair_close(c);
	return 0;
}

/* Flags of recv(2), on a connection whose last receive took all there was. */
static int receive_flags(int *unused)
{
	char data[16];
	cr_conn *c[2];
	int fds[2];
	ssize_t n;

	(void)unused;
	tcp_fds(c, fds);
	CHECK_EQ(cr_timeout(0, cr_fd_recv(fds[1], data, sizeof data, 0)), -ETIMEDOUT);
	for (int i = 0; i < 2; i++) {
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, send_five, &fds[0]);
		CHECK_EQ(cr_fd_recv(fds[1], data, sizeof data, 0), 5);
		n = cr_timeout(cr_seconds(20), cr_fd_recv(fds[1], data, 1, MSG_OOB));
		CHECK(n == -EINVAL || n == -EOPNOTSUPP);
		CHECK_EQ(cr_fd_recv(fds[1], data, sizeof data, MSG_DONTWAIT), -EAGAIN);
	}
	pair_close(c);
	return 0;
}

static int send_twice(int *fd)
{
	CHECK_EQ(cr_fd_send(*fd, "abc", 3, 0), 3);
	for (int i = 0; i < 10; i++)
		cr_yield();
	CHECK_EQ(cr_fd_send(*fd, "defgh", 5, 0), 5);
	return 0;
}

/* MSG_WAITALL: all of it, or what had come before the end or a cancellation. */
static int receive_all(int *unused)
{
	char data[16], a[2], b[6];
	struct iovec pieces[] = {{a, 2}, {NULL, 0}, {b, 6}};
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 3};
	cr_conn *c[2];
	int fds[2];

	(void)unused;
	tcp_fds(c, fds);
	for (int i = 0; i < 2; i++) {
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, send_twice, &fds[0]);
		if (i == 0) {
			CHECK_EQ(cr_fd_recv(fds[1], data, 8, MSG_WAITALL), 8);
			CHECK_MEM(data, "abcdefgh", 8);
		} else {
			CHECK_EQ(cr_fd_recvmsg(fds[1], &message, MSG_WAITALL), 8);
			CHECK_MEM(a, "ab", 2);
			CHECK_MEM(b, "cdefgh", 6);
		}
	}
	CHECK_EQ(cr_fd_send(fds[0], "xyz", 3, 0), 3);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_fd_recv(fds[1], data, 8, MSG_WAITALL)), 3);
	CHECK_MEM(data, "xyz", 3);
	CHECK_EQ(cr_fd_send(fds[0], "end", 3, 0), 3);
	CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
	CHECK_EQ(cr_fd_recv(fds[1], data, 8, MSG_WAITALL), 3);
	CHECK_EQ(cr_fd_recv(fds[1], data, 8, MSG_WAITALL), 0);
	pair_close(c);
	return 0;
}

static int busy(int *unused)
{
	cr_conn *c[2];
	char byte;
	int fds[2];

	(void)unused;
	fd_pair(c, fds);
	{
		struct fd_user u = {.fd = fds[0], .result = 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, fd_user_read, &u);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_fd_read(fds[0], &byte, 1), -EBUSY);
		CHECK_EQ(cr_fd_recv(fds[0], &byte, 1, 0), -EBUSY);
		CHECK_EQ(cr_fd_poll(fds[0], POLLIN), -EBUSY);
		CHECK_EQ(cr_fd_poll(fds[0], POLLOUT) & POLLOUT, POLLOUT);
		CHECK_EQ(cr_fd_write(fds[0], "w", 1), 1);
		CHECK_EQ(cr_fd_write(fds[1], "r", 1), 1);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(u.result, 1);
	}
	pair_close(c);
	return 0;
}

static int bad(int *unused)
{
	char byte;

	(void)unused;
	CHECK_EQ(cr_fd_read(-1, &byte, 1), -EBADF);
	CHECK_EQ(cr_fd_write(-1, &byte, 1), -EBADF);
	CHECK_EQ(cr_fd_poll(-1, POLLIN), -EBADF);
	CHECK_EQ(cr_fd_close(-1), -EBADF);
	CHECK_EQ(cr_fd_forget(-1), -EBADF);
	CHECK_EQ(cr_fd_poll(0, 0), -EINVAL);
	return 0;
}

static int polls(int *unused)
{
	cr_conn *c[2];
	int fds[2];

	(void)unused;
	fd_pair(c, fds);
	CHECK_EQ(cr_fd_poll(fds[0], POLLOUT), POLLOUT);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_fd_poll(fds[0], POLLIN)), -ETIMEDOUT);
	CHECK_EQ(cr_fd_write(fds[1], "x", 1), 1);
	CHECK_EQ(cr_fd_poll(fds[0], POLLIN), POLLIN);
	CHECK_EQ(cr_fd_poll(fds[0], POLLIN | POLLOUT), POLLIN | POLLOUT);
	CHECK_EQ(cr_conn_close(c[1]), 0);
	CHECK_EQ(cr_fd_poll(fds[0], POLLIN) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
	cr_conn_close(c[0]);
	return 0;
}

static int write_all_suspends(int *unused)
{
	enum { SIZE = 3 * 1000 * 1000 };
	struct fd_user u = {.result = 1, .size = SIZE, .data = malloc(SIZE)};
	char *back = malloc(SIZE);
	cr_conn *c[2];
	int fds[2];
	size_t got = 0;

	(void)unused;
	for (size_t i = 0; i < SIZE; i++)
		u.data[i] = (char)(i * 13 + i / 255);
	fd_pair(c, fds);
	u.fd = fds[0];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, fd_user_write, &u);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(u.result, 1);
		while (got < SIZE) {
			ssize_t n = cr_fd_read(fds[1], back + got, SIZE - got);

			CHECK_GT(n, 0);
			got += (size_t)n;
		}
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(u.result, 0);
	}
	CHECK_MEM(u.data, back, SIZE);
	free(u.data);
	free(back);
	pair_close(c);
	return 0;
}

/*
 * cr_fd_close() ends a reader and a writer of several steps, and the number is never used again by
 * them.
 */
static int close_ends(int *unused)
{
	enum { SIZE = 3 * 1000 * 1000 };
	struct fd_user reader = {.result = 1};
	struct fd_user writer = {.result = 1, .size = SIZE, .data = calloc(1, SIZE)};
	cr_conn *c[2], *d[2];
	int fds[2];

	(void)unused;
	fd_pair(c, fds);
	reader.fd = writer.fd = fds[0];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, fd_user_read, &reader);
		cr_spawn(&scope, fd_user_write, &writer);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		cr_conn_cancel(c[0]);
		CHECK_EQ(cr_conn_close(c[0]), 0);
		/* The number may come back at once. */
		CHECK_EQ(cr_conn_pair(d), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(reader.result, -ECANCELED);
		CHECK_EQ(writer.result, -ECANCELED);
		CHECK_EQ(cr_timeout(cr_millis(5), cr_fd_poll(cr_conn_fd(d[1]), POLLIN)),
		         -ETIMEDOUT);
		pair_close(d);
	}
	cr_conn_close(c[1]);
	free(writer.data);
	return 0;
}

/* A write when nobody reads any more is an error, and no signal. */
static int no_sigpipe(int *unused)
{
	struct iovec one = {(char[]){"x"}, 1};
	cr_conn *c[2];
	int fds[2];

	(void)unused;
	fd_pair(c, fds);
	CHECK_EQ(cr_conn_close(c[1]), 0);
	CHECK_EQ(cr_fd_write(fds[0], "x", 1), -EPIPE);
	CHECK_EQ(cr_fd_writev(fds[0], &one, 1), -EPIPE);
	CHECK_EQ(cr_fd_send(fds[0], "x", 1, 0), -EPIPE);
	CHECK_EQ(cr_fd_write_all(fds[0], "x", 1), -EPIPE);
	cr_conn_close(c[0]);
	return 0;
}

/* A descriptor that is always ready does not keep the others from running. */
static int greedy(int *turns)
{
	cr_conn *c[2];
	int fds[2];
	char byte;

	fd_pair(c, fds);
	for (int i = 0; i < 20000 && *turns < 3; i++) {
		CHECK_EQ(cr_fd_write(fds[0], "x", 1), 1);
		CHECK_EQ(cr_fd_read(fds[1], &byte, 1), 1);
	}
	pair_close(c);
	return 0;
}

static int fair(int *unused)
{
	int turns = 0;
	cr_task task;

	(void)unused;
	CORAIL_SCOPE(scope);
	task = cr_spawn(&scope, greedy, &turns);
	while (turns < 3) {
		int result;

		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_task_result(task, &result), -EINPROGRESS);
		turns++;
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(transfers);
	RUN_TASK(busy);
	RUN_TASK(receive_flags);
	RUN_TASK(receive_all);
	RUN_TASK(bad);
	RUN_TASK(polls);
	RUN_TASK(write_all_suspends);
	RUN_TASK(close_ends);
	RUN_TASK(no_sigpipe);
	RUN_TASK(fair);
	return test_done();
}
