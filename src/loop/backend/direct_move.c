/* SPDX-License-Identifier: MIT */
#include "loop/backend/direct.h"

#include <fcntl.h>
#include <sys/sendfile.h>

/*
 * Moving bytes inside the kernel, and many datagrams by one call: what io_uring has no operation
 * for, or only one that blocks a thread of its own (splice). Both real backends try the system call
 * and wait for readiness when it would block.
 */

/*
 * sendfile(2) and splice(2) have no flag that would keep a socket from blocking them: it has to be
 * O_NONBLOCK while they run. It is set back at once, because the descriptor may be another's, and
 * because io_uring treats such sockets differently. Returns the flags from before, or an error.
 */
static int mode_enter(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return flags;
}

static void mode_leave(int fd, int flags)
{
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags);
}

static ssize_t file_send(const struct cr__op *op)
{
	off_t offset = (off_t)op->offset;

	return CR__RESULT_OF(sendfile(op->fd, op->other, &offset, op->size));
}

static ssize_t pipe_fill(const struct cr__op *op)
{
	return CR__RESULT_OF(
		splice(op->fd, NULL, op->other, NULL, op->size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
}

static ssize_t pipe_empty(const struct cr__op *op)
{
	return CR__RESULT_OF(
		splice(op->other, NULL, op->fd, NULL, op->size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
}

/* Neither call can be told not to raise SIGPIPE. */
static ssize_t move(const struct cr__op *op, ssize_t (*call)(const struct cr__op *op))
{
	struct cr__sigpipe sigpipe;
	int flags = mode_enter(op->fd);
	ssize_t n;

	if (flags < 0)
		return flags;
	if (op->code != CR__OP_SPLICE_IN)
		cr__sigpipe_hold(&sigpipe);
	n = call(op);
	if (op->code != CR__OP_SPLICE_IN)
		cr__sigpipe_release(&sigpipe);
	mode_leave(op->fd, flags);
	return n;
}

ssize_t cr__direct_move(const struct cr__op *op)
{
	const int flags = (int)op->flags | MSG_DONTWAIT;
	const unsigned count = (unsigned)op->size;

	switch (op->code) {
	case CR__OP_SENDFILE:
		return move(op, file_send);
	case CR__OP_SPLICE_IN:
		return move(op, pipe_fill);
	case CR__OP_SPLICE_OUT:
		return move(op, pipe_empty);
	case CR__OP_RECVMMSG:
		return CR__RESULT_OF(recvmmsg(op->fd, op->buffer, count, flags, NULL));
	case CR__OP_SENDMMSG:
		return CR__RESULT_OF(sendmmsg(op->fd, op->buffer, count, flags | MSG_NOSIGNAL));
	default:
		return -EOPNOTSUPP;
	}
}
