/* SPDX-License-Identifier: MIT */
#ifndef TEST_HTTP_SERVER_CASES_H
#define TEST_HTTP_SERVER_CASES_H

/*
 * The server by raw bytes: what is answered to what. The same on real sockets and in the simulator.
 */

#include "http/fixture.h"
#include "support/loopback.h"

#include <stdlib.h>

/* ---------------------------------------------------------------------------------- a handler */

/* The first bytes one way, the rest the other way. */
static inline int read_body(cr_http_exchange *x, cr_buf *body)
{
	char data[2];
	ssize_t n = cr_http_exchange_read(x, data, sizeof data);

	if (n < 0)
		return (int)n;
	CHECK_EQ(cr_buf_append(body, data, (size_t)n), 0);
	return cr_http_exchange_body(x, body);
}

/*
 * "/echo" gives the body back with its length; "/chunked" in chunks; "/ignore" does not read it;
 * "/fail" fails, "/early" with an answer begun, "/half" and "/half-unknown" in the middle of one;
 * "/short" sends less than announced; "/none" says nothing; "/host" the Host; "/slow" takes 100 ms;
 * else: method, path, query and body.
 */
static inline int serve_cases(cr_http_exchange *x, void *user)
{
	const char *path = cr_http_exchange_path(x);
	cr_buf body = {0}, text = {0};
	int r;

	(void)user;
	if (!strcmp(path, "/ignore"))
		return cr_http_reply(x, 200, NULL, "ignored", 7);
	if (!strcmp(path, "/fail"))
		return -EIO;
	if (!strcmp(path, "/none"))
		return 0;
	if (!strcmp(path, "/host"))
		return cr_http_reply(x, 200, NULL, cr_http_exchange_header(x, "Host"),
		                     strlen(cr_http_exchange_header(x, "Host")));
	if (!strcmp(path, "/early")) {
		r = cr_http_reply_start(x, 200, NULL, 10);
		return r < 0 ? r : -EIO;
	}
	if (!strcmp(path, "/half") || !strcmp(path, "/short") || !strcmp(path, "/half-unknown")) {
		r = cr_http_reply_start(x, 200, NULL, path[5] == '-' ? CORAIL_HTTP_CHUNKED : 10);
		if (r == 0)
			r = cr_http_reply_write(x, "12345", 5);
		return r < 0 ? r : path[1] == 'h' ? -EIO : 0;
	}
	if (!strcmp(path, "/slow")) {
		r = cr_sleep(cr_millis(100));
		return r < 0 ? r : cr_http_reply(x, 200, NULL, "slow", 4);
	}
	r = read_body(x, &body);
	if (r == 0 && !strcmp(path, "/chunked")) {
		r = cr_http_reply_start(x, 200, NULL, CORAIL_HTTP_CHUNKED);
		for (size_t i = 0; i < body.size && r == 0; i += 3)
			r = cr_http_reply_write(x, body.data + i,
			                        body.size - i < 3 ? body.size - i : 3);
	} else if (r == 0 && !strcmp(path, "/echo")) {
		r = cr_http_reply(x, 200, NULL, body.data, body.size);
	} else if (r == 0) {
		cr_buf_printf(&text, "%s %s?%s %s", cr_http_exchange_method(x), path,
		              cr_http_exchange_query(x), body.size ? body.data : "");
		r = cr_http_reply(x, 200, "text/plain", text.data, text.size);
	}
	cr_buf_free(&body);
	cr_buf_free(&text);
	return r;
}

/* -------------------------------------------------------------------------------- a raw client */

static inline cr_conn *dial(const struct site *site)
{
	cr_conn *conn;

	CHECK_EQ(loopback_dial(site->port, &conn), 0);
	return conn;
}

/* Everything up to the end of the stream. */
static inline void read_rest(cr_conn *conn, cr_buf *all)
{
	char data[1000];
	ssize_t n;

	cr_buf_clear(all);
	while ((n = cr_timeout(cr_seconds(20), cr_conn_read(conn, data, sizeof data))) > 0)
		CHECK_EQ(cr_buf_append(all, data, (size_t)n), 0);
	CHECK(n == 0 || n == -ECONNRESET);
	if (!all->data)
		CHECK_EQ(cr_buf_append(all, "", 0), 0);
}

/* One connection, all bytes at once, the write side closed; the whole answer. */
static inline void ask(const struct site *site, const char *bytes, size_t size, cr_buf *answer)
{
	cr_conn *conn = dial(site);

	(void)cr_conn_write(conn, bytes, size);
	(void)cr_conn_shutdown_write(conn);
	read_rest(conn, answer);
	cr_conn_close(conn);
}

/* The same, a byte at a time. */
static inline void ask_slowly(const struct site *site, const char *bytes, size_t size,
                              cr_buf *answer)
{
	cr_conn *conn = dial(site);

	for (size_t i = 0; i < size; i++) {
		if (cr_conn_write(conn, bytes + i, 1) < 0)
			break;
		cr_yield();
		cr_yield();
	}
	(void)cr_conn_shutdown_write(conn);
	read_rest(conn, answer);
	cr_conn_close(conn);
}

struct server_case {
	const char *request;
	int status;       /* of the first answer; 0: no answer at all */
	const char *body; /* how the answer ends; NULL: whatever */
};

#define HOST "Host: h\r\n"
#define END "\r\n"
#define CHUNKED "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct server_case good_cases[] = {
	{"GET / HTTP/1.1\r\n" HOST END, 200, "GET /? "},
	{"GET /a%20b/c?d=%41&e HTTP/1.1\r\n" HOST END, 200, "GET /a b/c?d=%41&e "},
	{"GET http://h/abs?x HTTP/1.1\r\n" HOST END, 200, "GET /abs?x "},
	{"GET http://h HTTP/1.1\r\n" HOST END, 200, "GET /? "},
	{"GET http://other:1?x HTTP/1.1\r\n" HOST END, 200, "GET /?x "},
	{"GET http://other:1/host HTTP/1.1\r\n" HOST END, 200, "\r\n\r\nother:1"},
	{"GET /host HTTP/1.1\r\n" HOST END, 200, "\r\n\r\nh"},
	{"OPTIONS * HTTP/1.1\r\n" HOST END, 200, "OPTIONS *? "},
	{"GET / HTTP/1.0\r\n\r\n", 200, "GET /? "},
	{"\r\n\r\nGET / HTTP/1.1\r\n" HOST END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nHost:\r\n" END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n" END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n" END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nHost: [v1.a:b]:\r\n" END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nHost: 192.0.2.1:65535\r\n" END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nHost: a_b%20c.example.:\r\n" END, 200, "GET /? "},
	{"GET / HTTP/1.1\r\nhOsT:h\r\nX:  a b \t\r\n" END, 200, "GET /? "},
	{"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "\r\n\r\nhello"},
	{"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "\r\n\r\n"},
	{"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n1;ext=\"x\"\r\n!\r\n0\r\nTrailer: x\r\n\r\n",
         200, "\r\n\r\nhello!"},
	{"POST /chunked HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200,
         "\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"},
	{"POST /chunked HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 200, "\r\n\r\nhello"},
	{"HEAD /echo HTTP/1.1\r\n" HOST END, 200, "Content-Length: 0\r\n\r\n"},
	{"HEAD / HTTP/1.1\r\n" HOST END, 200, "\r\n\r\n"},
	{"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: upgrade\r\n" END, 200,
         "GET /? "},
	{"GET /fail HTTP/1.1\r\n" HOST END, 500, NULL},
	{"GET /none HTTP/1.1\r\n" HOST END, 500, NULL},
	{"GET /half HTTP/1.1\r\n" HOST END, 200, "\r\n\r\n12345"},
	{"GET /short HTTP/1.1\r\n" HOST END, 200, "\r\n\r\n12345"},
	{"GET /early HTTP/1.1\r\n" HOST END, 500, "500 Internal Server Error\n"},
	{CHUNKED "0005;a=\"b\"\r\nhello\r\n00\r\nX: a b\r\nY:\r\n\r\n", 200, "\r\n\r\nhello"},
	{"", 0, NULL},
	{"\r\n", 0, NULL},
	{"GET / HTTP/1.1\r\nHo", 0, NULL},
};

/* All are refused, and nothing after them on the connection is looked at. */
static const struct server_case bad_cases[] = {
	{"hello\r\n\r\n", 400, NULL},
	{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, NULL},
	{"GET\r\n\r\n", 400, NULL},
	{"GET  / HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /\r\n" HOST END, 400, NULL},
	{" GET / HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET / HTTP/1.1 \r\n" HOST END, 400, NULL},
	{"GET / HTTQ/1.1\r\n" HOST END, 400, NULL},
	{"GET / HTTP/1.1\n" HOST END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h\rX: y\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\n Host: h\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost : h\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\n" HOST "X Y: z\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\n" HOST "X\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\n" HOST ": x\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\n" HOST "X: \x01\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\n\r\n", 400, NULL},
	{"GET / HTTP/1.1\r\n" HOST HOST END, 400, NULL},
	{"GET / HTTP/1.0\r\n" HOST HOST END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: a b\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h/path\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: me@h\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: me:pass@h:80\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h:80:80\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h:http\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h:-1\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h:65536\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h:4294967376\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: :80\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: a, b\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h%2\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h%zz\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: h\xc3\xa9\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: 2001:db8::1\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: []\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [::1\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [::1]80\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [::1]:80:80\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [::g]\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [192.0.2.1]\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: [v1]\r\n" END, 400, NULL},
	{"GET / HTTP/1.1\r\nHost: a[::1]\r\n" END, 400, NULL},
	{"GET /../etc HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /a/%2e%2E/b HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /a/..%2fb HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /a/.. HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /a%00b HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /a%4 HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET /a%zz HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET a HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET * HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET http:///x HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET http://:80/x HTTP/1.1\r\n" HOST END, 400, NULL},
	{"GET http://h:80:80/x HTTP/1.1\r\n" HOST END, 400, NULL},
	/* Smuggling. */
	{"POST / HTTP/1.1\r\n" HOST
         "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, NULL},
	{"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
         400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400,
         NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400,
         NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, NULL},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "fffffffffffffffff\r\n",
         400, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
         400, NULL},
	/* Line ends that another server may not see, and bytes where there should be one. */
	{CHUNKED "5\rXhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "5\nhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhelloXX0\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\n0\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r0\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\n\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\nX: a\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\n X: a\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\nX : a\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\n: a\r\n\r\n", 400, NULL},
	{CHUNKED "5\r\nhello\r\n0\r\nX: \x01\r\n\r\n", 400, NULL},
	{CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400, NULL},
	{CHUNKED "\r\n\r\n", 400, NULL},
	/* Others. */
	{"GET / RTSP/1.0\r\n" HOST END, 400, NULL},
	{"GET / http/1.1\r\n" HOST END, 400, NULL},
	{"GET http://me@h/ HTTP/1.1\r\n" HOST END, 400, NULL},
	{"CONNECT h:80 HTTP/1.1\r\n" HOST END, 501, NULL},
	{"FROB / HTTP/1.1\r\n" HOST END, 501, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, NULL},
	{"GET / HTTP/2.0\r\n" HOST END, 505, NULL},
	{"GET / HTTP/3.1\r\n" HOST END, 505, NULL},
	{"GET / HTTP/1.2\r\n" HOST END, 505, NULL},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, NULL},
	{"GET / HTTP/1.1\r\n" HOST "Expect: miracles\r\n" END, 417, NULL},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\n", 413, NULL},
};

static inline int status_in(const cr_buf *answer)
{
	return strncmp(answer->data, "HTTP/1.1 ", 9) ? 0 : (int)strtol(answer->data + 9, NULL, 10);
}

static inline void check_case(const struct server_case *c, const cr_buf *answer, bool bad)
{
	size_t length = c->body ? strlen(c->body) : 0;
	int status = status_in(answer);
	bool good = status == c->status;

	if (good && c->body)
		good = answer->size >= length &&
		       !memcmp(answer->data + answer->size - length, c->body, length);
	if (good && bad)
		good = strstr(answer->data, "Connection: close\r\n") &&
		       !strstr(answer->data, "smuggled");
	if (!good) {
		fprintf(stderr, "  request: %s\n  answer: %s\n", c->request, answer->data);
		FAIL("not the answer that was expected");
	}
}

#endif
