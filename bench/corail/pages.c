/* SPDX-License-Identifier: MIT */
/*
 * Pages into memory with Corail: one session, a task for each connection, page after page.
 *
 *   pages NAME PORT CONNECTIONS PAGES SIZE    prints: NAME pages-per-second
 */
#include "../c/bench.h"

#include <corail/corail.h>
#include <corail/http.h>

static const char *name;
static long port, connections, pages, page_size, started;

static int worker(cr_http *http)
{
	int r = 0;

	while (r == 0 && started < pages) {
		cr_buf body = {0};
		char url[64];

		snprintf(url, sizeof url, "http://127.0.0.1:%ld/%ld.html", port, started++ % 100);
		r = cr_http_get(http, url, &body);
		if (r == 0 && body.size != (size_t)page_size)
			r = -CORAIL_E_HTTP_TRUNCATED;
		cr_buf_free(&body);
	}
	return r;
}

static int workers_run(cr_http *http)
{
	CORAIL_SCOPE(scope);

	for (long i = 0; i < connections; i++)
		cr_spawn(&scope, worker, http);
	return cr_scope_wait(&scope);
}

static int run_pages(const cr_http_options *options)
{
	int64_t before = bench_now();
	cr_http *http;
	int r = cr_http_open(options, &http);

	if (r < 0)
		return r;
	r = workers_run(http);
	cr_http_close(http);
	if (r == 0)
		bench_print(name, (double)pages * 1e9 / (double)(bench_now() - before));
	return r;
}

int main(int argc, char **argv)
{
	cr_http_options options = {.no_compression = 1, .user_agent = ""}; /* as bare libcurl */
	int r;

	port = bench_argument(argc, argv, 2);
	connections = bench_argument(argc, argv, 3);
	pages = bench_argument(argc, argv, 4);
	page_size = bench_argument(argc, argv, 5);
	name = argv[1];
	options.requests_max = (size_t)connections;
	r = cr_run(run_pages, (const cr_http_options *)&options);
	if (r < 0)
		fprintf(stderr, "pages: %s\n", cr_strerror(r));
	return r < 0;
}
