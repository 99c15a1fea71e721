/* SPDX-License-Identifier: MIT */
#ifndef CR__HTTP_CLIENT_H
#define CR__HTTP_CLIENT_H

/*
 * The client's inside. Who does what:
 *
 * - a request's task waits for its turn (gate.c), resolves the host's name (host.c), sets an easy
 *   handle up (transfer.c), queues it, waits for its event, follows redirects (request.c);
 * - the driver's task is the only one that makes libcurl work (driver.c): it adds what is queued,
 *   feeds it the descriptors' events and the timer, collects what is done, sets events;
 * - libcurl's callbacks run on the driver's stack and only record: bytes go to a buffer, a
 *   descriptor's wish to the poller, the timer to a field. None suspends, none calls libcurl.
 *
 * The driver never suspends inside libcurl. So whenever another task runs, libcurl is at rest, and
 * that task may remove its own handle at once: that is how a cancelled request ends without
 * waiting.
 */

#include <corail/http.h>
#include <corail/io.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <curl/curl.h>
#include <stdbool.h>

#include "../common/turns.h"

/* ------------------------------------------------------------------------------------- gate --- */

/* A counting limit with a FIFO of waiters. */
struct gate {
	size_t used, max;
	struct turns turns;
	bool closed;
};

/*
 * Takes a place, or waits for one. Returns 0; -ECANCELED, also when the gate is closed meanwhile;
 * -ESHUTDOWN when it was closed before.
 */
int cr__http_gate_enter(struct gate *gate, size_t *waiting);
/* Gives a place back: to the first who waits. */
void cr__http_gate_leave(struct gate *gate);
/* Turns all waiters away. */
void cr__http_gate_close(struct gate *gate);

/* -------------------------------------------------------------------------------------- url --- */

/* Scheme, host and port of a URL; `host` points into the URL, without brackets. */
struct origin {
	const char *host;
	size_t host_length;
	unsigned port;
	bool tls;
	bool numeric; /* the host is an address */
};

/* Room for a host's name in an origin whose URL had to be rewritten. */
struct url {
	const char *text; /* the URL to give to libcurl: the caller's, or owned.data */
	struct origin origin;
	cr_buf owned;
	char host[256];
};

/*
 * Checks and normalizes a URL. Borrows `text` if it is fine as it is. Returns 0 or a negative
 * error.
 */
int cr__http_url_parse(const char *text, struct url *url);
void cr__http_url_free(struct url *url);
bool cr__http_origin_equal(const struct origin *a, const struct origin *b);
/* Appends the URL with query parameters added. Returns 0 or a negative error. */
int cr__http_url_query(const char *text, const cr_http_field *query, size_t count, cr_buf *to);

/* ----------------------------------------------------------------------------------- decode --- */

struct decoder;

/* Writes the codings that can be undone, for Accept-Encoding: "gzip, deflate, br, zstd". */
void cr__http_codings(char *text, size_t size);
/*
 * A decoder for a body with that Content-Encoding; NULL if nothing was done to it. Returns 0,
 * -CORAIL_E_HTTP_ENCODING for an unknown coding, or -ENOMEM.
 */
int cr__http_decoder_open(const char *list, struct decoder **ret_decoder);
/* The next piece of the body: borrowed until none is left, and all before it must have been used.
 */
void cr__http_decoder_feed(struct decoder *decoder, const void *data, size_t size);
/* How much of that piece has not been used yet: its end. */
size_t cr__http_decoder_left(const struct decoder *decoder);
/* Whether there may be more to read before the next piece. */
bool cr__http_decoder_pending(const struct decoder *decoder);
/*
 * Decodes up to `size` bytes, at least one. Returns how many; 0 when it needs the next piece; or
 * -CORAIL_E_HTTP_ENCODING, -ENOMEM.
 */
ssize_t cr__http_decoder_read(struct decoder *decoder, void *out, size_t size);
/* Whether what was fed was whole. */
bool cr__http_decoder_ended(const struct decoder *decoder);
void cr__http_decoder_close(struct decoder *decoder);

/* ------------------------------------------------------------------------------------- host --- */

/* What is known of one origin: its limit, and the addresses that libcurl was given. */
struct host {
	struct host *next; /* in its bucket */
	struct gate gate;
	size_t references;
	cr_nsec expires;        /* of the addresses that were looked up last */
	cr_nsec resolved_until; /* until then libcurl's own cache holds the addresses */
	unsigned port;
	bool tls, numeric;
	size_t name_length;
	char name[];
};

/* The origin's entry, made if needed, with a reference; NULL without memory. */
struct host *cr__http_host_get(cr_http *http, const struct origin *origin);
void cr__http_host_put(cr_http *http, struct host *host);
/*
 * Resolves the host's name, if it is time. Writes a list for CURLOPT_RESOLVE, or NULL when libcurl
 * knows already. Suspends. Returns 0 or a negative error.
 */
int cr__http_host_resolve(struct host *host, struct curl_slist **ret_list);
/* libcurl has taken the list that was resolved last. */
void cr__http_host_resolved(struct host *host);

/* -------------------------------------------------------------------------------------- job --- */

/* An easy handle on its way through libcurl. */
struct job {
	CURL *easy;
	cr_event event;          /* done; for a stream also: the head is there, there is data */
	struct job *next, *prev; /* in the queue of those to add, or among the active */
	struct job *unpause_next;
	struct job *foreign_next;
	enum { JOB_IDLE, JOB_QUEUED, JOB_ACTIVE, JOB_DONE } state;
	bool unpause_queued;
	CURLcode code;
	int error; /* 0, or why libcurl could not take it or was made to stop */
	long os_errno;
};

struct job_list {
	struct job *first, *last;
};

/* ---------------------------------------------------------------------------------- session --- */

#define HTTP_HOST_BUCKETS 256
#define HTTP_FOREIGN_BUCKETS 64

/* What the driver knows of a descriptor. */
struct socket_state {
	uint32_t generation; /* events of another one are stale */
	uint8_t armed;       /* what the poller reports */
	uint8_t wanted;      /* what libcurl asked for last */
	bool owned;          /* made by a handle of ours: we are told before it is closed */
};

struct cr_http {
	CURLM *multi;
	CURLSH *share;
	cr_poller *poller;
	struct socket_state *sockets; /* by descriptor */
	size_t socket_count;
	cr_nsec timer;       /* when libcurl wants to be called; CORAIL_NEVER */
	cr_nsec timer_armed; /* what the driver's wait was told */
	struct job_list queue, active;
	struct job *unpause;
	struct transfer *spare;
	size_t spare_count;
	struct gate gate;
	struct host *hosts[HTTP_HOST_BUCKETS];
	size_t host_count;
	struct job *foreign[HTTP_FOREIGN_BUCKETS];
	size_t foreign_count;
	cr_event ended;    /* the driver has cleaned up */
	size_t references; /* the owner, the driver, each call and transfer in use */
	bool asleep;       /* the driver waits, nobody has woken it yet */
	bool inside;       /* libcurl is working: no call into it, no suspending */
	bool closing;
	bool over; /* libcurl's handles are gone */

	/* Options, with the defaults filled in. */
	size_t requests_per_host_max, body_size_max, window_size, redirects_max;
	char *user_agent, *ca_file, *proxy;
	struct host *proxy_host;
	unsigned cookies : 1, insecure : 1, http2 : 1, no_compression : 1;

	cr_http_stats stats;
	size_t waiting;
};

void cr__http_unref(cr_http *http);
/* Aborts with a message when called from one of libcurl's callbacks. */
void cr__http_not_inside(const cr_http *http);

/* ----------------------------------------------------------------------------------- driver --- */

/* The driver task's body. */
int cr__http_driver(cr_http *http);
/* Ends its wait, if it waits. */
void cr__http_driver_wake(cr_http *http);
/* Hands a job to the driver. Its event is set when it is done. */
void cr__http_job_start(cr_http *http, struct job *job);
/* Ends a job now, whatever its state; its connection is not used again. Does not suspend. */
void cr__http_job_abort(cr_http *http, struct job *job);
/* The error that a finished job stands for: 0 or negative. */
int cr__http_job_error(const struct job *job);
/* Continues a paused job in the driver's next turn. */
void cr__http_job_unpause(cr_http *http, struct job *job);
/* For CURLOPT_SOCKOPTFUNCTION and CURLOPT_CLOSESOCKETFUNCTION, with the session as their data. */
int cr__http_on_socket_open(void *http, curl_socket_t fd, curlsocktype purpose);
int cr__http_on_socket_close(void *http, curl_socket_t fd);
/* CURLMOPT_SOCKETFUNCTION and CURLMOPT_TIMERFUNCTION. */
int cr__http_on_socket(CURL *easy, curl_socket_t fd, int what, void *http, void *unused);
int cr__http_on_timer(CURLM *multi, long timeout_ms, void *http);

/* --------------------------------------------------------------------------------- transfer --- */

/* Bytes of an unwanted body (of a redirect, of an error) that are read to keep the connection. */
#define HTTP_DISCARD_MAX 65536

/* One of our own easy handles, set up once and used again. */
struct transfer {
	struct job job; /* first: found again by CURLINFO_PRIVATE */
	cr_http *http;
	struct transfer *spare_next;
	struct curl_slist *headers, *resolve;
	cr_buf *sink;        /* where the body goes at once; NULL: to the window */
	size_t sink_max;     /* the most that sink may hold */
	cr_buf window;       /* read ahead for who streams */
	size_t window_taken; /* how much of it has been read */
	struct decoder *decoder;
	cr_buf input; /* what the decoder has not used yet, for lack of room in the window */
	size_t discarded;
	uint8_t send_count; /* how often the request was sent */
	bool follow;        /* the body of a redirect is not wanted */
	bool status_error;  /* nor is an error's */
	bool drop;          /* nobody wants the body */
	bool begun;         /* the body has begun */
	bool discard;
	bool cut;        /* we ended it: too much unwanted body */
	bool head_ended; /* a whole head has come, of some answer */
	bool stream;     /* tells when that of the final answer is there */
	bool head;       /* it is */
	bool paused;
	bool idempotent; /* may be sent twice */
	bool custom;     /* has options that the next user must not inherit */
	const char *why; /* what is wrong with the answer's head, when it was refused */
	char text[CURL_ERROR_SIZE];
};

/* A transfer from the pool, or a new one; with a reference to the session. NULL without memory. */
struct transfer *cr__http_transfer_get(cr_http *http);
/* Back to the pool. A job under way is aborted. */
void cr__http_transfer_put(struct transfer *transfer);
void cr__http_transfer_free(struct transfer *transfer);
/* The status, 0 if there is none yet. */
int cr__http_transfer_status(struct transfer *transfer);
/* A header of the answer; NULL without. */
const char *cr__http_transfer_header(struct transfer *transfer, const char *name);
/* Whether an answer of that status, with that Location, is to be followed. */
bool cr__http_is_redirect(int status);
/* Decodes what can be decoded without more input. Returns 0 or the negative error of the body. */
int cr__http_transfer_decode(struct transfer *transfer);
/* The error that a finished transfer stands for: 0 or negative. */
int cr__http_transfer_error(struct transfer *transfer);

/* ---------------------------------------------------------------------------------- request --- */

/* A request that goes from hop to hop. */
struct call {
	cr_http *http;
	const cr_http_request *request;
	const char *method;
	struct url url;
	const void *body;
	size_t body_size;
	cr_buf *sink;
	bool stream;
	bool foreign_origin;       /* another origin than the first: credentials stay at home */
	bool content_dropped;      /* the body was dropped, and the headers that describe it */
	struct host *host;         /* its gate was entered */
	struct transfer *transfer; /* that of the last hop */
	int status;
};

/* Checks method, headers and sizes. Returns 0 or -CORAIL_E_HTTP_HEADER. */
int cr__http_request_check(const cr_http_request *request, char *why, size_t size);
/* The headers of one hop, for CURLOPT_HTTPHEADER. Returns 0 or -ENOMEM. */
int cr__http_request_headers(const struct call *call, struct curl_slist **ret_list);
/*
 * Runs a request to the end (or, streaming, to its head), redirects included. Returns 0 or an
 * error.
 */
int cr__http_call_run(struct call *call);
/* Gives everything back that a call holds. */
void cr__http_call_end(struct call *call);

/* Fills a detail in; `text` NULL or empty: the error's own words. `detail` may be NULL. */
void cr__http_detail_set(cr_http_detail *detail, int error, CURLcode code, int status,
                         const char *text);

#endif
