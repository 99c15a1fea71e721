/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TLS_H
#define CORAIL_TLS_H

/*
 * TLS over any connection, on OpenSSL. A library of its own: link corail-tls.
 *
 *	cr_tls_config *config;
 *	cr_conn *conn;
 *	int r = cr_tls_config_open(NULL, &config);
 *
 *	if (r == 0)
 *		r = cr_timeout(cr_seconds(10), cr_tls_connect("example.org:443", config, &conn));
 *
 * What comes out is a cr_conn as any other: the functions of <corail/net.h> read, write and close
 * it, one task may read while another writes, and a read that is cancelled loses no byte.
 *
 * A client verifies by default: the chain against the system's authorities (or those that the
 * configuration names), and the certificate's names against the host that was asked for. Errors
 * name the reason: -CORAIL_E_TLS_EXPIRED, -CORAIL_E_TLS_WRONG_HOST, -CORAIL_E_TLS_SELF_SIGNED,
 * -CORAIL_E_TLS_UNKNOWN_CA, ... and a cr_tls_failure has the details in words.
 *
 * The end. A peer that says goodbye (close_notify) gives the end of the stream: 0. A stream that
 * just stops was cut off, by an attacker perhaps, and gives -CORAIL_E_TLS_TRUNCATED: what came
 * before may be incomplete. cr_conn_shutdown_write() says goodbye for one direction and leaves the
 * other open. cr_conn_close() says goodbye and waits for no answer, and for at most 5 s until the
 * network has taken it. A write that failed or was cancelled half-way is the last one: others give
 * -EPIPE, and after it, as in cr_conn_abort(), nothing is said, so that the peer knows that
 * something is missing.
 *
 * STARTTLS. cr_tls_client() and cr_tls_server() take over a connection that was talking before.
 * Whatever the connection had received and nobody had read (cr_conn_buffered()) counts as the
 * beginning of TLS. So nothing is lost, and text that somebody slipped in before the handshake,
 * for you to take as having come over TLS, is refused with -CORAIL_E_TLS_NOT_TLS. Nobody may be
 * reading or writing at that moment. There is no way back to plain text.
 *
 * Ownership. On success the TLS connection owns the plain one, and closes it. On failure the plain
 * one is still yours, and only good for closing. A configuration does not change by itself, and may
 * be used by any number of connections, on any number of loops at once; they keep what they need
 * of it, so that it may be closed before them.
 *
 * Not there: renegotiation (refused, as TLS 1.3 does), early data, certificate revocation lists,
 * DTLS.
 */

#include <corail/base.h>
#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------------- failures --- */

/*
 * What went wrong, in more words than one number. Filled in by whoever fails and was given one; the
 * texts are copies.
 */
typedef struct cr_tls_failure {
	int error;         /* the negative error that was returned */
	int alert;         /* the alert that the peer sent (RFC 8446 section 6), -1 for none */
	int depth;         /* of the certificate at fault: 0 is the peer's own; -1 for none */
	char subject[128]; /* of the certificate at fault, as RFC 2253 writes it; "" for none */
	char text[256];    /* one sentence fragment: "the peer's alert: unknown ca (48)" */
} cr_tls_failure;

/* ---------------------------------------------------------------------------- configuration --- */

typedef struct cr_tls_config cr_tls_config;

enum cr_tls_version {
	CORAIL_TLS_VERSION_DEFAULT, /* from 1.2 to the newest */
	CORAIL_TLS_VERSION_1_2,
	CORAIL_TLS_VERSION_1_3,
};

/* What a server wants of its clients. */
enum cr_tls_clients {
	CORAIL_TLS_CLIENTS_ANY,      /* asks for no certificate */
	CORAIL_TLS_CLIENTS_OPTIONAL, /* asks; one that comes must be good */
	CORAIL_TLS_CLIENTS_REQUIRED, /* none, or a bad one: the handshake fails */
};

/*
 * A certificate with its key, in PEM, from files or from memory. The chain begins with the
 * certificate itself, then come the intermediates, in any order.
 */
typedef struct cr_tls_identity {
	const char *chain_file, *key_file; /* key_file NULL: the key is in the chain's file */
	const char *chain_pem, *key_pem;   /* texts; used instead of the files when not NULL */
	const char *key_password;          /* of an encrypted key; NULL: none. Nobody is asked */
} cr_tls_identity;

/*
 * Everything is read by cr_tls_config_open() and need not live longer, except `choose` and its
 * argument. All zero means the defaults: a client that verifies, with the system's authorities.
 */
typedef struct cr_tls_options {
	/*
	 * Who is trusted: a file of certificates, a folder as openssl-rehash(1) makes it, a text;
	 * several together add up. All NULL: the system's (or SSL_CERT_FILE, SSL_CERT_DIR). They
	 * are read only for those who verify: at once, except that a configuration with
	 * certificates of its own whose `clients` are not asked for theirs, a server's as a rule,
	 * reads the system's when the first client uses it, which takes the loop some 50 ms.
	 */
	const char *ca_file, *ca_dir, *ca_pem;
	/* A client takes any certificate: no protection against whoever sits in between. */
	unsigned insecure : 1;
	/* A client verifies the chain and not the name. */
	unsigned any_host : 1;
	enum cr_tls_clients clients; /* a server's */

	/*
	 * A server's certificates: the first whose names match what the client asks for, together
	 * with those of other key types that match, else the first of all. A client's: the one that
	 * the server accepts.
	 */
	const cr_tls_identity *identities;
	size_t identity_count;
	unsigned strict_host : 1; /* a server refuses names for which it has no certificate */
	/*
	 * A server's choice by name: called in the middle of the handshake with the name that the
	 * client asks for ("" for none); must not suspend. Returns a configuration whose
	 * certificates are shown instead, borrowed for the moment, or NULL for this one's.
	 */
	const cr_tls_config *(*choose)(void *arg, const char *host);
	void *choose_arg;

	const char *alpn;           /* application protocols, best first: "h2,http/1.1" */
	unsigned alpn_required : 1; /* no handshake without one in common */
	enum cr_tls_version version_min, version_max;
	const char *ciphers;      /* of TLS 1.2, as openssl-ciphers(1); NULL: the library's */
	const char *ciphersuites; /* of TLS 1.3 */

	/*
	 * How many sessions a client keeps to resume; 0: 256; less: none. They are kept with the
	 * configuration and used for the same target and host only.
	 */
	int session_count_max;
	unsigned no_tickets : 1; /* a server lets nobody resume */
	/* Filled in when the call that takes these options fails; may be NULL. */
	cr_tls_failure *failure;
} cr_tls_options;

/*
 * Makes a configuration, for either side. Reads files, and blocks while it does. `options` may be
 * NULL. Returns 0; -ENOMEM; -EINVAL for options that contradict each other; -ENOENT, -EACCES and
 * the like for a file; -CORAIL_E_TLS_CONFIG for a certificate, key, list or version that cannot be
 * used.
 */
CORAIL_API int cr_tls_config_open(const cr_tls_options *options, cr_tls_config **ret_config);

/*
 * Reads everything anew: handshakes from now on use it, connections that stand go on with what they
 * have. Sessions can still be resumed unless they depend on who is trusted, which may have changed:
 * a client's are dropped, and so are those of a server that asks for certificates. Returns as
 * cr_tls_config_open(); after an error everything is as before.
 */
CORAIL_API int cr_tls_config_reload(cr_tls_config *config, const cr_tls_options *options);

/* Counted since the configuration was opened. */
typedef struct cr_tls_stats {
	uint64_t handshakes;    /* that succeeded */
	uint64_t resumed;       /* of those: with a session of before */
	uint64_t failed;        /* handshakes that failed or were cancelled */
	uint64_t session_count; /* that a client could resume now */
} cr_tls_stats;

/* Reads the counters. */
CORAIL_API void cr_tls_config_stats(const cr_tls_config *config, cr_tls_stats *ret_stats);

/* Closes it; connections that use it are not affected. Does not suspend. Accepts NULL. */
CORAIL_API void cr_tls_config_close(cr_tls_config *config);

/* ------------------------------------------------------------------------------ connections --- */

/*
 * Dials a target as cr_conn_open() does, and shakes hands: the server must prove to be the target's
 * host, a name or an IP address. A Unix socket has no host: see cr_tls_connect_with(). Returns 0.
 * Or: the errors of cr_conn_open(), and of the handshake:
 *
 *	-CORAIL_E_TLS_EXPIRED, _NOT_YET_VALID, _WRONG_HOST, _SELF_SIGNED, _UNKNOWN_CA, _CERTIFICATE
 *	                            the peer's certificate is no good, the last for another reason
 *	-CORAIL_E_TLS_NO_CERTIFICATE   the peer has to show one and did not
 *	-CORAIL_E_TLS_REFUSED          the peer did not accept our certificate, or wants one
 *	-CORAIL_E_TLS_NO_VERSION, _NO_CIPHER, _NO_ALPN, _NO_HOST
 *	                            nothing in common; the server does not know the name
 *	-CORAIL_E_TLS_ALERT            the peer refused for another reason: see cr_tls_failure
 *	-CORAIL_E_TLS_NOT_TLS          the peer speaks something else
 *	-CORAIL_E_TLS_HANGUP           the peer closed in the middle of the handshake
 *	-CORAIL_E_TLS_HANDSHAKE        any other failure of the handshake
 *	-ECANCELED, -ENOMEM, -EINVAL, and what the network reports
 */
CORAIL_API CORAIL_SUSPENDS int cr_tls_connect(const char *target, cr_tls_config *config,
                                              cr_conn **ret_conn);

/* All zero means the defaults. */
typedef struct cr_tls_client_options {
	/* the name to verify and to send (SNI), or an IP address; NULL: the target's */
	const char *host;
	cr_tls_failure *failure; /* filled in when the call fails; may be NULL */
} cr_tls_client_options;

/* As cr_tls_connect(), with options (may be NULL): Unix sockets, names that differ. */
CORAIL_API CORAIL_SUSPENDS int cr_tls_connect_with(const char *target, cr_tls_config *config,
                                                   const cr_tls_client_options *options,
                                                   cr_conn **ret_conn);

/*
 * Shakes hands as a client over a connection that stands. `host` is the name or IP address that the
 * server must prove; it may be NULL only if the configuration does not verify it (-EINVAL). Returns
 * as cr_tls_connect(); -EBUSY while a task reads or writes there.
 */
CORAIL_API CORAIL_SUSPENDS int cr_tls_client(cr_conn *conn, cr_tls_config *config, const char *host,
                                             cr_conn **ret_conn);

/* As cr_tls_client(), with options (may be NULL). */
CORAIL_API CORAIL_SUSPENDS int cr_tls_client_with(cr_conn *conn, cr_tls_config *config,
                                                  const cr_tls_client_options *options,
                                                  cr_conn **ret_conn);

/*
 * Shakes hands as a server over a connection that stands. `failure` may be NULL. Returns as
 * cr_tls_client(); -EINVAL for a configuration without a certificate. Strangers can make it last:
 * put a cr_timeout() around it, as cr_tls_serve() does.
 */
CORAIL_API CORAIL_SUSPENDS int cr_tls_server(cr_conn *conn, cr_tls_config *config,
                                             cr_tls_failure *failure, cr_conn **ret_conn);

/* All zero means the defaults. */
typedef struct cr_tls_serve_options {
	cr_serve_options serve;
	cr_nsec handshake_max; /* how long a handshake may take; 0: 10 s */
	/* Told of each handshake that failed; must not suspend. May be NULL. */
	void (*failed)(void *arg, const cr_tls_failure *failure);
} cr_tls_serve_options;

/*
 * As cr_listener_serve(), over TLS: each connection shakes hands in a task of its own before
 * handler(conn, arg) is called with it. `options` may be NULL; `arg` is also what failed() gets.
 * cr_tls_config_reload() changes the certificates of a server that runs. Returns as
 * cr_listener_serve().
 */
CORAIL_API CORAIL_SUSPENDS int cr_tls_serve(cr_listener *listener, cr_tls_config *config,
                                            const cr_tls_serve_options *options,
                                            int (*handler)(cr_conn *conn, void *arg), void *arg);

/* ---------------------------------------------------------------------------------- details --- */

/* What was agreed upon. The texts live as long as the connection; "" where there is none. */
typedef struct cr_tls_info {
	const char *version;   /* "TLSv1.3" */
	const char *cipher;    /* "TLS_AES_256_GCM_SHA384" */
	const char *alpn;      /* the application protocol */
	const char *host;      /* the name that the client asked for (SNI) */
	unsigned server : 1;   /* we are the server */
	unsigned resumed : 1;  /* with a session of before */
	unsigned verified : 1; /* the peer showed a certificate, and it was verified */
} cr_tls_info;

/* Tells about a TLS connection. Returns 0, or -EINVAL for one that is not TLS. */
CORAIL_API int cr_tls_info_get(const cr_conn *conn, cr_tls_info *ret_info);

/*
 * Writes the subject of the peer's certificate, as RFC 2253 writes it: "CN=example.org,O=Example".
 * Returns its length; -ENODATA when the peer showed none; -EMSGSIZE when `size` does not hold it
 * with its terminating zero; -ENOMEM; -EINVAL as above.
 */
CORAIL_API int cr_tls_peer_subject(const cr_conn *conn, char *text, size_t size);

/*
 * Appends the peer's certificate in PEM. Returns 0, -ENODATA when the peer showed none, -EMSGSIZE
 * past the buffer's limit, -ENOMEM, -EINVAL.
 */
CORAIL_API int cr_tls_peer_pem(const cr_conn *conn, cr_buf *pem);

/*
 * Why reading or writing failed, in words: the alert, OpenSSL's reason. "" when TLS did not fail.
 * Valid as long as the connection.
 */
CORAIL_API const char *cr_tls_error_text(const cr_conn *conn);

#ifdef __cplusplus
}
#endif
#endif
