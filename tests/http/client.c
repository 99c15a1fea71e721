/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 */
/* The client against our own server: answers, order, connections, limits, what is sent. */

#include "http/fixture.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------------- answers */

struct counts {
	size_t now, peak;
	size_t expected; /* nobody is answered before so many are there */
	cr_event all;
};

/* "/slow?n" says n, after a while; everything is counted. */
static int serve_slow(cr_http_exchange *x, void *user)
{
	struct counts *counts = user;
	char text[64];
	int r, length;

	if (++counts->now > counts->peak)
		counts->peak = counts->now;
	if (counts->now >= counts->expected)
		cr_event_set(&counts->all);
	r = cr_timeout(cr_seconds(20), cr_event_wait(&counts->all));
	if (r == 0)
		r = cr_sleep(cr_millis(20));
	counts->now--;
	if (r < 0)
		return r;
	length = snprintf(text, sizeof text, "page %s", cr_http_exchange_query(x));
	return cr_http_reply(x, 200, "text/plain", text, (size_t)length);
}

struct page {
	cr_http *http;
	char url[96];
	cr_buf body;
};

static int get_page(struct page *page)
{
	return cr_http_get(page->http, page->url, &page->body);
}

static void get_pages(struct fixture *f, const struct site *site, size_t count)
{
	struct page *pages = calloc(count, sizeof *pages);
	char text[64];

	for (size_t i = 0; i < count; i++) {
		pages[i].http = f->http;
		snprintf(pages[i].url, sizeof pages[i].url, "%s/slow?%zu", site->base, i);
	}
	CHECK_EQ(cr_gather(get_page, pages, count), 0);
	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof text, "page %zu", i);
		CHECK_STR(pages[i].body.data, text);
		cr_buf_free(&pages[i].body);
	}
	free(pages);
}

HTTP_TEST(fifty_at_once)
{
	static struct counts counts = {.expected = 50};
	struct site *site = site_open(f, NULL, serve_slow, &counts);

	get_pages(f, site, 50);
	CHECK_EQ(counts.peak, 50);
	return 0;
}

static const cr_http_options total_limit = {.requests_max = 7};

HTTP_TEST_WITH(total_limit_holds, &total_limit)
{
	static struct counts counts = {.expected = 7};
	struct site *site = site_open(f, NULL, serve_slow, &counts);
	cr_http_stats stats;

	get_pages(f, site, 30);
	CHECK_EQ(counts.peak, 7);
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.requests, 30);
	CHECK_LE(stats.connections_opened, 7);
	CHECK_EQ(stats.in_flight, 0);
	CHECK_EQ(stats.waiting, 0);
	return 0;
}

static const cr_http_options host_limit = {.requests_per_host_max = 3};

static int get_both(struct page *page)
{
	return cr_http_get(page->http, page->url, &page->body);
}

HTTP_TEST_WITH(host_limit_holds, &host_limit)
{
	static struct counts counts[2] = {{.expected = 3}, {.expected = 3}};
	struct site *sites[2] = {site_open(f, NULL, serve_slow, &counts[0]),
	                         site_open(f, NULL, serve_slow, &counts[1])};
	struct page pages[16] = {{0}};

	for (size_t i = 0; i < 16; i++) {
		pages[i].http = f->http;
		snprintf(pages[i].url, sizeof pages[i].url, "%s/slow?%zu", sites[i % 2]->base, i);
	}
	CHECK_EQ(cr_gather(get_both, pages, 16), 0);
	for (size_t i = 0; i < 16; i++)
		cr_buf_free(&pages[i].body);
	CHECK_EQ(counts[0].peak, 3);
	CHECK_EQ(counts[1].peak, 3);
	return 0;
}

/* Who waits for a turn and is cancelled leaves no trace, and the others keep their order. */
HTTP_TEST_WITH(waiting_is_cancellable, &total_limit)
{
	static struct counts counts = {.expected = 7};
	struct site *site = site_open(f, NULL, serve_slow, &counts);
	struct page pages[20] = {{0}};
	cr_task tasks[20];
	cr_http_stats stats;
	CORAIL_SCOPE(scope);

	cr_scope_collect(&scope);
	for (size_t i = 0; i < 20; i++) {
		pages[i].http = f->http;
		snprintf(pages[i].url, sizeof pages[i].url, "%s/slow?%zu", site->base, i);
		tasks[i] = cr_spawn(&scope, get_page, &pages[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.in_flight, 7);
	CHECK_EQ(stats.waiting, 13);
	for (size_t i = 7; i < 20; i += 2)
		CHECK_EQ(cr_task_cancel(tasks[i]), 0);
	for (size_t i = 0; i < 20; i++) {
		int r = cr_await(tasks[i]);

		CHECK_EQ(r, i >= 7 && i % 2 ? -ECANCELED : 0);
		cr_buf_free(&pages[i].body);
	}
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.in_flight, 0);
	CHECK_EQ(stats.waiting, 0);
	CHECK_EQ(stats.requests, 13);
	return 0;
}

/* ----------------------------------------------------------------------------- what is sent */

/* Says what it was sent. */
static int serve_echo(cr_http_exchange *x, void *user)
{
	cr_buf text = {0}, body = {0};
	const char *name, *value;
	int r = cr_http_exchange_body(x, &body);

	(void)user;
	if (r < 0)
		return r;
	cr_buf_printf(&text, "%s %s\n", cr_http_exchange_method(x), cr_http_exchange_target(x));
	for (size_t i = 0; cr_http_exchange_header_at(x, i, &name, &value) == 0; i++)
		cr_buf_printf(&text, "%s: %s\n", name, value);
	cr_buf_printf(&text, "\n%s", body.size ? body.data : "");
	r = cr_http_reply(x, 200, "text/plain", text.data, text.size);
	cr_buf_free(&text);
	cr_buf_free(&body);
	return r;
}

HTTP_TEST(ten_in_a_row_use_one_connection)
{
	struct site *site = site_open(f, NULL, serve_echo, NULL);
	cr_http_server_stats server;
	cr_http_stats stats;

	for (int i = 0; i < 10; i++) {
		cr_buf body = {0};

		CHECK_EQ(cr_http_get(f->http, url_of(site, "/"), &body), 0);
		cr_buf_free(&body);
	}
	cr_http_stats_get(f->http, &stats);
	cr_http_server_stats_get(site->server, &server);
	CHECK_EQ(stats.connections_opened, 1);
	CHECK_EQ(stats.connections_alive, 1);
	CHECK_EQ(server.connections, 1);
	CHECK_EQ(server.exchanges, 10);
	return 0;
}

HTTP_TEST(headers_query_and_body_are_sent)
{
	struct site *site = site_open(f, NULL, serve_echo, NULL);
	cr_http_field headers[] = {
		{"X-One", "first"}, {"User-Agent", "me/1"}, {"X-Empty", ""}, {"Accept", NULL}};
	cr_http_field query[] = {{"q", "a b&c"}, {"flag", NULL}, {"\xc3\xa9", "1"}};
	cr_http_request request = {.url = url_of(site, "/find?x=1#part"),
	                           .headers = headers,
	                           .header_count = 4,
	                           .query = query,
	                           .query_count = 3};
	cr_buf body = {0};

	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 200);
	CHECK(!strncmp(body.data, "GET /find?x=1&q=a%20b%26c&flag&%C3%A9=1\n", 40));
	CHECK(strstr(body.data, "\nX-One: first\n"));
	CHECK(strstr(body.data, "\nUser-Agent: me/1\n"));
	CHECK(strstr(body.data, "\nX-Empty: \n"));
	CHECK(strstr(body.data, "\nAccept-Encoding: "));
	CHECK(!strstr(body.data, "\nAccept: "));
	cr_buf_clear(&body);

	/* And none of it in the next request. */
	CHECK_EQ(cr_http_get(f->http, url_of(site, "/"), &body), 0);
	CHECK(!strstr(body.data, "X-One"));
	CHECK(strstr(body.data, "\nUser-Agent: corail/"));
	cr_buf_clear(&body);

	CHECK_EQ(cr_http_post(f->http, url_of(site, "/p"), "text/x-test", "abc", 3, &body), 0);
	CHECK(!strncmp(body.data, "POST /p\n", 8));
	CHECK(strstr(body.data, "\nContent-Length: 3\n"));
	CHECK(strstr(body.data, "\nContent-Type: text/x-test\n"));
	CHECK(!strstr(body.data, "\nExpect:"));
	CHECK(strstr(body.data, "\n\nabc"));
	cr_buf_clear(&body);

	request = (cr_http_request){.url = url_of(site, "/m"), .method = "DELETE"};
	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 200);
	CHECK(!strncmp(body.data, "DELETE /m\n", 10));
	cr_buf_clear(&body);
	request = (cr_http_request){
		.url = url_of(site, "/m"), .method = "PUT", .body = "xyz", .body_size = 3};
	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 200);
	CHECK(!strncmp(body.data, "PUT /m\n", 7));
	CHECK(strstr(body.data, "\n\nxyz"));
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(a_large_post_arrives)
{
	struct site *site = site_open(f, NULL, serve_echo, NULL);
	size_t size = 900 * 1024;
	char *data = malloc(size);
	cr_buf body = {0};

	memset(data, 'x', size);
	CHECK_EQ(cr_http_post(f->http, url_of(site, "/"), NULL, data, size, &body), 0);
	CHECK_GT(body.size, size);
	CHECK_MEM(body.data + body.size - size, data, size);
	cr_buf_free(&body);
	free(data);
	return 0;
}

HTTP_TEST(basic_auth_from_the_url)
{
	struct site *site = site_open(f, NULL, serve_echo, NULL);
	cr_buf body = {0};
	char url[128];

	snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%d/", site->port);
	CHECK_EQ(cr_http_get(f->http, url, &body), 0);
	CHECK(strstr(body.data, "\nAuthorization: Basic dXNlcjpzZWNyZXQ=\n"));
	cr_buf_free(&body);
	return 0;
}

/* ----------------------------------------------------------------------------------- refused */

HTTP_TEST(forbidden_bytes_are_refused_before_anything_is_sent)
{
	struct site *site = site_open(f, NULL, serve_echo, NULL);
	static const cr_http_field bad[] = {{"X-A", "a\r\nX-B: b"},
	                                    {"X-A", "a\nb"},
	                                    {"X-A", "a\rb"},
	                                    {"X-A\r\n", "a"},
	                                    {"X A", "a"},
	                                    {"", "a"},
	                                    {NULL, "a"},
	                                    {"X-A", "\x01"},
	                                    {"Content-Length", "3"},
	                                    {"X:A", "a"},
	                                    {"Transfer-Encoding", "chunked"}};
	static const char *const methods[] = {"GET /x HTTP/1.1\r\nX: y", "G T", "", "CONNECT"};
	cr_http_server_stats stats;
	cr_http_detail detail;
	cr_http_request request = {.url = site->base, .header_count = 1, .detail = &detail};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		request.headers = &bad[i];
		CHECK_EQ(cr_http_fetch(f->http, &request, NULL), -CORAIL_E_HTTP_HEADER);
		CHECK_EQ(detail.error, -CORAIL_E_HTTP_HEADER);
		CHECK(*detail.text);
	}
	request.header_count = 0;
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		request.method = methods[i];
		CHECK_EQ(cr_http_fetch(f->http, &request, NULL), -CORAIL_E_HTTP_HEADER);
	}
	CHECK_EQ(cr_yield(), 0);
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections, 0);
	return 0;
}

HTTP_TEST(bad_urls_are_refused)
{
	static const struct {
		const char *url;
		int error;
	} cases[] = {
		{NULL, -CORAIL_E_HTTP_URL},
		{"", -CORAIL_E_HTTP_URL},
		{"example.org", -CORAIL_E_HTTP_URL},
		{"/path", -CORAIL_E_HTTP_URL},
		{"http://", -CORAIL_E_HTTP_URL},
		{"http:///x", -CORAIL_E_HTTP_URL},
		{"http://h:99999/", -CORAIL_E_HTTP_URL},
		{"http://h:0x50/", -CORAIL_E_HTTP_URL},
		{"http://a b/", -CORAIL_E_HTTP_URL},
		{"http://h/\r\nX: y", -CORAIL_E_HTTP_URL},
		{"http://[::1/", -CORAIL_E_HTTP_URL},
		{"ftp://example.org/", -CORAIL_E_HTTP_SCHEME},
		{"file:///etc/passwd", -CORAIL_E_HTTP_SCHEME},
		{"gopher://example.org/", -CORAIL_E_HTTP_SCHEME},
		{"weird://example.org/", -CORAIL_E_HTTP_SCHEME},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int r = cr_http_get(f->http, cases[i].url, NULL);

		if (r != cases[i].error)
			printf("  case %zu: %s\n", i, cases[i].url ? cases[i].url : "NULL");
		CHECK_EQ(r, cases[i].error);
	}
	return 0;
}

static int serve_path(cr_http_exchange *x, void *user)
{
	const char *path = cr_http_exchange_path(x);

	(void)user;
	return cr_http_reply(x, 200, "text/plain", path, strlen(path));
}

/* Whatever the locale, which is "C" here. The DNS knows only the name's form in ASCII. */
HTTP_TEST(hosts_in_other_scripts)
{
	struct site *site = site_open(f, NULL, serve_path, NULL);
	static const char *const hosts[] = {"m\u00fcnchen", "M\u00dcNCHEN", "xn--mnchen-3ya"};
	cr_buf body = {0};
	char url[128];

	CHECK_EQ(cr_dns_host_set("xn--mnchen-3ya.test", "127.0.0.1"), 0);
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		snprintf(url, sizeof url, "http://%s.test:%d/caf\u00e9", hosts[i], site->port);
		CHECK_EQ(cr_http_get(f->http, url, &body), 0);
		CHECK_STR(body.data, "/caf\u00e9");
		cr_buf_clear(&body);
	}
	/* A name that has no such form, and one that is no text. */
	CHECK_EQ(cr_http_get(f->http, "http://a\u2024.\u2488com\u3002\u00ad-/", NULL),
	         -CORAIL_E_HTTP_URL);
	CHECK_EQ(cr_http_get(f->http, "http://\xff\xfe.test/", NULL), -CORAIL_E_HTTP_URL);
	cr_buf_free(&body);
	return 0;
}

static int serve_404(cr_http_exchange *x, void *user)
{
	(void)user;
	return cr_http_reply(x, 404, "text/plain", "nothing here", 12);
}

HTTP_TEST(a_status_is_an_answer_unless_asked)
{
	struct site *site = site_open(f, NULL, serve_404, NULL);
	cr_http_detail detail;
	cr_http_request request = {.url = site->base, .detail = &detail};
	cr_http_response *response;
	cr_http_stats stats;
	cr_buf body = {0};

	CHECK_EQ(cr_buf_append(&body, "before", 6), 0);
	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 404);
	CHECK_STR(body.data, "beforenothing here");
	body.size = 6;
	request.status_error = 1;
	CHECK_EQ(cr_http_fetch(f->http, &request, &body), -CORAIL_E_HTTP_STATUS);
	CHECK_EQ(body.size, 6);
	CHECK_EQ(detail.status, 404);
	CHECK_STR(detail.text, "404 Not Found");
	CHECK_EQ(cr_http_get(f->http, site->base, &body), -CORAIL_E_HTTP_STATUS);
	CHECK_EQ(cr_http_send(f->http, &request, &response), -CORAIL_E_HTTP_STATUS);
	request.status_error = 0;
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_http_response_status(response), 404);
	CHECK_EQ(cr_http_body_buf(response, &body), 0);
	CHECK_STR(body.data, "beforenothing here");
	cr_http_response_close(response);
	cr_buf_free(&body);
	/* An error's body is read all the same: one connection for all of it. */
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.connections_opened, 1);
	return 0;
}

int main(void)
{
	RUN(fifty_at_once);
	RUN(total_limit_holds);
	RUN(host_limit_holds);
	RUN(waiting_is_cancellable);
	RUN(ten_in_a_row_use_one_connection);
	RUN(headers_query_and_body_are_sent);
	RUN(a_large_post_arrives);
	RUN(basic_auth_from_the_url);
	RUN(forbidden_bytes_are_refused_before_anything_is_sent);
	RUN(bad_urls_are_refused);
	RUN(hosts_in_other_scripts);
	RUN(a_status_is_an_answer_unless_asked);
	return test_done();
}
