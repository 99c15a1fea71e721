/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/*
 * From options to an SSL_CTX. A configuration is a place that holds a context; a reload puts
 * another one there, and the old one lives on with the connections that began with it.
 */

enum { ALPN_NAME_MAX = 255 };

/* ---------------------------------------------------------------------- who holds on to it --- */

static void config_release(cr_tls_config *config)
{
	if (atomic_fetch_sub(&config->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&config->lock);
	free(config);
}

struct cr__tls_context *cr__tls_context_take(const cr_tls_config *config)
{
	cr_tls_config *place = (cr_tls_config *)config;
	struct cr__tls_context *context;

	pthread_mutex_lock(&place->lock);
	context = place->context;
	atomic_fetch_add(&context->refs, 1);
	pthread_mutex_unlock(&place->lock);
	return context;
}

void cr__tls_context_release(struct cr__tls_context *context)
{
	if (!context || atomic_fetch_sub(&context->refs, 1) != 1)
		return;
	cr__tls_identities_free(context);
	cr__tls_sessions_free(&context->sessions);
	pthread_mutex_destroy(&context->trust_lock);
	SSL_CTX_free(context->ctx);
	free(context->alpn);
	config_release(context->config);
	free(context);
}

/* ----------------------------------------------------------------------------- the options --- */

/* What CA certificates in memory say is trusted, and named to clients that are asked for theirs. */
static int trust_pem(SSL_CTX *ctx, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;
	int count = 0, r = bio ? 0 : -ENOMEM;

	while (r == 0 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) ||
		    !SSL_CTX_add_client_CA(ctx, cert))
			r = -ENOMEM;
		X509_free(cert);
		count++;
	}
	BIO_free(bio);
	if (r == 0 && count == 0)
		return -CORAIL_E_TLS_CONFIG;
	ERR_clear_error(); /* how the reading of a PEM text ends */
	return r;
}

/*
 * The system's authorities. Reading them takes some 50 ms, of the processor and not of the disk:
 * where nobody is verified, nobody needs them; and what has certificates of its own is as a rule a
 * server's, which verifies nobody unless it asks for certificates: then it is put off until a
 * client wants them.
 */
static int trust_system(struct cr__tls_context *context, const cr_tls_options *options)
{
	const bool asks = options->clients != CORAIL_TLS_CLIENTS_ANY;

	if (!asks && options->insecure)
		return 0;
	if (!asks && (options->identity_count > 0 || options->choose)) {
		context->trust_later = true;
		return 0;
	}
	return SSL_CTX_set_default_verify_paths(context->ctx) ? 0 : -CORAIL_E_TLS_CONFIG;
}

int cr__tls_context_trust(struct cr__tls_context *context)
{
	int r = 0;

	pthread_mutex_lock(&context->trust_lock);
	if (context->trust_later && !SSL_CTX_set_default_verify_paths(context->ctx))
		r = -CORAIL_E_TLS_CONFIG;
	context->trust_later = r < 0;
	pthread_mutex_unlock(&context->trust_lock);
	ERR_clear_error();
	return r;
}

static int trust(struct cr__tls_context *context, const cr_tls_options *options)
{
	SSL_CTX *ctx = context->ctx;

	/* Whoever names an intermediate authority trusts that one. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	if (!options->ca_file && !options->ca_dir && !options->ca_pem)
		return trust_system(context, options);
	if (options->ca_file) {
		STACK_OF(X509_NAME) * names;

		if (!SSL_CTX_load_verify_file(ctx, options->ca_file))
			return -CORAIL_E_TLS_CONFIG;
		names = SSL_load_client_CA_file(options->ca_file);
		if (!names)
			return -CORAIL_E_TLS_CONFIG;
		SSL_CTX_set_client_CA_list(ctx, names);
	}
	if (options->ca_dir && !SSL_CTX_load_verify_dir(ctx, options->ca_dir))
		return -CORAIL_E_TLS_CONFIG;
	return options->ca_pem ? trust_pem(ctx, options->ca_pem) : 0;
}

/* "h2,http/1.1" as on the wire: "\2h2\10http/1.1" (RFC 7301 section 3.1). */
static int alpn_read(struct cr__tls_context *context, const char *list)
{
	size_t at = 0, size = strlen(list) + 1;

	context->alpn = malloc(size);
	if (!context->alpn)
		return -ENOMEM;
	for (;;) {
		size_t length = strcspn(list, ",");

		if (length == 0 || length > ALPN_NAME_MAX)
			return -CORAIL_E_TLS_CONFIG;
		context->alpn[at] = (unsigned char)length;
		memcpy(context->alpn + at + 1, list, length);
		at += 1 + length;
		if (list[length] == '\0')
			break;
		list += length + 1;
	}
	context->alpn_size = (unsigned)at;
	return SSL_CTX_set_alpn_protos(context->ctx, context->alpn, (unsigned)at) ? -ENOMEM : 0;
}

/* A server's choice among what the client offers: the first of its own. */
static int alpn_choose(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                       const unsigned char *offered, unsigned offered_size, void *arg)
{
	const struct cr__tls_context *context = arg;
	unsigned char *name;

	(void)ssl;
	if (SSL_select_next_proto(&name, ret_size, context->alpn, context->alpn_size, offered,
	                          offered_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

static int version_of(enum cr_tls_version version, int otherwise)
{
	switch (version) {
	case CORAIL_TLS_VERSION_DEFAULT:
		return otherwise;
	case CORAIL_TLS_VERSION_1_2:
		return TLS1_2_VERSION;
	case CORAIL_TLS_VERSION_1_3:
		return TLS1_3_VERSION;
	}
	return -1;
}

static int protocol(SSL_CTX *ctx, const cr_tls_options *options)
{
	int lowest = version_of(options->version_min, TLS1_2_VERSION);
	int highest = version_of(options->version_max, 0);

	if (lowest < 0 || highest < 0 || (highest && highest < lowest))
		return -EINVAL;
	if (!SSL_CTX_set_min_proto_version(ctx, lowest) ||
	    !SSL_CTX_set_max_proto_version(ctx, highest))
		return -CORAIL_E_TLS_CONFIG;
	if (options->ciphers && !SSL_CTX_set_cipher_list(ctx, options->ciphers))
		return -CORAIL_E_TLS_CONFIG;
	if (options->ciphersuites && !SSL_CTX_set_ciphersuites(ctx, options->ciphersuites))
		return -CORAIL_E_TLS_CONFIG;
	return 0;
}

static int ctx_set(struct cr__tls_context *context, const cr_tls_options *options)
{
	static const unsigned char session_context[] = "corail";
	SSL_CTX *ctx = context->ctx;
	int r;

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A server keeps no sessions: the tickets are with the clients. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, cr__tls_sessions_new);
	SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context);
	if (options->no_tickets) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	r = protocol(ctx, options);
	if (r == 0)
		r = trust(context, options);
	if (r == 0 && options->alpn)
		r = alpn_read(context, options->alpn);
	if (r == 0 && options->alpn)
		SSL_CTX_set_alpn_select_cb(ctx, alpn_choose, context);
	if (r == 0)
		r = cr__tls_identities_load(context, options);
	if (r == 0)
		cr__tls_identities_install(context);
	return r;
}

static int context_new(const cr_tls_options *options, cr_tls_config *config,
                       struct cr__tls_context **ret_context)
{
	struct cr__tls_context *context;
	int r;

	if (options->clients < CORAIL_TLS_CLIENTS_ANY ||
	    options->clients > CORAIL_TLS_CLIENTS_REQUIRED ||
	    (options->alpn_required && !options->alpn))
		return -EINVAL;
	context = calloc(1, sizeof *context);
	if (!context)
		return -ENOMEM;
	atomic_init(&context->refs, 1);
	atomic_fetch_add(&config->refs, 1);
	context->config = config;
	context->insecure = options->insecure;
	context->any_host = options->any_host;
	context->strict_host = options->strict_host;
	context->alpn_required = options->alpn_required;
	context->no_tickets = options->no_tickets;
	context->clients = options->clients;
	context->choose = options->choose;
	context->choose_arg = options->choose_arg;
	cr__tls_sessions_init(&context->sessions, options->session_count_max);
	pthread_mutex_init(&context->trust_lock, NULL);
	context->ctx = SSL_CTX_new(TLS_method());
	r = context->ctx ? ctx_set(context, options) : -ENOMEM;
	if (r < 0) {
		cr__tls_context_release(context);
		return r;
	}
	*ret_context = context;
	return 0;
}

/* Builds a context; an error with its details goes to options->failure. */
static int context_open(const cr_tls_options *options, cr_tls_config *config,
                        struct cr__tls_context **ret_context)
{
	static const cr_tls_options defaults;
	int r;

	ERR_clear_error();
	r = context_new(options ? options : &defaults, config, ret_context);
	return r < 0 ? cr__tls_config_failed(r, options ? options->failure : NULL) : 0;
}

/* -------------------------------------------------------------------------- configurations --- */

int cr_tls_config_open(const cr_tls_options *options, cr_tls_config **ret_config)
{
	cr_tls_config *config = calloc(1, sizeof *config);
	int r;

	if (!config)
		return cr__tls_config_failed(-ENOMEM, options ? options->failure : NULL);
	atomic_init(&config->refs, 1);
	pthread_mutex_init(&config->lock, NULL);
	r = context_open(options, config, &config->context);
	if (r < 0)
		config_release(config);
	else
		*ret_config = config;
	return r;
}

/* Tickets that the old context gave out are good for the new one, if trust has no part in them. */
static void tickets_inherit(struct cr__tls_context *to, const struct cr__tls_context *from)
{
	unsigned char keys[256];
	/* Without a place to write to, the call tells the size. */
	long size = SSL_CTX_get_tlsext_ticket_keys(from->ctx, NULL, 0);

	if (to->clients != CORAIL_TLS_CLIENTS_ANY || from->clients != CORAIL_TLS_CLIENTS_ANY ||
	    size <= 0 || size > (long)sizeof keys)
		return;
	if (SSL_CTX_get_tlsext_ticket_keys(from->ctx, keys, size))
		SSL_CTX_set_tlsext_ticket_keys(to->ctx, keys, size);
	OPENSSL_cleanse(keys, sizeof keys);
}

int cr_tls_config_reload(cr_tls_config *config, const cr_tls_options *options)
{
	struct cr__tls_context *context, *before;
	int r = context_open(options, config, &context);

	if (r < 0)
		return r;
	pthread_mutex_lock(&config->lock);
	before = config->context;
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): what failed is negative */
	tickets_inherit(context, before);
	config->context = context;
	pthread_mutex_unlock(&config->lock);
	cr__tls_context_release(before);
	return 0;
}

void cr_tls_config_stats(const cr_tls_config *config, cr_tls_stats *ret_stats)
{
	struct cr__tls_context *context = cr__tls_context_take(config);

	*ret_stats = (cr_tls_stats){
		.handshakes = atomic_load(&config->handshakes),
		.resumed = atomic_load(&config->resumed),
		.failed = atomic_load(&config->failed),
		.session_count = cr__tls_sessions_count(&context->sessions),
	};
	cr__tls_context_release(context);
}

void cr_tls_config_close(cr_tls_config *config)
{
	struct cr__tls_context *context;

	if (!config)
		return;
	pthread_mutex_lock(&config->lock);
	context = config->context;
	config->context = NULL;
	pthread_mutex_unlock(&config->lock);
	cr__tls_context_release(context);
	config_release(config);
}
