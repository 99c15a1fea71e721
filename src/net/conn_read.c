/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "base/alloc.h"
#include "io/io.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * Reading. Plain reads go straight into the caller's memory while nothing is buffered; whatever
 * takes lines or whole messages out of the stream collects in the connection's buffer, which
 * therefore still holds what had come when such a call fails.
 */

enum {
	CHUNK = 8192,          /* what is read at once, and the smallest buffer */
	KEEP_MAX = 4 * CHUNK,  /* a larger buffer is given back once it is empty */
	UNTIL_MAX = 64 * 1024, /* cr_conn_read_until() into a buffer without a limit */
};

static size_t held(const cr_conn *conn)
{
	return conn->end - conn->start;
}

size_t cr__conn_held(const cr_conn *conn)
{
	return held(conn);
}

void cr__conn_drop(cr_conn *conn, size_t size)
{
	conn->start += size;
	if (conn->start < conn->end)
		return;
	conn->start = conn->end = 0;
	if (conn->capacity > KEEP_MAX) {
		cr__free(conn->buffer);
		conn->buffer = NULL;
		conn->capacity = 0;
	}
}

/* Moves up to `size` buffered bytes to the caller. Returns how many. */
static size_t take(cr_conn *conn, void *buffer, size_t size)
{
	size_t n = held(conn) < size ? held(conn) : size;

	if (n == 0)
		return 0;
	memcpy(buffer, conn->buffer + conn->start, n);
	cr__conn_drop(conn, n);
	return n;
}

/* Makes room for `size` bytes behind what is held. Returns 0 or -ENOMEM. */
static int room_make(cr_conn *conn, size_t size)
{
	size_t capacity = conn->capacity ? conn->capacity : CHUNK;
	char *buffer;

	if (conn->capacity - conn->end >= size)
		return 0;
	if (conn->start > 0) {
		memmove(conn->buffer, conn->buffer + conn->start, held(conn));
		conn->end = held(conn);
		conn->start = 0;
	}
	while (capacity - conn->end < size)
		capacity *= 2;
	if (capacity == conn->capacity)
		return 0;
	buffer = cr__realloc(conn->buffer, capacity);
	if (!buffer)
		return -ENOMEM;
	conn->buffer = buffer;
	conn->capacity = capacity;
	return 0;
}

/*
 * One transfer, unless the connection is closing. The usual transport is asked without a detour:
 * each function between the user and the switch costs a mispredicted return.
 */
static inline ssize_t transfer(cr_conn *conn, void *buffer, size_t size)
{
	if (conn->closing)
		return -ECANCELED;
	if (conn->socket && !conn->lost) {
		struct cr__io io;

		cr__io_transfer(&io, CR__OP_RECV, conn->fd, buffer, size);
		return cr__io_run(&io, "cr_conn_read", "recv");
	}
	return conn->lost ? conn->lost : conn->transport->read(conn->state, buffer, size);
}

ssize_t cr__conn_fill(cr_conn *conn, size_t size)
{
	ssize_t n = conn->capacity > conn->end ? 0 : room_make(conn, size);

	if (n < 0)
		return n;
	n = transfer(conn, conn->buffer + conn->end, conn->capacity - conn->end);
	if (n > 0)
		conn->end += (size_t)n;
	return n;
}

/* Receives more into the buffer. Returns how much, 0 at the end of the stream, or an error. */
static ssize_t fill(cr_conn *conn)
{
	return cr__conn_fill(conn, CHUNK);
}

/* Puts bytes that had been given to the caller back; the buffer is empty. */
void cr__conn_put_back(cr_conn *conn, const void *data, size_t size)
{
	if (size == 0)
		return;
	if (room_make(conn, size) < 0) {
		conn->lost = -ENOMEM;
		return;
	}
	memcpy(conn->buffer, data, size);
	conn->end = size;
}

ssize_t cr_conn_read(cr_conn *conn, void *buffer, size_t size)
{
	ssize_t n = cr__conn_enter(conn, &conn->reading, __func__);

	if (n < 0)
		return n;
	if (held(conn) > 0)
		n = (ssize_t)take(conn, buffer, size);
	else if (size > 0)
		n = transfer(conn, buffer, size);
	return cr__conn_leave(conn, &conn->reading, n);
}

static ssize_t readv_some(cr_conn *conn, const struct iovec *vector, int count)
{
	struct msghdr message = {0};
	ssize_t total = 0;

	if (held(conn) > 0) {
		for (int i = 0; i < count; i++)
			total += (ssize_t)take(conn, vector[i].iov_base, vector[i].iov_len);
		return total;
	}
	while (count > 0 && vector->iov_len == 0) {
		vector++;
		count--;
	}
	if (count == 0)
		return 0;
	if (count == 1 || conn->transport != &cr__conn_plain || conn->lost || conn->closing)
		return transfer(conn, vector->iov_base, vector->iov_len);
	message.msg_iov = (struct iovec *)vector;
	message.msg_iovlen = (size_t)count;
	return conn->socket ? cr_fd_recvmsg(conn->fd, &message, 0)
	                    : cr_fd_readv(conn->fd, vector, count);
}

ssize_t cr_conn_readv(cr_conn *conn, const struct iovec *vector, int count)
{
	ssize_t n = cr__conn_enter(conn, &conn->reading, __func__);

	if (n < 0)
		return n;
	n = count < 0 || count > IOV_MAX ? -EINVAL : readv_some(conn, vector, count);
	return cr__conn_leave(conn, &conn->reading, n);
}

/* A short message: by way of the buffer, which reads ahead. */
static int exactly_buffered(cr_conn *conn, void *buffer, size_t size)
{
	while (held(conn) < size) {
		ssize_t n = fill(conn);

		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
	}
	take(conn, buffer, size);
	return 0;
}

/*
 * A long one: straight into the caller's memory, and back into the buffer if it does not come
 * whole.
 */
static int exactly_direct(cr_conn *conn, char *buffer, size_t size)
{
	size_t got = take(conn, buffer, size);

	while (got < size) {
		ssize_t n = transfer(conn, buffer + got, size - got);

		if (n <= 0) {
			cr__conn_put_back(conn, buffer, got);
			return n < 0 ? (int)n : -ENODATA;
		}
		got += (size_t)n;
	}
	return 0;
}

int cr_conn_read_exactly(cr_conn *conn, void *buffer, size_t size)
{
	int r = cr__conn_enter(conn, &conn->reading, __func__);

	if (r < 0)
		return r;
	if (size <= CHUNK)
		r = exactly_buffered(conn, buffer, size);
	else
		r = exactly_direct(conn, buffer, size);
	return (int)cr__conn_leave(conn, &conn->reading, r);
}

/*
 * Collects until a separator is held. Returns the length up to and including it; -ENODATA at the
 * end of the stream; -EMSGSIZE when it is not within `limit` bytes. Takes nothing out.
 */
static ssize_t find(cr_conn *conn, const void *separator, size_t separator_size, size_t limit)
{
	size_t seen = 0; /* no separator begins in these bytes */

	for (;;) {
		ssize_t n;

		if (held(conn) - seen >= separator_size) {
			const char *data = conn->buffer + conn->start;
			const char *at = memmem(data + seen, held(conn) - seen, separator,
			                        separator_size);

			if (at) {
				n = at - data + (ssize_t)separator_size;
				return (size_t)n <= limit ? n : -EMSGSIZE;
			}
			seen = held(conn) - separator_size + 1;
		}
		if (held(conn) >= limit)
			return -EMSGSIZE;
		n = fill(conn);
		if (n <= 0)
			return n < 0 ? n : -ENODATA;
	}
}

static ssize_t until(cr_conn *conn, const void *separator, size_t separator_size, cr_buf *buf)
{
	size_t limit = UNTIL_MAX, length;
	ssize_t n;
	int r;

	if (separator_size == 0)
		return -EINVAL;
	if (buf->limit_bytes)
		limit = buf->limit_bytes > buf->size ? buf->limit_bytes - buf->size : 0;
	n = find(conn, separator, separator_size, limit);
	if (n < 0 && n != -ENODATA)
		return n;
	length = n < 0 ? held(conn) : (size_t)n;
	if (length == 0)
		return n;
	r = cr_buf_append(buf, conn->buffer + conn->start, length);
	if (r < 0)
		return r;
	cr__conn_drop(conn, length);
	return n;
}

ssize_t cr_conn_read_until(cr_conn *conn, const void *separator, size_t separator_size, cr_buf *buf)
{
	ssize_t n = cr__conn_enter(conn, &conn->reading, __func__);

	if (n < 0)
		return n;
	n = until(conn, separator, separator_size, buf);
	return cr__conn_leave(conn, &conn->reading, n);
}

static ssize_t line_read(cr_conn *conn, char *line, size_t size)
{
	/* The text and "\r\n" must be found within this much. */
	ssize_t n = find(conn, "\n", 1, size <= SIZE_MAX - 1 ? size + 1 : size);
	size_t length, taken;

	if (n < 0 && n != -ENODATA)
		return n;
	taken = n < 0 ? held(conn) : (size_t)n;
	if (taken == 0)
		return -ENODATA;
	length = n < 0 ? taken : taken - 1;
	if (n >= 0 && length > 0 && conn->buffer[conn->start + length - 1] == '\r')
		length--;
	if (length >= size)
		return -EMSGSIZE;
	memcpy(line, conn->buffer + conn->start, length);
	line[length] = '\0';
	cr__conn_drop(conn, taken);
	return (ssize_t)length;
}

ssize_t cr_conn_read_line(cr_conn *conn, char *line, size_t size)
{
	ssize_t n = cr__conn_enter(conn, &conn->reading, __func__);

	if (n < 0)
		return n;
	n = line_read(conn, line, size);
	return cr__conn_leave(conn, &conn->reading, n);
}

size_t cr_conn_buffered(const cr_conn *conn)
{
	return held(conn);
}

ssize_t cr_conn_peek(cr_conn *conn, const void **ret_data)
{
	ssize_t n = cr__conn_enter(conn, &conn->reading, __func__);

	if (n < 0)
		return n;
	n = held(conn) > 0 ? 1 : fill(conn);
	if (n > 0) {
		*ret_data = conn->buffer + conn->start;
		n = (ssize_t)held(conn);
	}
	return cr__conn_leave(conn, &conn->reading, n);
}
