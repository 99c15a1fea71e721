/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Between OpenSSL and the connection below: a BIO over two buffers, and the two functions that move
 * them. Reading asks for little at first and for more once that was filled: an idle connection
 * keeps 4 KiB. What is to be sent collects to several records, and is one transfer.
 */

enum {
	IN_SIZE_MIN = 4 * 1024,
	IN_SIZE_MAX = 64 * 1024,
	OUT_SIZE_MIN = 2 * 1024,
	OUT_KEEP_MAX = 4 * 1024, /* a larger one is given back once it is empty */
};

bool cr__tls_reserve(struct cr__tls_wire *wire, size_t size)
{
	size_t capacity = wire->capacity ? wire->capacity : OUT_SIZE_MIN;
	char *data;

	if (wire->capacity - wire->end >= size)
		return true;
	while (capacity - wire->end < size)
		capacity *= 2;
	data = realloc(wire->data, capacity);
	if (!data)
		return false;
	wire->data = data;
	wire->capacity = capacity;
	return true;
}

/* -------------------------------------------------------------------------- OpenSSL's side --- */

static int bio_write(BIO *bio, const char *data, size_t size, size_t *ret_written)
{
	struct cr__tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!cr__tls_reserve(&tls->out, size))
		return 0;
	memcpy(tls->out.data + tls->out.end, data, size);
	tls->out.end += size;
	*ret_written = size;
	return 1;
}

/*
 * Only moves `start`: somebody may be filling the room behind `end`.
 */
static int bio_read(BIO *bio, char *data, size_t size, size_t *ret_read)
{
	struct cr__tls *tls = BIO_get_data(bio);
	size_t held = cr__tls_held(&tls->in);

	BIO_clear_retry_flags(bio);
	if (held == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	if (size > held)
		size = held;
	memcpy(data, tls->in.data + tls->in.start, size);
	tls->in.start += size;
	*ret_read = size;
	return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

/* Made once, given back by nobody. */
static BIO_METHOD *method;

static void method_make(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "corail");
	if (!method)
		return;
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_ctrl(method, bio_control);
}

BIO *cr__tls_bio_new(struct cr__tls *tls)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, method_make);
	bio = method ? BIO_new(method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	tls->in_size = IN_SIZE_MIN;
	return bio;
}

/* ------------------------------------------------------------------------- the tasks' side --- */

/* Empties `in` and gives it the size that the last reads ask for. Returns whether it has it. */
static bool in_prepare(struct cr__tls *tls)
{
	struct cr__tls_wire *in = &tls->in;

	in->start = in->end = 0;
	if (in->capacity == tls->in_size)
		return true;
	free(in->data);
	in->data = malloc(tls->in_size);
	in->capacity = in->data ? tls->in_size : 0;
	return in->data;
}

static void in_adapt(struct cr__tls *tls, size_t received)
{
	if (received == tls->in.capacity && tls->in_size < IN_SIZE_MAX)
		tls->in_size *= 4;
	else if (received < tls->in.capacity / 8 && tls->in_size > IN_SIZE_MIN)
		tls->in_size /= 4;
}

int cr__tls_fill(struct cr__tls *tls, unsigned cancels)
{
	ssize_t n;

	if (tls->cancels != cancels)
		return -ECANCELED;
	if (tls->filling) {
		int r = cr_event_wait(&tls->filled);

		return r == 0 && tls->cancels != cancels ? -ECANCELED : r;
	}
	if (cr__tls_held(&tls->in) > 0)
		return 0; /* somebody else has */
	if (tls->ended)
		return tls->ended;
	if (!in_prepare(tls))
		return -ENOMEM;
	tls->filling = true;
	n = cr_conn_read(tls->lower, tls->in.data, tls->in.capacity);
	tls->filling = false;
	if (n > 0) {
		tls->in.end = (size_t)n;
		in_adapt(tls, (size_t)n);
	} else if (n == 0) {
		tls->ended = tls->joined ? -CORAIL_E_TLS_TRUNCATED : -CORAIL_E_TLS_HANGUP;
	}
	cr_event_set(&tls->filled);
	cr_event_clear(&tls->filled);
	return n > 0 ? 0 : n < 0 ? (int)n : tls->ended;
}

void cr__tls_cut(struct cr__tls *tls)
{
	tls->cut = true;
	free(tls->out.data);
	tls->out = (struct cr__tls_wire){0};
}

/*
 * The buffer is taken away while it is being sent, because a reader may append to `out` meanwhile.
 */
int cr__tls_flush(struct cr__tls *tls)
{
	while (cr__tls_held(&tls->out) > 0) {
		struct cr__tls_wire sending = tls->out;
		int r;

		tls->out = (struct cr__tls_wire){0};
		r = cr_conn_write(tls->lower, sending.data, sending.end);
		if (r == 0 && !tls->out.data && sending.capacity <= OUT_KEEP_MAX) {
			tls->out = (struct cr__tls_wire){.data = sending.data,
			                                 .capacity = sending.capacity};
			return 0;
		}
		free(sending.data);
		if (r < 0) {
			cr__tls_cut(tls);
			return r;
		}
	}
	return 0;
}
