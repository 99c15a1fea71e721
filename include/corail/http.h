/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_HTTP_H
#define CORAIL_HTTP_H

/*
 * HTTP client: a session, requests, and answers whose bodies go into memory, into a descriptor, or
 * are read piece by piece. The engine is libcurl; link with corail-http. (A server: http_server.h.
 * To await a libcurl handle of your own: curl.h.)
 *
 *	cr_http *http;
 *	cr_buf page = {0};
 *	int r = cr_http_open(NULL, &http);
 *	if (r < 0) return r;
 *	r = cr_timeout(cr_seconds(10), cr_http_get(http, "https://example.org/", &page));
 *	cr_http_close(http);
 *
 * The session owns the connections, which are kept and used again, and the limits: so many requests
 * in flight at once, in all and per host; the others wait their turn in the order in which they
 * came. It belongs to the loop on which it was opened. Any number of tasks may use it at the same
 * time; one answer belongs to one task.
 *
 * There is no timeout parameter: put cr_timeout() around a call, or a deadline on the scope. A
 * request that is cancelled takes its connection with it, so that no later request can ever be
 * given its answer.
 *
 * What is right by default: certificates are verified; redirects are followed (10 at most; 301, 302
 * and 303 turn a POST into a GET, 307 and 308 send it again; Authorization and Cookie headers of
 * yours, and a password in the URL, are not sent to another origin); gzip, deflate, br and zstd are
 * asked for and decoded (each if its library was there when Corail was built); a GET, HEAD, PUT,
 * DELETE, OPTIONS or TRACE whose kept connection turned out to be dead is sent once more, a POST
 * never; no cookies; no proxy, whatever the environment says.
 *
 * Any status is an answer, a 404 too, unless you ask for it to be an error (status_error), as the
 * short forms cr_http_get() and cr_http_post() do, which have no way to show it.
 *
 * Errors. What goes wrong has a code of its own:
 *	-CORAIL_E_HTTP_URL        not a valid URL
 *	-CORAIL_E_HTTP_SCHEME     neither http nor https
 *	-CORAIL_E_HTTP_HEADER     CR, LF or another forbidden byte in a header: nothing was sent
 *	-CORAIL_E_DNS_...         the host's name has no address
 *	-ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -ECONNRESET, ...   what the network said
 *	-CORAIL_E_TLS_EXPIRED, _NOT_YET_VALID, _WRONG_HOST, _SELF_SIGNED, _UNKNOWN_CA, _CERTIFICATE
 *	                          why the server's certificate is refused; the last one for any
 *	                          other reason, an HTTPS proxy's certificate, and where libcurl
 *	                          was built on another library than OpenSSL
 *	-CORAIL_E_TLS_HANDSHAKE   TLS failed for another reason
 *	-CORAIL_E_HTTP_EMPTY      the connection was closed without an answer
 *	-CORAIL_E_HTTP_PROTOCOL   the answer is not HTTP, announces two lengths, or is "101
 *	                          Switching Protocols": there is no going on with another one
 *	-CORAIL_E_HTTP_TRUNCATED  the body ended before its announced length, or in the middle of
 *	                          what was compressed
 *	-CORAIL_E_HTTP_ENCODING   the compressed body is damaged, or of an unknown coding
 *	-CORAIL_E_HTTP_REDIRECTS  too many redirects
 *	-CORAIL_E_HTTP_TOO_LARGE  the body is larger than the limit for memory
 *	-CORAIL_E_HTTP_STATUS     status 400 or more, and you asked for that to be an error
 *	-CORAIL_E_HTTP_CLIENT     anything else that libcurl reports: see the detail
 *	-ECANCELED, -ENOMEM       and -ESHUTDOWN once the session, or its loop, has ended
 * "the errors of a request", below, are these. A cr_http_detail has the sentence that goes with
 * one.
 */

#include <corail/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cr_http cr_http;                   /* a session */
typedef struct cr_http_response cr_http_response; /* an answer */

/* ---------------------------------------------------------------------------------- session --- */

/* All zero means the defaults. Texts are copied. */
typedef struct cr_http_options {
	size_t requests_max;          /* most requests in flight at once; 0: 100 */
	size_t requests_per_host_max; /* to one scheme, host and port; 0: no limit of its own */
	size_t body_size_max;         /* largest body read into memory, bytes; 0: 256 MiB */
	size_t window_size;           /* bytes read ahead of who streams a body; 0: 64 KiB */
	size_t redirects_max;         /* 0: 10 */
	const char *user_agent;       /* NULL: "corail/VERSION"; "": none is sent */
	const char *ca_file;          /* PEM file of trusted certificates; NULL: the system's */
	const char *proxy;            /* "http://host:port", also https, socks5; NULL: none */
	unsigned cookies : 1;         /* keep cookies, send them as their path and age say */
	unsigned insecure : 1;        /* do not verify certificates: for experiments only */
	unsigned http2 : 1;           /* offer HTTP/2 over TLS; else HTTP/1.1 only */
	unsigned no_compression : 1;  /* do not ask for a compressed body, and decode none */
} cr_http_options;

/*
 * Opens a session on the calling task's loop. `options` may be NULL. You own it: cr_http_close().
 * Returns 0; -ENOMEM; -EINVAL for a proxy that is no URL; -ENOENT or -EACCES for an unreadable
 * ca_file; -EOPNOTSUPP in sim, which has no real sockets; or what cr_poller_open() returns.
 * Suspends only to clean up after a failure.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_open(const cr_http_options *options, cr_http **ret_http);

/*
 * Ends a session: requests in flight end with -ECANCELED, connections are closed. Answers that are
 * still open stay valid until they are closed. Accepts NULL. May be called after cr_run() has
 * ended, too.
 */
CORAIL_API CORAIL_SUSPENDS void cr_http_close(cr_http *http);

/* What a session has done and holds. */
typedef struct cr_http_stats {
	uint64_t requests;           /* sent, each redirect and each retry counted */
	uint64_t connections_opened; /* since the beginning */
	uint64_t connections_alive;  /* now, in use or kept */
	uint64_t in_flight;          /* requests now */
	uint64_t waiting;            /* requests that wait for their turn */
} cr_http_stats;

/* Writes a session's figures of this moment. */
CORAIL_API void cr_http_stats_get(const cr_http *http, cr_http_stats *ret_stats);

/* ---------------------------------------------------------------------------------- request --- */

/* A header, or a parameter of a query. */
typedef struct cr_http_field {
	const char *name;
	const char *value;
} cr_http_field;

/* What went wrong, in words: in your own frame, written only when a request fails. */
typedef struct cr_http_detail {
	int error;      /* as returned */
	int curl_code;  /* the CURLcode, 0 if the failure is not libcurl's */
	int status;     /* the HTTP status, 0 if there was none */
	char text[256]; /* one line, never empty: "Failed to connect to localhost port 81: ..." */
} cr_http_detail;

/* A request. All zero but the URL is a GET. Everything is borrowed until the call returns. */
typedef struct cr_http_request {
	const char *url;    /* absolute; "user:password@" gives basic auth */
	const char *method; /* NULL: POST with a body, else GET */
	/* replace those that are sent by themselves; a NULL value sends none of that name */
	const cr_http_field *headers;
	size_t header_count;
	const cr_http_field *query; /* added to the URL's own query, percent-encoded */
	size_t query_count;
	const void *body; /* NULL: none. Say its Content-Type in headers */
	size_t body_size;
	cr_http_detail *detail;    /* where to say what went wrong; may be NULL */
	unsigned no_redirect : 1;  /* a redirect is the answer */
	unsigned status_error : 1; /* a status of 400 or more is -CORAIL_E_HTTP_STATUS */
} cr_http_request;

/*
 * GETs a page into memory: appends the body to *body, which limits it by its own limit_bytes or
 * else by the session's. A status of 400 or more is -CORAIL_E_HTTP_STATUS. On failure *body is as
 * it was.
 * Returns 0 or the errors of a request.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_get(cr_http *http, const char *url, cr_buf *body);

/*
 * POSTs `size` bytes and appends the answer's body to *body, as cr_http_get(). content_type may be
 * NULL. `body` may be NULL: then the answer's body is dropped.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_post(cr_http *http, const char *url,
                                            const char *content_type, const void *data, size_t size,
                                            cr_buf *body);

/*
 * Sends a request and appends the whole answer's body to *body, as cr_http_get(), but any status is
 * an answer unless request->status_error. The fast way for pages. `body` may be NULL: it is
 * dropped.
 * Returns the status (positive), or the errors of a request.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_fetch(cr_http *http, const cr_http_request *request,
                                             cr_buf *body);

/*
 * Sends a request, follows redirects, and returns when the head of the answer is there. The body is
 * then read by one of the functions below; until it has been, or the answer is closed, the request
 * counts as in flight. You own the answer: cr_http_response_close().
 * Returns 0 or the errors of a request.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_send(cr_http *http, const cr_http_request *request,
                                            cr_http_response **ret_response);

/* ----------------------------------------------------------------------------------- answer --- */

/* The status: 200, 404, ... */
CORAIL_API int cr_http_response_status(const cr_http_response *response);

/* The URL that answered, after redirects. Lives as long as the answer. */
CORAIL_API const char *cr_http_response_url(const cr_http_response *response);

/*
 * A header's value, the name's case ignored (of several, the first); NULL without. Lives as long as
 * the answer.
 */
CORAIL_API const char *cr_http_response_header(const cr_http_response *response, const char *name);

/*
 * All headers, in the order in which they came. How many; and number `index`, NULLs past the end.
 */
CORAIL_API size_t cr_http_response_header_count(const cr_http_response *response);
CORAIL_API cr_http_field cr_http_response_header_at(const cr_http_response *response, size_t index);

/* The announced length of the body as sent (compressed, perhaps), or -1 when unknown. */
CORAIL_API int64_t cr_http_response_length(const cr_http_response *response);

/*
 * Reads up to `size` bytes of the body, decoded. The server is held back while nobody reads.
 * Returns how many (at least one), 0 at the end of the body, or the errors of a request: a body
 * that ends too early is -CORAIL_E_HTTP_TRUNCATED, never a 0 (only where the server announces no
 * length and sends no chunks, nobody can tell). Once failed, it fails again. A
 * cancelled call took nothing: call again. -EBUSY when another task is reading. A size of zero
 * returns 0.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_http_body_read(cr_http_response *response, void *data,
                                                     size_t size);

/*
 * Appends the rest of the body to *body, limited by its limit_bytes, else by the session's
 * body_size_max.
 * Returns 0, or as cr_http_body_read(); -CORAIL_E_HTTP_TOO_LARGE past the limit. On failure *body
 * has what came until then, and the answer can only be closed.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_body_buf(cr_http_response *response, cr_buf *body);

/*
 * Writes the rest of the body to a descriptor: a file, a pipe, a socket, at its current position.
 * Writes how many bytes were written to *ret_size if it is not NULL, on failure too.
 * Returns 0, or as cr_http_body_read(), or as cr_fd_write().
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_body_fd(cr_http_response *response, int fd,
                                               uint64_t *ret_size);

/*
 * What went wrong with this answer's body, in words; "" if nothing did. Lives as long as the
 * answer.
 */
CORAIL_API const char *cr_http_error_detail(const cr_http_response *response);

/*
 * Lets go of an answer. Read to its end, its connection is kept for the next request; left unread,
 * it is closed. Accepts NULL. Does not suspend, and works in a cancelled scope.
 */
CORAIL_API void cr_http_response_close(cr_http_response *response);

/* ---------------------------------------------------------------------------------- helpers --- */

/*
 * Resolves `reference` ("../b?c", "//host/x", an absolute URL) against `base`, both as text, and
 * appends the normalized result to *url. Returns 0, -CORAIL_E_HTTP_URL, -ENOMEM, or as
 * cr_buf_append().
 */
CORAIL_API int cr_http_url_resolve(const char *base, const char *reference, cr_buf *url);

/*
 * "Not Found" for 404; "" for one without a registered phrase (RFC 9110, section 15). Static
 * storage.
 */
CORAIL_API const char *cr_http_reason(int status);

#ifdef __cplusplus
}
#endif
#endif
