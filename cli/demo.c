/* SPDX-License-Identifier: MIT */

/*
 * `corail demo`: what coroutines are for, in ten seconds and without the internet.
 *
 * A web server inside this very program, on real loopback TCP, answers each page after a while, as
 * the servers of the world do. The pages are fetched one after the other, then all at once, by the
 * code of `corail get`. Server and client share one thread: every connection is a coroutine.
 */

#include "args.h"
#include "text.h"

#include <corail/http_server.h>
#include <corail/net.h>
#include <corail/task.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The pages: how long the server thinks, and how much it then sends. */
static const struct demo_page {
	const char *path;
	int milliseconds;
	int size_bytes;
} demo_pages[] = {
	{"/atoll.html", 500, 48213},   {"/lagoon.html", 300, 12877},
	{"/reef.html", 250, 310452},   {"/polyp.html", 400, 5120},
	{"/anemone.html", 150, 20111}, {"/turtle.html", 350, 94308},
	{"/seahorse.html", 450, 7654}, {"/current.html", 200, 151200},
	{"/tide.html", 300, 3071},     {"/plankton.html", 100, 1024},
	{"/octopus.html", 400, 66980}, {"/starfish.html", 250, 18222},
	{"/manta.html", 350, 240017},  {"/urchin.html", 300, 9341},
};

#define DEMO_PAGE_COUNT (sizeof demo_pages / sizeof *demo_pages)

/* Runs in the task of a connection: while this one sleeps, all others are served. */
static int serve_page(cr_http_exchange *exchange, void *user)
{
	const char *path = cr_http_exchange_path(exchange);

	(void)user;
	for (size_t i = 0; i < DEMO_PAGE_COUNT; i++) {
		const struct demo_page *page = &demo_pages[i];
		char *body;
		int r;

		if (strcmp(path, page->path) != 0)
			continue;
		r = cr_sleep(cr_millis(page->milliseconds));
		if (r < 0)
			return r;
		body = malloc((size_t)page->size_bytes);
		if (!body)
			return -ENOMEM;
		memset(body, 'c', (size_t)page->size_bytes);
		r = cr_http_reply(exchange, 200, "text/html", body, (size_t)page->size_bytes);
		free(body);
		return r;
	}
	return cr_http_reply(exchange, 404, "text/plain", "no such page\n", 13);
}

struct demo {
	struct url_list list;
	cr_nsec one_by_one, at_once;
	size_t failed;
};

static int make_list(struct demo *demo, int port)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < DEMO_PAGE_COUNT; i++) {
		char url[64];
		int length = snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port,
		                      demo_pages[i].path);

		r = url_list_add(&demo->list, url, (size_t)length);
	}
	return r;
}

static int fetch_all(struct demo *demo, bool sequential, cr_nsec *ret_elapsed)
{
	struct get_options options = {.concurrent = DEMO_PAGE_COUNT,
	                              .sequential = sequential,
	                              .direct = true};
	struct get get;
	int r = get_init(&get, &options, &demo->list);

	if (r == 0)
		r = get_run(&get);
	*ret_elapsed = get.elapsed;
	demo->failed += get.failed;
	get_free(&get);
	return r;
}

static int show(struct demo *demo)
{
	int r;

	printf(tr("%zu pages, from a web server inside this program that takes its time.\n"
	          "\n1. One after the other:\n",
	          "%zu pages, d'un serveur web dans ce programme même, qui prend son temps.\n"
	          "\n1. L'une après l'autre :\n"),
	       DEMO_PAGE_COUNT);
	fflush(stdout);
	r = fetch_all(demo, true, &demo->one_by_one);
	if (r < 0)
		return r;
	puts(tr("\n2. All at once, a coroutine for each:",
	        "\n2. Toutes à la fois, une coroutine pour chacune :"));
	fflush(stdout);
	return fetch_all(demo, false, &demo->at_once);
}

static int serve_and_show(struct demo *demo, cr_listener *listener)
{
	cr_http_server *server;
	int r = cr_http_server_open(NULL, listener, serve_page, NULL, &server);

	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope); /* ends the server on every way out */
		r = cr_scope_start(&scope, cr_http_server_run, server, NULL);
		if (r >= 0)
			r = show(demo);
	}
	cr_http_server_close(server);
	return r;
}

static int run_demo(struct demo *demo)
{
	cr_listener *listener;
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	if (r < 0)
		return r;
	r = make_list(demo, cr_listener_port(listener));
	if (r == 0)
		r = serve_and_show(demo, listener);
	cr_listener_close(listener);
	return r;
}

/* A factor with one decimal, and a comma in French. */
static void print_result(const struct demo *demo)
{
	double before = (double)demo->one_by_one / 1e9, after = (double)demo->at_once / 1e9;
	char texts[3][32];
	double values[] = {before, after, after > 0 ? before / after : 0};

	for (size_t i = 0; i < 3; i++) {
		snprintf(texts[i], sizeof texts[i], "%.1f", values[i]);
		if (text_is_french() && strchr(texts[i], '.'))
			*strchr(texts[i], '.') = ',';
	}
	printf(tr("\nOne after the other: %s s. All at once: %s s. %s times faster.\n",
	          "\nL'une après l'autre : %s s. Toutes à la fois : %s s. %s fois plus vite.\n"),
	       texts[0], texts[1], texts[2]);
	printf(tr("While one coroutine waits, the others go on; one thread does it all.\n"
	          "\nNext:\n"
	          "  %s get https://example.com https://example.org https://example.net\n"
	          "  %s get --help\n"
	          "  and the programs in examples/, which do the same in a few lines of C.\n",
	          "Pendant qu'une coroutine attend, les autres avancent ; un seul fil suffit.\n"
	          "\nEnsuite :\n"
	          "  %s get https://example.com https://example.org https://example.net\n"
	          "  %s get --help\n"
	          "  et les programmes d'examples/, qui font de même en quelques lignes de C.\n"),
	       program_invocation_name, program_invocation_name);
}

int demo_main(int argc, char **argv)
{
	struct demo demo = {0};
	int r;

	if (argc > 1) {
		bool asked = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;

		help_demo(asked ? stdout : stderr);
		return asked ? EXIT_GOOD : EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	r = cr_run(run_demo, &demo);
	url_list_free(&demo.list);
	if (r == -EINTR) {
		complain("%s", tr("interrupted", "interrompu"));
		return EXIT_INTERRUPTED;
	}
	if (r < 0) {
		complain("%s", text_error(r));
		return EXIT_SOME_FAILED;
	}
	print_result(&demo);
	return demo.failed > 0 ? EXIT_SOME_FAILED : EXIT_GOOD;
}
