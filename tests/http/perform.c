/* SPDX-License-Identifier: MIT */
/* libcurl handles of others, awaited as they are. */

#include <corail/curl.h>

#include "http/fixture.h"

#include <stdlib.h>

/* "/n?ms" says n, after that many milliseconds; "/big" says a lot. */
static int serve(cr_http_exchange *x, void *user)
{
	const char *path = cr_http_exchange_path(x);
	static const char piece[10000];
	int r;

	(void)user;
	if (!strcmp(path, "/big")) {
		r = cr_http_reply_start(x, 200, NULL, CORAIL_HTTP_CHUNKED);
		for (int i = 0; i < 100 && r == 0; i++)
			r = cr_http_reply_write(x, piece, sizeof piece);
		return r;
	}
	r = cr_sleep(cr_millis(strtol(cr_http_exchange_query(x), NULL, 10)));
	return r < 0 ? r : cr_http_reply(x, 200, NULL, path + 1, strlen(path + 1));
}

static size_t collect(char *data, size_t unit, size_t count, void *arg)
{
	return cr_buf_append(arg, data, unit * count) < 0 ? 0 : unit * count;
}

static CURL *easy_new(const char *url, cr_buf *body)
{
	CURL *easy = curl_easy_init();

	CHECK(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, "mine");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	return easy;
}

struct one {
	cr_http *http;
	CURL *easy;
	cr_buf body;
};

static int perform(struct one *one)
{
	return cr_http_perform(one->http, one->easy);
}

HTTP_TEST(many_at_once_beside_our_own)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	struct one all[20] = {{0}};
	char path[32];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20; i++) {
			snprintf(path, sizeof path, "/%d?20", i);
			all[i].http = f->http;
			all[i].easy = easy_new(url_of(site, path), &all[i].body);
		}
		CHECK_EQ(cr_gather(perform, all, 20), 0);
		for (int i = 0; i < 20; i++) {
			char *private = NULL;
			long status = 0;

			snprintf(path, sizeof path, "%d", i);
			CHECK_STR(all[i].body.data, path);
			curl_easy_getinfo(all[i].easy, CURLINFO_PRIVATE, &private);
			CHECK_STR(private, "mine");
			curl_easy_getinfo(all[i].easy, CURLINFO_RESPONSE_CODE, &status);
			CHECK_EQ(status, 200);
			curl_easy_cleanup(all[i].easy);
			cr_buf_free(&all[i].body);
		}
		CHECK_EQ(cr_http_get(f->http, url_of(site, "/own?0"), &all[0].body), 0);
		CHECK_STR(all[0].body.data, "own");
		cr_buf_free(&all[0].body);
	}
	return 0;
}

HTTP_TEST(a_handle_is_used_again)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_http_server_stats stats;
	cr_buf body = {0};
	CURL *easy = easy_new(url_of(site, "/again?0"), &body);
	CURLcode code = CURLE_AGAIN;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_http_perform_code(f->http, easy, &code), 0);
	CHECK_EQ(code, CURLE_OK);
	CHECK_STR(body.data, "againagainagainagainagain");
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections, 1);
	/* And afterwards it works without us. */
	curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1:1/");
	CHECK_EQ(curl_easy_perform(easy), CURLE_COULDNT_CONNECT);
	curl_easy_cleanup(easy);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(errors_and_codes)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	cr_buf body = {0};
	CURL *easy = easy_new("http://127.0.0.1:1/", &body);
	CURLcode code = CURLE_OK;

	CHECK_EQ(cr_http_perform_code(f->http, easy, &code), -ECONNREFUSED);
	CHECK_EQ(code, CURLE_COULDNT_CONNECT);
	curl_easy_setopt(easy, CURLOPT_URL, "weird://127.0.0.1/");
	CHECK_EQ(cr_http_perform_code(f->http, easy, &code), -CORAIL_E_HTTP_SCHEME);
	CHECK_EQ(code, CURLE_UNSUPPORTED_PROTOCOL);
	curl_easy_setopt(easy, CURLOPT_URL, url_of(site, "/late?60000"));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30L);
	CHECK_EQ(cr_http_perform_code(f->http, easy, &code), -ETIMEDOUT);
	CHECK_EQ(code, CURLE_OPERATION_TIMEDOUT);
	CHECK_EQ(cr_http_curl_error(CURLE_PARTIAL_FILE, 0), -CORAIL_E_HTTP_TRUNCATED);
	CHECK_EQ(cr_http_curl_error(CURLE_PEER_FAILED_VERIFICATION, 0), -CORAIL_E_TLS_CERTIFICATE);
	CHECK_EQ(cr_http_curl_error(CURLE_FTP_WEIRD_PASS_REPLY, 0), -CORAIL_E_HTTP_CLIENT);
	curl_easy_cleanup(easy);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(cancelled_and_busy)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	struct one one = {.http = f->http};
	CURLcode code = CURLE_AGAIN;

	one.easy = easy_new(url_of(site, "/late?300"), &one.body);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_http_perform_code(f->http, one.easy, &code)),
	         -ETIMEDOUT);
	CHECK_EQ(code, CURLE_AGAIN);
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, perform, &one);

		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_http_perform(f->http, one.easy), -EBUSY);
		CHECK_EQ(cr_await(task), 0);
	}
	CHECK_STR(one.body.data, "late");
	curl_easy_cleanup(one.easy);
	cr_buf_free(&one.body);
	return 0;
}

struct pausing {
	struct one one;
	bool paused;
	size_t size, pauses;
};

static size_t pause_once_in_a_while(char *data, size_t unit, size_t count, void *arg)
{
	struct pausing *pausing = arg;

	(void)data;
	pausing->paused = !pausing->paused && pausing->size > pausing->pauses * 300000;
	if (pausing->paused) {
		pausing->pauses++;
		return CURL_WRITEFUNC_PAUSE;
	}
	pausing->size += unit * count;
	return unit * count;
}

HTTP_TEST(pause_and_continue)
{
	struct site *site = site_open(f, NULL, serve, NULL);
	struct pausing pausing = {.one.http = f->http};
	cr_task task;
	CORAIL_SCOPE(scope);

	CHECK_EQ(cr_http_unpause(f->http, NULL), -ENOENT);
	pausing.one.easy = easy_new(url_of(site, "/big"), NULL);
	curl_easy_setopt(pausing.one.easy, CURLOPT_WRITEFUNCTION, pause_once_in_a_while);
	curl_easy_setopt(pausing.one.easy, CURLOPT_WRITEDATA, &pausing);
	task = cr_spawn(&scope, perform, &pausing.one);
	while (cr_task_result(task, &(int){0}) == -EINPROGRESS) {
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		cr_http_unpause(f->http, pausing.one.easy);
	}
	CHECK_EQ(cr_await(task), 0);
	CHECK_EQ(pausing.size, 1000000);
	CHECK_GE(pausing.pauses, 3);
	curl_easy_cleanup(pausing.one.easy);
	return 0;
}

/* A file:// transfer, which is over as soon as it begins, and needs no socket at all. */
HTTP_TEST(any_protocol)
{
	cr_buf body = {0};
	CURL *easy = easy_new("file:///proc/self/comm", &body);

	CHECK_EQ(cr_http_perform(f->http, easy), 0);
	CHECK(!strncmp(body.data, "perform", 7));
	curl_easy_cleanup(easy);
	cr_buf_free(&body);
	return 0;
}

int main(void)
{
	RUN(many_at_once_beside_our_own);
	RUN(a_handle_is_used_again);
	RUN(errors_and_codes);
	RUN(cancelled_and_busy);
	RUN(pause_and_continue);
	RUN(any_protocol);
	return test_done();
}
