/* SPDX-License-Identifier: MIT */
/* Over Unix sockets: open files, and who the peer is. */
#include "in_task.h"

#include <corail/socket.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Writes through one descriptor and reads through the other: they are the two ends of a pipe. */
static void check_pipe(int from, int to)
{
	char byte = 0;

	CHECK_EQ(write(to, "!", 1), 1);
	CHECK_EQ(read(from, &byte, 1), 1);
	CHECK_EQ(byte, '!');
}

static int passes(int *unused)
{
	int ends[2], came[4];
	cr_conn *c[2];
	char data[64] = {0};
	size_t count = 99;

	(void)unused;
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_send_fds(c[0], "", 0, ends, 2), -EINVAL);
	CHECK_EQ(cr_conn_send_fds(c[0], "x", 1, ends, CORAIL_FDS_MAX + 1), -EINVAL);
	CHECK_EQ(cr_conn_send_fds(c[0], "two of them", 11, ends, 2), 0);
	CHECK_EQ(cr_conn_receive_fds(c[1], data, sizeof data, came, 4, &count), 11);
	CHECK_EQ(count, 2);
	CHECK_STR(data, "two of them");
	check_pipe(came[0], ends[1]);
	check_pipe(ends[0], came[1]);
	for (int i = 0; i < 2; i++) {
		CHECK(fcntl(came[i], F_GETFD) & FD_CLOEXEC);
		CHECK_EQ(cr_fd_close(came[i]), 0);
	}
	/* Without any; and at the end. */
	CHECK_EQ(cr_conn_send_fds(c[0], "none", 4, NULL, 0), 0);
	CHECK_EQ(cr_conn_receive_fds(c[1], data, sizeof data, came, 4, &count), 4);
	CHECK_EQ(count, 0);
	cr_conn_close(c[0]);
	CHECK_EQ(cr_conn_receive_fds(c[1], data, sizeof data, came, 4, &count), 0);
	cr_conn_close(c[1]);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* More than there is room for: none is kept, none leaks, and the bytes are still to be read. */
static int too_many(int *unused)
{
	int fds[CORAIL_FDS_MAX], came[CORAIL_FDS_MAX], before;
	cr_conn *c[2];
	char data[64] = {0};
	size_t count = 99;
	struct rlimit limit, tight;

	(void)unused;
	for (int i = 0; i < CORAIL_FDS_MAX; i++)
		fds[i] = STDERR_FILENO;
	CHECK_EQ(cr_conn_pair(c), 0);
	before = test_open_fds();
	CHECK_EQ(cr_conn_send_fds(c[0], "abc", 3, fds, 3), 0);
	CHECK_EQ(cr_conn_receive_fds(c[1], data, sizeof data, came, 2, &count), -EMSGSIZE);
	CHECK_EQ(count, 99);
	CHECK_EQ(test_open_fds(), before);
	CHECK_EQ(cr_conn_read(c[1], data, sizeof data), 3);
	CHECK_STR(data, "abc");
	/* All that can be sent. */
	CHECK_EQ(cr_conn_send_fds(c[0], "d", 1, fds, CORAIL_FDS_MAX), 0);
	CHECK_EQ(cr_conn_receive_fds(c[1], data, 1, came, CORAIL_FDS_MAX, &count), 1);
	CHECK_EQ(count, CORAIL_FDS_MAX);
	for (int i = 0; i < CORAIL_FDS_MAX; i++)
		close(came[i]);
	/* This process has no room. */
	CHECK_EQ(cr_conn_send_fds(c[0], "e", 1, fds, 5), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)dup(STDERR_FILENO) + 2;
	close((int)tight.rlim_cur - 2);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
	CHECK_EQ(cr_conn_receive_fds(c[1], data, 1, came, 5, &count), -EMFILE);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(test_open_fds(), before);
	CHECK_EQ(cr_conn_read(c[1], data, sizeof data), 1);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

struct receiver {
	cr_conn *conn;
	int fd;
	size_t count;
	ssize_t result;
};

static int receive(struct receiver *r)
{
	char byte;

	r->result = cr_conn_receive_fds(r->conn, &byte, 1, &r->fd, 1, &r->count);
	return 0;
}

/* A receive that is cancelled takes nothing; one that has won keeps what it has. */
static int cancelled(int *unused)
{
	int before, fd = STDERR_FILENO;
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	before = test_open_fds();
	for (int i = 0; i < 2; i++) {
		struct receiver r = {.conn = c[1]}, again = r;

		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, receive, &r);
			CHECK_EQ(cr_yield(), 0);
			if (i == 1)
				CHECK_EQ(cr_conn_send_fds(c[0], "x", 1, &fd, 1), 0);
			cr_scope_cancel(&scope);
		}
		if (i == 0)
			CHECK_EQ(cr_conn_send_fds(c[0], "x", 1, &fd, 1), 0);
		if (r.result == -ECANCELED) {
			receive(&again);
			r = again;
		}
		CHECK_EQ(r.result, 1);
		CHECK_EQ(r.count, 1);
		close(r.fd);
		CHECK_EQ(test_open_fds(), before);
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int wrong_kinds(int *unused)
{
	int fd = STDERR_FILENO;
	cr_credentials who;
	cr_conn *c[2];
	size_t count;
	char byte;

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_send_fds(c[0], "x", 1, &fd, 1), -EOPNOTSUPP);
	CHECK_EQ(cr_conn_receive_fds(c[1], &byte, 1, &fd, 1, &count), -EOPNOTSUPP);
	CHECK_EQ(cr_conn_peer_credentials(c[0], &who), -EOPNOTSUPP);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_send_fds(c[0], "x", 1, (int[]){9999}, 1), on_sim() ? -EOPNOTSUPP : -EBADF);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* By an abstract name: no file, and gone with its listener. */
static int credentials(int *unused)
{
	cr_listener *listener;
	cr_credentials who;
	cr_conn *c[2];
	char name[64];

	(void)unused;
	snprintf(name, sizeof name, "unix:@corail-test-%d", (int)getpid());
	CHECK_EQ(cr_listener_open(name, NULL, &listener), 0);
	CHECK_EQ(cr_conn_open(name, &c[0]), 0);
	CHECK_EQ(cr_listener_accept(listener, &c[1]), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(cr_conn_peer_credentials(c[i], &who), 0);
		CHECK_EQ(who.pid, getpid());
		CHECK_EQ(who.uid, getuid());
		CHECK_EQ(who.gid, getgid());
		cr_conn_close(c[i]);
	}
	cr_listener_close(listener);
	CHECK_EQ(cr_conn_open(name, &c[0]), -ECONNREFUSED);
	return 0;
}

int main(void)
{
	RUN_TASK(wrong_kinds);
	RUN_TASK(credentials);
	if (!on_sim()) {
		RUN_TASK(passes);
		RUN_TASK(too_many);
		RUN_TASK(cancelled);
	}
	return test_done();
}
