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
