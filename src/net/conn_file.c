/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "base/alloc.h"
#include "io/io.h"
#include "io/move.h"

#include <errno.h>

/*
 * Sending files. sendfile(2) would hold the loop up where the bytes are still on a disk, so each
 * piece is looked at first: what is in memory goes out inside the kernel, anything else is read as
 * files are read, and written. The copy costs nothing beside the disk, and the kernel's read-ahead
 * sees to it that what follows is in memory.
 */

enum {
	PIECE = 512 * 1024, /* sent inside the kernel after one look */
	COPIED = 64 * 1024, /* read and written at once */
};

struct sending {
	cr_conn *conn;
	int file;
	bool direct;  /* sendfile(2) works, as far as is known */
	char *buffer; /* for what is copied */
};

static ssize_t send_inside(struct sending *s, int64_t offset, size_t size)
{
	struct cr__io io = {.op = {.code = CR__OP_SENDFILE,
	                           .fd = s->conn->fd,
	                           .other = s->file,
	                           .offset = offset,
	                           .size = size}};

	return cr__io_run(&io, "cr_conn_send_file", "sendfile");
}

static ssize_t send_copied(struct sending *s, int64_t offset, size_t size)
{
	struct iovec vector;
	ssize_t n;
	int r;

	if (!s->buffer)
		s->buffer = cr__alloc(COPIED);
	if (!s->buffer)
		return -ENOMEM;
	n = cr__io_file_read(s->file, s->buffer, size < COPIED ? size : COPIED, offset);
	if (n <= 0)
		return n;
	vector = (struct iovec){s->buffer, (size_t)n};
	r = cr__conn_write_all(s->conn, &vector, 1);
	return r < 0 ? r : n;
}

static ssize_t send_piece(struct sending *s, int64_t offset, uint64_t size)
{
	const size_t most = size < PIECE ? (size_t)size : PIECE;
	ssize_t n;

	if (s->conn->closing)
		return -ECANCELED;
	if (!s->direct || !cr__io_file_cached(s->file, offset))
		return send_copied(s, offset, most);
	n = send_inside(s, offset, most);
	/* A file of a kind that cannot be sent so, the simulator, an old sandbox. */
	if (n != -EINVAL && n != -EOPNOTSUPP && n != -ENOSYS)
		return n;
	s->direct = false;
	return send_copied(s, offset, most);
}

static int64_t send_all(struct sending *s, int64_t offset, uint64_t count)
{
	uint64_t done = 0;

	while (done < count && offset <= INT64_MAX - PIECE) {
		ssize_t n = send_piece(s, offset, count - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (uint64_t)n;
		offset += n;
	}
	return (int64_t)done;
}

int64_t cr_conn_send_file(cr_conn *conn, int file_fd, int64_t offset, uint64_t count)
{
	struct sending s = {.conn = conn, .file = file_fd, .direct = conn->socket};
	int64_t n = cr__conn_enter_writing(conn, __func__);

	if (n < 0)
		return n;
	n = offset < 0 ? -EINVAL : send_all(&s, offset, count);
	cr__free(s.buffer);
	return cr__conn_leave(conn, &conn->writing, (ssize_t)n);
}
