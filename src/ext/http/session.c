/* SPDX-License-Identifier: MIT */
/*
 * A session's life. It is counted: its owner, its driver and each request under way hold a
 * reference, so that an answer may outlive the session, and the session its loop.
 */

#include "client.h"

#include <corail/loop.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libcurl, OpenSSL and the user's callbacks run on it. */
#define DRIVER_STACK_SIZE (1024 * 1024)
/* How long a close waits for the driver before it leaves the rest to it. */
#define CLOSE_GRACE cr_seconds(30)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_status;

static void curl_begin(void)
{
	curl_status = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t or_default(size_t value, size_t otherwise)
{
	return value ? value : otherwise;
}

static int set_text(char **to, const char *text)
{
	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

/*
 * Whether "host:port" has its port: behind a name and a password, and behind an address in
 * brackets.
 */
static bool has_port(const char *authority)
{
	const char *at = strrchr(authority, '@'), *host = at ? at + 1 : authority;
	const char *bracket = strchr(host, ']');

	return strchr(bracket ? bracket : host, ':') != NULL;
}

/* The proxy's origin, so that its name is resolved on the loop, too. */
static int set_proxy(cr_http *http, const char *proxy)
{
	const char *scheme = proxy ? strstr(proxy, "://") : NULL;
	const char *authority = scheme ? scheme + 3 : proxy;
	cr_buf text = {0};
	struct url url;
	int r = set_text(&http->proxy, proxy);

	if (r < 0 || !proxy)
		return r;
	/*
	 * Parsed as if it were http: only host and port matter here. Its default port is libcurl's.
	 */
	r = cr_buf_printf(&text, "http://%s%s", authority, has_port(authority) ? "" : ":1080");
	if (r < 0)
		return r;
	r = cr__http_url_parse(text.data, &url) < 0 ? -EINVAL : 0;
	if (r == 0) {
		http->proxy_host = cr__http_host_get(http, &url.origin);
		cr__http_url_free(&url);
		r = http->proxy_host ? 0 : -ENOMEM;
	}
	cr_buf_free(&text);
	return r;
}

static int set_options(cr_http *http, const cr_http_options *options)
{
	int r;

	http->gate.max = or_default(options->requests_max, 100);
	http->requests_per_host_max = or_default(options->requests_per_host_max, SIZE_MAX);
	http->body_size_max = or_default(options->body_size_max, 256 * 1024 * 1024);
	http->window_size = or_default(options->window_size, 64 * 1024);
	http->redirects_max = or_default(options->redirects_max, 10);
	http->cookies = options->cookies;
	http->insecure = options->insecure;
	http->http2 = options->http2;
	http->no_compression = options->no_compression;
	if (options->ca_file && access(options->ca_file, R_OK) != 0)
		return -errno;
	r = set_text(&http->ca_file, options->ca_file);
	if (r == 0 && options->user_agent)
		r = set_text(&http->user_agent, options->user_agent);
	else if (r == 0 && asprintf(&http->user_agent, "corail/%s", cr_version()) < 0)
		r = -ENOMEM;
	return r < 0 ? r : set_proxy(http, options->proxy);
}

static int make_multi(cr_http *http)
{
	http->multi = curl_multi_init();
	http->share = curl_share_init();
	if (!http->multi || !http->share)
		return -ENOMEM;
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, cr__http_on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, cr__http_on_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->gate.max);
	if (curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION))
		return -ENOMEM;
	if (http->cookies && curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE))
		return -ENOMEM;
	return 0;
}

static void destroy(cr_http *http)
{
	while (http->spare) {
		struct transfer *transfer = http->spare;

		http->spare = transfer->spare_next;
		cr__http_transfer_free(transfer);
	}
	if (http->multi)
		curl_multi_cleanup(http->multi);
	if (http->share)
		curl_share_cleanup(http->share);
	for (size_t i = 0; i < HTTP_HOST_BUCKETS; i++) {
		while (http->hosts[i]) {
			struct host *host = http->hosts[i];

			http->hosts[i] = host->next;
			free(host);
		}
	}
	free(http->sockets);
	free(http->user_agent);
	free(http->ca_file);
	free(http->proxy);
	free(http);
}

void cr__http_unref(cr_http *http)
{
	if (--http->references == 0)
		destroy(http);
}

static int open_session(cr_http *http, const cr_http_options *options)
{
	cr_spawn_options spawn = {.name = "http",
	                          .stack_size_bytes = DRIVER_STACK_SIZE,
	                          .optional = 1};
	int r = set_options(http, options);

	if (r == 0)
		r = make_multi(http);
	if (r == 0)
		r = cr_poller_open(&http->poller);
	if (r < 0)
		return r;
	/* The program's scope: a session is not its opener's child, and outlives it if need be. */
	r = cr_task_error(cr_spawn_with(&spawn, cr_scope_program(), cr__http_driver, http));
	if (r < 0)
		cr_poller_close(http->poller);
	return r;
}

int cr_http_open(const cr_http_options *options, cr_http **ret_http)
{
	static const cr_http_options defaults;
	const char *backend = cr_loop_backend();
	cr_http *http;
	int r;

	if (!backend)
		return -ESRCH;
	if (strcmp(backend, "sim") == 0)
		return -EOPNOTSUPP;
	pthread_once(&curl_once, curl_begin);
	if (curl_status)
		return -ENOMEM;
	http = calloc(1, sizeof *http);
	if (!http)
		return -ENOMEM;
	http->timer = CORAIL_NEVER;
	http->references = 1;
	r = open_session(http, options ? options : &defaults);
	if (r < 0) {
		cr__http_unref(http);
		return r;
	}
	http->references++; /* the driver's */
	*ret_http = http;
	return 0;
}

void cr_http_close(cr_http *http)
{
	if (!http)
		return;
	cr__http_not_inside(http);
	http->closing = true;
	if (!cr_event_is_set(&http->ended)) {
		cr__http_driver_wake(http);
		cr_shield(CLOSE_GRACE, cr_event_wait(&http->ended));
	}
	cr__http_unref(http);
}

void cr_http_stats_get(const cr_http *http, cr_http_stats *ret_stats)
{
	*ret_stats = http->stats;
	ret_stats->waiting = http->waiting;
}
