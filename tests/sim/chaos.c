/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/*
 * Clients and a server in a network that goes wrong: resets, partitions, failing connects and
 * accepts, cancelled clients, bytes in pieces. Whatever happens, nobody hangs, nobody reads a byte
 * that was not written there, and in the end nothing is left. See seeds.h for how to run
 * one seed.
 */

#include "sim/seeds.h"

#include <corail/net.h>

enum { SEEDS = 150, CLIENTS = 6, CALLS = 10, MESSAGE_MAX = 3000, EVENTS = 60 };

struct world {
	uint64_t random;
	cr_listener *listener;
	cr_task clients[CLIENTS];
	int done, failed, served;
};

/* xorshift64*, below a bound. */
static unsigned below(struct world *w, unsigned bound)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (unsigned)((w->random * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % bound;
}

static unsigned char pattern(int client, size_t at)
{
	return (unsigned char)(client * 131 + (int)(at * 7) + (int)(at >> 8));
}

/* Echoes messages: a line with the client and the size, then as many bytes. */
static int serve_client(cr_conn *conn, void *arg)
{
	struct world *w = arg;
	unsigned char bytes[MESSAGE_MAX];
	char line[64];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = cr_conn_read_line(conn, line, sizeof line)) >= 0) {
		int client, size;

		CHECK_EQ(sscanf(line, "client %d sends %d", &client, &size), 2);
		r = cr_conn_read_exactly(conn, bytes, (size_t)size);
		for (int i = 0; r == 0 && i < size; i++)
			CHECK_EQ(bytes[i], pattern(client, (size_t)i));
		if (r == 0)
			r = cr_conn_write(conn, bytes, (size_t)size);
		w->served += r == 0;
	}
	return r;
}

static int serve(struct world *w)
{
	cr_serve_options options = {.conn_count_max = 4};

	return cr_listener_serve(w->listener, &options, serve_client, w);
}

struct client {
	struct world *world;
	int number;
};

static int exchange(struct client *client, cr_conn *conn)
{
	unsigned char bytes[MESSAGE_MAX];
	size_t size = 1 + below(client->world, MESSAGE_MAX - 1), got = 0;
	char line[64];
	ssize_t n;
	int r;

	snprintf(line, sizeof line, "client %d sends %zu\r\n", client->number, size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(client->number, i);
	r = cr_conn_write(conn, line, strlen(line));
	if (r == 0)
		r = cr_conn_write(conn, bytes, size);
	while (r == 0 && got < size) {
		n = cr_conn_read(conn, bytes, size - got);
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(bytes[i], pattern(client->number, got + (size_t)i));
		got += (size_t)n;
	}
	return r;
}

static int converse(struct client *client)
{
	cr_conn *conn;
	int r = cr_conn_open("10.1.2.3:99", &conn);

	if (r < 0)
		return r;
	for (int i = 0; i < CALLS && r == 0; i++) {
		r = cr_sleep(cr_millis(below(client->world, 100)));
		if (r == 0)
			r = exchange(client, conn);
	}
	cr_conn_close(conn);
	return r;
}

/* Tries until it has succeeded, gives up a try after a while, and all of it when cancelled. */
static int client_run(struct client *client)
{
	struct world *w = client->world;
	int r;

	for (;;) {
		r = cr_timeout(cr_millis(1 + below(w, 3000)), converse(client));
		if (r == 0 || cr_cancelled())
			break;
		CHECK_NE(r, -ECANCELED);
		CHECK_NE(r, -EBUSY);
		CHECK_NE(r, -EBADF);
		w->failed++;
		r = cr_sleep(cr_millis(below(w, 50)));
		if (r < 0)
			break;
	}
	w->done += r == 0;
	/* Who is cancelled may have failed just before: nobody tries again then. */
	return cr_cancelled() ? 0 : r;
}

static void something_happens(struct world *w)
{
	cr_sim_network network = {.latency = cr_micros(below(w, 20000)),
	                          .jitter = cr_micros(below(w, 20000)),
	                          .buffer_bytes = 100 + below(w, 100000),
	                          .split = below(w, 2)};

	switch (below(w, 8)) {
	case 0:
	case 1:
	case 2:
		cr_sim_reset((1 << 20) + (int)below(w, 12));
		break;
	case 3:
		CHECK_EQ(cr_sim_partition(cr_now() + cr_millis(below(w, 1000))), 0);
		break;
	case 4:
		CHECK_EQ(cr_sim_accept_fail(1 + below(w, 3), below(w, 2) ? -EMFILE : -ECONNABORTED),
		         0);
		break;
	case 5:
		CHECK_EQ(cr_sim_connect_fail(1 + below(w, 3), -ENETUNREACH), 0);
		break;
	case 6:
		CHECK_EQ(cr_sim_network_set(&network), 0);
		break;
	case 7:
		if (below(w, 4) == 0)
			cr_task_cancel(w->clients[below(w, CLIENTS)]);
		break;
	}
}

static int world_run(struct world *w)
{
	struct client clients[CLIENTS];
	cr_task server;

	CHECK_EQ(cr_listener_open("10.1.2.3:99", &(cr_listener_options){.backlog = 2},
	                          &w->listener),
	         0);
	{
		CORAIL_SCOPE(scope);
		server = cr_spawn(&scope, serve, w);
		{
			CORAIL_SCOPE(talk);
			for (int i = 0; i < CLIENTS; i++) {
				clients[i] = (struct client){w, i};
				w->clients[i] = cr_spawn(&talk, client_run, &clients[i]);
			}
			for (int i = 0; i < EVENTS; i++) {
				CHECK_EQ(cr_sleep(cr_millis(below(w, 40))), 0);
				something_happens(w);
			}
			/* Good weather again: everybody gets there now. */
			CHECK_EQ(cr_sim_partition(0), 0);
			CHECK_EQ(cr_sim_connect_fail(0, 0), 0);
			CHECK_EQ(cr_sim_network_set(&(cr_sim_network){.split = 1}), 0);
			CHECK_EQ(cr_scope_wait(&talk), 0);
		}
		cr_listener_close(w->listener);
		CHECK_EQ(cr_await(server), 0);
	}
	seeds_check_rest();
	return 0;
}

static struct world run_seed(uint64_t seed)
{
	cr_options options = seeds_begin(seed);
	struct world w = {.random = seed * UINT64_C(0x9e3779b97f4a7c15)};

	CHECK_EQ(cr_run_with(&options, world_run, &w), 0);
	seeds_end();
	return w;
}

static void nothing_is_lost_in_a_bad_network(void)
{
	struct seeds seeds = seeds_wanted(SEEDS);
	int done = 0, failed = 0, served = 0;

	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		struct world w = run_seed(seed);

		done += w.done;
		failed += w.failed;
		served += w.served;
	}
	printf("  %d clients done, %d tries failed, %d messages served\n", done, failed, served);
	CHECK_GT(done, 0);
	CHECK(seeds.last - seeds.first + 1 < SEEDS || failed > SEEDS);
}

static int run_all(void)
{
	RUN(nothing_is_lost_in_a_bad_network);
	return test_done();
}

int main(void)
{
	return seeds_main(run_all);
}
