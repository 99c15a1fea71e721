/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_BASE_H
#define CORAIL_BASE_H

/*
 * Corail's vocabulary: time, errors and byte buffers.
 *
 * Errors. Every function that can fail returns a negative number: a negated errno value, or one of
 * the ranges below (DNS, TLS, HTTP, SQL, Redis). They compose with `if (r < 0) return r;`, are the
 * same on every backend, and no other task can overwrite them. -ECANCELED means cancellation and
 * nothing else, -ETIMEDOUT means that a deadline passed and nothing else, wherever Corail itself is
 * the source.
 *
 * Out-parameters are called ret_something and are written only on success.
 *
 * Ownership, in seven sentences. Who opens closes. When a cr_ call returns, neither kernel nor
 * library holds a pointer into your memory. cr_spawn() borrows its argument, cr_spawn_copy() copies
 * it. A scope outlives its tasks, always. Close cancels what is in flight on the object and waits
 * for it. One task per direction on a connection, else -EBUSY. Nothing is shared between loops
 * except by functions ending in _threadsafe.
 *
 * Programmer errors (closing twice, suspending outside a task) are not return values: they print
 * a message and the task tree on standard error, and abort.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CORAIL_VERSION_MAJOR 0
#define CORAIL_VERSION_MINOR 1
#define CORAIL_VERSION_PATCH 0

/*
 * Marks a prototype that may suspend the calling task: C's `await`. Greppable, and visible to
 * clang's tools as an annotation. A function without it never gives up the processor.
 */
#if defined(__clang__)
#define CORAIL_SUSPENDS __attribute__((annotate("corail_suspends")))
#else
#define CORAIL_SUSPENDS
#endif

#if defined(__GNUC__)
#define CORAIL_API __attribute__((visibility("default")))
#define CORAIL_PRINTF(format_index, first_index)                                                   \
	__attribute__((format(printf, format_index, first_index)))
#else
#define CORAIL_API
#define CORAIL_PRINTF(format_index, first_index)
#endif

/* Returns the library's version as text, "0.1.0". Static storage. */
CORAIL_API const char *cr_version(void);

/*
 * Whether the CORAIL_ variables of the environment make sense: with one that does not, cr_run()
 * refuses to start. Writes one sentence that names it to `why` (size bytes). An empty variable
 * counts as unset. Returns 0 or -EINVAL.
 */
CORAIL_API int cr_environment_check(char *why, size_t size);

/* ------------------------------------------------------------------------------------- time --- */

/*
 * A duration, or a point of the loop's monotonic clock, in nanoseconds. Durations below zero count
 * as zero, and every computation saturates at CORAIL_NEVER instead of wrapping around.
 */
typedef int64_t cr_nsec;

/* The point in time that never comes; the duration that never ends. */
#define CORAIL_NEVER INT64_MAX

/* `count` seconds as a duration; fractions count (0.25 is 250 ms). NaN and negatives give zero. */
static inline cr_nsec cr_seconds(double count)
{
	if (!(count > 0.0))
		return 0;
	return count >= 9.2e9 ? CORAIL_NEVER : (cr_nsec)(count * 1e9 + 0.5);
}

/* `count` milliseconds as a duration, saturating. */
static inline cr_nsec cr_millis(int64_t count)
{
	return count >= CORAIL_NEVER / 1000000 ? CORAIL_NEVER : count * 1000000;
}

/* `count` microseconds as a duration, saturating. */
static inline cr_nsec cr_micros(int64_t count)
{
	return count >= CORAIL_NEVER / 1000 ? CORAIL_NEVER : count * 1000;
}

/* ----------------------------------------------------------------------------------- errors --- */

/*
 * The errors that errno has no word for: X(name, number, message). Numbers are stable. The ranges:
 * names 10000, TLS 11000, HTTP 12000, SQL 13000, Redis 14000, worker processes 15000.
 */
#define CORAIL_ERROR_MAP(X)                                                                        \
	X(DNS_NOTFOUND, 10000, "host not found")                                                   \
	X(DNS_NODATA, 10001, "host has no address of the kind asked for")                          \
	X(DNS_TIMEOUT, 10002, "name servers did not answer")                                       \
	X(DNS_SERVFAIL, 10003, "name server failed")                                               \
	X(DNS_BADNAME, 10004, "not a valid host name")                                             \
	X(DNS_REFUSED, 10005, "name server refused the query, or cannot be reached")               \
	X(DNS_BADREPLY, 10006, "name server sent a malformed answer")                              \
	X(TLS_HANDSHAKE, 11000, "TLS handshake failed")                                            \
	X(TLS_CERTIFICATE, 11001, "the peer's certificate could not be verified")                  \
	X(TLS_PROTOCOL, 11002, "TLS protocol error")                                               \
	X(TLS_EXPIRED, 11003, "the peer's certificate has expired")                                \
	X(TLS_NOT_YET_VALID, 11004, "the peer's certificate is not yet valid")                     \
	X(TLS_WRONG_HOST, 11005, "the peer's certificate is for another host")                     \
	X(TLS_SELF_SIGNED, 11006, "the peer's certificate is self-signed")                         \
	X(TLS_UNKNOWN_CA, 11007, "the peer's certificate is from an unknown authority")            \
	X(TLS_NO_CERTIFICATE, 11008, "the peer showed no certificate")                             \
	X(TLS_REFUSED, 11009, "the peer did not accept our certificate")                           \
	X(TLS_NO_VERSION, 11010, "no TLS version in common with the peer")                         \
	X(TLS_NO_CIPHER, 11011, "no cipher or signature in common with the peer")                  \
	X(TLS_NO_ALPN, 11012, "no application protocol in common with the peer")                   \
	X(TLS_NO_HOST, 11013, "no certificate for the host that was asked for")                    \
	X(TLS_ALERT, 11014, "the peer ended TLS with an alert")                                    \
	X(TLS_NOT_TLS, 11015, "the peer does not speak TLS")                                       \
	X(TLS_HANGUP, 11016, "the peer closed during the TLS handshake")                           \
	X(TLS_TRUNCATED, 11017, "the TLS stream was cut off before its end")                       \
	X(TLS_CONFIG, 11018, "the certificate, key or TLS setting cannot be used")                 \
	X(HTTP_URL, 12000, "not a valid URL")                                                      \
	X(HTTP_SCHEME, 12001, "URL scheme not supported")                                          \
	X(HTTP_TRUNCATED, 12002, "the body ended before its announced length")                     \
	X(HTTP_REDIRECTS, 12003, "too many redirects")                                             \
	X(HTTP_TOO_LARGE, 12004, "larger than the limit that was set")                             \
	X(HTTP_ENCODING, 12005, "the body's content encoding is damaged or unknown")               \
	X(HTTP_PROTOCOL, 12006, "the server does not speak valid HTTP")                            \
	X(HTTP_HEADER, 12007, "a header name or value holds a forbidden character")                \
	X(HTTP_STATUS, 12008, "the server answered with an error status")                          \
	X(HTTP_EMPTY, 12009, "the server closed the connection without an answer")                 \
	X(HTTP_CLIENT, 12010, "the HTTP library reported a failure without a more exact code")     \
	X(SQL_STATEMENT, 13000, "the database refused the statement")                              \
	X(SQL_SYNTAX, 13001, "the statement is not valid: syntax, or an unknown name")             \
	X(SQL_CONSTRAINT, 13002, "a constraint of the database forbids it")                        \
	X(SQL_CONFLICT, 13003, "the transaction met another one: run it again")                    \
	X(SQL_ABORTED, 13004, "not run, because an earlier statement had failed")                  \
	X(SQL_CONNECTION, 13005, "the connection to the database was lost")                        \
	X(SQL_LOGIN, 13006, "the database refused the login")                                      \
	X(SQL_DATA, 13007, "a value does not fit its type or its column")                          \
	X(SQL_NO_ROW, 13008, "the query gave no row")                                              \
	X(SQL_LIMIT, 13009, "the database has no resources left: connections, memory or disk")     \
	X(SQL_LOCKED, 13010, "the database is locked by somebody else")                            \
	X(SQL_CORRUPT, 13011, "the database is damaged, or is no database")                        \
	X(SQL_PERMISSION, 13012, "the database does not permit it")                                \
	X(REDIS_ERROR, 14000, "the Redis server answered with an error")                           \
	X(REDIS_PROTOCOL, 14001, "the server does not speak the Redis protocol")                   \
	X(REDIS_LOGIN, 14002, "the Redis server refused the login")                                \
	X(REDIS_TYPE, 14003, "the key holds a value of another kind, or the reply is one")         \
	X(REDIS_ABORTED, 14004, "the transaction was not run: a watched key changed")              \
	X(REDIS_LIMIT, 14005, "the Redis server has no memory or connections left")                \
	X(REDIS_STATE, 14006, "the Redis server cannot do it now: loading, read only, moved")      \
	X(PROCESSES_DIED, 15000, "the worker process died while it ran the job")                   \
	X(PROCESSES_LATE, 15001, "there are threads: call cr_processes_prepare() first in main")   \
	X(PROCESSES_LOST, 15002, "the process that starts worker processes has died")              \
	X(PROCESSES_START, 15003, "worker processes die before they begin a job")                  \
	X(PROCESSES_UNKNOWN, 15004, "the function was not loaded when workers were prepared")

enum cr_error {
#define CORAIL__X(name, number, message) CORAIL_E_##name = (number),
	CORAIL_ERROR_MAP(CORAIL__X)
#undef CORAIL__X
};

/*
 * The symbolic name of an error, without its sign: "ECONNREFUSED", "DNS_NOTFOUND". Takes what a
 * cr_ function returned; zero and positive values give "OK", an unknown one "UNKNOWN". Static
 * storage.
 */
CORAIL_API const char *cr_err_name(int error);

/* One clear sentence fragment for an error, as cr_err_name(). Static storage, in English. */
CORAIL_API const char *cr_strerror(int error);

/* ---------------------------------------------------------------------------------- buffers --- */

/*
 * A growing byte buffer. All zero is a valid empty buffer. `data[size]` is always a zero byte once
 * something was appended, so that text can be printed as it is. `limit_bytes`, when not zero, is
 * the most it may hold. You own it: cr_buf_free() when done.
 */
typedef struct cr_buf {
	char *data;
	size_t size;           /* bytes in use */
	size_t capacity_bytes; /* bytes allocated */
	size_t limit_bytes;    /* 0: no limit */
} cr_buf;

/* Makes room for `extra_bytes` more. Returns 0, -ENOMEM, or -EMSGSIZE past the buffer's limit. */
CORAIL_API int cr_buf_reserve(cr_buf *buf, size_t extra_bytes);

/* Appends `size` bytes. Returns 0, or as cr_buf_reserve(), with the buffer unchanged. */
CORAIL_API int cr_buf_append(cr_buf *buf, const void *data, size_t size);

/*
 * Appends formatted text, as printf(). Returns 0, -ENOMEM, -EMSGSIZE, or -EINVAL for a bad format.
 */
CORAIL_API int cr_buf_printf(cr_buf *buf, const char *format, ...) CORAIL_PRINTF(2, 3);

/* Drops the first `size` bytes (at most all of them) and moves the rest to the front. */
CORAIL_API void cr_buf_consume(cr_buf *buf, size_t size);

/* Empties the buffer and keeps its memory. */
CORAIL_API void cr_buf_clear(cr_buf *buf);

/*
 * Gives the memory back; the buffer is empty and usable again, and keeps its limit. Accepts NULL.
 */
CORAIL_API void cr_buf_free(cr_buf *buf);

#ifdef __cplusplus
}
#endif
#endif
