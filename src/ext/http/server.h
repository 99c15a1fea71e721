/* SPDX-License-Identifier: MIT */
#ifndef CR__HTTP_SERVER_INSIDE_H
#define CR__HTTP_SERVER_INSIDE_H

/*
 * The server's inside: server.c accepts, link.c lives one connection, parse.c turns its bytes into
 * heads and bodies with llhttp, exchange.c answers the handler's questions, reply.c writes.
 *
 * One buffer per connection. The parser stops at the end of a head, at each piece of a body and at
 * the end of a message; what it has not consumed stays in the buffer for later: so nothing is
 * copied that nobody asked for, and pipelined requests wait where they are.
 */

#include <corail/http_server.h>
#include <corail/task.h>

#include <llhttp.h>
#include <stdbool.h>

#define HTTP_INPUT_SIZE 16384

struct cr_http_server {
	cr_http_server_options options;
	cr_listener *listener;
	cr_http_handler *handler;
	void *user;
	cr_scope *scope; /* while it runs */
	cr_task acceptor;
	struct link *first; /* all connections */
	bool running, stopping;
	cr_http_server_stats stats;
};

/* A header: offsets into the head's text. */
struct field {
	uint32_t name, value;
};

/* A parsed head. Texts are zero-terminated, one after the other. */
struct head {
	cr_buf text;
	struct field *fields;
	size_t field_count, field_room;
	uint32_t target, path, query; /* offsets */
	uint32_t mark;                /* where the text that is being collected begins */
	size_t size;                  /* bytes on the wire, so far */
	const char *method;
	int64_t length; /* of the body; -1 chunked */
	uint8_t minor;  /* of HTTP/1.x */
	bool complete, keep_alive, expects;
};

/* A connection, and the exchange that is under way on it. */
struct link {
	cr_http_server *server;
	cr_conn *conn;
	struct link *next, **from;
	bool idle;  /* waits for a request: a stop may cancel the read */
	bool abort; /* to be reset, not closed */

	/* Input. */
	llhttp_t parser;
	char input[HTTP_INPUT_SIZE];
	size_t start, end; /* what is not consumed yet */
	const char *piece; /* of the body, in the input */
	size_t piece_size;
	uint64_t body_size; /* bytes of the body that came */
	uint64_t framing;   /* bytes around them: chunk sizes, extensions, trailers */
	char last;          /* the byte before, to check line ends */
	uint8_t spaces;     /* in the request line */
	uint8_t protocol;   /* characters of "HTTP/" seen behind them */
	bool begun;         /* the request line has begun */
	bool line_over;     /* and ended */
	bool after_data;    /* the byte before was a body's */
	bool trailer_named; /* a trailer's name has begun */
	bool message_done;
	int refusal; /* the status to refuse the request with; 0: none */
	struct head head;
};

struct cr_http_exchange {
	struct link *link;
	int body_error; /* what reading the body has met */
	bool continued; /* "100 Continue" was sent, or need not be */
	/* The answer. */
	cr_buf fields;  /* headers added by the handler, as sent */
	cr_buf out;     /* the head, until it is sent */
	int64_t length; /* announced; -1 chunked; -2 to the end of the connection */
	uint64_t sent;  /* bytes of the body */
	bool replied;   /* started */
	bool bodiless;  /* HEAD, 204, 304: the body is swallowed */
	bool close;     /* the connection, after this */
	bool broken;    /* the connection cannot be used any more */
};

/* parse.c */
void cr__http_parse_begin(struct link *link);
/* Forgets the head and gets ready for the next message. */
void cr__http_parse_next(struct link *link);
void cr__http_parse_end(struct link *link);
/*
 * Consumes input until the head is complete, a piece of the body is there, the message is done, or
 * the input is used up. Returns 0, or -CORAIL_E_HTTP_PROTOCOL with link->refusal set.
 */
int cr__http_parse(struct link *link);
/*
 * Fills the input: one transfer. Returns bytes, 0 at the end, -ETIME after `patience`, or an error.
 */
ssize_t cr__http_fill(struct link *link, cr_nsec patience);

/*
 * target.c: splits and decodes the target. Of an absolute one ("http://host/path") the authority
 * takes the place of the Host that was sent. Returns 0, or the status to refuse it with.
 */
int cr__http_target_parse(struct head *head);

/*
 * Whether a Host is "host" or "host:port": RFC 9112, section 3.2; RFC 3986, section 3.2.2. An empty
 * one says that the target has no authority.
 */
bool cr__http_is_host(const char *value);

/* link.c: a connection's task. */
int cr__http_link_run(struct link *link);

/* exchange.c: whether the client waits for "100 Continue" and may send its body all the same. */
bool cr__http_exchange_uncertain(const cr_http_exchange *exchange);

/* Skips the rest of the body. Returns whether the connection can go on. */
bool cr__http_exchange_finish(cr_http_exchange *exchange);

/* reply.c */
/* Ends the answer after the handler returned `result`. Returns whether the connection can go on. */
bool cr__http_reply_end(cr_http_exchange *exchange, int result);
/* Writes all of it, each piece within the server's patience. Returns 0 or a negative error. */
int cr__http_write(struct link *link, const struct iovec *vector, int count);
/* An answer without a handler: "400 Bad Request", and the end. */
void cr__http_refuse(struct link *link, int status);
void cr__http_exchange_free(cr_http_exchange *exchange);

#endif
