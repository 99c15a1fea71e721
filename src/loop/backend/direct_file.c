/* SPDX-License-Identifier: MIT */
#include "loop/backend/direct.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Operations on files as the system calls that they are: on a thread that may block, except for
 * reads of what lies in memory, which the kernel can tell.
 */

static int vector_of(const struct cr__op *op, struct iovec *one, const struct iovec **ret_vector)
{
	if (op->code == CR__OP_READV_AT || op->code == CR__OP_WRITEV_AT) {
		*ret_vector = op->buffer;
		return (int)op->size;
	}
	*one = (struct iovec){.iov_base = op->buffer, .iov_len = op->size};
	*ret_vector = one;
	return 1;
}

ssize_t cr__direct_file_try(const struct cr__op *op)
{
	const struct iovec *vector;
	struct iovec one;
	int count = vector_of(op, &one, &vector);
	ssize_t n;

	if (op->code == CR__OP_WRITE_AT || op->code == CR__OP_WRITEV_AT)
		n = CR__RESULT_OF(pwritev2(op->fd, vector, count, op->offset, RWF_NOWAIT));
	else
		n = CR__RESULT_OF(preadv2(op->fd, vector, count, op->offset, RWF_NOWAIT));
	return n == -EOPNOTSUPP ? -EAGAIN : n;
}

static ssize_t transfer(const struct cr__op *op)
{
	const struct iovec *vector;
	struct iovec one;
	int count = vector_of(op, &one, &vector);

	if (op->code == CR__OP_READ_AT || op->code == CR__OP_READV_AT)
		return CR__RESULT_OF(preadv(op->fd, vector, count, op->offset));
	return CR__RESULT_OF(pwritev(op->fd, vector, count, op->offset));
}

static ssize_t copy(const struct cr__op *op)
{
	off_t from = op->offset, to = op->offset;

	return CR__RESULT_OF(copy_file_range(op->other, &from, op->fd, &to, op->size, 0));
}

static ssize_t link_to(const struct cr__op *op)
{
	return CR__RESULT_OF(linkat(op->fd, op->path, op->other, op->second, (int)op->flags));
}

/* What has two names, or makes one. */
static ssize_t names(const struct cr__op *op)
{
	switch (op->code) {
	case CR__OP_RENAME:
		return CR__RESULT_OF(renameat2(op->fd, op->path, op->other, op->second, op->flags));
	case CR__OP_LINK:
		return link_to(op);
	case CR__OP_SYMLINK:
		return CR__RESULT_OF(symlinkat(op->second, op->fd, op->path));
	case CR__OP_READLINK:
		return CR__RESULT_OF(readlinkat(op->fd, op->path, op->second, op->size));
	case CR__OP_UNLINK:
		return CR__RESULT_OF(unlinkat(op->fd, op->path, (int)op->flags));
	case CR__OP_MKDIR:
		return CR__RESULT_OF(mkdirat(op->fd, op->path, (mode_t)op->size));
	default:
		return -EOPNOTSUPP;
	}
}

static ssize_t lock(const struct cr__op *op)
{
	return CR__RESULT_OF(flock(op->fd, (int)op->flags | LOCK_NB));
}

ssize_t cr__op_block(struct cr__op *op)
{
	switch (op->code) {
	case CR__OP_OPEN:
		return CR__RESULT_OF(
			openat(op->fd, op->path, (int)op->flags | O_CLOEXEC, (mode_t)op->size));
	case CR__OP_STAT:
		return CR__RESULT_OF(
			statx(op->fd, op->path, (int)op->flags, (unsigned)op->size, op->second));
	case CR__OP_READ_AT:
	case CR__OP_WRITE_AT:
	case CR__OP_READV_AT:
	case CR__OP_WRITEV_AT:
		return transfer(op);
	case CR__OP_SYNC:
		return CR__RESULT_OF(op->flags ? fdatasync(op->fd) : fsync(op->fd));
	case CR__OP_ALLOCATE:
		return CR__RESULT_OF(
			fallocate(op->fd, (int)op->flags, op->offset, (off_t)op->size));
	case CR__OP_TRUNCATE:
		return CR__RESULT_OF(ftruncate(op->fd, op->offset));
	case CR__OP_CHMOD:
		return CR__RESULT_OF(fchmod(op->fd, (mode_t)op->size));
	case CR__OP_LIST:
		return CR__RESULT_OF(syscall(SYS_getdents64, op->fd, op->buffer, op->size));
	case CR__OP_CLONE:
		return CR__RESULT_OF(ioctl(op->fd, FICLONE, op->other));
	case CR__OP_COPY:
		return copy(op);
	case CR__OP_LOCK:
		return lock(op);
	case CR__OP_WATCH:
		return CR__RESULT_OF(inotify_add_watch(op->fd, op->path, op->flags));
	case CR__OP_SEEK:
		return CR__RESULT_OF(lseek(op->fd, op->offset, (int)op->flags));
	default:
		return op->code < CR__OP_FILE ? cr__direct_wait(op) : names(op);
	}
}
