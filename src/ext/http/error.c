/* SPDX-License-Identifier: MIT */
/* From libcurl's codes to Corail's errors, and from both to words. */

#include "client.h"

#include <corail/curl.h>

#include <stdio.h>
#include <string.h>

/*
 * What happened to a connection that stood. libcurl's errno may be an older one, of an address that
 * was tried before: only what ends a connection is believed.
 */
static int lost(long os_errno)
{
	switch (os_errno) {
	case EPIPE:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case ENETRESET:
	case ECONNABORTED:
		return -(int)os_errno;
	default:
		return -ECONNRESET;
	}
}

int cr_http_curl_error(CURLcode code, long os_errno)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_URL_MALFORMAT:
		return -CORAIL_E_HTTP_URL;
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -CORAIL_E_HTTP_SCHEME;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -CORAIL_E_DNS_NOTFOUND;
	case CURLE_COULDNT_CONNECT:
		return os_errno > 0 ? -(int)os_errno : -ECONNREFUSED;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return lost(os_errno);
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return -CORAIL_E_TLS_CERTIFICATE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_USE_SSL_FAILED:
		return -CORAIL_E_TLS_HANDSHAKE;
	case CURLE_TOO_MANY_REDIRECTS:
		return -CORAIL_E_HTTP_REDIRECTS;
	case CURLE_PARTIAL_FILE:
		return -CORAIL_E_HTTP_TRUNCATED;
	case CURLE_FILESIZE_EXCEEDED:
		return -CORAIL_E_HTTP_TOO_LARGE;
	case CURLE_BAD_CONTENT_ENCODING:
		return -CORAIL_E_HTTP_ENCODING;
	case CURLE_GOT_NOTHING:
		return -CORAIL_E_HTTP_EMPTY;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return -CORAIL_E_HTTP_PROTOCOL;
	case CURLE_HTTP_RETURNED_ERROR:
		return -CORAIL_E_HTTP_STATUS;
	default:
		return -CORAIL_E_HTTP_CLIENT;
	}
}

/*
 * Why a certificate was refused, by libcurl's record of what OpenSSL said: the numbers are those of
 * X509_STORE_CTX_get_error(3). The host's name is compared by libcurl itself, after OpenSSL, and
 * then the record still says "unspecified", as before the handshake.
 */
static int certificate_error(long verify_result)
{
	enum {
		UNSPECIFIED = 1,
		UNABLE_TO_GET_ISSUER_CERT = 2,
		CERT_NOT_YET_VALID = 9,
		CERT_HAS_EXPIRED = 10,
		DEPTH_ZERO_SELF_SIGNED_CERT = 18,
		SELF_SIGNED_CERT_IN_CHAIN = 19,
		UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20,
		UNABLE_TO_VERIFY_LEAF_SIGNATURE = 21,
		CERT_UNTRUSTED = 27,
		HOSTNAME_MISMATCH = 62,
		IP_ADDRESS_MISMATCH = 64,
	};

	switch (verify_result) {
	case CERT_HAS_EXPIRED:
		return -CORAIL_E_TLS_EXPIRED;
	case CERT_NOT_YET_VALID:
		return -CORAIL_E_TLS_NOT_YET_VALID;
	case UNSPECIFIED:
	case HOSTNAME_MISMATCH:
	case IP_ADDRESS_MISMATCH:
		return -CORAIL_E_TLS_WRONG_HOST;
	case DEPTH_ZERO_SELF_SIGNED_CERT:
		return -CORAIL_E_TLS_SELF_SIGNED;
	case UNABLE_TO_GET_ISSUER_CERT:
	case SELF_SIGNED_CERT_IN_CHAIN:
	case UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case CERT_UNTRUSTED:
		return -CORAIL_E_TLS_UNKNOWN_CA;
	default:
		return -CORAIL_E_TLS_CERTIFICATE;
	}
}

/* libcurl can be built on other TLS libraries, whose numbers mean something else. */
static bool is_openssl(void)
{
	const char *name = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return name && strncmp(name, "OpenSSL/", 8) == 0;
}

int cr__http_job_error(const struct job *job)
{
	long result = 0;

	if (job->error < 0)
		return job->error;
	if (job->code == CURLE_PEER_FAILED_VERIFICATION && is_openssl()) {
		curl_easy_getinfo(job->easy, CURLINFO_SSL_VERIFYRESULT, &result);
		return certificate_error(result);
	}
	return cr_http_curl_error(job->code, job->os_errno);
}

void cr__http_detail_set(cr_http_detail *detail, int error, CURLcode code, int status,
                         const char *text)
{
	if (!detail)
		return;
	detail->error = error;
	detail->curl_code = (int)code;
	detail->status = status;
	if (!text || !*text)
		text = code ? curl_easy_strerror(code) : cr_strerror(error);
	snprintf(detail->text, sizeof detail->text, "%s", text);
	/* libcurl ends some of its lines with a newline; servers may put anything into theirs. */
	for (char *p = detail->text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
	for (size_t length = strlen(detail->text); length > 1 && detail->text[length - 1] == ' ';)
		detail->text[--length] = 0;
}
