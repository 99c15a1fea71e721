/* SPDX-License-Identifier: MIT */
/* Redirects: method and body, credentials, loops, and what a Location may not be. Cookies. */

#include "http/fixture.h"

/*
 * "/STATUS?LOCATION" redirects there; "/echo" says method, authorization, cookie, content type and
 * body; "/loop" redirects to itself; "/cookie?NAME=..." sets one and redirects to /echo.
 */
static int serve(cr_http_exchange *x, void *user)
{
	const char *path = cr_http_exchange_path(x), *query = cr_http_exchange_query(x);
	int status = (int)strtol(path + 1, NULL, 10);
	cr_buf text = {0}, body = {0};
	int r = cr_http_exchange_body(x, &body);

	(void)user;
	if (r < 0)
		return r;
	if (status) {
		if (*query)
			cr_http_reply_header(x, "Location", query);
		r = cr_http_reply(x, status, "text/plain", "moved", 5);
	} else if (!strcmp(path, "/loop")) {
		cr_http_reply_header(x, "Location", "/loop");
		r = cr_http_reply(x, 302, NULL, NULL, 0);
	} else if (!strcmp(path, "/cookie")) {
		cr_http_reply_header(x, "Set-Cookie", query);
		cr_http_reply_header(x, "Location", "/echo");
		r = cr_http_reply(x, 303, NULL, NULL, 0);
	} else {
		static const char *const names[] = {"Authorization", "Cookie", "Content-Type",
		                                    "X-Own"};

		cr_buf_printf(&text, "%s", cr_http_exchange_method(x));
		for (size_t i = 0; i < 4; i++) {
			const char *value = cr_http_exchange_header(x, names[i]);

			cr_buf_printf(&text, "|%s", value ? value : "-");
		}
		cr_buf_printf(&text, "|%s", body.size ? body.data : "-");
		r = cr_http_reply(x, 200, "text/plain", text.data, text.size);
	}
	cr_buf_free(&text);
	cr_buf_free(&body);
	return r;
}

static int post(struct fixture *f, const char *url, const char *expected)
{
	cr_buf body = {0};
	int r = cr_http_post(f->http, url, "text/x-a", "data", 4, &body);

	if (r == 0)
		CHECK_STR(body.data, expected);
	cr_buf_free(&body);
	return r;
}

HTTP_TEST(methods_and_bodies)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_http_stats stats;

	CHECK_EQ(post(f, url_of(site, "/301?/echo"), "GET|-|-|-|-|-"), 0);
	CHECK_EQ(post(f, url_of(site, "/302?/echo"), "GET|-|-|-|-|-"), 0);
	CHECK_EQ(post(f, url_of(site, "/303?/echo"), "GET|-|-|-|-|-"), 0);
	CHECK_EQ(post(f, url_of(site, "/307?/echo"), "POST|-|-|text/x-a|-|data"), 0);
	CHECK_EQ(post(f, url_of(site, "/308?/echo"), "POST|-|-|text/x-a|-|data"), 0);
	/* A PUT stays a PUT, but for 303. */
	for (int i = 0; i < 2; i++) {
		cr_http_request request = {.url = url_of(site, i ? "/303?/echo" : "/301?/echo"),
		                           .method = "PUT",
		                           .body = "data",
		                           .body_size = 4};
		cr_buf body = {0};

		CHECK_EQ(cr_http_fetch(f->http, &request, &body), 200);
		CHECK_STR(body.data, i ? "GET|-|-|-|-|-" : "PUT|-|-|-|-|data");
		cr_buf_free(&body);
	}
	/* Redirects' bodies are read: one connection. */
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.connections_opened, 1);
	return 0;
}

HTTP_TEST(a_head_stays_a_head)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_http_request request = {.url = url_of(site, "/303?/echo"), .method = "HEAD"};
	cr_http_response *response;
	char byte;

	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_http_response_status(response), 200);
	CHECK_GT(cr_http_response_length(response), 0);
	CHECK_EQ(cr_http_body_read(response, &byte, 1), 0);
	CHECK_STR(cr_http_response_url(response), url_of(site, "/echo"));
	cr_http_response_close(response);
	return 0;
}

static void with_credentials(struct fixture *f, const char *url, const char *expected)
{
	cr_http_field headers[] = {{"authorization", "Bearer x"},
	                           {"Cookie", "a=b"},
	                           {"X-Own", "mine"}};
	cr_http_request request = {.url = url, .headers = headers, .header_count = 3};
	cr_buf body = {0};

	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 200);
	CHECK_STR(body.data, expected);
	cr_buf_free(&body);
}

HTTP_TEST(another_origin_gets_no_credentials)
{
	struct site *a = site_open(f, NULL, serve, NULL), *b = site_open(f, NULL, serve, NULL);
	char path[512];

	with_credentials(f, url_of(a, "/302?/echo"), "GET|Bearer x|a=b|-|mine|-");
	snprintf(path, sizeof path, "/302?%s/echo", a->base);
	with_credentials(f, url_of(a, path), "GET|Bearer x|a=b|-|mine|-");
	snprintf(path, sizeof path, "/302?%s/echo", b->base);
	with_credentials(f, url_of(a, path), "GET|-|-|-|mine|-");
	/* Once away, never again: not even when the second origin sends us back. */
	snprintf(path, sizeof path, "/302?%s/302?%s/echo", b->base, a->base);
	with_credentials(f, url_of(a, path), "GET|-|-|-|mine|-");
	/* The same address by another name is another origin. */
	CHECK_EQ(cr_dns_host_set("other.test", "127.0.0.1"), 0);
	snprintf(path, sizeof path, "/302?http://other.test:%d/echo", a->port);
	with_credentials(f, url_of(a, path), "GET|-|-|-|mine|-");
	/* Nor does the URL's own password travel. */
	snprintf(path, sizeof path, "http://user:secret@127.0.0.1:%d/302?%s/echo", a->port,
	         b->base);
	{
		cr_buf body = {0};

		CHECK_EQ(cr_http_get(f->http, path, &body), 0);
		CHECK_STR(body.data, "GET|-|-|-|-|-");
		cr_buf_free(&body);
	}
	return 0;
}

static const cr_http_options three = {.redirects_max = 3};

HTTP_TEST_WITH(loops_end, &three)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_http_request request = {.url = url_of(site, "/loop")};
	cr_http_server_stats stats;
	cr_http_response *response;
	cr_http_detail detail;

	request.detail = &detail;
	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), -CORAIL_E_HTTP_REDIRECTS);
	CHECK_EQ(detail.error, -CORAIL_E_HTTP_REDIRECTS);
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.exchanges, 4);
	CHECK_EQ(cr_http_send(f->http, &request, &response), -CORAIL_E_HTTP_REDIRECTS);
	/* Three are allowed. */
	CHECK_EQ(cr_http_get(f->http, url_of(site, "/302?/302?/302?/echo"), NULL), 0);
	CHECK_EQ(cr_http_get(f->http, url_of(site, "/302?/302?/302?/302?/echo"), NULL),
	         -CORAIL_E_HTTP_REDIRECTS);
	return 0;
}

HTTP_TEST(what_is_not_followed)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_http_request request = {.url = url_of(site, "/302?/echo"), .no_redirect = 1};
	cr_http_response *response;
	cr_buf body = {0};

	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 302);
	CHECK_STR(body.data, "moved");
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_http_response_status(response), 302);
	CHECK_STR(cr_http_response_header(response, "location"), "/echo");
	cr_http_response_close(response);
	/* Without a Location, and statuses that are none. */
	request.no_redirect = 0;
	request.url = url_of(site, "/302");
	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), 302);
	request.url = url_of(site, "/300?/echo");
	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), 300);
	request.url = url_of(site, "/304?/echo");
	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), 304);
	/* To where nobody should be sent. */
	CHECK_EQ(cr_http_get(f->http, url_of(site, "/302?file:///etc/passwd"), NULL),
	         -CORAIL_E_HTTP_SCHEME);
	CHECK_EQ(cr_http_get(f->http, url_of(site, "/302?ftp://127.0.0.1/"), NULL),
	         -CORAIL_E_HTTP_SCHEME);
	CHECK_EQ(cr_http_get(f->http, url_of(site, "/302?http://[::1"), NULL), -CORAIL_E_HTTP_URL);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(locations_are_resolved)
{
	static const struct {
		const char *base, *reference, *url;
	} cases[] = {
		{"http://h/a/b?q#f", "c", "http://h/a/c"},
		{"http://h/a/b", "../c?d", "http://h/c?d"},
		{"http://h/a/b", "/x", "http://h/x"},
		{"http://h/a/b", "//other/x", "http://other/x"},
		{"https://h/a/b", "//other/x", "https://other/x"},
		{"http://h/a/b", "?q", "http://h/a/b?q"},
		{"http://h/a/b", "http://z:81/", "http://z:81/"},
		{"http://h/a/b", "sp ace", "http://h/a/sp%20ace"},
	};

	(void)f;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_buf url = {0};

		CHECK_EQ(cr_http_url_resolve(cases[i].base, cases[i].reference, &url), 0);
		CHECK_STR(url.data, cases[i].url);
		cr_buf_free(&url);
	}
	return 0;
}

static const cr_http_options cookies = {.cookies = 1};

HTTP_TEST_WITH(cookies_by_path_and_age, &cookies)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	static const struct {
		const char *path, *expected;
	} steps[] = {
		{"/echo", "GET|-|-|-|-|-"},
		{"/cookie?one=1;%20Path=/", "GET|-|one=1|-|-|-"},
		{"/echo", "GET|-|one=1|-|-|-"},
		{"/cookie?deep=2;Path=/deep", "GET|-|one=1|-|-|-"},
		{"/deep/er", "GET|-|deep=2; one=1|-|-|-"},
		{"/cookie?one=1;Path=/;Max-Age=0", "GET|-|-|-|-|-"},
		{"/deep", "GET|-|deep=2|-|-|-"},
	};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		cr_buf body = {0};

		CHECK_EQ(cr_http_get(f->http, url_of(site, steps[i].path), &body), 0);
		CHECK_STR(body.data, steps[i].expected);
		cr_buf_free(&body);
	}
	return 0;
}

HTTP_TEST(no_cookies_unless_asked)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_buf body = {0};

	CHECK_EQ(cr_http_get(f->http, url_of(site, "/cookie?one=1;Path=/"), &body), 0);
	CHECK_STR(body.data, "GET|-|-|-|-|-");
	cr_buf_free(&body);
	return 0;
}

int main(void)
{
	RUN(methods_and_bodies);
	RUN(a_head_stays_a_head);
	RUN(another_origin_gets_no_credentials);
	RUN(loops_end);
	RUN(what_is_not_followed);
	RUN(locations_are_resolved);
	RUN(cookies_by_path_and_age);
	RUN(no_cookies_unless_asked);
	return test_done();
}
