/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CURL_H
#define CORAIL_CURL_H

/*
 * Any libcurl easy handle, awaited as it is: what curl_easy_perform() does, without blocking the
 * loop.
 *
 *	CURL *easy = curl_easy_init();
 *	curl_easy_setopt(easy, CURLOPT_URL, "sftp://...");   any protocol, option and callback
 *	int r = cr_http_perform(http, easy);
 *
 * The handle stays yours, and no option of it is touched. Your callbacks run while it is awaited,
 * on the session's own task, never at the same time as other code of the loop: as always with
 * libcurl, they must not call its functions on the session's handles, and they must not call what
 * may suspend (return CURL_WRITEFUNC_PAUSE instead, and continue by cr_http_unpause()).
 */

#include <corail/http.h>
#include <curl/curl.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Performs the transfer that `easy` describes, on the session's connections, counted by its limit
 * on requests in all (a host's own limit does not see it). Deadlines and cancellation as
 * everywhere; CURLOPT_TIMEOUT works too. Names are resolved by libcurl, as the handle says. Writes
 * the CURLcode if ret_code is not NULL, whenever the transfer ended by itself: with success (0) or
 * with an error.
 * Returns 0; the errors of a request (see http.h), mapped from the CURLcode; -ETIMEDOUT for the
 * handle's own CURLOPT_TIMEOUT; -EBUSY when the handle is already being performed; -ECANCELED, and
 * then the transfer was ended and its connection closed.
 */
CORAIL_API CORAIL_SUSPENDS int cr_http_perform_code(cr_http *http, CURL *easy, CURLcode *ret_code);

/* The same without the CURLcode. */
CORAIL_API CORAIL_SUSPENDS int cr_http_perform(cr_http *http, CURL *easy);

/*
 * Continues, in the loop's next turn, a transfer that one of its callbacks paused. From any task of
 * the session's loop, or from a callback. Returns 0, or -ENOENT when the handle is not being
 * performed.
 */
CORAIL_API int cr_http_unpause(cr_http *http, CURL *easy);

/*
 * The error that a CURLcode stands for: 0, or one of http.h's. os_errno: CURLINFO_OS_ERRNO, or 0.
 * A refused certificate is -CORAIL_E_TLS_CERTIFICATE whatever the reason, which the code alone does
 * not tell; cr_http_perform() says which.
 */
CORAIL_API int cr_http_curl_error(CURLcode code, long os_errno);

#ifdef __cplusplus
}
#endif
#endif
