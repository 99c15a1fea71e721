/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 needs=http */
/* The HTTP server and a client that speaks by hand, tortured. */

#include "support/torture.h"

#include <corail/http_server.h>
#include <corail/net.h>
#include <corail/task.h>

struct site {
	cr_listener *listener;
	cr_http_server *server;
	char target[CORAIL_ADDR_TEXT_SIZE];
};

static int answer(cr_http_exchange *x, void *user)
{
	cr_buf body = {0};
	int r = cr_http_exchange_body(x, &body);

	(void)user;
	if (r == 0)
		r = cr_sleep(cr_micros(100));
	if (r == 0)
		r = cr_http_reply_header(x, "X-Test", "yes");
	if (r == 0)
		r = cr_http_reply_start(x, 200, "text/plain", CORAIL_HTTP_CHUNKED);
	if (r == 0)
		r = cr_http_reply_write(x, "first,", 6);
	if (r == 0)
		r = cr_http_reply_write(x, body.data, body.size);
	cr_buf_free(&body);
	return r;
}

static int site_run(struct site *site)
{
	return cr_http_server_run(site->server);
}

static int site_open(struct site *site)
{
	cr_addr addr;
	int r = cr_listener_open("127.0.0.1:0", NULL, &site->listener);

	if (r < 0)
		return r;
	r = cr_listener_addr(site->listener, &addr);
	if (r == 0)
		r = cr_addr_format(&addr, site->target, sizeof site->target);
	if (r >= 0)
		r = cr_http_server_open(NULL, site->listener, answer, NULL, &site->server);
	if (r < 0)
		cr_listener_close(site->listener);
	return r;
}

static void site_close(struct site *site)
{
	cr_http_server_close(site->server);
	cr_listener_close(site->listener);
}

/* Two requests over one connection, then the end of the stream. */
static int speak(struct site *site)
{
	static const char requests[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
				       "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
				       "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
	char text[2048];
	size_t size = 0;
	cr_conn *conn;
	ssize_t n = 0;
	int r = cr_conn_open(site->target, &conn);

	if (r < 0)
		return r;
	r = cr_conn_write(conn, requests, sizeof requests - 1);
	while (r == 0 && (n = cr_conn_read(conn, text + size, sizeof text - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	cr_conn_close(conn);
	if (r == 0 && n == 0 && !torture_delivered(torture_here)) {
		char *second = strstr(text, "first,");

		CHECK(second && strstr(second + 6, "first,"));
	}
	return r < 0 ? r : (int)n;
}

static int serves_by_hand(struct torture *t)
{
	struct site site;
	int r = site_open(&site);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, site_run, &site);
		struct site *clients[2] = {&site, &site};

		{
			CORAIL_SCOPE(both);
			cr_spawn(&both, speak, clients[0]);
			cr_spawn(&both, speak, clients[1]);
			r = cr_scope_wait(&both);
		}
		cr_http_server_stop(site.server);
		if (cr_task_error(task) == 0 && r == 0)
			r = cr_await(task);
	}
	site_close(&site);
	return r;
}

static int speak_nonsense(struct site *site)
{
	char text[512];
	cr_conn *conn;
	ssize_t n;
	int r = cr_conn_open(site->target, &conn);

	if (r < 0)
		return r;
	r = cr_conn_write(conn, "nonsense\r\n\r\n", 12);
	while (r == 0 && (n = cr_conn_read(conn, text, sizeof text)) != 0)
		r = n < 0 ? (int)n : 0;
	cr_conn_close(conn);
	return r == -ECONNRESET ? 0 : r;
}

static int refuses_nonsense(struct torture *t)
{
	struct site site;
	int r = site_open(&site);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, site_run, &site);
		r = speak_nonsense(&site);
	}
	site_close(&site);
	return r;
}

int main(void)
{
	TORTURE(serves_by_hand);
	TORTURE(refuses_nonsense);
	return test_done();
}
