/* SPDX-License-Identifier: MIT */
#ifndef TEST_HTTP_FIXTURE_H
#define TEST_HTTP_FIXTURE_H

/*
 * A loop with a scope, sites (our own server with a handler) and raw servers (a script for each
 * connection), all on loopback ports that the kernel chooses. They live longer than the test's
 * body: what is given to a handler or a script is static.
 */

#include <corail/corail.h>
#include <corail/http.h>
#include <corail/http_server.h>
#include <corail/sync.h>

#include "support/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SITES_MAX 8

struct site {
	cr_listener *listener;
	cr_http_server *server;
	char base[64]; /* "http://127.0.0.1:1234" */
	int port;
	int (*script)(cr_conn *conn, void *arg);
	void *arg;
};

struct fixture {
	cr_scope *scope;
	cr_http *http;
	struct site sites[SITES_MAX];
	size_t site_count;
};

static inline int site_run(struct site *site)
{
	cr_http_server_run(site->server);
	return 0;
}

static inline int site_run_raw(struct site *site)
{
	cr_listener_serve(site->listener, NULL, site->script, site->arg);
	return 0;
}

static inline struct site *site_new(struct fixture *f)
{
	struct site *site = &f->sites[f->site_count++];

	CHECK(f->site_count <= SITES_MAX);
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &site->listener), 0);
	site->port = cr_listener_port(site->listener);
	snprintf(site->base, sizeof site->base, "http://127.0.0.1:%d", site->port);
	return site;
}

/* Our own server. */
static inline struct site *site_open(struct fixture *f, const cr_http_server_options *options,
                                     cr_http_handler *handler, void *user)
{
	struct site *site = site_new(f);

	CHECK_EQ(cr_http_server_open(options, site->listener, handler, user, &site->server), 0);
	cr_spawn(f->scope, site_run, site);
	return site;
}

/* A script for each connection. */
static inline struct site *site_open_raw(struct fixture *f, int (*script)(cr_conn *conn, void *arg),
                                         void *arg)
{
	struct site *site = site_new(f);

	site->script = script;
	site->arg = arg;
	cr_spawn(f->scope, site_run_raw, site);
	return site;
}

/* "http://127.0.0.1:1234/path", in one of a few static buffers: for one call. */
static inline const char *url_of(const struct site *site, const char *path)
{
	static char texts[8][512];
	static unsigned turn;
	char *text = texts[turn++ % 8];

	snprintf(text, sizeof texts[0], "%s%s", site->base, path);
	return text;
}

struct fixture_run {
	int (*body)(struct fixture *f);
	const cr_http_options *options;
	bool no_session;
};

static inline int fixture_main(struct fixture_run *run)
{
	struct fixture f = {0};
	int r;

	if (!run->no_session)
		CHECK_EQ(cr_http_open(run->options, &f.http), 0);
	{
		CORAIL_SCOPE(scope);
		f.scope = &scope;
		r = run->body(&f);
		cr_http_close(f.http);
		cr_scope_cancel(&scope);
	}
	for (size_t i = 0; i < f.site_count; i++) {
		cr_http_server_close(f.sites[i].server);
		cr_listener_close(f.sites[i].listener);
	}
	return r;
}

/* Runs a body in a loop of its own, and checks that no descriptor is left. */
static inline void fixture_run(int (*body)(struct fixture *f), const cr_http_options *options,
                               bool no_session)
{
	struct fixture_run run = {body, options, no_session};
	int before = test_open_fds();

	CHECK_EQ(cr_run(fixture_main, &run), 0);
	CHECK_EQ(test_open_fds(), before);
}

/* A test with a session of these options; then without a session. */
#define HTTP_TEST_WITH(name, options)                                                              \
	static int name##_body(struct fixture *f);                                                 \
	static void name(void)                                                                     \
	{                                                                                          \
		fixture_run(name##_body, options, false);                                          \
	}                                                                                          \
	static int name##_body(struct fixture *f)
#define HTTP_TEST(name) HTTP_TEST_WITH(name, NULL)
#define SERVER_TEST(name)                                                                          \
	static int name##_body(struct fixture *f);                                                 \
	static void name(void)                                                                     \
	{                                                                                          \
		fixture_run(name##_body, NULL, true);                                              \
	}                                                                                          \
	static int name##_body(struct fixture *f)

/* Reads a request's head from a raw connection. Returns bytes, or a negative error. */
static inline ssize_t read_head(cr_conn *conn, cr_buf *head)
{
	cr_buf_clear(head);
	return cr_conn_read_until(conn, "\r\n\r\n", 4, head);
}

static inline int say(cr_conn *conn, const char *text)
{
	return cr_conn_write(conn, text, strlen(text));
}

/* A script: a raw answer, at `arg` a text as the caller chooses, and the end of the connection. */
static inline int say_and_close(cr_conn *conn, void *arg)
{
	cr_buf head = {0};

	if (read_head(conn, &head) > 0)
		say(conn, *(const char **)arg);
	cr_buf_free(&head);
	return 0;
}

#endif
