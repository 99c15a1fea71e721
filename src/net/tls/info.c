/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>

/* What can be asked of a TLS connection. */

static const struct cr__tls *tls_of(const cr_conn *conn)
{
	return cr_conn_transport_state(conn, &cr__tls_transport);
}

int cr_tls_info_get(const cr_conn *conn, cr_tls_info *ret_info)
{
	const struct cr__tls *tls = tls_of(conn);
	const char *host;

	if (!tls)
		return -EINVAL;
	host = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
	*ret_info = (cr_tls_info){
		.version = SSL_get_version(tls->ssl),
		.cipher = SSL_get_cipher_name(tls->ssl),
		.alpn = tls->alpn,
		.host = host ? host : "",
		.server = tls->server,
		.resumed = SSL_session_reused(tls->ssl) != 0,
		.verified = SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE &&
	                    SSL_get0_peer_certificate(tls->ssl) &&
	                    SSL_get_verify_result(tls->ssl) == X509_V_OK,
	};
	return 0;
}

int cr_tls_peer_subject(const cr_conn *conn, char *text, size_t size)
{
	const struct cr__tls *tls = tls_of(conn);
	X509 *cert;
	int r;

	if (!tls)
		return -EINVAL;
	cert = SSL_get0_peer_certificate(tls->ssl);
	if (!cert)
		return -ENODATA;
	r = cr__tls_subject(cert, text, size);
	return r >= 0 && (size_t)r >= size ? -EMSGSIZE : r;
}

int cr_tls_peer_pem(const cr_conn *conn, cr_buf *pem)
{
	const struct cr__tls *tls = tls_of(conn);
	X509 *cert;
	BIO *bio;
	char *data;
	int r = -ENOMEM;

	if (!tls)
		return -EINVAL;
	cert = SSL_get0_peer_certificate(tls->ssl);
	if (!cert)
		return -ENODATA;
	bio = BIO_new(BIO_s_mem());
	if (bio && PEM_write_bio_X509(bio, cert)) {
		long size = BIO_get_mem_data(bio, &data);

		r = cr_buf_append(pem, data, (size_t)size);
	}
	BIO_free(bio);
	ERR_clear_error();
	return r;
}

const char *cr_tls_error_text(const cr_conn *conn)
{
	const struct cr__tls *tls = tls_of(conn);

	return tls ? tls->failure.text : "";
}
