/* SPDX-License-Identifier: MIT */
/* The simulator below the tasks: operations, connections and the clock, driven by hand. */

#include "support/test.h"

#include "loop/backend/sim.h"
#include "loop/loop.h"

#include <corail/sim.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/un.h>

static struct cr__loop loop;
static int done_count;

static void done(struct cr__op *op)
{
	op->done = NULL;
	done_count++;
}

static void loop_begin(uint64_t seed)
{
	CHECK_EQ(cr__loop_open(&loop, &cr__backend_sim, seed), 0);
	cr__loop_of_thread = &loop;
	done_count = 0;
}

static void loop_end(void)
{
	CHECK_EQ(cr_sim_fd_count(), 0);
	cr__loop_of_thread = NULL;
	cr__loop_close(&loop);
}

static struct cr__op op_of(enum cr__opcode code, int fd, void *buffer, size_t size)
{
	return (struct cr__op){
		.done = done, .code = code, .fd = fd, .buffer = buffer, .size = size};
}

/* Polls until an operation is done. Returns its result. */
static ssize_t finish(struct cr__op *op, int r)
{
	if (r < 0)
		return r;
	if (r == 1)
		return op->result;
	while (op->done)
		CHECK_GE(loop.backend->poll(&loop, cr__loop_now(&loop) + cr_seconds(1000)), 0);
	return op->result;
}

static ssize_t run(enum cr__opcode code, int fd, const void *buffer, size_t size)
{
	struct cr__op op = op_of(code, fd, (void *)(uintptr_t)buffer, size);

	return finish(&op, cr__op_start(&loop, &op));
}

/* Starts an operation that has to wait. */
static struct cr__op *wait_begin(struct cr__op *op)
{
	CHECK_EQ(cr__op_start(&loop, op), 0);
	return op;
}

static struct sockaddr_in ipv4(const char *host, uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

	CHECK_EQ(inet_pton(AF_INET, host, &addr.sin_addr), 1);
	return addr;
}

static int listen_on(const char *host, uint16_t port, int backlog)
{
	struct sockaddr_in addr = ipv4(host, port);
	int fd = cr__sock_open(&loop, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_GE(fd, 1 << 20);
	CHECK_EQ(cr__sock_bind(&loop, fd, (struct sockaddr *)&addr, sizeof addr), 0);
	CHECK_EQ(cr__sock_listen(&loop, fd, backlog), 0);
	return fd;
}

static ssize_t connect_to(int *ret_fd, const char *host, uint16_t port)
{
	struct sockaddr_in addr = ipv4(host, port);

	*ret_fd = cr__sock_open(&loop, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	CHECK_GE(*ret_fd, 0);
	return run(CR__OP_CONNECT, *ret_fd, &addr, sizeof addr);
}

/* A TCP connection: fds[0] called, fds[1] was accepted. */
static void tcp_pair(int fds[2])
{
	int listener = listen_on("0.0.0.0", 7, 8);

	CHECK_EQ(connect_to(&fds[0], "10.0.0.1", 7), 0);
	fds[1] = (int)run(CR__OP_ACCEPT, listener, NULL, 0);
	CHECK_GE(fds[1], 0);
	CHECK_EQ(cr__fd_close(&loop, listener), 0);
}

static void close_both(const int fds[2])
{
	CHECK_EQ(cr__fd_close(&loop, fds[0]), 0);
	CHECK_EQ(cr__fd_close(&loop, fds[1]), 0);
}

static void clock_jumps(void)
{
	cr_nsec start;

	loop_begin(1);
	start = cr__loop_now(&loop);
	CHECK_EQ(loop.backend->poll(&loop, 0), 0);
	CHECK_EQ(cr__loop_now(&loop), start);
	CHECK_EQ(loop.backend->poll(&loop, start + cr_seconds(100450)), 0);
	CHECK_EQ(cr__loop_now(&loop), start + cr_seconds(100450));
	loop_end();
	loop_begin(2);
	CHECK_EQ(cr__loop_now(&loop), start);
	loop_end();
}

static void *wake(void *arg)
{
	loop.backend->wake(arg);
	return NULL;
}

static void wait_without_deadline_is_real(void)
{
	pthread_t thread;

	loop_begin(1);
	CHECK_EQ(pthread_create(&thread, NULL, wake, &loop), 0);
	CHECK_EQ(loop.backend->poll(&loop, CORAIL_NEVER), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	loop_end();
}

static void bytes_cross_a_connection(void)
{
	struct iovec parts[2];
	struct sockaddr_in local, peer;
	socklen_t length = sizeof local;
	char a[3], b[16];
	int fds[2];

	for (uint64_t seed = 1; seed < 40; seed++) {
		cr_nsec before;

		loop_begin(seed);
		tcp_pair(fds);
		CHECK_EQ(cr__sock_name(&loop, fds[0], (struct sockaddr *)&local, &length), 0);
		CHECK_EQ(cr__sock_peer(&loop, fds[1], (struct sockaddr *)&peer, &length), 0);
		CHECK_MEM(&local, &peer, sizeof peer);
		before = cr__loop_now(&loop);
		CHECK_EQ(run(CR__OP_SEND, fds[0], "hello, world", 12), 12);
		parts[0] = (struct iovec){a, sizeof a};
		parts[1] = (struct iovec){b, sizeof b};
		CHECK_EQ(run(CR__OP_READV, fds[1], parts, 2), 12);
		CHECK_GE(cr__loop_now(&loop) - before, cr_micros(50));
		CHECK_MEM(a, "hel", 3);
		CHECK_MEM(b, "lo, world", 9);
		CHECK_EQ(cr__fd_close(&loop, fds[0]), 0);
		CHECK_EQ(run(CR__OP_READ, fds[1], b, sizeof b), 0);
		CHECK_EQ(run(CR__OP_WRITE, fds[1], "x", 1), 1);
		loop.backend->poll(&loop, cr__loop_now(&loop) + cr_seconds(1));
		CHECK_EQ(run(CR__OP_WRITE, fds[1], "x", 1), -EPIPE);
		CHECK_EQ(cr__fd_close(&loop, fds[1]), 0);
		loop_end();
	}
}

static void unread_bytes_make_a_reset(void)
{
	char buffer[8];
	int fds[2];

	loop_begin(3);
	tcp_pair(fds);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "late", 4), 4);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "unread", 6), 6);
	loop.backend->poll(&loop, cr__loop_now(&loop) + cr_seconds(1));
	CHECK_EQ(cr__fd_close(&loop, fds[1]), 0);
	CHECK_EQ(run(CR__OP_RECV, fds[0], buffer, sizeof buffer), 4);
	CHECK_EQ(run(CR__OP_RECV, fds[0], buffer, sizeof buffer), -ECONNRESET);
	CHECK_EQ(run(CR__OP_RECV, fds[0], buffer, sizeof buffer), 0);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "x", 1), -EPIPE);
	CHECK_EQ(cr__fd_close(&loop, fds[0]), 0);
	loop_end();
}

static void a_writer_waits_for_room(void)
{
	static char block[64 * 1024], sink[64 * 1024];
	struct cr__op op;
	size_t sent = 0, received = 0;
	int fds[2];

	loop_begin(4);
	tcp_pair(fds);
	for (;;) {
		op = op_of(CR__OP_SEND, fds[0], block, sizeof block);
		op.flags = MSG_DONTWAIT;
		ssize_t r = finish(&op, cr__op_start(&loop, &op));

		if (r == -EAGAIN)
			break;
		CHECK_GT(r, 0);
		sent += (size_t)r;
	}
	CHECK_EQ(sent, 128 * 1024);
	op = op_of(CR__OP_SEND, fds[0], block, 1000);
	wait_begin(&op);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 1);
	while (received < sent)
		received += (size_t)run(CR__OP_RECV, fds[1], sink, sizeof sink);
	CHECK_EQ(finish(&op, 0), 1000);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 0);
	close_both(fds);
	loop_end();
}

static void half_close_works_both_ways(void)
{
	char buffer[8];
	int fds[2];

	loop_begin(5);
	CHECK_EQ(cr__sock_pair(&loop, AF_UNIX, SOCK_STREAM, fds), 0);
	CHECK_EQ(cr__sock_shutdown(&loop, fds[0], SHUT_WR), 0);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "x", 1), -EPIPE);
	CHECK_EQ(run(CR__OP_RECV, fds[1], buffer, 8), 0);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "back", 4), 4);
	CHECK_EQ(run(CR__OP_RECV, fds[0], buffer, 8), 4);
	close_both(fds);
	loop_end();
}

static void one_operation_per_direction(void)
{
	struct cr__op reader, second, poller, writer;
	char buffer[8], byte = 'w';
	int fds[2];

	loop_begin(6);
	CHECK_EQ(cr__sock_pair(&loop, AF_UNIX, SOCK_STREAM, fds), 0);
	reader = op_of(CR__OP_RECV, fds[0], buffer, 8);
	wait_begin(&reader);
	second = op_of(CR__OP_READ, fds[0], buffer, 8);
	CHECK_EQ(cr__op_start(&loop, &second), -EBUSY);
	poller = op_of(CR__OP_POLL, fds[0], NULL, 0);
	poller.flags = POLLIN | POLLOUT;
	CHECK_EQ(cr__op_start(&loop, &poller), -EBUSY);
	writer = op_of(CR__OP_SEND, fds[0], &byte, 1);
	CHECK_EQ(finish(&writer, cr__op_start(&loop, &writer)), 1);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 1);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "r", 1), 1);
	CHECK_EQ(finish(&reader, 0), 1);
	close_both(fds);
	loop_end();
}

/* Whichever way the seed chooses: at once, or later with -ECANCELED; nothing was received. */
static void a_cancelled_receive_loses_nothing(void)
{
	int at_once = 0, later = 0;

	for (uint64_t seed = 1; seed < 64; seed++) {
		struct cr__op reader;
		char buffer[8];
		int fds[2];

		loop_begin(seed);
		CHECK_EQ(cr__sock_pair(&loop, AF_UNIX, SOCK_STREAM, fds), 0);
		reader = op_of(CR__OP_RECV, fds[0], buffer, 8);
		wait_begin(&reader);
		if (cr__op_cancel(&loop, &reader)) {
			at_once++;
		} else {
			later++;
			CHECK_EQ(finish(&reader, 0), -ECANCELED);
		}
		CHECK_EQ(cr__fd_busy(&loop, fds[0]), 0);
		CHECK_EQ(run(CR__OP_SEND, fds[1], "whole", 5), 5);
		CHECK_EQ(run(CR__OP_RECV, fds[0], buffer, 8), 5);
		reader = op_of(CR__OP_RECV, fds[0], buffer, 8);
		wait_begin(&reader);
		CHECK_EQ(run(CR__OP_SEND, fds[1], "won", 3), 3);
		CHECK(!reader.done || !cr__op_cancel(&loop, &reader));
		CHECK_EQ(finish(&reader, 0), 3);
		close_both(fds);
		loop_end();
	}
	CHECK_GT(at_once, 0);
	CHECK_GT(later, 0);
}

static void closing_ends_what_is_in_flight(void)
{
	for (uint64_t seed = 1; seed < 32; seed++) {
		struct cr__op reader;
		char buffer[8];
		int fds[2];

		loop_begin(seed);
		CHECK_EQ(cr__sock_pair(&loop, AF_UNIX, SOCK_STREAM, fds), 0);
		reader = op_of(CR__OP_RECV, fds[0], buffer, 8);
		wait_begin(&reader);
		if (cr__fd_cancel(&loop, fds[0]) > 0)
			loop.backend->poll(&loop, 0);
		CHECK(!reader.done);
		CHECK_EQ(reader.result, -ECANCELED);
		CHECK_EQ(cr__fd_cancel(&loop, fds[0]), 0);
		close_both(fds);
		CHECK_EQ(run(CR__OP_RECV, fds[0], buffer, 8), -EBADF);
		loop_end();
	}
}

static void names_and_refusals(void)
{
	struct sockaddr_in addr = ipv4("127.0.0.1", 80);
	struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/nobody"};
	int first, second, fd;

	loop_begin(7);
	first = listen_on("127.0.0.1", 80, 1);
	second = cr__sock_open(&loop, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(cr__sock_bind(&loop, second, (struct sockaddr *)&addr, sizeof addr), -EADDRINUSE);
	addr = ipv4("127.0.0.2", 80);
	CHECK_EQ(cr__sock_bind(&loop, second, (struct sockaddr *)&addr, sizeof addr), 0);
	CHECK_EQ(connect_to(&fd, "127.0.0.1", 81), -ECONNREFUSED);
	CHECK_EQ(cr__fd_close(&loop, fd), 0);
	CHECK_EQ(connect_to(&fd, "127.0.0.3", 80), -ECONNREFUSED);
	CHECK_EQ(cr__fd_close(&loop, fd), 0);
	fd = cr__sock_open(&loop, AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(run(CR__OP_CONNECT, fd, &path, sizeof path), -ENOENT);
	CHECK_EQ(cr__fd_close(&loop, fd), 0);
	CHECK_EQ(cr__sock_open(&loop, AF_UNIX, SOCK_DGRAM, 0), -EOPNOTSUPP);
	CHECK_EQ(run(CR__OP_WRITE, STDOUT_FILENO, "x", 1), -EOPNOTSUPP);
	CHECK_EQ(run(CR__OP_WRITE, 1000, "x", 1), -EBADF);
	CHECK_EQ(run(CR__OP_WRITE, -1, "x", 1), -EBADF);
	CHECK_EQ(cr__fd_close(&loop, first), 0);
	CHECK_EQ(cr__fd_close(&loop, second), 0);
	loop_end();
}

static void port_zero_chooses(void)
{
	struct sockaddr_in addr;
	socklen_t length = sizeof addr;
	uint16_t ports[2];

	for (int i = 0; i < 2; i++) {
		loop_begin(8 + (uint64_t)i);
		int fd = listen_on("127.0.0.1", 0, 1);

		CHECK_EQ(cr__sock_name(&loop, fd, (struct sockaddr *)&addr, &length), 0);
		ports[i] = ntohs(addr.sin_port);
		CHECK_EQ(cr__fd_close(&loop, fd), 0);
		loop_end();
	}
	CHECK_GE(ports[0], 1024);
	CHECK_EQ(ports[0], ports[1]);
}

static void one_listener_for_both_families(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(9)}, peer;
	socklen_t length = sizeof peer;
	struct cr__op op;
	int listener, client, served;

	loop_begin(9);
	listener = cr__sock_open(&loop, AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(cr__sock_bind(&loop, listener, (struct sockaddr *)&any, sizeof any), 0);
	CHECK_EQ(cr__sock_listen(&loop, listener, 1), 0);
	CHECK_EQ(connect_to(&client, "127.0.0.1", 9), 0);
	op = op_of(CR__OP_ACCEPT, listener, &peer, 0);
	op.length = &length;
	served = (int)finish(&op, cr__op_start(&loop, &op));
	CHECK_EQ(peer.sin6_family, AF_INET6);
	CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	close_both((int[]){client, served});
	CHECK_EQ(cr__fd_close(&loop, listener), 0);
	loop_end();
}

static void a_full_backlog_makes_clients_wait(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
	struct cr__op third;
	int listener, clients[3], served[3];

	loop_begin(10);
	listener = cr__sock_open(&loop, AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(cr__sock_bind(&loop, listener, (struct sockaddr *)&name, sizeof name), 0);
	CHECK_EQ(cr__sock_listen(&loop, listener, 1), 0);
	for (int i = 0; i < 3; i++)
		clients[i] = cr__sock_open(&loop, AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(run(CR__OP_CONNECT, clients[0], &name, sizeof name), 0);
	CHECK_EQ(run(CR__OP_CONNECT, clients[1], &name, sizeof name), 0);
	third = op_of(CR__OP_CONNECT, clients[2], &name, sizeof name);
	wait_begin(&third);
	loop.backend->poll(&loop, cr__loop_now(&loop) + cr_seconds(1));
	CHECK(third.done);
	served[0] = (int)run(CR__OP_ACCEPT, listener, NULL, 0);
	CHECK_EQ(finish(&third, 0), 0);
	for (int i = 1; i < 3; i++)
		served[i] = (int)run(CR__OP_ACCEPT, listener, NULL, 0);
	for (int i = 0; i < 3; i++)
		close_both((int[]){clients[i], served[i]});
	CHECK_EQ(cr__fd_close(&loop, listener), 0);
	loop_end();
}

static void peeking_and_waiting_for_all(void)
{
	char buffer[8] = {0};
	struct cr__op op;
	int fds[2];

	loop_begin(11);
	CHECK_EQ(cr__sock_pair(&loop, AF_UNIX, SOCK_STREAM, fds), 0);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "abc", 3), 3);
	op = op_of(CR__OP_RECV, fds[1], buffer, 8);
	op.flags = MSG_PEEK;
	CHECK_EQ(finish(&op, cr__op_start(&loop, &op)), 3);
	op = op_of(CR__OP_RECV, fds[1], buffer, 6);
	op.flags = MSG_WAITALL;
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SEND, fds[0], "defgh", 5), 5);
	CHECK_EQ(finish(&op, 0), 6);
	CHECK_MEM(buffer, "abcdef", 6);
	op = op_of(CR__OP_RECV, fds[1], buffer, 6);
	op.flags = MSG_WAITALL;
	wait_begin(&op);
	CHECK(!cr__op_cancel(&loop, &op));
	CHECK_EQ(finish(&op, 0), 2);
	CHECK_MEM(buffer, "gh", 2);
	close_both(fds);
	loop_end();
}

static uint64_t trace_of(uint64_t seed)
{
	cr_sim_network network = {.latency = cr_millis(1), .jitter = cr_millis(9), .split = 1};
	char block[5000], sink[700];
	size_t received = 0;
	uint64_t trace;
	int fds[2];

	memset(block, 'x', sizeof block);
	loop_begin(seed);
	CHECK_EQ(cr_sim_network_set(&network), 0);
	tcp_pair(fds);
	for (size_t sent = 0; sent < sizeof block;)
		sent += (size_t)run(CR__OP_SEND, fds[0], block + sent, sizeof block - sent);
	while (received < sizeof block)
		received += (size_t)run(CR__OP_RECV, fds[1], sink, sizeof sink);
	close_both(fds);
	trace = loop.trace;
	loop_end();
	return trace;
}

static void same_seed_same_trace(void)
{
	CHECK_EQ(trace_of(1), trace_of(1));
	CHECK_EQ(trace_of(77), trace_of(77));
	CHECK_NE(trace_of(1), trace_of(2));
}

static struct cr__op *completed_next;

static void done_completes_another(struct cr__op *op)
{
	done(op);
	cr__sim_op_complete(cr__sim_of(&loop), completed_next, 0);
}

/* However many complete one another: a poll comes back with those that were complete before it. */
static void what_done_completes_waits_for_the_next_poll(void)
{
	struct cr__op first = op_of(CR__OP_RECV, -1, NULL, 0), second = first, third = first;

	loop_begin(13);
	first.done = done_completes_another;
	completed_next = &third;
	cr__sim_op_complete(cr__sim_of(&loop), &first, 0);
	cr__sim_op_complete(cr__sim_of(&loop), &second, 0);
	CHECK_EQ(loop.backend->poll(&loop, 0), 2);
	CHECK(!first.done && !second.done && third.done);
	CHECK_EQ(loop.backend->poll(&loop, 0), 1);
	CHECK(!third.done);
	loop_end();
}

static void a_loop_ends_with_everything_open(void)
{
	struct cr__op op;
	int fds[2], listener;

	loop_begin(12);
	tcp_pair(fds);
	run(CR__OP_SEND, fds[0], "lost", 4);
	listener = listen_on("127.0.0.1", 80, 4);
	connect_to(&fds[0], "127.0.0.1", 80);
	op = op_of(CR__OP_RECV, fds[1], NULL, 0);
	op = op_of(CR__OP_ACCEPT, listener, NULL, 0);
	CHECK_GE(cr__op_start(&loop, &op), 0);
	cr__loop_of_thread = NULL;
	cr__loop_close(&loop);
}

int main(void)
{
	RUN(clock_jumps);
	RUN(wait_without_deadline_is_real);
	RUN(bytes_cross_a_connection);
	RUN(unread_bytes_make_a_reset);
	RUN(a_writer_waits_for_room);
	RUN(half_close_works_both_ways);
	RUN(one_operation_per_direction);
	RUN(a_cancelled_receive_loses_nothing);
	RUN(closing_ends_what_is_in_flight);
	RUN(names_and_refusals);
	RUN(port_zero_chooses);
	RUN(one_listener_for_both_families);
	RUN(a_full_backlog_makes_clients_wait);
	RUN(peeking_and_waiting_for_all);
	RUN(same_seed_same_trace);
	RUN(what_done_completes_waits_for_the_next_poll);
	RUN(a_loop_ends_with_everything_open);
	return test_done();
}
