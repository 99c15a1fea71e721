/* SPDX-License-Identifier: MIT */
/* ctest: timeout=90 */
/*
 * The server in the simulator: the same raw requests, what takes time, and cancellation at every
 * moment.
 */

#include "http/server_both.h"

/* ---------------------------------------------------------------------------------------- time */

SERVER_TEST(a_slow_head_gets_408)
{
	struct site *site = site_open(f, NULL, serve_cases, NULL);
	cr_buf answer = {0};
	cr_conn *conn = dial(site);
	cr_nsec begin = cr_now();

	/* A byte a second is no progress: the whole head has 30 s. */
	CHECK_EQ(say(conn, "GET / HTTP/1.1\r\nX: "), 0);
	for (int i = 0; i < 29; i++) {
		CHECK_EQ(cr_sleep(cr_seconds(1)), 0);
		CHECK_EQ(say(conn, "a"), 0);
	}
	read_rest(conn, &answer);
	CHECK_EQ(status_in(&answer), 408);
	CHECK_GE(cr_now() - begin, cr_seconds(30));
	CHECK_LT(cr_now() - begin, cr_seconds(33));
	cr_conn_close(conn);
	cr_buf_free(&answer);
	return 0;
}

static cr_nsec idle_until_closed(const struct site *site, const char *request)
{
	cr_conn *conn = dial(site);
	cr_nsec begin;
	char data[500];
	ssize_t n;

	if (request) {
		CHECK_EQ(say(conn, request), 0);
		CHECK_GT(cr_conn_read(conn, data, sizeof data), 0);
	}
	begin = cr_now();
	do {
		n = cr_conn_read(conn, data, sizeof data);
	} while (n > 0);
	CHECK_EQ(n, 0);
	begin = cr_now() - begin;
	cr_conn_close(conn);
	return begin;
}

SERVER_TEST(the_idle_are_closed)
{
	cr_http_server_options options = {.idle_time = cr_seconds(7)};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_nsec time = idle_until_closed(site, NULL);

	CHECK_GE(time, cr_seconds(7));
	CHECK_LT(time, cr_seconds(7.5));
	time = idle_until_closed(site, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK_GE(time, cr_seconds(7));
	CHECK_LT(time, cr_seconds(7.5));
	return 0;
}

/* Empty lines before a request are no request. */
SERVER_TEST(empty_lines_are_idle)
{
	cr_http_server_options options = {.idle_time = cr_seconds(7)};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_conn *conn = dial(site);
	cr_nsec begin = cr_now();
	int r = 0;

	for (int i = 0; i < 100 && r == 0; i++) {
		CHECK_EQ(cr_sleep(cr_seconds(2)), 0);
		r = say(conn, "\r\n");
	}
	CHECK_LT(r, 0);
	CHECK_LT(cr_now() - begin, cr_seconds(20));
	cr_conn_close(conn);
	return 0;
}

SERVER_TEST(no_limit_of_time)
{
	cr_http_server_options options = {.idle_time = CORAIL_NEVER,
	                                  .head_time = CORAIL_NEVER,
	                                  .transfer_time = CORAIL_NEVER};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_buf answer = {0};
	cr_conn *conn = dial(site);

	CHECK_EQ(cr_sleep(cr_seconds(100)), 0);
	CHECK_EQ(say(conn, "GET / HTTP/1.1\r\nHost:"), 0);
	CHECK_EQ(cr_sleep(cr_seconds(100)), 0);
	CHECK_EQ(say(conn, " h\r\nConnection: close\r\n\r\n"), 0);
	read_rest(conn, &answer);
	CHECK_EQ(status_in(&answer), 200);
	cr_conn_close(conn);
	cr_buf_free(&answer);
	return 0;
}

/* What the handler did not want is not waited for at the client's pace. */
SERVER_TEST(a_slow_body_that_nobody_reads)
{
	cr_http_server_options options = {.transfer_time = cr_seconds(5)};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_conn *conn = dial(site);
	cr_nsec begin = cr_now();
	int r = 0;

	CHECK_EQ(say(conn, "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"), 0);
	for (int i = 0; i < 100 && r == 0; i++) {
		CHECK_EQ(cr_sleep(cr_seconds(2)), 0);
		r = say(conn, "a");
	}
	CHECK_LT(r, 0);
	CHECK_LT(cr_now() - begin, cr_seconds(20));
	cr_conn_close(conn);
	return 0;
}

SERVER_TEST(a_body_that_stalls_gets_408)
{
	cr_http_server_options options = {.transfer_time = cr_seconds(5)};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_buf answer = {0};
	cr_conn *conn = dial(site);

	CHECK_EQ(say(conn, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"), 0);
	/* Slow is not stalled. */
	for (int i = 0; i < 9; i++) {
		CHECK_EQ(cr_sleep(cr_seconds(4)), 0);
		CHECK_EQ(say(conn, "a"), 0);
	}
	read_rest(conn, &answer);
	CHECK_EQ(status_in(&answer), 408);
	cr_conn_close(conn);
	cr_buf_free(&answer);
	return 0;
}

SERVER_TEST(who_does_not_read_is_dropped)
{
	cr_http_server_options options = {.transfer_time = cr_seconds(5)};
	static int result;
	struct site *site = site_open(f, &options, serve_much, &result);
	cr_conn *conn = dial(site);

	CHECK_EQ(say(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	CHECK_EQ(cr_sleep(cr_seconds(4)), 0);
	CHECK_EQ(result, 0);
	CHECK_EQ(cr_sleep(cr_seconds(2)), 0);
	CHECK_EQ(result, -ETIME);
	cr_conn_close(conn);
	return 0;
}

/* A handler that does not care whether what it says arrives. */
static int pour(cr_http_exchange *x, void *user)
{
	static const char data[10000];
	int r = cr_http_reply_start(x, 200, NULL, CORAIL_HTTP_CHUNKED);

	(void)user;
	for (int i = 0; i < 1000 && r == 0; i++)
		r = cr_http_reply_write(x, data, sizeof data);
	CHECK_EQ(r, -ETIME);
	return 0;
}

/* HTTP/1.0: the end of the connection is that of the body, unless it is a reset. */
SERVER_TEST(a_body_that_was_cut_has_no_end)
{
	cr_http_server_options options = {.transfer_time = cr_seconds(5)};
	struct site *site = site_open(f, &options, pour, NULL);
	cr_conn *conn = dial(site);
	char data[1000];
	ssize_t n;

	CHECK_EQ(say(conn, "GET / HTTP/1.0\r\n\r\n"), 0);
	CHECK_EQ(cr_sleep(cr_seconds(20)), 0);
	do {
		n = cr_conn_read(conn, data, sizeof data);
	} while (n > 0);
	CHECK_EQ(n, -ECONNRESET);
	cr_conn_close(conn);
	return 0;
}

/* --------------------------------------------------------------------------------- cancellation */

struct client {
	struct site *site;
	int answers;
};

static int converse(struct client *client)
{
	static const char requests[] =
		"POST /chunked HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
		"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	char data[600];
	cr_conn *conn;
	int r;
	ssize_t n;

	r = loopback_dial(client->site->port, &conn);
	if (r < 0)
		return 0;
	if (cr_conn_write(conn, requests, sizeof requests - 1) == 0) {
		while ((n = cr_conn_read(conn, data, sizeof data)) > 0)
			client->answers++;
	}
	cr_conn_close(conn);
	return 0;
}

/*
 * A server with three clients, cancelled after so many turns. Returns whether it had ended before.
 */
static bool cancel_after(struct fixture *f, int turns)
{
	struct site *site = &f->sites[0];
	struct client clients[3] = {{site, 0}, {site, 0}, {site, 0}};
	cr_http_server_stats stats;
	bool over;
	cr_task task;
	CORAIL_SCOPE(scope);

	site->port = cr_listener_port(site->listener);
	task = cr_spawn(&scope, run_server, site);
	{
		CORAIL_SCOPE(inner);

		for (int i = 0; i < 3; i++)
			cr_spawn(&inner, converse, &clients[i]);
		for (int i = 0; i < turns && cr_scope_count(&inner); i++) {
			/* The slow handler's time must pass as well. */
			if (i % 16 == 15)
				CHECK_EQ(cr_sleep(cr_millis(20)), 0);
			else
				CHECK_EQ(cr_yield(), 0);
		}
		over = cr_scope_count(&inner) == 0;
		cr_task_cancel(task);
		CHECK_EQ(cr_await(task), -ECANCELED);
		/* Who was not accepted yet would wait for ever. */
		cr_scope_cancel(&inner);
		CHECK_EQ(cr_scope_wait(&inner), 0);
	}
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections_alive, 0);
	CHECK_EQ(stats.exchanges_alive, 0);
	return over;
}

SERVER_TEST(cancelled_at_every_moment)
{
	struct site *site = site_new(f);
	int turns;

	CHECK_EQ(cr_http_server_open(NULL, site->listener, serve_cases, NULL, &site->server), 0);
	for (turns = 0; !cancel_after(f, turns); turns++)
		CHECK_LT(turns, 2000);
	CHECK_GT(turns, 10);
	return 0;
}

static int is_refused(struct fixture *f)
{
	cr_http *http = NULL;

	(void)f;
	CHECK_EQ(cr_http_open(NULL, &http), -EOPNOTSUPP);
	CHECK(!http);
	return 0;
}

/* libcurl has its own sockets, which the simulator does not have. */
static void no_client_in_the_simulator(void)
{
	fixture_run(is_refused, NULL, true);
}

int main(void)
{
	setenv("CORAIL_BACKEND", "sim", 1);
	run_on_both();
	RUN(a_slow_head_gets_408);
	RUN(the_idle_are_closed);
	RUN(empty_lines_are_idle);
	RUN(no_limit_of_time);
	RUN(a_slow_body_that_nobody_reads);
	RUN(a_body_that_stalls_gets_408);
	RUN(who_does_not_read_is_dropped);
	RUN(a_body_that_was_cut_has_no_end);
	RUN(cancelled_at_every_moment);
	RUN(no_client_in_the_simulator);
	return test_done();
}
