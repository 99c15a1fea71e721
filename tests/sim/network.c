/* SPDX-License-Identifier: MIT */
/* The simulated network and its scripted faults, as connections and listeners meet them. */

#include "support/test.h"

#include <corail/io.h>
#include <corail/net.h>
#include <corail/sim.h>
#include <corail/task.h>

#define IN_SIM(fn)                                                                                 \
	do {                                                                                       \
		for (uint64_t seed = 1; seed <= 20; seed++) {                                      \
			cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};        \
			CHECK_EQ(cr_run_with(&options, fn, (void *)NULL), 0);                      \
		}                                                                                  \
	} while (0)

struct pair {
	cr_listener *listener;
	cr_conn *client, *server;
};

static void pair_open(struct pair *pair)
{
	CHECK_EQ(cr_listener_open("10.0.0.1:80", NULL, &pair->listener), 0);
	CHECK_EQ(cr_conn_open("10.0.0.1:80", &pair->client), 0);
	CHECK_EQ(cr_listener_accept(pair->listener, &pair->server), 0);
}

static void pair_close(struct pair *pair)
{
	cr_conn_close(pair->client);
	cr_conn_close(pair->server);
	cr_listener_close(pair->listener);
	CHECK_EQ(cr_sim_fd_count(), 0);
}

static int latency(void *unused)
{
	cr_sim_network network = {.latency = cr_millis(40)};
	cr_nsec start = cr_now();
	struct pair pair;
	char byte;

	(void)unused;
	CHECK_EQ(cr_sim_network_set(&network), 0);
	pair_open(&pair);
	CHECK_EQ(cr_now() - start, cr_millis(80));
	start = cr_now();
	CHECK_EQ(cr_conn_write(pair.client, "x", 1), 0);
	CHECK_EQ(cr_now(), start);
	CHECK_EQ(cr_conn_read(pair.server, &byte, 1), 1);
	CHECK_EQ(cr_now() - start, cr_millis(40));
	network.latency = cr_seconds(3);
	network.jitter = cr_seconds(1);
	CHECK_EQ(cr_sim_network_set(&network), 0);
	start = cr_now();
	CHECK_EQ(cr_conn_write(pair.client, "x", 1), 0);
	CHECK_EQ(cr_conn_read(pair.server, &byte, 1), 1);
	CHECK_GE(cr_now() - start, cr_seconds(3));
	CHECK_LT(cr_now() - start, cr_seconds(4));
	pair_close(&pair);
	return 0;
}

static void bytes_take_their_time(void)
{
	IN_SIM(latency);
}

static int write_lines(cr_conn *conn)
{
	char line[64];

	for (int i = 0; i < 200; i++) {
		int size = snprintf(line, sizeof line, "this is line number %d\r\n", i);

		CHECK_EQ(cr_conn_write(conn, line, (size_t)size), 0);
	}
	return cr_conn_shutdown_write(conn);
}

static int split_streams(void *unused)
{
	cr_sim_network network = {.latency = cr_millis(1), .jitter = cr_millis(9), .split = 1};
	struct pair pair;
	char line[64], wanted[64];
	int number = 0;

	(void)unused;
	CHECK_EQ(cr_sim_network_set(&network), 0);
	pair_open(&pair);
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, write_lines, pair.client);
	for (ssize_t n; (n = cr_conn_read_line(pair.server, line, sizeof line)) >= 0; number++) {
		snprintf(wanted, sizeof wanted, "this is line number %d", number);
		CHECK_STR(line, wanted);
	}
	CHECK_EQ(number, 200);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	pair_close(&pair);
	return 0;
}

static void lines_survive_any_segmentation(void)
{
	IN_SIM(split_streams);
}

static int connect_faults(void *unused)
{
	struct pair pair;
	cr_conn *conn;

	(void)unused;
	pair_open(&pair);
	CHECK_EQ(cr_sim_connect_fail(2, -ENETUNREACH), 0);
	CHECK_EQ(cr_sim_connect_fail(2, 5), -EINVAL);
	CHECK_EQ(cr_conn_open("10.0.0.1:80", &conn), 0);
	cr_conn_close(conn);
	CHECK_EQ(cr_conn_open("10.0.0.1:80", &conn), -ENETUNREACH);
	CHECK_EQ(cr_conn_open("10.0.0.1:80", &conn), 0);
	cr_conn_close(conn);
	CHECK_EQ(cr_conn_open("10.0.0.1:81", &conn), -ECONNREFUSED);
	pair_close(&pair);
	return 0;
}

static void the_nth_connect_fails(void)
{
	IN_SIM(connect_faults);
}

static cr_addr address(const char *text)
{
	cr_addr addr;

	CHECK_EQ(cr_addr_parse(text, &addr), 0);
	return addr;
}

static void rule(const char *text, cr_nsec delay, int error)
{
	cr_addr addr = address(text);

	CHECK_EQ(cr_sim_connect_rule((struct sockaddr *)&addr.storage, addr.length, delay, error),
	         0);
}

static int happy_eyeballs(void *unused)
{
	cr_addr addrs[3] = {address("10.0.0.1:80"), address("10.0.0.2:80"), address("10.0.0.3:80")};
	cr_nsec start = cr_now();
	cr_listener *listener;
	cr_conn *conn;
	cr_addr peer;

	(void)unused;
	CHECK_EQ(cr_listener_open(":80", NULL, &listener), 0);
	rule("10.0.0.1", cr_seconds(1), 0);
	rule("10.0.0.2", cr_seconds(1), 0);
	rule("10.0.0.3", cr_millis(200), 0);
	CHECK_EQ(cr_conn_open_addrs(addrs, 3, &conn), 0);
	CHECK_EQ(cr_now() - start, cr_millis(700));
	CHECK_EQ(cr_conn_peer(conn, &peer), 0);
	CHECK(cr_addr_equal(&peer, &addrs[2]));
	cr_conn_close(conn);
	rule("10.0.0.1", CORAIL_NEVER, 0);
	rule("10.0.0.2", cr_millis(10), -EHOSTUNREACH);
	start = cr_now();
	CHECK_EQ(cr_conn_open_addrs(addrs, 3, &conn), 0);
	CHECK_EQ(cr_now() - start, cr_millis(460));
	cr_conn_close(conn);
	CHECK_EQ(cr_timeout(cr_seconds(9), cr_conn_open_addrs(addrs, 1, &conn)), -ETIMEDOUT);
	cr_listener_close(listener);
	CHECK_EQ(cr_sim_fd_count(), 0);
	return 0;
}

static void addresses_answer_by_rule(void)
{
	IN_SIM(happy_eyeballs);
}

static int out_of_descriptors(void *unused)
{
	struct pair pair;
	cr_conn *client, *server;
	cr_nsec start;

	(void)unused;
	pair_open(&pair);
	CHECK_EQ(cr_sim_accept_fail(3, -EMFILE), 0);
	CHECK_EQ(cr_conn_open("10.0.0.1:80", &client), 0);
	start = cr_now();
	CHECK_EQ(cr_listener_accept(pair.listener, &server), 0);
	CHECK_GT(cr_now(), start);
	cr_conn_close(client);
	cr_conn_close(server);
	pair_close(&pair);
	return 0;
}

static void accept_survives_a_want_of_descriptors(void)
{
	IN_SIM(out_of_descriptors);
}

static int reader(cr_conn *conn)
{
	char buffer[100];
	ssize_t n;

	while ((n = cr_conn_read(conn, buffer, sizeof buffer)) > 0)
		;
	return (int)n;
}

static int resets(void *unused)
{
	struct pair pair;

	(void)unused;
	pair_open(&pair);
	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	cr_task at_client = cr_spawn(&scope, reader, pair.client);
	cr_task at_server = cr_spawn(&scope, reader, pair.server);

	CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	CHECK_EQ(cr_sim_reset(cr_conn_fd(pair.client)), 0);
	CHECK_EQ(cr_sim_reset(cr_conn_fd(pair.client)), -ENOTCONN);
	CHECK_EQ(cr_await(at_client), -ECONNRESET);
	CHECK_EQ(cr_await(at_server), -ECONNRESET);
	CHECK_EQ(cr_conn_write(pair.server, "x", 1), -EPIPE);
	pair_close(&pair);
	CHECK_EQ(cr_sim_reset(1 << 20), -EBADF);
	return 0;
}

static void a_reset_is_seen_at_both_ends(void)
{
	IN_SIM(resets);
}

static int partitions(void *unused)
{
	cr_nsec start = cr_now();
	struct pair pair;
	char byte;

	(void)unused;
	pair_open(&pair);
	CHECK_EQ(cr_conn_write(pair.client, "a", 1), 0);
	CHECK_EQ(cr_sim_partition(start + cr_seconds(60)), 0);
	CHECK_EQ(cr_conn_write(pair.client, "b", 1), 0);
	CHECK_EQ(cr_timeout(cr_seconds(10), cr_conn_read(pair.server, &byte, 1)), -ETIMEDOUT);
	CHECK_EQ(cr_conn_read(pair.server, &byte, 1), 1);
	CHECK_EQ(byte, 'a');
	CHECK_EQ(cr_now(), start + cr_seconds(60));
	CHECK_EQ(cr_conn_read(pair.server, &byte, 1), 1);
	CHECK_EQ(byte, 'b');
	CHECK_EQ(cr_sim_partition(CORAIL_NEVER), 0);
	CHECK_EQ(cr_conn_write(pair.server, "c", 1), 0);
	CHECK_EQ(cr_timeout(cr_seconds(1000), cr_conn_read(pair.client, &byte, 1)), -ETIMEDOUT);
	CHECK_EQ(cr_sim_partition(0), 0);
	CHECK_EQ(cr_conn_read(pair.client, &byte, 1), 1);
	CHECK_EQ(byte, 'c');
	pair_close(&pair);
	return 0;
}

static void a_partition_holds_everything_back(void)
{
	IN_SIM(partitions);
}

static int failing_descriptor(void *unused)
{
	struct pair pair;
	int fd;
	char byte;

	(void)unused;
	pair_open(&pair);
	fd = cr_conn_fd(pair.client);
	CHECK_EQ(cr_sim_fd_fail(fd, 2, -EHOSTUNREACH), 0);
	CHECK_EQ(cr_fd_read(fd, &byte, 1), -EHOSTUNREACH);
	CHECK_EQ(cr_fd_write(fd, "x", 1), -EHOSTUNREACH);
	CHECK_EQ(cr_fd_write(fd, "x", 1), 1);
	CHECK_EQ(cr_sim_fd_fail(fd + 100, 1, -EIO), -EBADF);
	CHECK_EQ(cr_sim_fd_fail(fd, 1, 1), -EINVAL);
	pair_close(&pair);
	return 0;
}

static void operations_fail_on_order(void)
{
	IN_SIM(failing_descriptor);
}

static int flood(cr_conn *conn)
{
	static const char block[100000];
	int r;

	while ((r = cr_conn_write(conn, block, sizeof block)) == 0)
		;
	return r;
}

static int small_buffers(void *unused)
{
	cr_sim_network network = {.buffer_bytes = 1000};
	struct pair pair;
	char buffer[5000];
	size_t total = 0;
	int r;

	(void)unused;
	CHECK_EQ(cr_sim_network_set(&network), 0);
	pair_open(&pair);
	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	cr_task writer = cr_spawn(&scope, flood, pair.client);

	CHECK_EQ(cr_sleep(cr_seconds(1)), 0);
	while (total < 1000000) {
		ssize_t n = cr_conn_read(pair.server, buffer, sizeof buffer);

		CHECK_GT(n, 0);
		CHECK_LE(n, 2000);
		total += (size_t)n;
	}
	cr_conn_close(pair.server);
	pair.server = NULL;
	r = cr_await(writer);
	CHECK(r == -ECONNRESET || r == -EPIPE);
	pair_close(&pair);
	return 0;
}

static void a_writer_waits_for_its_reader(void)
{
	IN_SIM(small_buffers);
}

static void outside_a_simulation_nothing_works(void)
{
	cr_sim_network network;

	CHECK_EQ(cr_sim_network_get(&network), -ESRCH);
	CHECK_EQ(cr_sim_network_set(&network), -ESRCH);
	CHECK_EQ(cr_sim_connect_fail(1, -EIO), -ESRCH);
	CHECK_EQ(cr_sim_connect_rule(NULL, 0, 0, 0), -ESRCH);
	CHECK_EQ(cr_sim_accept_fail(1, -EIO), -ESRCH);
	CHECK_EQ(cr_sim_fd_fail(0, 1, -EIO), -ESRCH);
	CHECK_EQ(cr_sim_reset(0), -ESRCH);
	CHECK_EQ(cr_sim_partition(0), -ESRCH);
	CHECK_EQ(cr_sim_fd_count(), -ESRCH);
}

static int refusals(void *unused)
{
	cr_sim_network network;
	int fds[2];

	(void)unused;
	CHECK_EQ(cr_sim_network_get(&network), 0);
	CHECK_EQ(network.latency, cr_micros(50));
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(cr_fd_write(fds[1], "x", 1), -EOPNOTSUPP);
	CHECK_EQ(cr_fd_poll(fds[1], POLLOUT), -EOPNOTSUPP);
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	CHECK_EQ(cr_fd_write(fds[1], "x", 1), -EBADF);
	return 0;
}

static void what_cannot_be_simulated_is_refused(void)
{
	IN_SIM(refusals);
}

int main(void)
{
	RUN(bytes_take_their_time);
	RUN(lines_survive_any_segmentation);
	RUN(the_nth_connect_fails);
	RUN(addresses_answer_by_rule);
	RUN(accept_survives_a_want_of_descriptors);
	RUN(a_reset_is_seen_at_both_ends);
	RUN(a_partition_holds_everything_back);
	RUN(operations_fail_on_order);
	RUN(a_writer_waits_for_its_reader);
	RUN(outside_a_simulation_nothing_works);
	RUN(what_cannot_be_simulated_is_refused);
	return test_done();
}
