/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_HTTP_SERVER_H
#define CORAIL_HTTP_SERVER_H

/*
 * A small HTTP/1.1 server: a listener, a handler, a task for each connection. Link with
 * corail-http.
 *
 *	static int hello(cr_http_exchange *x, void *user)
 *	{
 *		(void)user;
 *		return cr_http_reply(x, 200, "text/plain", "hello\n", 6);
 *	}
 *
 *	r = cr_http_server_open(NULL, listener, hello, NULL, &server);
 *	if (r == 0) r = cr_http_server_run(server);        until stopped or cancelled
 *	cr_http_server_close(server);
 *
 * A handler is an ordinary function that runs in the connection's task and may suspend: it reads
 * the request, waits for whatever it needs, and writes the answer. An exchange belongs to its
 * handler's call. A handler that returns a negative error gives a 500 if nothing was sent yet; else
 * the connection is closed in the middle of the answer, so that the client can tell.
 *
 * Keep-alive, pipelining, HEAD (the body is swallowed), chunked bodies both ways and "Expect:
 * 100-continue" work by themselves. What is malformed never reaches a handler: it is answered and
 * the connection closed. 400 for what is not HTTP, for a missing or doubled Host, and for a request
 * with both Content-Length and Transfer-Encoding (RFC 9112, section 6.1: request smuggling); 408
 * for a head that takes too long; 413 for too large a body; 414 for too long a target; 431 for too
 * large a head; 501 for an unknown transfer coding; 505 for another version of HTTP; 503 when there
 * are too many connections.
 *
 * Works on every backend, sim included.
 */

#include <corail/base.h>
#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cr_http_server cr_http_server;
typedef struct cr_http_exchange cr_http_exchange; /* one request and its answer */

/* A handler. Returns 0 (or positive), or a negative error: see above. */
typedef int cr_http_handler(cr_http_exchange *exchange, void *user);

/* All zero means the defaults. */
typedef struct cr_http_server_options {
	size_t connections_max;  /* 0: 10,000. Past it: 503, and closed */
	size_t target_size_max;  /* bytes of the request target; 0: 8 KiB. Past it: 414 */
	size_t head_size_max;    /* bytes of request line and headers; 0: 32 KiB. Past it: 431 */
	size_t header_count_max; /* 0: 100. Past it: 431 */
	uint64_t body_size_max;  /* of a request; 0: 1 MiB; UINT64_MAX: any. Past it: 413 */
	cr_nsec head_time;       /* from first byte to end of head; 0: 30 s. Then 408 */
	cr_nsec idle_time;       /* without a request; 0: 60 s. Then closed */
	cr_nsec transfer_time;   /* one read or write may stall; 0: 60 s. Then closed */
	size_t stack_size_bytes; /* of a connection's task; 0: the loop's */
	const char *server_name; /* the Server header; NULL: "corail"; "": none. Borrowed */
} cr_http_server_options;

/* ----------------------------------------------------------------------------------- server --- */

/*
 * Makes a server. The listener is borrowed: it must outlive the server, and you close it. `options`
 * may be NULL and is copied. You own the server: cr_http_server_close(). Returns 0 or -ENOMEM. Does
 * not suspend.
 */
CORAIL_API int cr_http_server_open(const cr_http_server_options *options, cr_listener *listener,
                                   cr_http_handler *handler, void *user,
                                   cr_http_server **ret_server);

/*
 * Serves, in the calling task, until cr_http_server_stop() and every exchange has been completed,
 * or until cancelled: then handlers are cancelled, and joined. Says cr_task_started(0) when it is
 * about to accept.
 * Returns 0 after a stop; -ECANCELED; -EBUSY when it already runs; or the listener's fatal error
 * (see cr_accept(): running out of descriptors is none).
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_server_run(cr_http_server *server);

/*
 * Asks for a graceful end: no further connections or requests, idle connections are closed,
 * exchanges under way are completed (answered with "Connection: close"). Bound it by a deadline
 * around cr_http_server_run(). Idempotent. Does not suspend. Of the server's own loop only.
 */
CORAIL_API void cr_http_server_stop(cr_http_server *server);

/* What a server has done and does. */
typedef struct cr_http_server_stats {
	uint64_t connections;       /* accepted since the beginning */
	uint64_t connections_alive; /* now */
	uint64_t connections_peak;  /* most at once */
	uint64_t exchanges;         /* requests that reached the handler */
	uint64_t exchanges_alive;   /* now in the handler */
	uint64_t rejected;          /* malformed, too large, too late, too many */
} cr_http_server_stats;

/* Writes a server's figures of this moment. */
CORAIL_API void cr_http_server_stats_get(const cr_http_server *server,
                                         cr_http_server_stats *ret_stats);

/* Frees a server that does not run (aborts if it does). Accepts NULL. Does not suspend. */
CORAIL_API void cr_http_server_close(cr_http_server *server);

/* ---------------------------------------------------------------------------------- request --- */

/* All texts live as long as the exchange. */

/* The method: "GET", "POST", ... */
CORAIL_API const char *cr_http_exchange_method(const cr_http_exchange *exchange);

/* The target as it was sent: "/a%20b?c=d". */
CORAIL_API const char *cr_http_exchange_target(const cr_http_exchange *exchange);

/*
 * The path, percent-decoded, without the query: "/a b". It starts with '/' (but "*" for OPTIONS *)
 * and has neither "." or ".." segments nor NUL bytes: a target that tries to leave the root was
 * answered with 400.
 */
CORAIL_API const char *cr_http_exchange_path(const cr_http_exchange *exchange);

/* The query as it was sent, without its '?'; "" without one. */
CORAIL_API const char *cr_http_exchange_query(const cr_http_exchange *exchange);

/*
 * The first query parameter of that name, decoded ('+' is a space), appended to *value. Returns 0;
 * -ENOENT without one; or as cr_buf_append().
 */
CORAIL_API int cr_http_exchange_param(const cr_http_exchange *exchange, const char *name,
                                      cr_buf *value);

/*
 * A header's value, the name's case ignored (of several, the first); NULL without. "Host" is that
 * of the target, if it has one ("GET http://host/path").
 */
CORAIL_API const char *cr_http_exchange_header(const cr_http_exchange *exchange, const char *name);

/* Number `index` of the headers, 0 the first. Returns 0, or -ENOENT past the last. */
CORAIL_API int cr_http_exchange_header_at(const cr_http_exchange *exchange, size_t index,
                                          const char **ret_name, const char **ret_value);

/* The announced length of the body; 0 without a body; -1 when chunked. */
CORAIL_API int64_t cr_http_exchange_length(const cr_http_exchange *exchange);

/*
 * Reads up to `size` bytes of the request's body; asks the client for it first, if it waits for
 * "100 Continue". What a handler leaves unread is skipped, or the connection is closed if it is
 * much.
 * Returns how many; 0 at the end; -CORAIL_E_HTTP_TRUNCATED when the client went away;
 * -CORAIL_E_HTTP_TOO_LARGE past body_size_max; -CORAIL_E_HTTP_PROTOCOL for bad chunks; -ETIME when
 * it stalls (return any of these, and the client gets 400, 413 or 408); -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_http_exchange_read(cr_http_exchange *exchange, void *data,
                                                         size_t size);

/*
 * Appends the rest of the request's body to *body. Returns 0, or as cr_http_exchange_read() and
 * cr_buf_append().
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_exchange_body(cr_http_exchange *exchange, cr_buf *body);

/* ----------------------------------------------------------------------------------- answer --- */

/*
 * Adds a header to the answer, before it is started. Texts are copied. Content-Length,
 * Transfer-Encoding, Connection and Date are the server's business: -EINVAL. Returns 0; -ENOMEM;
 * -CORAIL_E_HTTP_HEADER for forbidden bytes; -EALREADY when the answer has been started.
 */
CORAIL_API int cr_http_reply_header(cr_http_exchange *exchange, const char *name,
                                    const char *value);

/*
 * Answers, whole: status, Content-Type (NULL: none), and a body of `size` bytes.
 * Returns 0; -EALREADY when the answer has been started; -EPIPE or -ECONNRESET when the client is
 * gone; -ETIME when it does not read; -EINVAL for a status outside 200 to 599; -ENOMEM; -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_reply(cr_http_exchange *exchange, int status,
                                             const char *content_type, const void *data,
                                             size_t size);

/* The length of an answer that is not known when it starts: it is sent in chunks. */
#define CORAIL_HTTP_CHUNKED (-1)

/*
 * Starts an answer whose body follows by cr_http_reply_write(): `length` bytes of it, or
 * CORAIL_HTTP_CHUNKED. The head goes out with the first write, or at once by cr_http_reply_flush().
 * It ends when the handler returns 0; with fewer bytes than announced, the connection is closed.
 * Does not suspend.
 * Returns 0; -EALREADY; -EINVAL; -ENOMEM.
 */
CORAIL_API int cr_http_reply_start(cr_http_exchange *exchange, int status, const char *content_type,
                                   int64_t length);

/*
 * Writes a piece of the body; suspends while the client does not read. Returns 0, or as
 * cr_http_reply(); -EINVAL before cr_http_reply_start(); -EMSGSIZE past the announced length
 * (nothing was written).
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_reply_write(cr_http_exchange *exchange, const void *data,
                                                   size_t size);

/*
 * Sends the head now, without waiting for the body's first piece. Returns as cr_http_reply_write().
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_reply_flush(cr_http_exchange *exchange);

/* Closes the connection after this answer. Before it is started. Returns 0 or -EALREADY. */
CORAIL_API int cr_http_reply_close(cr_http_exchange *exchange);

#ifdef __cplusplus
}
#endif
#endif
