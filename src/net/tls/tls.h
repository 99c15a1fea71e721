/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_TLS_H
#define CR__NET_TLS_H

/*
 * The inside of a TLS connection. OpenSSL sees neither sockets nor tasks: it reads what was
 * received into `in`, and appends what is to be sent to `out`. All calls into it are short and
 * never suspend; before each its queue of errors (one per thread) is emptied, and after each it is
 * read, before anybody else runs.
 *
 *	who reads the stream   SSL_read, fill `in` from below, SSL_read ...
 *	who writes             SSL_write, flush `out`, SSL_write ...
 *
 * so that reader and writer share the SSL object, and meet only where one needs the other's
 * direction: see stream.c.
 */

#include <corail/sync.h>
#include <corail/tls.h>

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* --------------------------------------------------------------------------- configuration --- */

/* A certificate with its chain and key. */
struct cr__tls_identity {
	X509 *cert;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

struct cr__tls_session;

/* The sessions that a client keeps, the newest first. */
struct cr__tls_sessions {
	pthread_mutex_t lock; /* never held across a suspension */
	struct cr__tls_session *first;
	size_t count, count_max;
};

/* Everything that one reading of the options gave; connections hold on to it. */
struct cr__tls_context {
	atomic_uint refs;
	cr_tls_config *config; /* holds a reference */
	SSL_CTX *ctx;
	struct cr__tls_identity *identities;
	size_t identity_count;
	bool insecure, any_host, strict_host, alpn_required, no_tickets;
	enum cr_tls_clients clients;
	const cr_tls_config *(*choose)(void *arg, const char *host);
	void *choose_arg;
	unsigned char *alpn; /* as on the wire: each name after its length */
	unsigned alpn_size;
	struct cr__tls_sessions sessions;
	pthread_mutex_t trust_lock;
	bool trust_later; /* the system's authorities are to be read before anybody is verified */
};

struct cr_tls_config {
	atomic_uint refs;
	pthread_mutex_t lock;            /* of `context`, which a reload replaces */
	struct cr__tls_context *context; /* NULL once closed */
	atomic_ullong handshakes, resumed, failed;
};

/* The configuration's present context, with a reference for the caller. */
struct cr__tls_context *cr__tls_context_take(const cr_tls_config *config);
void cr__tls_context_release(struct cr__tls_context *context);

/* Before a peer is verified: reads the authorities if that was put off. Returns 0 or an error. */
int cr__tls_context_trust(struct cr__tls_context *context);

/* Reads certificates and keys. Returns 0 or an error, with OpenSSL's reason in its queue. */
int cr__tls_identities_load(struct cr__tls_context *context, const cr_tls_options *options);
void cr__tls_identities_free(struct cr__tls_context *context);

/* Lets OpenSSL ask for the identity when it has come to know whom it is for. */
void cr__tls_identities_install(struct cr__tls_context *context);

void cr__tls_sessions_init(struct cr__tls_sessions *sessions, int count_max);
void cr__tls_sessions_free(struct cr__tls_sessions *sessions);
size_t cr__tls_sessions_count(struct cr__tls_sessions *sessions);
/* A session to resume, the caller's from then on, or NULL. */
SSL_SESSION *cr__tls_sessions_find(struct cr__tls_sessions *sessions, const char *key);
/* OpenSSL's callback: a session of a client has come. */
int cr__tls_sessions_new(SSL *ssl, SSL_SESSION *session);

/* ----------------------------------------------------------------------------- connections --- */

/* Bytes [start, end) of `data`. */
struct cr__tls_wire {
	char *data;
	size_t start, end, capacity;
};

struct cr__tls {
	SSL *ssl;
	struct cr__tls_context *context;
	cr_conn *lower;
	bool owned; /* `lower` is closed with us */
	bool server;
	bool joined;  /* the handshake is done */
	bool cut;     /* a write ended half-way: what follows would make no sense */
	bool no_host; /* the client asked for a name that we have no certificate for */
	struct cr__tls_wire in, out;
	size_t in_size;   /* how much room the next read from below is given */
	int ended;        /* why nothing more comes from below, as an error */
	bool filling;     /* a task is reading from below */
	cr_event filled;  /* set for a moment whenever that has ended */
	unsigned cancels; /* how often the calls in flight were cancelled */
	int read_error;   /* all further reading gives this */
	char *session_key;
	char alpn[256]; /* what was agreed upon, as text */
	cr_tls_failure failure;
};

extern const cr_transport cr__tls_transport;

/* Frees everything but the connection below. */
void cr__tls_free(struct cr__tls *tls);

/* What a connection over OpenSSL reads and writes. Returns NULL without memory. */
BIO *cr__tls_bio_new(struct cr__tls *tls);

/* Makes room for `size` bytes behind what is held. Returns whether there is. */
bool cr__tls_reserve(struct cr__tls_wire *wire, size_t size);

/*
 * Receives something into `in`, unless it holds something. `cancels` as it was when the call began.
 * Returns 0 or an error.
 */
int cr__tls_fill(struct cr__tls *tls, unsigned cancels);

/* A write came to nothing: drops what is not sent, as nothing can be sent any more. */
void cr__tls_cut(struct cr__tls *tls);

/* Sends all of `out`. Returns 0, or an error, after which the connection is cut. */
int cr__tls_flush(struct cr__tls *tls);

/* The error behind a call of OpenSSL's that failed with `ssl_error`; fills tls->failure in. */
int cr__tls_failed(struct cr__tls *tls, int ssl_error);

/* OpenSSL's callback: notes which certificate is at fault. */
int cr__tls_verified(int ok, X509_STORE_CTX *store);

/* The error behind a configuration that failed with `error`, or with what OpenSSL's queue holds. */
int cr__tls_config_failed(int error, cr_tls_failure *failure);

/* Completes the details of a failure: its error, and a text when nobody had a better one. */
void cr__tls_failure_set(cr_tls_failure *failure, const cr_tls_failure *details, int error);

/* The subject of a certificate. Returns the length of the whole text, or -ENOMEM. */
int cr__tls_subject(const X509 *cert, char *text, size_t size);

/* As cr_tls_server(), over a connection that somebody else will close. */
int cr__tls_server_over(cr_conn *conn, cr_tls_config *config, cr_tls_failure *failure,
                        cr_conn **ret_conn);

static inline size_t cr__tls_held(const struct cr__tls_wire *wire)
{
	return wire->end - wire->start;
}

#endif
