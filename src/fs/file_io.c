/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include <corail/io.h>

#include <errno.h>
#include <limits.h>

/*
 * Reading and writing. A read is tried without waiting first: what lies in the page cache costs one
 * system call then, and neither a thread nor a turn. A file that keeps failing those tries is not
 * in memory, and goes without them, for up to 63 reads in a row.
 */

/* The most at once: a copy of that size holds the loop up for some tenths of a millisecond. */
enum { CHUNK_BYTES = 1024 * 1024, MISSES_MAX = 63 };

static bool is_read(enum cr__opcode code)
{
	return code == CR__OP_READ_AT || code == CR__OP_READV_AT;
}

static ssize_t step(cr_file *file, struct cr__op op, const char *caller)
{
	struct cr__file_call call = {.call.op = op};
	const bool read = is_read(op.code);
	ssize_t n;

	if (read && file->skip > 0) {
		file->skip--;
	} else if (read && !file->direct) {
		call.call.op.flags = CR__OP_TRY;
	}
	n = cr__file_run(file, &call, caller, read ? "read" : "write");
	if (call.call.op.flags & CR__OP_TRY) {
		file->misses = !call.call.waited            ? 0
		               : file->misses >= MISSES_MAX ? MISSES_MAX
		                                            : (uint8_t)(2 * file->misses + 1);
		file->skip = file->misses;
	}
	return n;
}

/* All of it, unless the end of the file, an error or a cancellation comes in between. */
static ssize_t transfer(cr_file *file, enum cr__opcode code, void *buffer, size_t size,
                        int64_t offset, const char *caller)
{
	size_t done = 0;
	ssize_t n;

	do {
		struct cr__op op = {.code = code,
		                    .buffer = (char *)buffer + done,
		                    .size = size - done,
		                    .offset = offset + (int64_t)done};

		if (op.size > CHUNK_BYTES)
			op.size = CHUNK_BYTES;
		n = step(file, op, caller);
		if (n > 0)
			done += (size_t)n;
	} while (n > 0 && done < size);
	file->ended = n == 0;
	return done > 0 ? (ssize_t)done : n;
}

static ssize_t transfer_vector(cr_file *file, enum cr__opcode code, const struct iovec *vector,
                               int count, int64_t offset, const char *caller)
{
	struct cr__op op = {.code = code,
	                    .buffer = (void *)(uintptr_t)vector,
	                    .size = (size_t)count,
	                    .offset = offset};

	return step(file, op, caller);
}

/* ---------------------------------------------------------------------------- at a position --- */

static ssize_t at(cr_file *file, enum cr__opcode code, void *buffer, size_t size, int64_t offset,
                  const char *caller)
{
	const bool vector = code == CR__OP_READV_AT || code == CR__OP_WRITEV_AT;
	ssize_t n = offset < 0 || (vector && size > IOV_MAX) ? -EINVAL
	                                                     : cr__file_enter(file, caller);

	if (n < 0)
		return n;
	if (file->stream)
		n = -ESPIPE;
	else if (vector)
		n = transfer_vector(file, code, buffer, (int)size, offset, caller);
	else
		n = transfer(file, code, buffer, size, offset, caller);
	cr__file_leave(file);
	return n;
}

ssize_t cr_file_pread(cr_file *file, void *buffer, size_t size, int64_t offset)
{
	return at(file, CR__OP_READ_AT, buffer, size, offset, __func__);
}

ssize_t cr_file_pwrite(cr_file *file, const void *data, size_t size, int64_t offset)
{
	return at(file, CR__OP_WRITE_AT, (void *)(uintptr_t)data, size, offset, __func__);
}

ssize_t cr_file_preadv(cr_file *file, const struct iovec *vector, int count, int64_t offset)
{
	return at(file, CR__OP_READV_AT, (void *)(uintptr_t)vector, (size_t)count, offset,
	          __func__);
}

ssize_t cr_file_pwritev(cr_file *file, const struct iovec *vector, int count, int64_t offset)
{
	return at(file, CR__OP_WRITEV_AT, (void *)(uintptr_t)vector, (size_t)count, offset,
	          __func__);
}

/* ------------------------------------------------------------------------ at the file's own --- */

/* Without positions: descriptors like any others. */
static ssize_t stream(const cr_file *file, enum cr__opcode code, void *buffer, size_t size)
{
	switch (code) {
	case CR__OP_READ_AT:
		return cr_fd_read(file->fd, buffer, size);
	case CR__OP_WRITE_AT:
		return cr_fd_write(file->fd, buffer, size);
	case CR__OP_READV_AT:
		return cr_fd_readv(file->fd, buffer, (int)size);
	default:
		return cr_fd_writev(file->fd, buffer, (int)size);
	}
}

static ssize_t moving(cr_file *file, enum cr__opcode code, void *buffer, size_t size,
                      const char *caller)
{
	ssize_t n;

	if (file->moving) {
		cr__debug_busy(caller, file->fd);
		return -EBUSY;
	}
	file->moving = true;
	n = at(file, code, buffer, size, file->position, caller);
	if (n > 0)
		file->position += n;
	file->moving = false;
	return n;
}

static ssize_t sequential(cr_file *file, enum cr__opcode code, void *buffer, size_t size,
                          const char *caller)
{
	ssize_t n;

	if (!file->stream)
		return moving(file, code, buffer, size, caller);
	n = cr__file_enter(file, caller);
	if (n < 0)
		return n;
	n = stream(file, code, buffer, size);
	file->ended = n == 0;
	cr__file_leave(file);
	return n;
}

ssize_t cr_file_read(cr_file *file, void *buffer, size_t size)
{
	return sequential(file, CR__OP_READ_AT, buffer, size, __func__);
}

ssize_t cr_file_write(cr_file *file, const void *data, size_t size)
{
	return sequential(file, CR__OP_WRITE_AT, (void *)(uintptr_t)data, size, __func__);
}

int cr_file_write_all(cr_file *file, const void *data, size_t size)
{
	const char *from = data;

	while (size > 0) {
		ssize_t n = cr_file_write(file, from, size);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		from += n;
		size -= (size_t)n;
	}
	return 0;
}

ssize_t cr_file_readv(cr_file *file, const struct iovec *vector, int count)
{
	return sequential(file, CR__OP_READV_AT, (void *)(uintptr_t)vector, (size_t)count,
	                  __func__);
}

ssize_t cr_file_writev(cr_file *file, const struct iovec *vector, int count)
{
	return sequential(file, CR__OP_WRITEV_AT, (void *)(uintptr_t)vector, (size_t)count,
	                  __func__);
}
