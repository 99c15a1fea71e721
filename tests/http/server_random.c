/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/*
 * The server fed with damaged requests, in the simulator: whatever comes, it answers with HTTP or
 * not at all, the same whether the bytes come at once or in pieces, and nothing is left behind. The
 * same numbers in each run; CORAIL_SEED=n for others.
 */

#include "http/server_cases.h"

#define ROUNDS 4000

static uint64_t state;

/* splitmix64, so that a failure can be repeated anywhere. */
static uint64_t random_number(uint64_t below)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

/* What parsers stumble over. */
static const char *const splinters[] = {
	"\r\n",
	"\n",
	"\r",
	"\r\n\r\n",
	" ",
	"\t",
	":",
	"0\r\n\r\n",
	"Content-Length: 3\r\n",
	"Transfer-Encoding: chunked\r\n",
	"Expect: 100-continue\r\n",
	"Connection: close\r\n",
	"Host: h\r\n",
	"ffffffffffffffff\r\n",
	"%2e%2e/",
	"GET / HTTP/1.1\r\n",
	"HTTP/1.0",
	"\xff\xfe",
};

static void pick(cr_buf *bytes)
{
	size_t good = sizeof good_cases / sizeof good_cases[0];
	size_t bad = sizeof bad_cases / sizeof bad_cases[0], i = (size_t)random_number(good + bad);
	const char *text = i < good ? good_cases[i].request : bad_cases[i - good].request;

	CHECK_EQ(cr_buf_append(bytes, text, strlen(text)), 0);
}

static void insert(cr_buf *bytes, size_t at, const char *data, size_t size)
{
	cr_buf tail = {0};

	CHECK_EQ(cr_buf_append(&tail, bytes->data + at, bytes->size - at), 0);
	bytes->size = at;
	CHECK_EQ(cr_buf_append(bytes, data, size), 0);
	CHECK_EQ(cr_buf_append(bytes, tail.data, tail.size), 0);
	cr_buf_free(&tail);
}

/* One to three requests, with up to four damages. */
static void make(cr_buf *bytes)
{
	cr_buf_clear(bytes);
	for (uint64_t i = random_number(3) + 1; i > 0; i--)
		pick(bytes);
	if (bytes->size == 0)
		CHECK_EQ(cr_buf_append(bytes, "x", 1), 0);
	for (uint64_t i = random_number(5); i > 0; i--) {
		size_t at = (size_t)random_number(bytes->size);
		const char *splinter =
			splinters[random_number(sizeof splinters / sizeof *splinters)];
		char byte = (char)random_number(256);

		switch (random_number(4)) {
		case 0:
			bytes->data[at] = byte;
			break;
		case 1:
			insert(bytes, at, splinter, strlen(splinter));
			break;
		case 2:
			insert(bytes, at, &byte, 1);
			break;
		default:
			memmove(bytes->data + at, bytes->data + at + 1, bytes->size - at - 1);
			if (bytes->size > 1)
				bytes->size--;
			break;
		}
	}
}

/* In pieces of random length, with pauses. */
static void ask_in_pieces(const struct site *site, const cr_buf *bytes, cr_buf *answer)
{
	cr_conn *conn = dial(site);

	for (size_t at = 0; at < bytes->size;) {
		size_t size = (size_t)random_number(40) + 1;

		if (size > bytes->size - at)
			size = bytes->size - at;
		if (cr_conn_write(conn, bytes->data + at, size) < 0)
			break;
		at += size;
		CHECK_EQ(cr_sleep(cr_micros(10)), 0);
	}
	(void)cr_conn_shutdown_write(conn);
	read_rest(conn, answer);
	cr_conn_close(conn);
}

/*
 * The statuses of all answers, as far as they can be told; a method cut in two is noise, not
 * unknown.
 */
static void statuses(const cr_buf *answer, cr_buf *list)
{
	cr_buf_clear(list);
	CHECK_EQ(cr_buf_append(list, "", 0), 0);
	for (const char *p = answer->data; (p = strstr(p, "HTTP/1.1 ")); p += 9) {
		long status = strtol(p + 9, NULL, 10);

		CHECK_EQ(cr_buf_printf(list, "%ld ", status == 501 ? 400 : status), 0);
	}
}

SERVER_TEST(damaged_requests)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	cr_buf bytes = {0}, whole = {0}, pieces = {0}, first = {0}, second = {0};
	cr_http_server_stats stats;
	size_t answered = 0;

	for (int i = 0; i < ROUNDS; i++) {
		make(&bytes);
		ask(site, bytes.data, bytes.size, &whole);
		ask_in_pieces(site, &bytes, &pieces);
		CHECK(whole.size == 0 || status_in(&whole) > 0);
		statuses(&whole, &first);
		statuses(&pieces, &second);
		if (strcmp(first.data, second.data) != 0)
			fprintf(stderr, "round %d:\n%.*s\nwhole:  %s\npieces: %s\n", i,
			        (int)bytes.size, bytes.data, first.data, second.data);
		CHECK_STR(first.data, second.data);
		answered += !strncmp(first.data, "200", 3);
	}
	/* Neither all broken nor all whole: the damage is of the right size. */
	CHECK_GT(answered, ROUNDS / 20);
	CHECK_LT(answered, ROUNDS * 19 / 20);
	CHECK_EQ(cr_sleep(cr_seconds(100)), 0);
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections_alive, 0);
	CHECK_EQ(stats.exchanges_alive, 0);
	CHECK_EQ(stats.connections, 2 * ROUNDS);
	cr_buf_free(&bytes);
	cr_buf_free(&whole);
	cr_buf_free(&pieces);
	cr_buf_free(&first);
	cr_buf_free(&second);
	return 0;
}

int main(void)
{
	const char *seed = getenv("CORAIL_SEED");

	setenv("CORAIL_BACKEND", "sim", 1);
	state = seed ? strtoull(seed, NULL, 10) : 1;
	RUN(damaged_requests);
	return test_done();
}
