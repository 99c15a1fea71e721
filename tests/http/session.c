/* SPDX-License-Identifier: MIT */
/* Sessions: several at once, a proxy, options, ten thousand requests, and what aborts. */

#include <corail/curl.h>

#include "http/fixture.h"
#include "support/full.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says its target and host. */
static int serve_target(cr_http_exchange *x, void *user)
{
	char text[256];
	int length = snprintf(text, sizeof text, "%s|%s|%s", cr_http_exchange_target(x),
	                      cr_http_exchange_header(x, "Host"),
	                      cr_http_exchange_header(x, "User-Agent")
	                              ? cr_http_exchange_header(x, "User-Agent")
	                              : "-");

	(void)user;
	return cr_http_reply(x, 200, NULL, text, (size_t)length);
}

/* No room for the driver: whoever opens the session hears of it, and the program goes on. */
SERVER_TEST(without_room_for_a_driver)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	cr_buf body = {0};
	cr_http *http;

	full_begin();
	CHECK_EQ(cr_http_open(NULL, &http), -EAGAIN);
	full_end();
	CHECK_EQ(cr_http_open(NULL, &http), 0);
	CHECK_EQ(cr_http_get(http, site->base, &body), 0);
	cr_buf_free(&body);
	cr_http_close(http);
	return 0;
}

/* The proxy resolves the name; we must not even try. */
SERVER_TEST(a_proxy_is_asked)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	char proxy[64];
	cr_http_options options = {.proxy = proxy, .user_agent = "x/1"};
	cr_buf body = {0};
	cr_http *http;

	for (int named = 0; named < 2; named++) {
		CHECK_EQ(cr_dns_host_set("proxy.test", "127.0.0.1"), 0);
		snprintf(proxy, sizeof proxy, named ? "proxy.test:%d" : "http://127.0.0.1:%d",
		         site->port);
		CHECK_EQ(cr_http_open(&options, &http), 0);
		CHECK_EQ(cr_http_get(http, "http://nowhere.invalid/a?b", &body), 0);
		CHECK_STR(body.data, "http://nowhere.invalid/a?b|nowhere.invalid|x/1");
		cr_buf_clear(&body);
		cr_http_close(http);
	}
	cr_buf_free(&body);
	return 0;
}

/* Not from the environment. */
SERVER_TEST(no_proxy_from_the_environment)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	cr_http_options options = {.user_agent = ""};
	cr_buf body = {0};
	cr_http *http;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	CHECK_EQ(cr_http_open(&options, &http), 0);
	CHECK_EQ(cr_http_get(http, url_of(site, "/x"), &body), 0);
	CHECK(!strncmp(body.data, "/x|", 3));
	CHECK(!strcmp(body.data + body.size - 2, "|-"));
	cr_http_close(http);
	unsetenv("http_proxy");
	cr_buf_free(&body);
	return 0;
}

struct visitor {
	cr_http *http;
	const struct site *site;
	size_t *left, *good;
};

static int visit(struct visitor *visitor)
{
	cr_buf body = {0};
	char url[96], expected[32];
	int r = 0;

	while (r == 0 && *visitor->left > 0) {
		size_t number = (*visitor->left)--;

		snprintf(url, sizeof url, "%s/%zu", visitor->site->base, number);
		snprintf(expected, sizeof expected, "/%zu|", number);
		cr_buf_clear(&body);
		r = cr_http_get(visitor->http, url, &body);
		if (r == 0)
			*visitor->good += !strncmp(body.data, expected, strlen(expected));
	}
	cr_buf_free(&body);
	return r;
}

HTTP_TEST(ten_thousand)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	size_t left = 10000, good = 0;
	struct visitor visitors[64];
	cr_http_stats stats;

	for (int i = 0; i < 64; i++)
		visitors[i] = (struct visitor){f->http, site, &left, &good};
	CHECK_EQ(cr_gather(visit, visitors, 64), 0);
	CHECK_EQ(good, 10000);
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.requests, 10000);
	CHECK_LE(stats.connections_opened, 64);
	return 0;
}

/* Sessions are strangers to one another. */
HTTP_TEST(two_sessions)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	cr_http_server_stats stats;
	cr_http *second;

	CHECK_EQ(cr_http_open(NULL, &second), 0);
	CHECK_EQ(cr_http_get(f->http, site->base, NULL), 0);
	CHECK_EQ(cr_http_get(second, site->base, NULL), 0);
	cr_http_close(second);
	CHECK_EQ(cr_http_get(f->http, site->base, NULL), 0);
	cr_http_server_stats_get(site->server, &stats);
	CHECK_EQ(stats.connections, 2);
	return 0;
}

/* A session with kept connections costs nothing while nothing happens. */
HTTP_TEST(an_idle_session_sleeps)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	cr_loop_stats before, after;
	int tries = 0;

	CHECK_EQ(cr_http_get(f->http, site->base, NULL), 0);
	/* On a machine that stalls, the end of the request may take a while to settle. */
	do {
		CHECK_EQ(cr_debug_stats(&before), 0);
		CHECK_EQ(cr_sleep(cr_millis(300)), 0);
		CHECK_EQ(cr_debug_stats(&after), 0);
	} while (after.polls - before.polls > 3 && ++tries < 20);
	CHECK_LE(after.polls - before.polls, 3);
	return 0;
}

/* Many hosts: their entries come and go. */
HTTP_TEST(many_hosts)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);

	for (int i = 0; i < 1500; i++) {
		char url[96], name[32];
		cr_buf body = {0};

		snprintf(name, sizeof name, "h%d.test", i);
		CHECK_EQ(cr_dns_host_set(name, "127.0.0.1"), 0);
		snprintf(url, sizeof url, "http://%s:%d/", name, site->port);
		CHECK_EQ(cr_http_get(f->http, url, &body), 0);
		CHECK(strstr(body.data, name));
		cr_buf_free(&body);
		CHECK_EQ(cr_dns_host_set(name, NULL), 0);
	}
	return 0;
}

/* ------------------------------------------------------------------------------------ misuse */

static cr_http *session;

static size_t suspend_inside(char *data, size_t unit, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	cr_http_get(session, "http://127.0.0.1:1/", NULL);
	return unit * count;
}

static int misuse_callback(struct fixture *f)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);
	CURL *easy = curl_easy_init();

	session = f->http;
	curl_easy_setopt(easy, CURLOPT_URL, site->base);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, suspend_inside);
	return cr_http_perform(f->http, easy);
}

static int misuse_server(struct fixture *f)
{
	struct site *site = site_open(f, NULL, serve_target, NULL);

	CHECK_EQ(cr_yield(), 0);
	cr_http_server_close(site->server);
	return 0;
}

/* In a child, which must abort with a message. */
static void check_aborts(int (*body)(struct fixture *f), const char *message)
{
	char text[4096] = "";
	int fds[2], status = 0;
	ssize_t n, size = 0;
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		fixture_run(body, NULL, false);
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + size, sizeof text - 1 - (size_t)size)) > 0)
		size += n;
	close(fds[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(strstr(text, message));
}

static void misuse_aborts(void)
{
	check_aborts(misuse_callback, "callback of libcurl");
	check_aborts(misuse_server, "the server runs");
}

int main(void)
{
	RUN(misuse_aborts);
	RUN(without_room_for_a_driver);
	RUN(a_proxy_is_asked);
	RUN(no_proxy_from_the_environment);
	RUN(ten_thousand);
	RUN(two_sessions);
	RUN(an_idle_session_sleeps);
	RUN(many_hosts);
	return test_done();
}
