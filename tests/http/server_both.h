/* SPDX-License-Identifier: MIT */
#ifndef TEST_HTTP_SERVER_BOTH_H
#define TEST_HTTP_SERVER_BOTH_H

/* What is tested of the server both on real sockets and in the simulator. */

#include "http/server_cases.h"

/* To be waited for, unlike what site_open() starts. */
static inline int run_server(struct site *site)
{
	return cr_http_server_run(site->server);
}

/* An answer without an end, and in `user` what became of it. */
static inline int serve_much(cr_http_exchange *x, void *user)
{
	static const char piece[65536];
	int *result = user, r = cr_http_reply_start(x, 200, NULL, CORAIL_HTTP_CHUNKED);

	while (r == 0)
		r = cr_http_reply_write(x, piece, sizeof piece);
	*result = r;
	return r;
}

SERVER_TEST(good_requests)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	cr_buf answer = {0};

	for (size_t i = 0; i < sizeof good_cases / sizeof good_cases[0]; i++) {
		const struct server_case *c = &good_cases[i];

		ask(site, c->request, strlen(c->request), &answer);
		check_case(c, &answer, false);
		ask_slowly(site, c->request, strlen(c->request), &answer);
		check_case(c, &answer, false);
	}
	cr_buf_free(&answer);
	return 0;
}

SERVER_TEST(bad_requests)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	static const char next[] = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
	cr_http_server_stats stats;
	cr_buf answer = {0}, request = {0};
	size_t count = sizeof bad_cases / sizeof bad_cases[0];

	for (size_t i = 0; i < count; i++) {
		const struct server_case *c = &bad_cases[i];

		cr_buf_clear(&request);
		CHECK_EQ(cr_buf_append(&request, c->request, strlen(c->request)), 0);
		CHECK_EQ(cr_buf_append(&request, next, sizeof next - 1), 0);
		ask(site, request.data, request.size, &answer);
		check_case(c, &answer, true);
		ask_slowly(site, request.data, request.size, &answer);
		/* Byte by byte an unknown method cannot be told from noise. */
		if (!(c->status == 501 && status_in(&answer) == 400))
			check_case(c, &answer, true);
	}
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections, 2 * count);
	cr_buf_free(&answer);
	cr_buf_free(&request);
	return 0;
}

SERVER_TEST(keep_alive_and_pipelining)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	static const char requests[] =
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\ntwo\r\n0\r\n\r\n"
		"POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nunread"
		"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /fail HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
		"GET /never HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char *const parts[] = {"one",  "two", "ignored",    "HTTP/1.1 200",
	                                    "slow", "500", "GET /last? "};
	cr_http_server_stats stats;
	cr_buf answer = {0};
	const char *at;

	for (int slowly = 0; slowly < 2; slowly++) {
		if (slowly)
			ask_slowly(site, requests, sizeof requests - 1, &answer);
		else
			ask(site, requests, sizeof requests - 1, &answer);
		at = answer.data;
		for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
			at = strstr(at, parts[i]);
			CHECK(at);
		}
		CHECK(!strstr(answer.data, "never"));
	}
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections, 2);
	CHECK_EQ(stats.exchanges, 14);
	cr_buf_free(&answer);
	return 0;
}

SERVER_TEST(expect_continue)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	cr_buf text = {0};
	cr_conn *conn = dial(site);

	/* The body is sent only when it is asked for. */
	CHECK_EQ(say(conn, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
	                   "Expect: 100-Continue\r\n\r\n"),
	         0);
	CHECK_GT(cr_conn_read_until(conn, "\r\n\r\n", 4, &text), 0);
	CHECK_STR(text.data, "HTTP/1.1 100 Continue\r\n\r\n");
	CHECK_EQ(say(conn, "hello"), 0);
	cr_buf_clear(&text);
	CHECK_GT(cr_conn_read_until(conn, "hello", 5, &text), 0);
	CHECK(!strncmp(text.data, "HTTP/1.1 200 ", 13));
	/* Not asked for: the answer comes at once, and the connection is closed. */
	CHECK_EQ(say(conn, "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
	                   "Expect: 100-continue\r\n\r\n"),
	         0);
	read_rest(conn, &text);
	CHECK(strstr(text.data, "ignored"));
	CHECK(strstr(text.data, "Connection: close\r\n"));
	CHECK(!strstr(text.data, "100"));
	cr_conn_close(conn);
	cr_buf_free(&text);
	return 0;
}

/* Who starts the answer first asks for the body all the same, as long as nothing was sent. */
static inline int serve_duplex(cr_http_exchange *x, void *user)
{
	char data[5];
	int r = cr_http_reply_start(x, 200, NULL, 5);

	(void)user;
	for (size_t n = 0; r >= 0 && n < sizeof data; n += (size_t)r)
		r = (int)cr_http_exchange_read(x, data + n, sizeof data - n);
	return r < 0 ? r : cr_http_reply_write(x, data, sizeof data);
}

SERVER_TEST(expect_continue_after_the_start)
{
	struct site *site = site_open(f, NULL, serve_duplex, NULL);
	cr_buf text = {0};
	cr_conn *conn = dial(site);

	CHECK_EQ(say(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
	                   "Expect: 100-continue\r\n\r\n"),
	         0);
	CHECK_GT(cr_conn_read_until(conn, "\r\n\r\n", 4, &text), 0);
	CHECK_STR(text.data, "HTTP/1.1 100 Continue\r\n\r\n");
	CHECK_EQ(say(conn, "hello"), 0);
	read_rest(conn, &text);
	CHECK(strstr(text.data, "\r\n\r\nhello"));
	cr_conn_close(conn);
	cr_buf_free(&text);
	return 0;
}

/* To HTTP/1.0 the end of the connection is the end of the body, and a failed one must differ. */
SERVER_TEST(half_an_answer_of_unknown_length)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	cr_conn *conn = dial(site);
	char data[200];
	ssize_t n;

	CHECK_EQ(say(conn, "GET /half-unknown HTTP/1.0\r\n\r\n"), 0);
	while ((n = cr_conn_read(conn, data, sizeof data)) > 0)
		;
	CHECK_EQ(n, -ECONNRESET);
	cr_conn_close(conn);
	return 0;
}

SERVER_TEST(limits)
{
	cr_http_server_options options = {.target_size_max = 100,
	                                  .head_size_max = 1000,
	                                  .header_count_max = 5,
	                                  .body_size_max = 50};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_buf request = {0}, answer = {0};

	for (int i = 0; i < 5; i++) {
		static const int statuses[] = {414, 431, 431, 413, 413};
		char fill[2001];

		memset(fill, 'a', sizeof fill - 1);
		fill[sizeof fill - 1] = 0;
		cr_buf_clear(&request);
		cr_buf_printf(&request, "POST /%.*s HTTP/1.1\r\nHost: h\r\n", i == 0 ? 100 : 1,
		              fill);
		if (i == 1)
			cr_buf_printf(&request, "X: %s\r\n", fill);
		for (int j = 0; i == 2 && j < 6; j++)
			cr_buf_printf(&request, "X: y\r\n");
		if (i == 3)
			cr_buf_printf(&request, "Content-Length: 51\r\n\r\n%.51s", fill);
		if (i == 4)
			cr_buf_printf(&request,
			              "Transfer-Encoding: chunked\r\n\r\n33\r\n%.51s\r\n0\r\n",
			              fill);
		cr_buf_printf(&request, "\r\n");
		ask(site, request.data, request.size, &answer);
		if (status_in(&answer) != statuses[i])
			fprintf(stderr, "  case %d: %s\n", i, answer.data);
		CHECK_EQ(status_in(&answer), statuses[i]);
	}
	cr_buf_free(&request);
	cr_buf_free(&answer);
	return 0;
}

/* Framing that is much larger than what it frames: an attack. */
SERVER_TEST(framing)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	cr_buf request = {0}, answer = {0};

	cr_buf_printf(&request,
	              "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	              "1;");
	for (int i = 0; i < 20000; i++)
		CHECK_EQ(cr_buf_append(&request, "abcdefgh", 8), 0);
	cr_buf_printf(&request, "\r\nx\r\n0\r\n\r\n");
	ask(site, request.data, request.size, &answer);
	CHECK_EQ(status_in(&answer), 400);
	cr_buf_free(&request);
	cr_buf_free(&answer);
	return 0;
}

static inline void run_on_both(void)
{
	RUN(good_requests);
	RUN(bad_requests);
	RUN(keep_alive_and_pipelining);
	RUN(expect_continue);
	RUN(expect_continue_after_the_start);
	RUN(half_an_answer_of_unknown_length);
	RUN(limits);
	RUN(framing);
}

#endif
