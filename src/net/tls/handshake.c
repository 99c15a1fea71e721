/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a TLS connection begins. */

enum { HOST_MAX = 256, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22 };

void cr__tls_free(struct cr__tls *tls)
{
	SSL_free(tls->ssl);
	cr__tls_context_release(tls->context);
	free(tls->in.data);
	free(tls->out.data);
	free(tls->session_key);
	free(tls);
}

static struct cr__tls *tls_new(cr_conn *lower, cr_tls_config *config, bool server)
{
	struct cr__tls *tls = calloc(1, sizeof *tls);
	BIO *bio;

	if (!tls)
		return NULL;
	tls->lower = lower;
	tls->owned = true;
	tls->server = server;
	tls->failure.alert = tls->failure.depth = -1;
	tls->context = cr__tls_context_take(config);
	ERR_clear_error();
	tls->ssl = SSL_new(tls->context->ctx);
	bio = tls->ssl ? cr__tls_bio_new(tls) : NULL;
	if (!bio) {
		ERR_clear_error();
		cr__tls_free(tls);
		return NULL;
	}
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	return tls;
}

/* ---------------------------------------------------------------------------- the exchange --- */

/* One step of OpenSSL's. Returns 1 when all is done, 0 when it wants to read, or an error. */
static int step(struct cr__tls *tls)
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(tls->ssl);
	if (r == 1)
		return 1;
	error = SSL_get_error(tls->ssl, r);
	return error == SSL_ERROR_WANT_READ ? 0 : cr__tls_failed(tls, error);
}

/*
 * A peer that refuses may close at once, so that sending fails while its alert is there to be read:
 * what sending said counts only if reading has nothing better.
 */
static int exchange(struct cr__tls *tls)
{
	const unsigned cancels = tls->cancels;
	int sent = 0;

	for (bool first = true;; first = false) {
		int r, done = step(tls);

		if (sent == 0)
			sent = cr__tls_flush(tls);
		if (done < 0)
			return done;
		if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET)
			return sent;
		if (done)
			return sent;
		r = cr__tls_fill(tls, cancels);
		if (r < 0)
			return sent < 0 && r != -ECANCELED ? sent : r;
		if (first && tls->in.data[0] != RECORD_HANDSHAKE && tls->in.data[0] != RECORD_ALERT)
			return -CORAIL_E_TLS_NOT_TLS;
	}
}

/* The application protocol, as text: OpenSSL's has no end, and its length is a byte's. */
static int alpn_check(struct cr__tls *tls)
{
	const unsigned char *name;
	unsigned size;

	SSL_get0_alpn_selected(tls->ssl, &name, &size);
	if (size > 0 && size < sizeof tls->alpn)
		memcpy(tls->alpn, name, size);
	return tls->context->alpn_required && size == 0 ? -CORAIL_E_TLS_NO_ALPN : 0;
}

static void count(struct cr__tls *tls, int result)
{
	cr_tls_config *config = tls->context->config;

	if (result < 0) {
		atomic_fetch_add(&config->failed, 1);
		return;
	}
	atomic_fetch_add(&config->handshakes, 1);
	if (SSL_session_reused(tls->ssl))
		atomic_fetch_add(&config->resumed, 1);
}

/* Shakes hands, and frees `tls` unless that succeeds. */
static int join(struct cr__tls *tls, cr_tls_failure *failure, cr_conn **ret_conn)
{
	int r = exchange(tls);

	if (r == 0)
		r = alpn_check(tls);
	count(tls, r);
	if (r == 0) {
		tls->joined = true;
		r = cr_conn_from_transport(&cr__tls_transport, tls, ret_conn);
	}
	if (r < 0) {
		cr__tls_failure_set(failure, &tls->failure, r);
		cr__tls_free(tls);
	}
	return r;
}

/* -------------------------------------------------------------------------------- a client --- */

/* Without the brackets or the zone of an IPv6 address, and without the dot of a full name. */
static int host_clean(const char *host, char *text)
{
	size_t length = strlen(host);

	if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
		host++;
		length -= 2;
	}
	if (memchr(host, ':', length) && memchr(host, '%', length))
		length = (size_t)((const char *)memchr(host, '%', length) - host);
	if (length > 1 && host[length - 1] == '.')
		length--;
	if (length == 0 || length >= HOST_MAX)
		return -EINVAL;
	memcpy(text, host, length);
	text[length] = '\0';
	return 0;
}

/* What is to be proved, and the name that is sent: RFC 6066 section 3 has no IP addresses there. */
static int host_set(struct cr__tls *tls, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	const bool verified = !tls->context->insecure && !tls->context->any_host;
	char text[HOST_MAX];
	int r;

	if (!host)
		return verified ? -EINVAL : 0;
	r = host_clean(host, text);
	if (r < 0)
		return r;
	ERR_clear_error();
	if (X509_VERIFY_PARAM_set1_ip_asc(param, text)) {
		if (!verified)
			X509_VERIFY_PARAM_set1_ip(param, NULL, 0);
		return 0;
	}
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (!SSL_set_tlsext_host_name(tls->ssl, text) ||
	    (verified && !X509_VERIFY_PARAM_set1_host(param, text, 0)))
		r = -ENOMEM;
	ERR_clear_error();
	return r;
}

/* Offers a session of before, and has those that come kept. */
static int session_set(struct cr__tls *tls, const char *target, const char *host)
{
	struct cr__tls_sessions *sessions = &tls->context->sessions;
	SSL_SESSION *session;

	if (sessions->count_max == 0 || (!host && !target))
		return 0;
	if (asprintf(&tls->session_key, "%s %s", host ? host : "", target ? target : "") < 0) {
		tls->session_key = NULL;
		return -ENOMEM;
	}
	session = cr__tls_sessions_find(sessions, tls->session_key);
	if (session)
		SSL_set_session(tls->ssl, session);
	SSL_SESSION_free(session);
	return 0;
}

static int client_start(struct cr__tls *tls, const char *target, const char *host)
{
	int r = host_set(tls, host);

	if (r == 0 && !tls->context->insecure)
		r = cr__tls_context_trust(tls->context);
	SSL_set_connect_state(tls->ssl);
	SSL_set_verify(tls->ssl, tls->context->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
	               cr__tls_verified);
	return r < 0 ? r : session_set(tls, target, host);
}

static int client(cr_conn *conn, cr_tls_config *config, const char *target, const char *host,
                  cr_tls_failure *failure, cr_conn **ret_conn)
{
	struct cr__tls *tls = tls_new(conn, config, false);
	int r = tls ? client_start(tls, target, host) : -ENOMEM;

	if (r < 0) {
		cr__tls_failure_set(failure, NULL, r);
		if (tls)
			cr__tls_free(tls);
		return r;
	}
	return join(tls, failure, ret_conn);
}

int cr_tls_client_with(cr_conn *conn, cr_tls_config *config, const cr_tls_client_options *options,
                       cr_conn **ret_conn)
{
	return client(conn, config, NULL, options ? options->host : NULL,
	              options ? options->failure : NULL, ret_conn);
}

int cr_tls_client(cr_conn *conn, cr_tls_config *config, const char *host, cr_conn **ret_conn)
{
	return client(conn, config, NULL, host, NULL, ret_conn);
}

/* The host of a target: what stands before its port. Returns NULL for a Unix socket. */
static const char *host_of(const char *target, char *text)
{
	const char *colon = strrchr(target, ':');
	size_t length = colon ? (size_t)(colon - target) : strlen(target);

	if (strncmp(target, "unix:", 5) == 0 || length == 0 || length >= HOST_MAX)
		return NULL;
	memcpy(text, target, length);
	text[length] = '\0';
	return text;
}

int cr_tls_connect_with(const char *target, cr_tls_config *config,
                        const cr_tls_client_options *options, cr_conn **ret_conn)
{
	const char *host = options ? options->host : NULL;
	cr_tls_failure *failure = options ? options->failure : NULL;
	char text[HOST_MAX];
	cr_conn *conn;
	int r;

	if (!host)
		host = host_of(target, text);
	r = cr_conn_open(target, &conn);
	if (r < 0) {
		cr__tls_failure_set(failure, NULL, r);
		return r;
	}
	r = client(conn, config, target, host, failure, ret_conn);
	if (r < 0)
		cr_conn_close(conn);
	return r;
}

int cr_tls_connect(const char *target, cr_tls_config *config, cr_conn **ret_conn)
{
	return cr_tls_connect_with(target, config, NULL, ret_conn);
}

/* -------------------------------------------------------------------------------- a server --- */

static int server(cr_conn *conn, cr_tls_config *config, bool owned, cr_tls_failure *failure,
                  cr_conn **ret_conn)
{
	static const int modes[] = {
		[CORAIL_TLS_CLIENTS_ANY] = SSL_VERIFY_NONE,
		[CORAIL_TLS_CLIENTS_OPTIONAL] = SSL_VERIFY_PEER,
		[CORAIL_TLS_CLIENTS_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};
	struct cr__tls *tls = tls_new(conn, config, true);

	if (!tls || (tls->context->identity_count == 0 && !tls->context->choose)) {
		int r = tls ? -EINVAL : -ENOMEM;

		cr__tls_failure_set(failure, NULL, r);
		if (tls)
			cr__tls_free(tls);
		return r;
	}
	tls->owned = owned;
	SSL_set_accept_state(tls->ssl);
	SSL_set_verify(tls->ssl, modes[tls->context->clients], cr__tls_verified);
	return join(tls, failure, ret_conn);
}

int cr_tls_server(cr_conn *conn, cr_tls_config *config, cr_tls_failure *failure, cr_conn **ret_conn)
{
	return server(conn, config, true, failure, ret_conn);
}

int cr__tls_server_over(cr_conn *conn, cr_tls_config *config, cr_tls_failure *failure,
                        cr_conn **ret_conn)
{
	return server(conn, config, false, failure, ret_conn);
}
