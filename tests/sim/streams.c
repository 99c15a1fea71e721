/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/*
 * A stream read by random calls with random deadlines and limits, over a network that cuts it
 * anywhere: whatever fails, the bytes come in order, none is missing and none comes twice.
 */
#include <corail/corail.h>
#include <corail/sim.h>

#include "loopback.h"
#include "test.h"

enum { SIZE = 150 * 1000, SEEDS = 60 };

struct world {
	uint64_t random;
	char *sent; /* lines and long stretches without an end */
	size_t at;  /* what the reader has got so far */
	size_t calls, failures;
	cr_conn *conns[2];
};

static uint64_t next_random(struct world *w, uint64_t below)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (w->random >> 33) % below;
}

static void world_fill(struct world *w)
{
	size_t line = 0;

	for (size_t i = 0; i < SIZE; i++) {
		w->sent[i] = (char)('a' + i % 23);
		if (line++ > next_random(w, 300) && next_random(w, 4) == 0) {
			w->sent[i] = '\n';
			line = 0;
		}
	}
}

static int send_all(struct world *w)
{
	size_t sent = 0;

	while (sent < SIZE) {
		size_t n = 1 + next_random(w, 9000);

		if (n > SIZE - sent)
			n = SIZE - sent;
		CHECK_EQ(cr_conn_write(w->conns[0], w->sent + sent, n), 0);
		sent += n;
		if (next_random(w, 3) == 0)
			CHECK_EQ(cr_sleep(cr_micros((int64_t)next_random(w, 400))), 0);
	}
	return cr_conn_shutdown_write(w->conns[0]);
}

static void got(struct world *w, const void *data, size_t size)
{
	CHECK_LE(w->at + size, SIZE);
	CHECK_MEM(data, w->sent + w->at, size);
	w->at += size;
}

static ssize_t by_read(struct world *w)
{
	static char data[20000];
	ssize_t n = cr_conn_read(w->conns[1], data, 1 + next_random(w, sizeof data));

	if (n > 0)
		got(w, data, (size_t)n);
	return n == 0 ? -ENODATA : n;
}

static ssize_t by_exactly(struct world *w)
{
	static char data[40000];
	size_t size = 1 + next_random(w, next_random(w, 4) ? 500 : sizeof data);
	int r = cr_conn_read_exactly(w->conns[1], data, size);

	if (r == 0)
		got(w, data, size);
	return r;
}

static ssize_t by_until(struct world *w)
{
	cr_buf buf = {.limit_bytes = 1 + next_random(w, 600)};
	ssize_t n = cr_conn_read_until(w->conns[1], "\n", 1, &buf);

	CHECK(n == -ENODATA || (n < 0) == (buf.size == 0));
	if (n > 0)
		CHECK_EQ(memchr(buf.data, '\n', buf.size) == buf.data + buf.size - 1, 1);
	got(w, buf.data, buf.size);
	cr_buf_free(&buf);
	return n;
}

static ssize_t by_line(struct world *w)
{
	char line[500];
	ssize_t n = cr_conn_read_line(w->conns[1], line, 2 + next_random(w, sizeof line - 2));

	if (n < 0)
		return n;
	CHECK_EQ(line[n], 0);
	got(w, line, (size_t)n);
	if (w->at < SIZE)
		got(w, "\n", 1);
	return n;
}

static ssize_t by_peek(struct world *w)
{
	const void *data;
	ssize_t n = cr_conn_peek(w->conns[1], &data);

	if (n > 0) {
		CHECK_EQ(cr_conn_buffered(w->conns[1]), (size_t)n);
		CHECK_MEM(data, w->sent + w->at, (size_t)n);
	}
	return n == 0 ? -ENODATA : n;
}

static void read_once(struct world *w)
{
	ssize_t (*const by[])(struct world *) = {by_read, by_exactly, by_until, by_line, by_peek};
	ssize_t (*call)(struct world *) = by[next_random(w, 5)];
	ssize_t n;

	if (next_random(w, 2))
		n = cr_timeout(cr_micros((int64_t)next_random(w, 200)), call(w));
	else
		n = call(w);
	w->calls++;
	w->failures += n < 0;
	if (n == -ENODATA || n == -EMSGSIZE)
		by_read(w);
}

static int run(struct world *w)
{
	cr_sim_network network = {.latency = cr_micros(30), .jitter = cr_micros(100), .split = 1};
	char byte;

	CHECK_EQ(cr_sim_network_set(&network), 0);
	tcp_pair(w->conns);

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, send_all, w);
	while (w->at < SIZE)
		read_once(w);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_conn_read(w->conns[1], &byte, 1), 0);
	cr_conn_close(w->conns[0]);
	cr_conn_close(w->conns[1]);
	return 0;
}

static void in_order(void)
{
	size_t calls = 0, failures = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};
		struct world w = {.random = seed, .sent = malloc(SIZE)};

		world_fill(&w);
		CHECK_EQ(cr_run_with(&options, run, &w), 0);
		calls += w.calls;
		failures += w.failures;
		free(w.sent);
	}
	printf("  %zu calls, %zu failures\n", calls, failures);
	CHECK_GT(failures, calls / 50);
	CHECK_LT(failures, calls);
}

int main(void)
{
	RUN(in_order);
	return test_done();
}
