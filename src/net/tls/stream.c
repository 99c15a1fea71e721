/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reading, writing and closing: the transport.
 *
 * Reading never sends. What OpenSSL wants to send because of what it read (a warning, a goodbye)
 * waits in `out` for the next write or for the close; the answer to a KeyUpdate is due before the
 * next record only (RFC 8446 section 4.6.3), and is made by SSL_write. So a reader never waits for
 * a peer that does not read; and a peer that wants more answers than a good one ever does is
 * refused, before they fill the memory.
 *
 * Writing reads only when a message of the peer's for OpenSSL itself (a session ticket, a
 * KeyUpdate) has come by half: the rest must come first. If another task is reading at that
 * moment, it does so for both; else the writer does, and the reader who comes then waits for it.
 */

enum {
	RECORD = 16 * 1024, /* the largest that TLS has */
	BATCH = 4 * RECORD, /* what is sent in one transfer */
	OVERHEAD = 4 * 64,  /* of so many records */
	GATHER = 4 * 1024,  /* pieces smaller than that share a record */
	DRAIN_MAX = 16,     /* records */
	ANSWERS_MAX = 16 * 1024,
};

/* How long a close may try to say goodbye. */
#define GOODBYE_MAX cr_seconds(5)

static int keep_error(struct cr__tls *tls, int ssl_error)
{
	tls->read_error = cr__tls_failed(tls, ssl_error);
	return tls->read_error;
}

/*
 * Only a reader's answers stay in `out` while nobody writes. Each attempt of a TLS 1.2 peer to
 * renegotiate is worth one, and a server that waits for a request may wait for long.
 */
static int answers_check(struct cr__tls *tls)
{
	if (cr__tls_held(&tls->out) <= ANSWERS_MAX)
		return 0;
	snprintf(tls->failure.text, sizeof tls->failure.text, "too many messages to be answered");
	tls->failure.error = tls->read_error = -CORAIL_E_TLS_PROTOCOL;
	return tls->read_error;
}

static ssize_t stream_read(void *state, void *buffer, size_t size)
{
	struct cr__tls *tls = state;
	const unsigned cancels = tls->cancels;
	size_t got = 0, n;

	while (!tls->read_error) {
		int error, r;

		ERR_clear_error();
		if (SSL_read_ex(tls->ssl, (char *)buffer + got, size - got, &n)) {
			got += n;
			if (got == size || cr__tls_held(&tls->in) == 0)
				return (ssize_t)got;
			continue;
		}
		error = SSL_get_error(tls->ssl, 0);
		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN)
			keep_error(tls, error);
		if (error != SSL_ERROR_WANT_READ || got > 0)
			break;
		r = answers_check(tls);
		if (r == 0)
			r = cr__tls_fill(tls, cancels);
		if (r < 0)
			return r;
	}
	/* An error after some bytes is for the next call to tell. */
	return got > 0 || !tls->read_error ? (ssize_t)got : tls->read_error;
}

/* Makes records of `size` bytes, in `out`. */
static int encrypt(struct cr__tls *tls, const void *data, size_t size, unsigned cancels)
{
	for (;;) {
		size_t written;
		int error, r;

		ERR_clear_error();
		if (SSL_write_ex(tls->ssl, data, size, &written))
			return 0;
		error = SSL_get_error(tls->ssl, 0);
		if (error != SSL_ERROR_WANT_READ)
			return cr__tls_failed(tls, error);
		r = cr__tls_flush(tls);
		if (r == 0)
			r = cr__tls_fill(tls, cancels);
		if (r < 0)
			return r;
	}
}

/* A place in a vector. */
struct place {
	const struct iovec *piece, *end;
	size_t done; /* of this piece */
};

static void place_move(struct place *at, size_t size)
{
	at->done += size;
	while (at->piece < at->end && at->done >= at->piece->iov_len) {
		at->done -= at->piece->iov_len;
		at->piece++;
	}
}

/* Several small pieces as one record. Returns how many bytes, or an error. */
static __attribute__((noinline)) ssize_t write_gathered(struct cr__tls *tls, struct place at,
                                                        unsigned cancels)
{
	char record[GATHER];
	size_t size = 0;
	int r;

	while (at.piece < at.end && size < sizeof record) {
		size_t n = at.piece->iov_len - at.done;

		if (n > sizeof record - size)
			n = sizeof record - size;
		memcpy(record + size, (const char *)at.piece->iov_base + at.done, n);
		size += n;
		place_move(&at, n);
	}
	r = encrypt(tls, record, size, cancels);
	return r < 0 ? r : (ssize_t)size;
}

/* The next record. Returns how many bytes, or an error. */
static ssize_t write_next(struct cr__tls *tls, const struct place *at, unsigned cancels)
{
	size_t size = at->piece->iov_len - at->done;
	int r;

	if (size < GATHER && at->piece + 1 < at->end)
		return write_gathered(tls, *at, cancels);
	if (size > RECORD)
		size = RECORD;
	r = encrypt(tls, (const char *)at->piece->iov_base + at->done, size, cancels);
	return r < 0 ? r : (ssize_t)size;
}

static ssize_t stream_write(void *state, const struct iovec *vector, int count)
{
	struct cr__tls *tls = state;
	const unsigned cancels = tls->cancels;
	struct place at = {vector, vector + count, 0};
	ssize_t total = 0;
	int r;

	if (tls->cut)
		return -EPIPE;
	place_move(&at, 0);
	if (at.piece < at.end && at.piece->iov_len > RECORD &&
	    !cr__tls_reserve(&tls->out, BATCH + OVERHEAD))
		return -ENOMEM;
	while (at.piece < at.end && cr__tls_held(&tls->out) < BATCH) {
		ssize_t n = write_next(tls, &at, cancels);

		if (n < 0) {
			cr__tls_cut(tls);
			return n;
		}
		total += n;
		place_move(&at, (size_t)n);
	}
	r = cr__tls_flush(tls);
	return r < 0 ? r : total;
}

/* close_notify: nothing more will be written. Returns 0 or an error. */
static int goodbye(struct cr__tls *tls)
{
	int r;

	ERR_clear_error();
	r = SSL_shutdown(tls->ssl);
	return r < 0 ? cr__tls_failed(tls, SSL_get_error(tls->ssl, r)) : 0;
}

static int stream_shutdown_write(void *state)
{
	struct cr__tls *tls = state;
	int r = 0;

	if (tls->cut)
		return -EPIPE;
	if (!(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)) {
		/* Half of a message for OpenSSL itself: the rest comes first, as for any record. */
		if (SSL_in_init(tls->ssl))
			r = encrypt(tls, "", 0, tls->cancels);
		if (r == 0)
			r = goodbye(tls);
	}
	return r < 0 ? r : cr__tls_flush(tls);
}

static void stream_cancel(void *state)
{
	struct cr__tls *tls = state;

	tls->cancels++;
	cr_event_set(&tls->filled);
	cr_event_clear(&tls->filled);
	cr_conn_cancel(tls->lower);
}

/*
 * Takes in what has come and nobody read. A server sends session tickets that no program asks for;
 * closing a socket that holds some makes the kernel reset the connection, and drop what it has not
 * sent yet (RFC 1122 section 4.2.2.13). Waits for nothing.
 */
static void drain(struct cr__tls *tls)
{
	char ignored[1024];
	size_t n;

	for (int i = 0; i < DRAIN_MAX; i++) {
		ERR_clear_error();
		if (SSL_read_ex(tls->ssl, ignored, sizeof ignored, &n))
			continue;
		if (SSL_get_error(tls->ssl, 0) != SSL_ERROR_WANT_READ ||
		    cr_timeout(0, cr__tls_fill(tls, tls->cancels)) < 0)
			break;
	}
	ERR_clear_error();
}

static int stream_close(void *state, int reset)
{
	struct cr__tls *tls = state;
	int r = 0;

	if (!reset && !tls->cut) {
		/* After an error OpenSSL has said goodbye in its own way: an alert. */
		if (!tls->read_error && !SSL_in_init(tls->ssl))
			goodbye(tls);
		cr_timeout(GOODBYE_MAX, cr__tls_flush(tls));
		if (!tls->server && !tls->cut && !tls->ended && !tls->read_error)
			drain(tls);
	}
	if (tls->owned && reset)
		cr_conn_abort(tls->lower);
	else if (tls->owned)
		r = cr_conn_close(tls->lower);
	cr__tls_free(tls);
	return r;
}

static int stream_fd(void *state)
{
	return cr_conn_fd(((struct cr__tls *)state)->lower);
}

static int stream_local(void *state, cr_addr *ret_addr)
{
	return cr_conn_local(((struct cr__tls *)state)->lower, ret_addr);
}

static int stream_peer(void *state, cr_addr *ret_addr)
{
	return cr_conn_peer(((struct cr__tls *)state)->lower, ret_addr);
}

const cr_transport cr__tls_transport = {
	.read = stream_read,
	.write = stream_write,
	.shutdown_write = stream_shutdown_write,
	.cancel = stream_cancel,
	.close = stream_close,
	.fd = stream_fd,
	.local = stream_local,
	.peer = stream_peer,
};
