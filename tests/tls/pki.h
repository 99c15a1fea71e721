/* SPDX-License-Identifier: MIT */
#ifndef TEST_TLS_PKI_H
#define TEST_TLS_PKI_H

/*
 * Certificates made on the spot, so that none expires: EC P-256 keys, a CA or two, and leaves good
 * and bad. They live as long as the program.
 */

#include "support/test.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

struct pki {
	X509 *cert;
	EVP_PKEY *key;
	char *cert_pem, *key_pem;
	char *chain_pem; /* with the issuer's, unless that is a root */
};

/* All zero: self-signed, valid from yesterday for two days. */
struct pki_request {
	const char *name, *host; /* the subject's CN; "DNS:localhost,IP:127.0.0.1" */
	const struct pki *issuer;
	bool ca, rsa;
	long from, until;  /* in seconds from now */
	const char *usage; /* extended key usage; NULL: both */
};

static inline char *pki_text(BIO *bio)
{
	char *data, *text;
	long size = BIO_get_mem_data(bio, &data);

	text = strndup(data, (size_t)size);
	CHECK(text);
	BIO_free(bio);
	return text;
}

static inline void pki_extend(X509 *cert, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, (X509 *)issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	CHECK(extension);
	CHECK(X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static inline void pki_dress(struct pki *made, const struct pki_request *request)
{
	const X509 *issuer = request->issuer ? request->issuer->cert : made->cert;
	X509_NAME *name = X509_get_subject_name(made->cert);
	static long serial = 1000;

	X509_set_version(made->cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made->cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(made->cert), request->from ? request->from : -86400);
	X509_gmtime_adj(X509_getm_notAfter(made->cert), request->until ? request->until : 86400);
	X509_set_pubkey(made->cert, made->key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)request->name,
	                           -1, -1, 0);
	X509_set_issuer_name(made->cert, X509_get_subject_name(issuer));
	pki_extend(made->cert, issuer, NID_basic_constraints,
	           request->ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (request->host)
		pki_extend(made->cert, issuer, NID_subject_alt_name, request->host);
	if (request->usage)
		pki_extend(made->cert, issuer, NID_ext_key_usage, request->usage);
}

/* All that were made, so that none counts as leaked. */
static struct pki pki_made[32];
static size_t pki_count;

static inline struct pki pki_make(const struct pki_request *request)
{
	struct pki made = {.cert = X509_new(),
	                   .key = request->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};
	BIO *bio = BIO_new(BIO_s_mem());

	CHECK(made.cert && made.key && bio);
	pki_dress(&made, request);
	CHECK(X509_sign(made.cert, request->issuer ? request->issuer->key : made.key,
	                EVP_sha256()));
	CHECK(PEM_write_bio_X509(bio, made.cert));
	made.cert_pem = pki_text(bio);
	bio = BIO_new(BIO_s_mem());
	CHECK(PEM_write_bio_X509(bio, made.cert));
	if (request->issuer && X509_check_issued(request->issuer->cert, request->issuer->cert))
		CHECK(PEM_write_bio_X509(bio, request->issuer->cert));
	made.chain_pem = pki_text(bio);
	bio = BIO_new(BIO_s_mem());
	CHECK(PEM_write_bio_PrivateKey(bio, made.key, NULL, NULL, 0, NULL, NULL));
	made.key_pem = pki_text(bio);
	CHECK_LT(pki_count, sizeof pki_made / sizeof *pki_made);
	return pki_made[pki_count++] = made;
}

/* What most tests need. */
static struct pki pki_root, pki_local, pki_client;

static inline void pki_open(void)
{
	/* Not the machine's authorities: reading them takes a moment for each configuration. */
	CHECK_EQ(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
	pki_root = pki_make(&(struct pki_request){.name = "Corail test CA", .ca = true});
	pki_local = pki_make(&(struct pki_request){.name = "localhost",
	                                           .host = "DNS:localhost,IP:127.0.0.1,IP:::1",
	                                           .issuer = &pki_root});
	pki_client = pki_make(&(struct pki_request){.name = "a client", .issuer = &pki_root});
}

#endif
