/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* qemu-user has no pwritev2(2), which tells a descriptor that cannot seek. */
/*
 * Descriptors of the operating system, opened by anybody: pipes, files, eventfds, datagram sockets.
 */
#include "fd_user.h"
#include "in_task.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static void pipe_works(int flags)
{
	struct fd_user u = {.result = 1};
	int fds[2];

	CHECK_EQ(pipe2(fds, O_CLOEXEC | flags), 0);
	u.fd = fds[0];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, fd_user_read, &u);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(u.result, 1);
		CHECK_EQ(cr_fd_write(fds[1], "x", 1), 1);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(u.result, 1);
	}
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	u.result = 1;
	CHECK_EQ(fd_user_read(&u), 0);
	CHECK_EQ(u.result, 0);
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_close(fds[0]), -EBADF);
}

static int pipes(int *unused)
{
	(void)unused;
	pipe_works(0);
	pipe_works(O_NONBLOCK);
	return 0;
}

/* A writer of several steps is in the middle of a full pipe when its descriptor is closed. */
static int pipe_closed_while_full(int *unused)
{
	struct fd_user u = {.result = 1, .size = 1000 * 1000, .data = calloc(1, 1000 * 1000)};
	char byte;
	int fds[2];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	u.fd = fds[1];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, fd_user_write, &u);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(cr_fd_close(fds[1]), 0);
		CHECK_EQ(u.result, -ECANCELED);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(cr_fd_read(fds[0], &byte, 1), 1);
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	free(u.data);
	return 0;
}

static int no_sigpipe(int *unused)
{
	int fds[2];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_write(fds[1], "x", 1), -EPIPE);
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	return 0;
}

static int files(int *unused)
{
	enum { SIZE = 300 * 1000 };
	char *data = malloc(SIZE), *back = malloc(SIZE);
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	(void)unused;
	CHECK_GE(fd, 0);
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 3);
	CHECK_EQ(cr_fd_write_all(fd, data, SIZE), 0);
	CHECK_EQ(cr_fd_pread(fd, back, SIZE, 0), SIZE);
	CHECK_MEM(data, back, SIZE);
	CHECK_EQ(cr_fd_pwrite(fd, "patch", 5, 1000), 5);
	CHECK_EQ(cr_fd_pread(fd, back, 5, 1000), 5);
	CHECK_MEM(back, "patch", 5);
	CHECK_EQ(cr_fd_read(fd, back, 10), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(cr_fd_read(fd, back, 10), 10);
	CHECK_EQ(cr_fd_read(fd, back + 10, 10), 10);
	CHECK_MEM(back, data, 20);
	CHECK_EQ(cr_fd_pread(fd, back, 1, -1), -EINVAL);
	CHECK_EQ(cr_fd_pread(fd, back, 10, SIZE), 0);
	CHECK_EQ(cr_fd_close(fd), 0);
	free(data);
	free(back);
	return 0;
}

static int not_seekable(int *unused)
{
	int fds[2];
	char byte;

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_EQ(cr_fd_pread(fds[0], &byte, 1, 0), -ESPIPE);
	CHECK_EQ(cr_fd_recv(fds[0], &byte, 1, 0), -ENOTSOCK);
	CHECK_EQ(cr_fd_write(fds[0], "x", 1), -EBADF);
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	return 0;
}

static int counters(int *unused)
{
	struct itimerspec in_5_ms = {.it_value.tv_nsec = 5 * 1000 * 1000};
	int event = eventfd(0, EFD_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	cr_nsec start = cr_now();
	uint64_t count = 3;

	(void)unused;
	CHECK_EQ(cr_fd_write(event, &count, sizeof count), 8);
	count = 0;
	CHECK_EQ(cr_fd_read(event, &count, sizeof count), 8);
	CHECK_EQ(count, 3);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_fd_read(event, &count, sizeof count)), -ETIMEDOUT);
	CHECK_EQ(timerfd_settime(timer, 0, &in_5_ms, NULL), 0);
	CHECK_EQ(cr_fd_read(timer, &count, sizeof count), 8);
	CHECK_EQ(count, 1);
	CHECK_GE(cr_now() - start, cr_millis(5));
	CHECK_EQ(cr_fd_close(event), 0);
	CHECK_EQ(cr_fd_close(timer), 0);
	return 0;
}

static int datagrams(int *unused)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
			   from;
	socklen_t length = sizeof a;
	char data[16] = {0};
	struct iovec one = {data, sizeof data};
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &one, .msg_iovlen = 1};
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)unused;
	CHECK_EQ(bind(server, (struct sockaddr *)&a, sizeof a), 0);
	CHECK_EQ(getsockname(server, (struct sockaddr *)&a, &length), 0);
	CHECK_EQ(cr_fd_connect(client, (struct sockaddr *)&a, sizeof a), 0);
	CHECK_EQ(cr_fd_send(client, "ping", 4, 0), 4);
	CHECK_EQ(cr_fd_recvmsg(server, &message, 0), 4);
	CHECK_STR(data, "ping");
	one.iov_len = 4;
	CHECK_EQ(cr_fd_sendmsg(server, &message, 0), 4);
	CHECK_EQ(cr_fd_recv(client, data, sizeof data, 0), 4);
	CHECK_EQ(cr_fd_close(server), 0);
	CHECK_EQ(cr_fd_close(client), 0);
	return 0;
}

/* Somebody else's listening socket, blocking as it is by default. */
static int foreign_listener(int *unused)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage peer;
	socklen_t length = sizeof a, peer_length = sizeof peer;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), conn;

	(void)unused;
	CHECK_EQ(bind(server, (struct sockaddr *)&a, sizeof a), 0);
	CHECK_EQ(listen(server, 8), 0);
	CHECK_EQ(getsockname(server, (struct sockaddr *)&a, &length), 0);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_fd_accept(server, NULL, NULL, 0)), -ETIMEDOUT);
	CHECK_EQ(cr_fd_connect(client, (struct sockaddr *)&a, length), 0);
	conn = cr_fd_accept(server, (struct sockaddr *)&peer, &peer_length, 0);
	CHECK_GE(conn, 0);
	CHECK(fcntl(conn, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(peer.ss_family, AF_INET);
	CHECK_EQ(peer_length, sizeof(struct sockaddr_in));
	CHECK_EQ(cr_fd_close(conn), 0);
	CHECK_EQ(cr_fd_close(client), 0);
	CHECK_EQ(cr_fd_close(server), 0);
	return 0;
}

/*
 * A library closes its own descriptor after cr_fd_forget(); the number comes back as something
 * else.
 */
static int forgotten(int *unused)
{
	struct fd_user u = {.result = 1};
	int fds[2], other[2];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	u.fd = fds[0];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, fd_user_read, &u);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(cr_fd_forget(fds[0]), 0);
		CHECK_EQ(u.result, -ECANCELED);
		CHECK_EQ(close(fds[0]), 0);
		CHECK_EQ(pipe2(other, O_CLOEXEC), 0);
		CHECK_EQ(other[0], fds[0]);
		CHECK_EQ(cr_fd_write(other[1], "y", 1), 1);
		u.result = -1;
		CHECK_EQ(fd_user_read(&u), 0);
		CHECK_EQ(u.result, 1);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	CHECK_EQ(cr_fd_close(other[0]), 0);
	CHECK_EQ(cr_fd_close(other[1]), 0);
	return 0;
}

int main(void)
{
	if (on_sim())
		SKIP("the operating system's descriptors are refused by the simulator");
	RUN_TASK(pipes);
	RUN_TASK(pipe_closed_while_full);
	RUN_TASK(no_sigpipe);
	RUN_TASK(files);
	RUN_TASK(not_seekable);
	RUN_TASK(counters);
	RUN_TASK(datagrams);
	RUN_TASK(foreign_listener);
	RUN_TASK(forgotten);
	return test_done();
}
