/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "io/io.h"

#include <errno.h>

/*
 * Writing without a buffer: a call ends when the kernel has taken everything, so that the memory
 * that waits for a slow peer is the caller's own, and a close need not flush.
 */

enum { VECTOR_CHUNK = 64 };

/*
 * One transfer of something, unless the connection is closing. See conn_read.c for the short way.
 */
static inline ssize_t transfer(cr_conn *conn, const struct iovec *vector, int count)
{
	ssize_t n;

	if (conn->closing)
		return -ECANCELED;
	if (conn->socket && count == 1) {
		struct cr__io io;

		cr__io_transfer(&io, CR__OP_SEND, conn->fd, vector->iov_base, vector->iov_len);
		n = cr__io_run(&io, "cr_conn_write", "send");
	} else {
		n = conn->transport->write(conn->state, vector, count);
	}
	return n == 0 ? -EIO : n;
}

ssize_t cr__conn_send(cr_conn *conn, const struct iovec *vector, int count)
{
	ssize_t n = conn->transport->write(conn->state, vector, count);

	return n == 0 ? -EIO : n;
}

int cr__conn_write_all(cr_conn *conn, struct iovec *vector, int count)
{
	for (;;) {
		ssize_t n;

		while (count > 0 && vector->iov_len == 0) {
			vector++;
			count--;
		}
		if (count == 0)
			return 0;
		n = transfer(conn, vector, count);
		if (n < 0)
			return (int)n;
		while (count > 0 && (size_t)n >= vector->iov_len) {
			n -= (ssize_t)vector->iov_len;
			vector++;
			count--;
		}
		if (n > 0 && count > 0) {
			vector->iov_base = (char *)vector->iov_base + n;
			vector->iov_len -= (size_t)n;
		}
	}
}

int cr_conn_write(cr_conn *conn, const void *data, size_t size)
{
	struct iovec vector = {(void *)data, size};
	int r = cr__conn_enter(conn, &conn->writing, __func__);

	if (r < 0)
		return r;
	if (__builtin_expect(conn->out != NULL, 0))
		r = cr__conn_out_write(conn, &vector, 1);
	else
		r = cr__conn_write_all(conn, &vector, 1);
	return (int)cr__conn_leave(conn, &conn->writing, r);
}

int cr_conn_writev(cr_conn *conn, const struct iovec *vector, int count)
{
	struct iovec chunk[VECTOR_CHUNK];
	int r = cr__conn_enter(conn, &conn->writing, __func__);

	if (r < 0)
		return r;
	while (r == 0 && count > 0) {
		int n = count < VECTOR_CHUNK ? count : VECTOR_CHUNK;

		for (int i = 0; i < n; i++)
			chunk[i] = vector[i];
		r = conn->out ? cr__conn_out_write(conn, chunk, n)
		              : cr__conn_write_all(conn, chunk, n);
		vector += n;
		count -= n;
	}
	return (int)cr__conn_leave(conn, &conn->writing, r);
}

int cr__conn_enter_writing(cr_conn *conn, const char *caller)
{
	int r = cr__conn_enter(conn, &conn->writing, caller);

	if (r < 0 || !conn->out)
		return r;
	r = cr__conn_out_flush(conn);
	return r < 0 ? (int)cr__conn_leave(conn, &conn->writing, r) : 0;
}

ssize_t cr_conn_write_some(cr_conn *conn, const void *data, size_t size)
{
	struct iovec vector = {(void *)data, size};
	ssize_t n = cr__conn_enter_writing(conn, __func__);

	if (n < 0)
		return n;
	if (size > 0)
		n = transfer(conn, &vector, 1);
	return cr__conn_leave(conn, &conn->writing, n);
}

/* One transfer out of the caller's own memory, where that can be done. */
static ssize_t transfer_zerocopy(cr_conn *conn, const struct iovec *vector)
{
	struct cr__io io = {.op = {.code = CR__OP_SEND_ZC,
	                           .fd = conn->fd,
	                           .buffer = vector->iov_base,
	                           .size = vector->iov_len}};
	ssize_t n;

	if (!conn->socket || conn->closing)
		return transfer(conn, vector, 1);
	n = cr__io_run(&io, "cr_conn_write_zerocopy", "send");
	return n == 0 ? -EIO : n;
}

int cr_conn_write_zerocopy(cr_conn *conn, const void *data, size_t size)
{
	struct iovec vector = {(void *)data, size};
	int r = cr__conn_enter_writing(conn, __func__);

	if (r < 0)
		return r;
	while (vector.iov_len > 0) {
		ssize_t n = transfer_zerocopy(conn, &vector);

		if (n < 0) {
			r = (int)n;
			break;
		}
		vector.iov_base = (char *)vector.iov_base + n;
		vector.iov_len -= (size_t)n;
	}
	return (int)cr__conn_leave(conn, &conn->writing, r);
}

int cr_conn_shutdown_write(cr_conn *conn)
{
	int r = cr__conn_enter_writing(conn, __func__);

	if (r < 0)
		return r;
	r = conn->transport->shutdown_write(conn->state);
	return (int)cr__conn_leave(conn, &conn->writing, r);
}
