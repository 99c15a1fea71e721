/* SPDX-License-Identifier: MIT */
/* ctest: timeout=300 needs=http */
/* The HTTP client, with our own server on the same loop, tortured. */

#include "support/torture.h"

#include <corail/http.h>
#include <corail/http_server.h>
#include <corail/net.h>
#include <corail/task.h>

struct site {
	cr_listener *listener;
	cr_http_server *server;
	cr_http *http;
	char url[64];
};

/* 9,000 zero bytes as zstd says it: once, so many times. */
static const unsigned char coded[] = {
	0x28,       0xb5, 0x2f, 0xfd, 0x00, 0x58, (9000 << 3 | 3) & 0xff, 9000 >> 5 & 0xff,
	9000 >> 13, 0x00};

static int answer_coded(cr_http_exchange *x)
{
	const char *accepted = cr_http_exchange_header(x, "Accept-Encoding");
	static const char plain[9000];
	int r;

	if (!accepted || !strstr(accepted, "zstd"))
		return cr_http_reply(x, 200, "text/plain", plain, sizeof plain);
	r = cr_http_reply_header(x, "Content-Encoding", "zstd");
	return r < 0 ? r : cr_http_reply(x, 200, "text/plain", coded, sizeof coded);
}

static int answer(cr_http_exchange *x, void *user)
{
	static const char block[3000];
	int r;

	(void)user;
	if (strcmp(cr_http_exchange_path(x), "/coded") == 0)
		return answer_coded(x);
	if (strcmp(cr_http_exchange_path(x), "/moved") == 0) {
		r = cr_http_reply_header(x, "Location", "/page");
		return r < 0 ? r : cr_http_reply(x, 302, NULL, NULL, 0);
	}
	r = cr_sleep(cr_micros(100));
	if (r == 0)
		r = cr_http_reply_start(x, 200, "text/plain", CORAIL_HTTP_CHUNKED);
	for (int i = 0; r == 0 && i < 3; i++)
		r = cr_http_reply_write(x, block, sizeof block);
	return r;
}

static int site_run(struct site *site)
{
	return cr_http_server_run(site->server);
}

static int site_open(struct site *site)
{
	cr_http_options options = {.requests_max = 2, .window_size = 2000};
	int r = cr_listener_open("127.0.0.1:0", NULL, &site->listener);

	if (r < 0)
		return r;
	snprintf(site->url, sizeof site->url, "http://127.0.0.1:%d",
	         cr_listener_port(site->listener));
	r = cr_http_server_open(NULL, site->listener, answer, NULL, &site->server);
	if (r == 0) {
		r = cr_http_open(&options, &site->http);
		if (r < 0)
			cr_http_server_close(site->server);
	}
	if (r < 0)
		cr_listener_close(site->listener);
	return r;
}

static void site_close(struct site *site)
{
	cr_http_close(site->http);
	cr_http_server_close(site->server);
	cr_listener_close(site->listener);
}

/* Runs a client against a site, in a scope of their own. */
static int with_site(int (*client)(struct site *site))
{
	struct site site;
	int r = site_open(&site);

	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, site_run, &site);
		r = client(&site);
	}
	site_close(&site);
	return r;
}

struct fetch {
	struct site *site;
	const char *path;
};

static int fetch(struct fetch *fetch)
{
	char url[128];
	cr_buf page = {0};
	int r;

	snprintf(url, sizeof url, "%s%s", fetch->site->url, fetch->path);
	r = cr_http_get(fetch->site->http, url, &page);
	CHECK_EQ(page.size, r == 0 ? 9000 : 0);
	cr_buf_free(&page);
	return r;
}

static int fetch_all(struct site *site)
{
	struct fetch fetches[] = {
		{site, "/page"}, {site, "/moved"}, {site, "/coded"}, {site, "/page"}};

	return cr_gather(fetch, fetches, 4);
}

static int gets_pages(struct torture *t)
{
	(void)t;
	return with_site(fetch_all);
}

static int stream_path(struct site *site, const char *path)
{
	char url[128], piece[1000];
	cr_http_response *response;
	size_t total = 0;
	ssize_t n;
	int r;

	snprintf(url, sizeof url, "%s%s", site->url, path);
	r = cr_http_send(site->http, &(cr_http_request){.url = url}, &response);
	if (r < 0)
		return r;
	while ((n = cr_http_body_read(response, piece, sizeof piece)) > 0)
		total += (size_t)n;
	/* A handler without memory answers 500. */
	if (n == 0 && cr_http_response_status(response) == 200)
		CHECK_EQ(total, 9000);
	cr_http_response_close(response);
	return (int)n;
}

static int stream(struct site *site)
{
	return stream_path(site, "/page");
}

static int stream_coded(struct site *site)
{
	return stream_path(site, "/coded");
}

static int streams_a_compressed_body(struct torture *t)
{
	(void)t;
	return with_site(stream_coded);
}

static int streams_a_body(struct torture *t)
{
	(void)t;
	return with_site(stream);
}

static int leave_unread(struct site *site)
{
	char url[128];
	cr_http_response *response;
	int r;

	snprintf(url, sizeof url, "%s/page", site->url);
	r = cr_http_send(site->http, &(cr_http_request){.url = url}, &response);
	if (r < 0)
		return r;
	cr_http_response_close(response);
	return fetch(&(struct fetch){site, "/page"});
}

static int leaves_a_body_unread(struct torture *t)
{
	(void)t;
	return with_site(leave_unread);
}

/* A request that was cancelled anywhere spoils nothing: the next one gets its own answer. */
static int fetch_again(struct site *site)
{
	int r;

	{
		CORAIL_SCOPE(scope);
		torture_victim(torture_here, &scope);
		r = fetch(&(struct fetch){site, "/page"});
		torture_victim(torture_here, NULL);
	}
	if (r == -ECANCELED)
		r = fetch(&(struct fetch){site, "/moved"});
	if (!torture_short_of_memory(torture_here))
		CHECK_EQ(r, 0);
	return r;
}

static int is_cancelled_and_goes_on(struct torture *t)
{
	(void)t;
	return with_site(fetch_again);
}

int main(void)
{
	if (on_sim())
		SKIP("libcurl needs real sockets");
	TORTURE(gets_pages);
	TORTURE(streams_a_body);
	TORTURE(streams_a_compressed_body);
	TORTURE(leaves_a_body_unread);
	TORTURE(is_cancelled_and_goes_on);
	return test_done();
}
