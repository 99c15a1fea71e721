/* SPDX-License-Identifier: MIT */
/* Every operation, its results and its errors: the same on io_uring and on epoll. */

#include "backend_drive.h"

#include <pty.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/un.h>

static void receive_and_send(void)
{
	char buffer[16];
	struct cr__op receive;
	int fds[2];

	pair(fds);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "hello", 5), 5);
	CHECK_EQ(run(CR__OP_RECV, fds[1], buffer, sizeof buffer), 5);
	CHECK_MEM(buffer, "hello", 5);
	/* The receiver comes first, several times in a row. */
	for (int i = 0; i < 4; i++) {
		receive = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
		wait_begin(&receive);
		CHECK_EQ(run(CR__OP_SEND, fds[0], "again", 5), 5);
		CHECK_EQ(finish(&receive), 5);
		CHECK_MEM(buffer, "again", 5);
	}
	/* Asking not to wait is answered, not waited for. */
	receive = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
	receive.flags = MSG_DONTWAIT;
	CHECK_EQ(run_op(receive), -EAGAIN);
	/* The end. */
	receive = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
	wait_begin(&receive);
	close_fd(fds[0]);
	CHECK_EQ(finish(&receive), 0);
	CHECK_EQ(run(CR__OP_RECV, fds[1], buffer, sizeof buffer), 0);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "x", 1), -EPIPE);
	close_fd(fds[1]);
}

/* A short receive leaves a TCP socket empty, but only a plain one does. */
static void receive_in_pieces(void)
{
	char buffer[8];
	struct cr__op op;
	int fds[2];

	pair_tcp(fds);
	op = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "0123456789", 10), 10);
	CHECK_EQ(finish(&op), 8);
	CHECK_EQ(run(CR__OP_RECV, fds[1], buffer, sizeof buffer), 2);
	op = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "abc", 3), 3);
	CHECK_EQ(finish(&op), 3);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "peek", 4), 4);
	op = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
	op.flags = MSG_PEEK;
	CHECK_EQ(run_op(op), 4);
	CHECK_EQ(run(CR__OP_RECV, fds[1], buffer, sizeof buffer), 4);
	/* Data and end together: the end must not be waited for. */
	op = op_of(CR__OP_RECV, fds[1], buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "end", 3), 3);
	close_fd(fds[0]);
	CHECK_EQ(finish(&op), 3);
	CHECK_EQ(run(CR__OP_RECV, fds[1], buffer, sizeof buffer), 0);
	close_fd(fds[1]);
}

static void send_until_full(void)
{
	static char chunk[65536];
	struct cr__op op;
	size_t sent = 0, received = 0;
	ssize_t n;
	int fds[2];

	pair(fds);
	for (;;) {
		op = op_of(CR__OP_SEND, fds[0], chunk, sizeof chunk);
		op.flags = MSG_DONTWAIT;
		n = run_op(op);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	CHECK_EQ(n, -EAGAIN);
	op = op_of(CR__OP_SEND, fds[0], chunk, sizeof chunk);
	wait_begin(&op);
	while (op.done) {
		n = run(CR__OP_RECV, fds[1], chunk, sizeof chunk);
		CHECK_GT(n, 0);
		received += (size_t)n;
		poll_once(0);
	}
	CHECK_GT(op.result, 0);
	sent += (size_t)op.result;
	while (received < sent) {
		n = run(CR__OP_RECV, fds[1], chunk, sizeof chunk);
		CHECK_GT(n, 0);
		received += (size_t)n;
	}
	CHECK_EQ(received, sent);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

static void messages(void)
{
	char buffer[16] = {0};
	struct sockaddr_in from = {0}, addr = {.sin_family = AF_INET,
	                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof addr;
	struct iovec out[2] = {{(char[]){"da"}, 2}, {(char[]){"ta"}, 2}},
		     in = {buffer, sizeof buffer};
	struct msghdr send = {
		.msg_name = &addr, .msg_namelen = sizeof addr, .msg_iov = out, .msg_iovlen = 2};
	struct msghdr receive = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &in, .msg_iovlen = 1};
	struct cr__op op;
	int a = cr__sock_open(&loop, AF_INET, SOCK_DGRAM, 0);
	int b = cr__sock_open(&loop, AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(cr__sock_bind(&loop, b, (struct sockaddr *)&addr, length), 0);
	CHECK_EQ(cr__sock_name(&loop, b, (struct sockaddr *)&addr, &length), 0);
	op = op_of(CR__OP_RECVMSG, b, &receive, 0);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SENDMSG, a, &send, 0), 4);
	CHECK_EQ(finish(&op), 4);
	CHECK_MEM(buffer, "data", 4);
	CHECK_EQ(receive.msg_namelen, sizeof from);
	CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	/*
	 * Two datagrams, each shorter than the buffer: the second is there without another event.
	 */
	CHECK_EQ(run(CR__OP_CONNECT, a, &addr, sizeof addr), 0);
	op = op_of(CR__OP_RECV, b, buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SEND, a, "one", 3), 3);
	CHECK_EQ(run(CR__OP_SEND, a, "second", 6), 6);
	CHECK_EQ(finish(&op), 3);
	CHECK_EQ(run(CR__OP_RECV, b, buffer, sizeof buffer), 6);
	close_fd(a);
	close_fd(b);
}

static void connect_and_accept(void)
{
	struct sockaddr_in addr, from, peer;
	socklen_t from_length = sizeof from, length = sizeof peer;
	int listener = listen_tcp(&addr), fd, accepted, one = 1;
	struct cr__op op = op_of(CR__OP_ACCEPT, listener, &from, 0);

	op.length = &from_length;
	wait_begin(&op);
	fd = cr__sock_open(&loop, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(run(CR__OP_CONNECT, fd, &addr, sizeof addr), 0);
	accepted = (int)finish(&op);
	CHECK_GE(accepted, 0);
	CHECK_EQ(fcntl(accepted, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	CHECK_EQ(from_length, sizeof from);
	CHECK_EQ(cr__sock_name(&loop, fd, (struct sockaddr *)&peer, &length), 0);
	CHECK_EQ(from.sin_port, peer.sin_port);
	CHECK_EQ(cr__sock_peer(&loop, fd, (struct sockaddr *)&peer, &length), 0);
	CHECK_EQ(addr.sin_port, peer.sin_port);
	CHECK_EQ(cr__sock_option(&loop, fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one), 0);
	CHECK_EQ(run(CR__OP_CONNECT, fd, &addr, sizeof addr), -EISCONN);
	CHECK_EQ(cr__sock_shutdown(&loop, fd, SHUT_WR), 0);
	CHECK_EQ(run(CR__OP_RECV, accepted, &one, sizeof one), 0);
	close_fd(fd);
	close_fd(accepted);
	close_fd(listener);
	/* Nobody listens any more. */
	fd = cr__sock_open(&loop, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(run(CR__OP_CONNECT, fd, &addr, sizeof addr), -ECONNREFUSED);
	close_fd(fd);
	CHECK_EQ(cr__sock_open(&loop, AF_INET, 77, 0), -EINVAL);
}

static void connect_to_nothing_unix(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
	int fd = cr__sock_open(&loop, AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(run(CR__OP_CONNECT, fd, &addr, sizeof addr), -ENOENT);
	close_fd(fd);
}

static void peer_resets(void)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	char buffer[8];
	struct cr__op op;
	int fds[2];

	pair_tcp(fds);
	op = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(cr__sock_option(&loop, fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once),
	         0);
	close_fd(fds[1]);
	CHECK_EQ(finish(&op), -ECONNRESET);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "x", 1), -EPIPE);
	close_fd(fds[0]);
}

static void read_and_write_files(void)
{
	char path[] = "/tmp/corail-backend-XXXXXX", buffer[16] = {0}, second[4] = {0};
	struct iovec vector[2] = {{(char[]){"ab"}, 2}, {(char[]){"cd"}, 2}};
	struct iovec into[2] = {{buffer, 3}, {second, 3}};
	struct cr__op op;
	int fd = mkostemp(path, O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK_GE(fd, 0);
	unlink(path);
	CHECK_EQ(run(CR__OP_WRITE, fd, "0123456789", 10), 10);
	CHECK_EQ(run(CR__OP_WRITEV, fd, vector, 2), 4);
	op = op_of(CR__OP_PREAD, fd, buffer, 4);
	op.offset = 8;
	CHECK_EQ(run_op(op), 4);
	CHECK_MEM(buffer, "89ab", 4);
	op = op_of(CR__OP_PWRITE, fd, "XY", 2);
	op.offset = 1;
	CHECK_EQ(run_op(op), 2);
	/* The position is the descriptor's. */
	CHECK_EQ(run(CR__OP_READ, fd, buffer, sizeof buffer), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(run(CR__OP_READ, fd, buffer, 4), 4);
	CHECK_MEM(buffer, "0XY3", 4);
	CHECK_EQ(run(CR__OP_READV, fd, into, 2), 6);
	CHECK_MEM(buffer, "456", 3);
	CHECK_MEM(second, "789", 3);
	CHECK_EQ(run_op((struct cr__op){.done = op_done,
	                                .code = CR__OP_POLL,
	                                .fd = fd,
	                                .flags = POLLIN | POLLOUT}),
	         POLLIN | POLLOUT);
	CHECK_EQ(run(CR__OP_WRITE, null, buffer, sizeof buffer), sizeof buffer);
	CHECK_EQ(run(CR__OP_READ, null, buffer, sizeof buffer), 0);
	close_fd(fd);
	close_fd(null);
}

/* Pipes and terminals of others, blocking or not: the loop never waits in a system call. */
static void pipes(int flags)
{
	static char big[200000];
	struct cr__op op;
	size_t written = 0, got = 0;
	ssize_t n;
	int fds[2];

	CHECK_EQ(pipe2(fds, O_CLOEXEC | flags), 0);
	op = op_of(CR__OP_READ, fds[0], big, sizeof big);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_WRITE, fds[1], "pipe", 4), 4);
	CHECK_EQ(finish(&op), 4);
	CHECK_MEM(big, "pipe", 4);
	op = op_of(CR__OP_PREAD, fds[0], big, 1);
	CHECK_EQ(run_op(op), -ESPIPE);
	op = op_of(CR__OP_PWRITE, fds[1], big, 1);
	CHECK_EQ(run_op(op), -ESPIPE);
	while (written < sizeof big) {
		op = op_of(CR__OP_WRITE, fds[1], big, sizeof big - written);
		if (cr__op_start(&loop, &op) == 0) {
			for (int i = 0; i < 3 && op.done; i++)
				poll_once(0);
			while (op.done) {
				n = read(fds[0], big, 4096);
				CHECK_GT(n, 0);
				got += (size_t)n;
				poll_once(cr_millis(1));
			}
		}
		CHECK_GT(op.result, 0);
		written += (size_t)op.result;
	}
	while (got < written) {
		n = run(CR__OP_READ, fds[0], big, sizeof big);
		CHECK_GT(n, 0);
		got += (size_t)n;
	}
	op = op_of(CR__OP_READ, fds[0], big, 1);
	wait_begin(&op);
	close_fd(fds[1]);
	CHECK_EQ(finish(&op), 0);
	close_fd(fds[0]);
}

static void pipes_blocking(void)
{
	pipes(0);
}

static void pipes_nonblocking(void)
{
	pipes(O_NONBLOCK);
}

/* SIGPIPE has its default disposition here: one would end the process. */
static void broken_pipe(void)
{
	struct iovec vector = {(char[]){"x"}, 1};
	sigset_t pending, blocked;
	int fds[2];

	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	close_fd(fds[0]);
	CHECK_EQ(run(CR__OP_WRITE, fds[1], "x", 1), -EPIPE);
	CHECK_EQ(run(CR__OP_WRITEV, fds[1], &vector, 1), -EPIPE);
	close_fd(fds[1]);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	close_fd(fds[0]);
	CHECK_EQ(run(CR__OP_WRITE, fds[1], "x", 1), -EPIPE);
	CHECK_EQ(run(CR__OP_WRITEV, fds[1], &vector, 1), -EPIPE);
	close_fd(fds[1]);
	CHECK_EQ(sigpending(&pending), 0);
	CHECK(!sigismember(&pending, SIGPIPE));
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
	CHECK(!sigismember(&blocked, SIGPIPE));
}

static void terminal(int flags)
{
	char buffer[16];
	struct cr__op op;
	int master, slave;

	CHECK_EQ(openpty(&master, &slave, NULL, NULL, NULL), 0);
	CHECK_EQ(fcntl(slave, F_SETFL, O_RDWR | flags), 0);
	op = op_of(CR__OP_READ, slave, buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_WRITE, master, "line\n", 5), 5);
	CHECK_EQ(finish(&op), 5);
	CHECK_MEM(buffer, "line\n", 5);
	CHECK_EQ(run(CR__OP_WRITE, slave, "prompt", 6), 6);
	/* The echo of the line, then the prompt. */
	CHECK_GT(run(CR__OP_READ, master, buffer, sizeof buffer), 0);
	op = op_of(CR__OP_READ, slave, buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(cancel(&op), -ECANCELED);
	close_fd(master);
	close_fd(slave);
}

static void terminals(void)
{
	terminal(0);
	terminal(O_NONBLOCK);
}

static void eventfds(void)
{
	uint64_t value = 5;
	struct cr__op op;
	int fd = eventfd(0, EFD_CLOEXEC);

	op = op_of(CR__OP_READ, fd, &value, sizeof value);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_WRITE, fd, &(uint64_t){7}, 8), 8);
	CHECK_EQ(finish(&op), 8);
	CHECK_EQ(value, 7);
	close_fd(fd);
}

/*
 * Sockets that somebody else opened, in either mode, through the calls for sockets and for files.
 */
static void foreign_sockets(int flags)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof addr;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), accepted;
	struct cr__op op = op_of(CR__OP_ACCEPT, listener, NULL, 0);
	char buffer[8];

	CHECK_EQ(bind(listener, (struct sockaddr *)&addr, length), 0);
	CHECK_EQ(listen(listener, 8), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&addr, &length), 0);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_CONNECT, fd, &addr, sizeof addr), 0);
	accepted = (int)finish(&op);
	CHECK_GE(accepted, 0);
	for (int i = 0; i < 3; i++) {
		op = op_of(CR__OP_READ, fd, buffer, sizeof buffer);
		wait_begin(&op);
		CHECK_EQ(run(CR__OP_WRITE, accepted, "abc", 3), 3);
		CHECK_EQ(finish(&op), 3);
		op = op_of(CR__OP_RECV, accepted, buffer, sizeof buffer);
		wait_begin(&op);
		CHECK_EQ(run(CR__OP_WRITE, fd, "abcd", 4), 4);
		CHECK_EQ(finish(&op), 4);
	}
	close_fd(listener);
	close_fd(accepted);
	close_fd(fd);
}

static void foreign_sockets_both(void)
{
	foreign_sockets(0);
	foreign_sockets(SOCK_NONBLOCK);
}

static void polls(void)
{
	struct cr__op in = op_of(CR__OP_POLL, -1, NULL, 0), both = in;
	static char chunk[65536];
	int fds[2];

	pair(fds);
	in.fd = both.fd = fds[0];
	in.flags = POLLIN;
	wait_begin(&in);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "x", 1), 1);
	CHECK_EQ(finish(&in), POLLIN);
	/* One shot, and about now: the same answer again while it holds. */
	in = both;
	in.flags = POLLIN;
	CHECK_EQ(run_op(in), POLLIN);
	both.flags = POLLIN | POLLOUT;
	CHECK_EQ(run_op(both), POLLIN | POLLOUT);
	both.flags = POLLOUT;
	CHECK_EQ(run_op(both), POLLOUT);
	CHECK_EQ(run(CR__OP_RECV, fds[0], chunk, sizeof chunk), 1);
	while (send(fds[0], chunk, sizeof chunk, MSG_DONTWAIT) > 0)
		;
	both.flags = POLLIN | POLLOUT;
	wait_begin(&both);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 1);
	while (recv(fds[1], chunk, sizeof chunk, MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(finish(&both), POLLOUT);
	in = op_of(CR__OP_POLL, fds[0], NULL, 0);
	in.flags = POLLIN;
	wait_begin(&in);
	close_fd(fds[1]);
	CHECK_EQ(finish(&in), POLLIN | POLLRDHUP | POLLHUP);
	close_fd(fds[0]);
}

static void bad_descriptors(void)
{
	char buffer[4] = {0};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (int code = CR__OP_POLL; code <= CR__OP_CONNECT; code++) {
		CHECK_EQ(run((enum cr__opcode)code, -1, buffer, 0), -EBADF);
		CHECK_EQ(run((enum cr__opcode)code, 5000, buffer, 0), -EBADF);
	}
	/* A number that was known once. */
	CHECK_EQ(run(CR__OP_READ, fd, buffer, 1), 0);
	close(fd);
	CHECK_EQ(run(CR__OP_READ, fd, buffer, 1), -EBADF);
	CHECK_EQ(run(CR__OP_RECV, fd, buffer, 1), -EBADF);
	CHECK_EQ(cr__fd_close(&loop, fd), -EBADF);
	CHECK_EQ(cr__fd_busy(&loop, 9000), 0);
	CHECK_EQ(cr__fd_cancel(&loop, 9000), 0);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(run(CR__OP_RECV, fd, buffer, 1), -ENOTSOCK);
	CHECK_EQ(run(CR__OP_WRITE, fd, buffer, 1), -EBADF);
	close_fd(fd);
}

static void all(void)
{
	EACH(receive_and_send);
	EACH(receive_in_pieces);
	EACH(send_until_full);
	EACH(messages);
	EACH(connect_and_accept);
	EACH(connect_to_nothing_unix);
	EACH(peer_resets);
	EACH(read_and_write_files);
	EACH(pipes_blocking);
	EACH(pipes_nonblocking);
	EACH(broken_pipe);
	EACH(terminals);
	EACH(eventfds);
	EACH(foreign_sockets_both);
	EACH(polls);
	EACH(bad_descriptors);
}

/* Debian 12's kernel and older: RWF_NOWAIT not on pipes, no RWF_NOSIGNAL, no epoll_pwait2(2). */
static void all_on_an_old_kernel(void)
{
	forbid(SYS_preadv2, RWF_NOWAIT, EOPNOTSUPP);
	forbid(SYS_pwritev2, RWF_NOWAIT | 0x100, EOPNOTSUPP);
	forbid(SYS_epoll_pwait2, 0, ENOSYS);
	old_kernel = true;
	all();
}

int main(void)
{
	printf("as on an old kernel:\n");
	apart(all_on_an_old_kernel);
	printf("as on this kernel:\n");
	all();
	return test_done();
}
