/* SPDX-License-Identifier: MIT */
/* ctest: timeout=90 */
/* The server on real sockets: raw requests, and its life. */

#include "http/server_both.h"

/* What a handler may not say, and when. */
static int serve_wrongly(cr_http_exchange *x, void *user)
{
	cr_buf value = {0};
	const char *name, *text;

	(void)user;
	CHECK_EQ(cr_http_reply_write(x, "a", 1), -EINVAL);
	CHECK_EQ(cr_http_reply_flush(x), -EINVAL);
	CHECK_EQ(cr_http_reply_header(x, "X", "a\r\nY: b"), -CORAIL_E_HTTP_HEADER);
	CHECK_EQ(cr_http_reply_header(x, "X Y", "a"), -CORAIL_E_HTTP_HEADER);
	CHECK_EQ(cr_http_reply_header(x, "Content-length", "1"), -EINVAL);
	CHECK_EQ(cr_http_reply_start(x, 100, NULL, 0), -EINVAL);
	CHECK_EQ(cr_http_reply_start(x, 600, NULL, 0), -EINVAL);
	CHECK_EQ(cr_http_reply_start(x, 200, "a\nb", 0), -CORAIL_E_HTTP_HEADER);
	CHECK_EQ(cr_http_exchange_param(x, "q", &value), 0);
	CHECK_STR(value.data, "a b&c");
	CHECK_EQ(cr_http_exchange_param(x, "none", &value), -ENOENT);
	cr_buf_clear(&value);
	CHECK_EQ(cr_http_exchange_param(x, "empty", &value), 0);
	CHECK_EQ(value.size, 0);
	CHECK_EQ(cr_http_exchange_header_at(x, 0, &name, &text), 0);
	CHECK_STR(name, "Host");
	CHECK_EQ(cr_http_exchange_header_at(x, 99, &name, &text), -ENOENT);
	CHECK_EQ(cr_http_exchange_length(x), 0);
	CHECK_EQ(cr_http_reply_header(x, "X-Good", "yes"), 0);
	CHECK_EQ(cr_http_reply_close(x), 0);
	CHECK_EQ(cr_http_reply_start(x, 201, "text/plain", 3), 0);
	CHECK_EQ(cr_http_reply_start(x, 200, NULL, 3), -EALREADY);
	CHECK_EQ(cr_http_reply(x, 200, NULL, "a", 1), -EALREADY);
	CHECK_EQ(cr_http_reply_header(x, "X", "a"), -EALREADY);
	CHECK_EQ(cr_http_reply_close(x), -EALREADY);
	CHECK_EQ(cr_http_reply_flush(x), 0);
	CHECK_EQ(cr_http_reply_write(x, "abcd", 4), -EMSGSIZE);
	CHECK_EQ(cr_http_reply_write(x, "abc", 3), 0);
	cr_buf_free(&value);
	return 0;
}

SERVER_TEST(what_a_handler_may_say)
{
	static const char request[] = "GET /?x&q=a+b%26c&empty= HTTP/1.1\r\nHost: h\r\n\r\n";
	struct site *site = site_open(f, NULL, serve_wrongly, NULL);
	cr_buf answer = {0};

	ask(site, request, sizeof request - 1, &answer);
	CHECK(!strncmp(answer.data, "HTTP/1.1 201 Created\r\nServer: corail\r\nDate: ", 44));
	CHECK(strstr(answer.data, "\r\nX-Good: yes\r\n"));
	CHECK(strstr(answer.data, "\r\nConnection: close\r\n"));
	CHECK(strstr(answer.data, "\r\n\r\nabc"));
	cr_buf_free(&answer);
	CHECK_STR(cr_http_reason(404), "Not Found");
	CHECK_STR(cr_http_reason(299), "");
	return 0;
}

/* Until the server has so many connections, and exchanges under way. */
static void wait_until(const struct site *site, uint64_t connections, uint64_t exchanges)
{
	cr_http_server_stats stats;

	for (int i = 0; i < 10000; i++) {
		cr_http_server_stats_get(site->server, &stats);
		if (stats.connections_alive == connections && stats.exchanges_alive == exchanges)
			return;
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	}
	FAIL("it never came to that");
}

/* One connection too many. */
SERVER_TEST(too_many_connections)
{
	cr_http_server_options options = {.connections_max = 2};
	struct site *site = site_open(f, &options, serve_cases, NULL);
	cr_conn *conns[2] = {dial(site), dial(site)};
	cr_http_server_stats stats;
	cr_buf answer = {0};

	wait_until(site, 2, 0);
	ask(site, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, &answer);
	CHECK_EQ(status_in(&answer), 503);
	cr_conn_close(conns[0]);
	wait_until(site, 1, 0);
	ask(site, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, &answer);
	CHECK_EQ(status_in(&answer), 200);
	cr_conn_close(conns[1]);
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections_peak, 2);
	CHECK_EQ(stats.rejected, 1);
	cr_buf_free(&answer);
	return 0;
}

/*
 * A graceful stop: the idle are closed, who is being served gets the answer, nobody else comes in.
 */
SERVER_TEST(stop_gracefully)
{
	struct site *site = site_new(f);
	cr_conn *idle, *busy;
	cr_buf answer = {0};
	cr_task task;
	char byte;
	CORAIL_SCOPE(scope);

	CHECK_EQ(cr_http_server_open(NULL, site->listener, serve_cases, NULL, &site->server), 0);
	CHECK_EQ(cr_scope_start(&scope, run_server, site, &task), 0);
	CHECK_EQ(cr_http_server_run(site->server), -EBUSY);
	idle = dial(site);
	busy = dial(site);
	CHECK_EQ(say(busy, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
	                   "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"),
	         0);
	wait_until(site, 2, 1);
	cr_http_server_stop(site->server);
	cr_http_server_stop(site->server);
	CHECK_EQ(cr_conn_read(idle, &byte, 1), 0);
	read_rest(busy, &answer);
	CHECK(strstr(answer.data, "slow"));
	CHECK(strstr(answer.data, "Connection: close\r\n"));
	CHECK(!strstr(answer.data, "/next"));
	cr_conn_close(idle);
	cr_conn_close(busy);
	CHECK_EQ(cr_await(task), 0);
	/* And it can be started again. */
	CHECK_EQ(cr_scope_start(&scope, run_server, site, &task), 0);
	ask(site, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, &answer);
	CHECK_EQ(status_in(&answer), 200);
	cr_task_cancel(task);
	CHECK_EQ(cr_await(task), -ECANCELED);
	cr_buf_free(&answer);
	return 0;
}

/* A client that goes away in the middle of its body, or of our answer. */
static int serve_body(cr_http_exchange *x, void *user)
{
	cr_buf body = {0};
	int r = cr_http_exchange_body(x, &body);

	*(int *)user = r;
	cr_buf_free(&body);
	return r < 0 ? r : cr_http_reply(x, 200, NULL, NULL, 0);
}

SERVER_TEST(clients_that_go_away)
{
	static int much, body;
	struct site *site = site_open(f, NULL, serve_much, &much);
	struct site *other = site_open(f, NULL, serve_body, &body);
	char data[1000];
	cr_conn *conn = dial(site);

	CHECK_EQ(say(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	CHECK_GT(cr_conn_read(conn, data, sizeof data), 0);
	cr_conn_abort(conn);
	conn = dial(other);
	CHECK_EQ(say(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345"), 0);
	cr_conn_close(conn);
	while (much == 0 || body == 0)
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK(much == -EPIPE || much == -ECONNRESET);
	CHECK_EQ(body, -CORAIL_E_HTTP_TRUNCATED);
	/* One that ends its side only hears what was wrong with it. */
	conn = dial(other);
	CHECK_EQ(say(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345"), 0);
	CHECK_EQ(cr_conn_shutdown_write(conn), 0);
	CHECK_GT(cr_conn_read_line(conn, data, sizeof data), 0);
	CHECK(!strncmp(data, "HTTP/1.1 400 ", 13));
	cr_conn_close(conn);
	return 0;
}

int main(void)
{
	run_on_both();
	RUN(what_a_handler_may_say);
	RUN(too_many_connections);
	RUN(stop_gracefully);
	RUN(clients_that_go_away);
	return test_done();
}
