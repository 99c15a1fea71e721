/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

/* From OpenSSL's reasons to errors of ours, and to words. */

enum { ALERT_NONE = -1, ALERTS = 256 };

struct reason {
	int reason, error;
};

/* Returns the error that stands for a reason, or `otherwise`. */
static int lookup(const struct reason *table, size_t count, int reason, int otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].reason == reason)
			return table[i].error;
	return otherwise;
}

#define LOOKUP(table, reason, otherwise)                                                           \
	lookup((table), sizeof(table) / sizeof *(table), (reason), (otherwise))

static const struct reason verify_errors[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, CORAIL_E_TLS_EXPIRED},
	{X509_V_ERR_CERT_NOT_YET_VALID, CORAIL_E_TLS_NOT_YET_VALID},
	{X509_V_ERR_HOSTNAME_MISMATCH, CORAIL_E_TLS_WRONG_HOST},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, CORAIL_E_TLS_WRONG_HOST},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, CORAIL_E_TLS_SELF_SIGNED},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, CORAIL_E_TLS_UNKNOWN_CA},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, CORAIL_E_TLS_UNKNOWN_CA},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, CORAIL_E_TLS_UNKNOWN_CA},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, CORAIL_E_TLS_UNKNOWN_CA},
	{X509_V_ERR_CERT_UNTRUSTED, CORAIL_E_TLS_UNKNOWN_CA},
};

/* What the peer's alerts say of the two of us; every other one is CORAIL_E_TLS_ALERT. */
static const struct reason alerts[] = {
	{SSL_AD_BAD_CERTIFICATE, CORAIL_E_TLS_REFUSED},
	{SSL_AD_UNSUPPORTED_CERTIFICATE, CORAIL_E_TLS_REFUSED},
	{SSL_AD_CERTIFICATE_REVOKED, CORAIL_E_TLS_REFUSED},
	{SSL_AD_CERTIFICATE_EXPIRED, CORAIL_E_TLS_REFUSED},
	{SSL_AD_CERTIFICATE_UNKNOWN, CORAIL_E_TLS_REFUSED},
	{SSL_AD_UNKNOWN_CA, CORAIL_E_TLS_REFUSED},
	{SSL_AD_CERTIFICATE_REQUIRED, CORAIL_E_TLS_REFUSED},
	{SSL_AD_PROTOCOL_VERSION, CORAIL_E_TLS_NO_VERSION},
	{SSL_AD_INSUFFICIENT_SECURITY, CORAIL_E_TLS_NO_CIPHER},
	{SSL_AD_NO_APPLICATION_PROTOCOL, CORAIL_E_TLS_NO_ALPN},
	{SSL_AD_UNRECOGNIZED_NAME, CORAIL_E_TLS_NO_HOST},
};

static const struct reason reasons[] = {
	{SSL_R_NO_SHARED_CIPHER, CORAIL_E_TLS_NO_CIPHER},
	{SSL_R_NO_CIPHERS_AVAILABLE, CORAIL_E_TLS_NO_CIPHER},
	{SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, CORAIL_E_TLS_NO_CIPHER},
	{SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, CORAIL_E_TLS_NO_CIPHER},
	{SSL_R_NO_SUITABLE_KEY_SHARE, CORAIL_E_TLS_NO_CIPHER},
	{SSL_R_NO_SUITABLE_GROUPS, CORAIL_E_TLS_NO_CIPHER},
	{SSL_R_UNSUPPORTED_PROTOCOL, CORAIL_E_TLS_NO_VERSION},
	{SSL_R_VERSION_TOO_LOW, CORAIL_E_TLS_NO_VERSION},
	{SSL_R_VERSION_TOO_HIGH, CORAIL_E_TLS_NO_VERSION},
	{SSL_R_NO_PROTOCOLS_AVAILABLE, CORAIL_E_TLS_NO_VERSION},
	{SSL_R_NO_APPLICATION_PROTOCOL, CORAIL_E_TLS_NO_ALPN},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, CORAIL_E_TLS_NO_CERTIFICATE},
	{SSL_R_WRONG_VERSION_NUMBER, CORAIL_E_TLS_NOT_TLS},
	{SSL_R_HTTP_REQUEST, CORAIL_E_TLS_NOT_TLS},
	{SSL_R_PROTOCOL_IS_SHUTDOWN, EPIPE},
	{ERR_R_MALLOC_FAILURE, ENOMEM},
};

/* The deepest entry of OpenSSL's queue, its own library's before others'. Empties the queue. */
static unsigned long queue_take(void)
{
	unsigned long found = 0, entry;

	while ((entry = ERR_get_error()) != 0)
		if (!found ||
		    (ERR_GET_LIB(found) != ERR_LIB_SSL && ERR_GET_LIB(entry) == ERR_LIB_SSL))
			found = entry;
	return found;
}

static const char *reason_text(unsigned long entry)
{
	const char *text = ERR_reason_error_string(entry);

	return text ? text : "failed without a reason";
}

/* The certificate at fault is known already: see cr__tls_verified(). */
static int verify_failed(struct cr__tls *tls)
{
	long result = SSL_get_verify_result(tls->ssl);
	cr_tls_failure *failure = &tls->failure;

	snprintf(failure->text, sizeof failure->text, "%s (%s)",
	         X509_verify_cert_error_string(result), failure->subject);
	return LOOKUP(verify_errors, (int)result, CORAIL_E_TLS_CERTIFICATE);
}

/* OpenSSL has no words for the alerts of newer RFCs. */
static const char *alert_name(int alert)
{
	switch (alert) {
	case SSL_AD_CERTIFICATE_REQUIRED:
		return "certificate required";
	case SSL_AD_MISSING_EXTENSION:
		return "missing extension";
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return "no application protocol";
	default:
		return SSL_alert_desc_string_long(alert);
	}
}

static int alert_came(struct cr__tls *tls, int alert)
{
	tls->failure.alert = alert;
	snprintf(tls->failure.text, sizeof tls->failure.text, "the peer's alert: %s (%d)",
	         alert_name(alert), alert);
	return LOOKUP(alerts, alert, CORAIL_E_TLS_ALERT);
}

int cr__tls_failed(struct cr__tls *tls, int ssl_error)
{
	const int otherwise = tls->joined ? CORAIL_E_TLS_PROTOCOL : CORAIL_E_TLS_HANDSHAKE;
	unsigned long entry = queue_take();
	int reason = ERR_GET_REASON(entry), error;

	/* Without an entry: the buffers had no memory, or what failed before is tried again. */
	if (entry == 0) {
		error = ssl_error == SSL_ERROR_SYSCALL ? ENOMEM : otherwise;
		return tls->failure.error ? tls->failure.error : -error;
	}
	snprintf(tls->failure.text, sizeof tls->failure.text, "%s", reason_text(entry));
	if (ERR_GET_LIB(entry) != ERR_LIB_SSL)
		error = reason == ERR_R_MALLOC_FAILURE ? ENOMEM : otherwise;
	else if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + ALERTS)
		error = alert_came(tls, reason - SSL_AD_REASON_OFFSET);
	else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		error = verify_failed(tls);
	else
		error = LOOKUP(reasons, reason, otherwise);
	if (tls->no_host)
		error = CORAIL_E_TLS_NO_HOST;
	tls->failure.error = -error;
	return -error;
}

int cr__tls_subject(const X509 *cert, char *text, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long length;

	if (!bio || X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) < 0) {
		BIO_free(bio);
		ERR_clear_error();
		return -ENOMEM;
	}
	length = BIO_get_mem_data(bio, &data);
	snprintf(text, size, "%.*s", (int)length, data);
	BIO_free(bio);
	return (int)length;
}

int cr__tls_verified(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct cr__tls *tls = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);

	if (ok)
		return ok;
	tls->failure.depth = X509_STORE_CTX_get_error_depth(store);
	if (cert)
		cr__tls_subject(cert, tls->failure.subject, sizeof tls->failure.subject);
	return 0;
}

void cr__tls_failure_set(cr_tls_failure *failure, const cr_tls_failure *details, int error)
{
	if (!failure)
		return;
	*failure = details ? *details : (cr_tls_failure){.alert = ALERT_NONE, .depth = -1};
	failure->error = error;
	if (!failure->text[0])
		snprintf(failure->text, sizeof failure->text, "%s", cr_strerror(error));
}

int cr__tls_config_failed(int error, cr_tls_failure *failure)
{
	cr_tls_failure details = {.alert = ALERT_NONE, .depth = -1};
	unsigned long entry = ERR_peek_error(), each;

	while ((each = ERR_get_error()) != 0) {
		if (ERR_SYSTEM_ERROR(each))
			error = -ERR_GET_REASON(each);
		else if (ERR_GET_REASON(each) == ERR_R_MALLOC_FAILURE)
			error = -ENOMEM;
	}
	if (entry)
		snprintf(details.text, sizeof details.text, "%s",
		         ERR_SYSTEM_ERROR(entry) ? cr_strerror(error) : reason_text(entry));
	cr__tls_failure_set(failure, &details, error);
	return error;
}
