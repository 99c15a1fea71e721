/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Certificates of our own: how they are read, and which one is shown to whom. */

/* --------------------------------------------------------------------------------- reading --- */

/* An encrypted key without a password is an error, never a question on the terminal. */
static int password(char *buffer, int size, int writing, void *text)
{
	int length = text ? (int)strlen(text) : 0;

	(void)writing;
	if (!text || length > size)
		return -1;
	memcpy(buffer, text, (size_t)length);
	return length;
}

static BIO *source(const char *pem, const char *file)
{
	return pem ? BIO_new_mem_buf(pem, -1) : BIO_new_file(file, "r");
}

/* Returns 0, -ENOMEM, or -CORAIL_E_TLS_CONFIG when there is no certificate. */
static int chain_read(struct cr__tls_identity *identity, BIO *bio)
{
	X509 *cert;

	identity->cert = PEM_read_bio_X509_AUX(bio, NULL, password, NULL);
	identity->chain = sk_X509_new_null();
	if (!identity->cert)
		return -CORAIL_E_TLS_CONFIG;
	if (!identity->chain)
		return -ENOMEM;
	while ((cert = PEM_read_bio_X509(bio, NULL, password, NULL)) != NULL) {
		if (!sk_X509_push(identity->chain, cert)) {
			X509_free(cert);
			return -ENOMEM;
		}
	}
	ERR_clear_error(); /* how the reading of a PEM text ends */
	return 0;
}

static int load(struct cr__tls_identity *identity, const cr_tls_identity *from)
{
	const char *key_pem = from->key_pem, *key_file = from->key_file;
	BIO *bio;
	int r;

	if (!from->chain_pem && !from->chain_file)
		return -EINVAL;
	if (!key_pem && !key_file) {
		key_pem = from->chain_pem;
		key_file = from->chain_file;
	}
	bio = source(from->chain_pem, from->chain_file);
	r = bio ? chain_read(identity, bio) : -CORAIL_E_TLS_CONFIG;
	BIO_free(bio);
	if (r < 0)
		return r;
	bio = source(key_pem, key_file);
	if (!bio)
		return -CORAIL_E_TLS_CONFIG;
	identity->key = PEM_read_bio_PrivateKey(bio, NULL, password,
	                                        (void *)(uintptr_t)from->key_password);
	BIO_free(bio);
	if (!identity->key || !X509_check_private_key(identity->cert, identity->key))
		return -CORAIL_E_TLS_CONFIG;
	return 0;
}

int cr__tls_identities_load(struct cr__tls_context *context, const cr_tls_options *options)
{
	if (options->identity_count == 0)
		return 0;
	context->identities = calloc(options->identity_count, sizeof *context->identities);
	if (!context->identities)
		return -ENOMEM;
	for (size_t i = 0; i < options->identity_count; i++) {
		struct cr__tls_identity *identity = &context->identities[i];
		int r;

		context->identity_count++;
		r = load(identity, &options->identities[i]);
		/* The library's own rules, such as how short a key may be. */
		if (r == 0 && !SSL_CTX_use_cert_and_key(context->ctx, identity->cert, identity->key,
		                                        identity->chain, 1))
			r = -CORAIL_E_TLS_CONFIG;
		if (r < 0)
			return r;
	}
	return 0;
}

void cr__tls_identities_free(struct cr__tls_context *context)
{
	for (size_t i = 0; i < context->identity_count; i++) {
		X509_free(context->identities[i].cert);
		sk_X509_pop_free(context->identities[i].chain, X509_free);
		EVP_PKEY_free(context->identities[i].key);
	}
	free(context->identities);
}

/* -------------------------------------------------------------------------------- choosing --- */

static int show(SSL *ssl, const struct cr__tls_identity *identity)
{
	return SSL_use_cert_and_key(ssl, identity->cert, identity->key, identity->chain, 1);
}

/*
 * Shows the first identity for a host, and of those behind it the first of each other type of key;
 * when none is for it, the first of all. Returns 1; 0 when there is none to show; -1 without
 * memory.
 */
static int show_for(SSL *ssl, const struct cr__tls_context *context, const char *host)
{
	int types[8], type_count = 0;

	SSL_certs_clear(ssl);
	for (size_t i = 0; host[0] && i < context->identity_count; i++) {
		const struct cr__tls_identity *identity = &context->identities[i];
		int type = EVP_PKEY_get_base_id(identity->key), seen = 0;

		if (X509_check_host(identity->cert, host, 0, 0, NULL) != 1)
			continue;
		while (seen < type_count && types[seen] != type)
			seen++;
		if (seen < type_count || type_count == sizeof types / sizeof *types)
			continue;
		types[type_count++] = type;
		if (!show(ssl, identity))
			return -1;
	}
	if (type_count > 0)
		return 1;
	if (context->identity_count == 0 || (context->strict_host && host[0]))
		return 0;
	return show(ssl, &context->identities[0]) ? 1 : -1;
}

/* OpenSSL knows which name the client asks for, and has chosen nothing else yet. */
static int server_chooses(SSL *ssl, int *ret_alert, void *arg)
{
	struct cr__tls_context *context = arg, *other = NULL;
	struct cr__tls *tls = SSL_get_app_data(ssl);
	const cr_tls_config *chosen = NULL;
	const char *host;
	int shown;

	if (!SSL_is_server(ssl))
		return SSL_TLSEXT_ERR_OK;
	host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (!host)
		host = "";
	if (context->choose)
		chosen = context->choose(context->choose_arg, host);
	if (chosen)
		other = cr__tls_context_take(chosen);
	shown = show_for(ssl, other ? other : context, host);
	cr__tls_context_release(other);
	if (shown > 0)
		return SSL_TLSEXT_ERR_OK;
	tls->no_host = shown == 0;
	*ret_alert = shown == 0 ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_INTERNAL_ERROR;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Whether the server says that it takes what one of a chain's authorities signs. */
static bool is_accepted(const struct cr__tls_identity *identity,
                        const STACK_OF(X509_NAME) * authorities)
{
	for (int i = -1; i < sk_X509_num(identity->chain); i++) {
		X509 *cert = i < 0 ? identity->cert : sk_X509_value(identity->chain, i);

		for (int j = 0; j < sk_X509_NAME_num(authorities); j++)
			if (X509_NAME_cmp(X509_get_issuer_name(cert),
			                  sk_X509_NAME_value(authorities, j)) == 0)
				return true;
	}
	return false;
}

/* The server asks for a certificate. */
static int client_chooses(SSL *ssl, void *arg)
{
	const struct cr__tls_context *context = arg;
	const STACK_OF(X509_NAME) * authorities;

	if (SSL_is_server(ssl) || context->identity_count == 0)
		return 1;
	authorities = SSL_get0_peer_CA_list(ssl);
	SSL_certs_clear(ssl);
	for (size_t i = 0; i < context->identity_count; i++)
		if (is_accepted(&context->identities[i], authorities))
			return show(ssl, &context->identities[i]);
	return show(ssl, &context->identities[0]);
}

void cr__tls_identities_install(struct cr__tls_context *context)
{
	SSL_CTX_set_tlsext_servername_callback(context->ctx, server_chooses);
	SSL_CTX_set_tlsext_servername_arg(context->ctx, context);
	SSL_CTX_set_cert_cb(context->ctx, client_chooses, context);
}
