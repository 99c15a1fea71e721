/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 */
/*
 * What goes wrong on the way: names, ports, garbage, resets, kept connections that die;
 * cancellation.
 */

#include "http/fixture.h"
#include "support/ports.h"

#include <stdlib.h>
#include <strings.h>

/* -------------------------------------------------------------------------------- no connection */

HTTP_TEST(nobody_there)
{
	cr_http_detail detail;
	cr_http_request request = {.detail = &detail};
	int held = port_hold(AF_INET, 0);
	char url[96];

	CHECK_GE(held, 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", port_held(held));
	request.url = url;
	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), -ECONNREFUSED);
	CHECK_EQ(detail.error, -ECONNREFUSED);
	CHECK(strstr(detail.text, "127.0.0.1"));
	/* By a name, which is resolved on the loop. */
	CHECK_EQ(cr_dns_host_set("closed.test", "127.0.0.1"), 0);
	snprintf(url, sizeof url, "http://closed.test:%d/", port_held(held));
	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), -ECONNREFUSED);
	close(held);
	return 0;
}

HTTP_TEST(unknown_host)
{
	cr_http_detail detail;
	cr_http_request request = {.url = "http://a..b/", .detail = &detail};
	int r = cr_http_fetch(f->http, &request, NULL);

	CHECK_LE(r, -CORAIL_E_DNS_NOTFOUND);
	CHECK_GT(r, -11000);
	/* No name server: an error all the same, and no hang. */
	CHECK_EQ(cr_dns_servers_set("127.0.0.1:1"), 0);
	CHECK_EQ(cr_dns_retry_set(cr_millis(50), 1), 0);
	request.url = "http://nowhere.invalid/";
	r = cr_http_fetch(f->http, &request, NULL);
	CHECK_LE(r, -CORAIL_E_DNS_NOTFOUND);
	CHECK_GT(r, -11000);
	CHECK_EQ(detail.error, r);
	CHECK(strstr(detail.text, "nowhere.invalid"));
	return 0;
}

static int serve_host(cr_http_exchange *x, void *user)
{
	const char *host = cr_http_exchange_header(x, "Host");

	(void)user;
	return cr_http_reply(x, 200, NULL, host, strlen(host));
}

/* The loop's own table of names is what counts; two names of one address are two hosts. */
HTTP_TEST(names_are_resolved_on_the_loop)
{
	struct site *site = site_open(f, NULL, serve_host, NULL);
	static const char *const names[] = {"one.test", "two.test", "localhost", "ONE.test"};

	CHECK_EQ(cr_dns_host_set("one.test", "127.0.0.1"), 0);
	CHECK_EQ(cr_dns_host_set("two.test", "127.0.0.1,::1"), 0);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 4; i++) {
			char url[80];
			cr_buf body = {0};

			snprintf(url, sizeof url, "http://%s:%d/", names[i], site->port);
			CHECK_EQ(cr_http_get(f->http, url, &body), 0);
			CHECK(!strncasecmp(body.data, names[i], strlen(names[i])));
			cr_buf_free(&body);
		}
	}
	return 0;
}

/* ------------------------------------------------------------------------------------- no HTTP */

/* Says it, and waits for the client to go. */
static int say_and_wait(cr_conn *conn, void *arg)
{
	cr_buf head = {0};
	char byte;

	if (read_head(conn, &head) > 0) {
		say(conn, *(const char **)arg);
		CHECK_LE(cr_conn_read(conn, &byte, 1), 0);
	}
	cr_buf_free(&head);
	return 0;
}

/* libcurl would read the other protocol as a body, to the end of the connection. */
HTTP_TEST(switched_protocols)
{
	static const char *const answers[] = {
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\n\r\nwhat follows",
	};
	static const cr_http_field upgrade[] = {{"Upgrade", "x"}, {"Connection", "upgrade"}};
	static const char *answer;
	struct site *site = site_open_raw(f, say_and_wait, &answer);

	for (size_t i = 0; i < 3 * sizeof answers / sizeof answers[0]; i++) {
		cr_http_detail detail;
		cr_http_request request = {.url = site->base,
		                           .detail = &detail,
		                           .headers = upgrade,
		                           .header_count = i % 2 ? 2 : 0};
		cr_http_response *response;

		answer = answers[i / 3];
		CHECK_EQ(i % 3 ? cr_http_fetch(f->http, &request, NULL)
		               : cr_http_send(f->http, &request, &response),
		         -CORAIL_E_HTTP_PROTOCOL);
		CHECK_EQ(detail.error, -CORAIL_E_HTTP_PROTOCOL);
		CHECK_EQ(detail.status, 101);
		CHECK(strstr(detail.text, "another protocol"));
	}
	return 0;
}

HTTP_TEST(garbage)
{
	static const struct {
		const char *answer;
		int error;
	} cases[] = {
		{"", -CORAIL_E_HTTP_EMPTY},
		{"what?\r\n\r\n", -CORAIL_E_HTTP_PROTOCOL},
		{"\x16\x03\x01\x02garbage", -CORAIL_E_HTTP_PROTOCOL},
		{"SSH-2.0-OpenSSH_9.2\r\n", -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/9.7 200 OK\r\n\r\n", -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Le", -CORAIL_E_HTTP_TRUNCATED},
		{"HTTP/1.1 200 OK\r\n", -CORAIL_E_HTTP_TRUNCATED},
		{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 1\r\n\r\na",
	         -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1, 5\r\n\r\na", -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na",
	         -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1 ,1\r\n\r\na", 200},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
	         "1\r\na\r\n0\r\n\r\n",
	         200},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	         -CORAIL_E_HTTP_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 1\r\n\r\na",
	         -CORAIL_E_HTTP_ENCODING},
	};
	static const char *answer;
	struct site *site = site_open_raw(f, say_and_close, &answer);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_http_detail detail;
		cr_http_request request = {.url = site->base, .detail = &detail};
		int r;

		answer = cases[i].answer;
		r = cr_http_fetch(f->http, &request, NULL);
		if (r != cases[i].error)
			printf("  case %zu: %s\n", i, cr_err_name(r));
		CHECK_EQ(r, cases[i].error);
		if (r > 0)
			continue;
		CHECK_EQ(detail.error, r);
		CHECK(*detail.text);
	}
	return 0;
}

static int reset_after_head(cr_conn *conn, void *arg)
{
	cr_buf head = {0};

	(void)arg;
	if (read_head(conn, &head) > 0)
		say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
	cr_buf_free(&head);
	cr_sleep(cr_millis(20));
	/* A zero linger makes the close a reset. */
	{
		struct linger linger = {1, 0};

		setsockopt(cr_conn_fd(conn), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	}
	return 0;
}

HTTP_TEST(a_reset_is_no_short_success)
{
	struct site *site = site_open_raw(f, reset_after_head, NULL);
	cr_buf body = {0};
	int r = cr_http_get(f->http, site->base, &body);

	CHECK(r == -ECONNRESET || r == -CORAIL_E_HTTP_TRUNCATED);
	CHECK_EQ(body.size, 0);
	cr_buf_free(&body);
	return 0;
}

/* ---------------------------------------------------------------------------- kept connections */

struct dropper {
	size_t connections, requests;
	size_t answers; /* on each connection, before it drops the next request */
};

/* Answers some requests, then takes one more and closes without a word. */
static int drop(cr_conn *conn, void *arg)
{
	struct dropper *dropper = arg;
	cr_buf head = {0};

	dropper->connections++;
	for (size_t i = 0; read_head(conn, &head) > 0; i++) {
		dropper->requests++;
		if (i >= dropper->answers)
			break;
		say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	}
	cr_buf_free(&head);
	return 0;
}

HTTP_TEST(a_dropped_connection_is_retried_for_get_only)
{
	static struct dropper dropper = {.answers = 1}, other = {.answers = 1};
	struct site *site = site_open_raw(f, drop, &dropper);
	struct site *second = site_open_raw(f, drop, &other);
	cr_http_response *response;
	cr_http_request post = {.url = second->base, .method = "POST", .body = "x", .body_size = 1};
	cr_buf body = {0};

	/* The second one is dropped on the kept connection, and sent again on a new one. */
	CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
	CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
	CHECK_STR(body.data, "okok");
	CHECK_EQ(dropper.connections, 2);
	CHECK_EQ(dropper.requests, 3);
	/* A stream, too. */
	CHECK_EQ(cr_http_send(f->http, &(cr_http_request){.url = site->base}, &response), 0);
	cr_http_response_close(response);
	CHECK_EQ(dropper.requests, 5);
	/* A POST is not. */
	CHECK_EQ(cr_http_get(f->http, second->base, NULL), 0);
	CHECK_EQ(cr_http_fetch(f->http, &post, NULL), -CORAIL_E_HTTP_EMPTY);
	CHECK_EQ(other.requests, 2);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(a_get_is_retried_once)
{
	static struct dropper dropper = {.answers = 1};
	struct site *site = site_open_raw(f, drop, &dropper);

	CHECK_EQ(cr_http_get(f->http, site->base, NULL), 0);
	/* From now on every connection drops its first request. */
	dropper.answers = 0;
	CHECK_EQ(cr_http_get(f->http, site->base, NULL), -CORAIL_E_HTTP_EMPTY);
	CHECK_LE(dropper.requests, 3);
	/* On a new connection there is no retry at all. */
	dropper.requests = 0;
	CHECK_EQ(cr_http_get(f->http, site->base, NULL), -CORAIL_E_HTTP_EMPTY);
	CHECK_EQ(dropper.requests, 1);
	return 0;
}

/* ------------------------------------------------------------------------------- cancellation */

/* "/n?ms" says n, after that many milliseconds; whoever waits for the request is told of it. */
static int serve_number(cr_http_exchange *x, void *user)
{
	const char *path = cr_http_exchange_path(x);
	int r;

	if (user)
		cr_event_set(user);
	r = cr_sleep(cr_millis(strtol(cr_http_exchange_query(x), NULL, 10)));
	return r < 0 ? r : cr_http_reply(x, 200, NULL, path + 1, strlen(path + 1));
}

struct late {
	cr_http *http;
	const char *url;
	cr_buf body;
};

static int get_late(struct late *late)
{
	return cr_http_get(late->http, late->url, &late->body);
}

HTTP_TEST(a_cancelled_request_takes_its_connection_along)
{
	static cr_event asked;
	struct site *site = site_open(f, NULL, serve_number, &asked);
	cr_http_stats stats;
	cr_buf body = {0};

	for (int round = 0; round < 3; round++) {
		struct late late = {f->http, url_of(site, "/late?60000"), {0}};

		CHECK_EQ(cr_http_get(f->http, url_of(site, "/warm?0"), NULL), 0);
		cr_event_clear(&asked);
		{
			CORAIL_SCOPE(scope);
			cr_task task = cr_spawn(&scope, get_late, &late);

			CHECK_EQ(cr_event_wait(&asked), 0);
			cr_scope_cancel(&scope);
			CHECK_EQ(cr_scope_wait(&scope), 0);
			CHECK_EQ(cr_await(task), -ECANCELED);
		}
		CHECK_EQ(late.body.size, 0);
		cr_buf_free(&late.body);
		cr_http_stats_get(f->http, &stats);
		CHECK_EQ(stats.connections_alive, 0);
		CHECK_EQ(stats.in_flight, 0);
		for (int i = 0; i < 5; i++) {
			char path[16], text[8];

			snprintf(path, sizeof path, "/%d?20", i);
			snprintf(text, sizeof text, "%d", i);
			CHECK_EQ(cr_http_get(f->http, url_of(site, path), &body), 0);
			CHECK_STR(body.data, text);
			cr_buf_clear(&body);
		}
	}
	cr_buf_free(&body);
	return 0;
}

struct mixed {
	cr_http *http;
	const struct site *site;
	int number;
};

static int get_mixed(struct mixed *mixed)
{
	char url[96], text[16];
	cr_buf body = {0};
	int r;

	snprintf(url, sizeof url, "%s/%d?%d", mixed->site->base, mixed->number,
	         mixed->number * 7 % 23);
	snprintf(text, sizeof text, "%d", mixed->number);
	r = cr_timeout(cr_millis(mixed->number * 5 % 29), cr_http_get(mixed->http, url, &body));
	if (r == 0)
		CHECK_STR(body.data, text);
	else
		CHECK_EQ(r, -ETIMEDOUT);
	cr_buf_free(&body);
	return 0;
}

static const cr_http_options ten = {.requests_max = 10};

/* Deadlines at all sorts of moments: every answer is that of its own request. */
HTTP_TEST_WITH(cancelled_at_random_moments, &ten)
{
	struct site *site = site_open(f, NULL, serve_number, NULL);
	struct mixed all[300];
	cr_http_stats stats;

	for (int i = 0; i < 300; i++)
		all[i] = (struct mixed){f->http, site, i};
	CHECK_EQ(cr_gather_limit(get_mixed, all, 300, 40), 0);
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.in_flight, 0);
	CHECK_EQ(stats.waiting, 0);
	return 0;
}

HTTP_TEST(in_a_cancelled_scope_nothing_is_sent)
{
	struct site *site = site_open(f, NULL, serve_number, NULL);
	cr_http_server_stats stats;
	cr_http_response *response;
	cr_http_request request = {.url = site->base};

	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_http_get(f->http, site->base, NULL), -ECANCELED);
		CHECK_EQ(cr_http_send(f->http, &request, &response), -ECANCELED);
	}
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections, 0);
	return 0;
}

struct plain {
	cr_http *http;
	const char *url;
};

static int get_plain(struct plain *plain)
{
	cr_buf body = {0};
	int r = cr_http_get(plain->http, plain->url, &body);

	cr_buf_free(&body);
	return r;
}

static const cr_http_options two = {.requests_max = 2};

/*
 * Closing the session ends what is in flight, and what waits; answers stay valid until they are
 * closed.
 */
HTTP_TEST_WITH(close_ends_what_is_in_flight, &two)
{
	struct site *site = site_open(f, NULL, serve_number, NULL);
	cr_http_request request = {.url = url_of(site, "/answer?0")};
	struct plain plain = {f->http, url_of(site, "/x?60000")};
	cr_http_response *response;
	cr_task tasks[3];
	char data[16];
	CORAIL_SCOPE(scope);

	cr_scope_collect(&scope);
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = cr_spawn(&scope, get_plain, &plain);
	CHECK_EQ(cr_sleep(cr_millis(20)), 0);
	cr_http_close(f->http);
	f->http = NULL;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_await(tasks[i]), -ECANCELED);
	CHECK_EQ(cr_http_response_status(response), 200);
	CHECK(cr_http_response_header(response, "Content-Length"));
	CHECK_EQ(cr_http_body_read(response, data, sizeof data), 6);
	cr_http_response_close(response);
	return 0;
}

/*
 * The same for those who wait for their turn only, with nobody in flight to keep the session alive.
 */
HTTP_TEST_WITH(close_ends_what_waits_for_a_name, &two)
{
	struct plain plain = {f->http, "http://slow.invalid/"};
	cr_task tasks[4];
	CORAIL_SCOPE(scope);

	/* A name server that says nothing. */
	CHECK_EQ(cr_dns_servers_set("127.0.0.1:9"), 0);
	cr_scope_collect(&scope);
	for (int i = 0; i < 4; i++)
		tasks[i] = cr_spawn(&scope, get_plain, &plain);
	CHECK_EQ(cr_yield(), 0);
	cr_http_close(f->http);
	f->http = NULL;
	for (int i = 0; i < 4; i++)
		CHECK_LT(cr_await(tasks[i]), 0);
	return 0;
}

static int leave_open(struct plain *plain)
{
	int r = cr_http_open(NULL, &plain->http);

	return r < 0 ? r : cr_http_get(plain->http, "http://a..b/", NULL) < 0 ? 0 : -1;
}

/* A session that outlives its loop is inert, and can be closed. */
static void close_after_the_loop(void)
{
	struct plain plain = {0};
	int before = test_open_fds();

	CHECK_EQ(cr_run(leave_open, &plain), 0);
	cr_http_close(plain.http);
	cr_http_close(NULL);
	CHECK_EQ(test_open_fds(), before);
}

int main(void)
{
	RUN(nobody_there);
	RUN(unknown_host);
	RUN(names_are_resolved_on_the_loop);
	RUN(garbage);
	RUN(switched_protocols);
	RUN(a_reset_is_no_short_success);
	RUN(a_dropped_connection_is_retried_for_get_only);
	RUN(a_get_is_retried_once);
	RUN(a_cancelled_request_takes_its_connection_along);
	RUN(cancelled_at_random_moments);
	RUN(in_a_cancelled_scope_nothing_is_sent);
	RUN(close_ends_what_is_in_flight);
	RUN(close_ends_what_waits_for_a_name);
	RUN(close_after_the_loop);
	return test_done();
}
