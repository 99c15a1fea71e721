/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu (qemu-user does not pass TCP_INFO on) */
/* Options of connections and listeners. */
#include "in_task.h"

#include <corail/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int option_of(cr_conn *conn, int level, int name)
{
	socklen_t length = sizeof(int);
	int value = -1;

	CHECK_EQ(getsockopt(cr_conn_fd(conn), level, name, &value, &length), 0);
	return value;
}

static int tuning(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_keepalive_detail_set(c[0], 0, 1, 1), -EINVAL);
	CHECK_EQ(cr_conn_keepalive_detail_set(c[0], cr_seconds(1), cr_seconds(1), 128), -EINVAL);
	CHECK_EQ(cr_conn_keepalive_detail_set(c[0], cr_seconds(20), cr_millis(2500), 7), 0);
	CHECK_EQ(cr_conn_cork_set(c[0], 1), 0);
	CHECK_EQ(cr_conn_quickack_set(c[0], 0), 0);
	CHECK_EQ(cr_conn_user_timeout_set(c[0], cr_micros(1500500)), 0);
	CHECK_EQ(cr_conn_kernel_buffers_set(c[0], 50000, 60000), 0);
	CHECK_EQ(cr_conn_kernel_buffers_set(c[0], 0, 0), 0);
	CHECK_EQ(cr_conn_kernel_buffers_set(c[0], (size_t)-1, 0), -EINVAL);
	if (!on_sim()) {
		CHECK_EQ(option_of(c[0], SOL_SOCKET, SO_KEEPALIVE), 1);
		CHECK_EQ(option_of(c[0], IPPROTO_TCP, TCP_KEEPIDLE), 20);
		CHECK_EQ(option_of(c[0], IPPROTO_TCP, TCP_KEEPINTVL), 3);
		CHECK_EQ(option_of(c[0], IPPROTO_TCP, TCP_KEEPCNT), 7);
		CHECK_EQ(option_of(c[0], IPPROTO_TCP, TCP_CORK), 1);
		CHECK_EQ(option_of(c[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 1501);
		CHECK_EQ(option_of(c[0], SOL_SOCKET, SO_SNDBUF), 100000);
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int cork_holds_back(int *unused)
{
	cr_conn *c[2];
	char data[16];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_cork_set(c[0], 1), 0);
	CHECK_EQ(cr_conn_write(c[0], "ab", 2), 0);
	CHECK_EQ(cr_conn_write(c[0], "cd", 2), 0);
	CHECK_EQ(cr_conn_cork_set(c[0], 0), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], data, 4), 0);
	CHECK_MEM(data, "abcd", 4);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int information(int *unused)
{
	cr_tcp_info info;
	cr_conn *c[2];
	char data[1000] = {0};

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_write(c[0], data, sizeof data), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], data, sizeof data), 0);
	CHECK_EQ(cr_conn_tcp_info(c[0], &info), 0);
	CHECK_STR(info.state, "ESTABLISHED");
	if (!on_sim()) {
		CHECK_GT(info.rtt, 0);
		CHECK_GT(info.segment_size, 500);
		CHECK_GT(info.congestion_window, 0);
		CHECK_EQ(cr_conn_tcp_info(c[1], &info), 0);
		CHECK_EQ(info.bytes_received, sizeof data);
	}
	CHECK_EQ(cr_conn_shutdown_write(c[1]), 0);
	CHECK_EQ(cr_conn_read(c[0], data, 1), 0);
	CHECK_EQ(cr_conn_tcp_info(c[0], &info), 0);
	CHECK_STR(info.state, "CLOSE_WAIT");
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_LT(cr_conn_tcp_info(c[0], &info), 0);
	CHECK_LT(cr_conn_cork_set(c[0], 1), 0);
	CHECK_LT(cr_conn_linger_set(c[0], 1), 0);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int close_it(cr_conn *conn)
{
	return cr_conn_close(conn);
}

/* The close waits for the peer's acknowledgement, and says when there was none. */
static int linger(int *unused)
{
	static char block[65536];
	cr_conn *c[2];
	ssize_t n;

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_linger_set(c[0], cr_seconds(60)), 0);
	CHECK_EQ(cr_conn_write(c[0], "all", 3), 0);
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, close_it, c[0]);

		CHECK_EQ(cr_conn_read_exactly(c[1], block, 3), 0);
		CHECK_EQ(cr_await(task), 0);
	}
	CHECK_EQ(cr_conn_read(c[1], block, 1), 0);
	cr_conn_close(c[1]);

	/*
	 * A peer that does not read: its window is shut, and the last bytes are never acknowledged.
	 * The simulator's peers acknowledge whatever arrives.
	 */
	tcp_pair(c);
	do
		n = cr_timeout(cr_millis(30), cr_conn_write_some(c[0], block, sizeof block));
	while (n > 0);
	CHECK_EQ(n, -ETIMEDOUT);
	CHECK_EQ(cr_conn_linger_set(c[0], cr_millis(40)), 0);
	CHECK_EQ(cr_conn_close(c[0]), on_sim() ? 0 : -ETIMEDOUT);
	do
		n = cr_conn_read(c[1], block, sizeof block);
	while (n > 0);
	CHECK_EQ(n, on_sim() ? 0 : -ECONNRESET);
	cr_conn_close(c[1]);

	/* Zero: a reset. */
	tcp_pair(c);
	CHECK_EQ(cr_conn_linger_set(c[0], 0), 0);
	CHECK_EQ(cr_conn_close(c[0]), 0);
	CHECK_EQ(cr_conn_read(c[1], block, 1), -ECONNRESET);
	cr_conn_close(c[1]);

	/* And back to the default. */
	tcp_pair(c);
	CHECK_EQ(cr_conn_linger_set(c[0], 0), 0);
	CHECK_EQ(cr_conn_linger_set(c[0], -1), 0);
	CHECK_EQ(cr_conn_close(c[0]), 0);
	CHECK_EQ(cr_conn_read(c[1], block, 1), 0);
	cr_conn_close(c[1]);
	return 0;
}

static int listeners(int *unused)
{
	cr_listener_options options = {.fast_open = 16, .defer_accept = cr_millis(1500)};
	cr_listener *listener;
	char byte;
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", &options, &listener), 0);
	CHECK_EQ(loopback_dial(cr_listener_port(listener), &c[0]), 0);
	CHECK_EQ(cr_conn_write(c[0], "x", 1), 0);
	CHECK_EQ(cr_listener_accept(listener, &c[1]), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], &byte, 1), 0);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	cr_listener_close(listener);
	return 0;
}

int main(void)
{
	RUN_TASK(tuning);
	RUN_TASK(cork_holds_back);
	RUN_TASK(information);
	RUN_TASK(linger);
	RUN_TASK(listeners);
	return test_done();
}
