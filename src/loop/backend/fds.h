/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_FDS_H
#define CR__LOOP_BACKEND_FDS_H

/*
 * Who is busy on which descriptor: a dense table by descriptor number, one operation for each
 * direction, shared by the backends on real descriptors. Theirs is the first member of their state.
 *
 * Descriptor numbers are reused. What a backend knows about a number (that epoll watches it, say)
 * is true until the descriptor is closed, which is why closing goes through the library. Numbers
 * that the library opened itself are marked as its own and known to be fresh; all others may have
 * been closed and opened again behind its back, so nothing that could hang is remembered about
 * those.
 */

#include "loop/op.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	CR__FD_OWN = 1 << 0,      /* opened by the library, and closed by it */
	CR__FD_STREAM = 1 << 1,   /* an own TCP socket: a short read has emptied it */
	CR__FD_WATCHED = 1 << 2,  /* epoll: registered */
	CR__FD_READABLE = 1 << 3, /* epoll: no system call since has said otherwise */
	CR__FD_WRITABLE = 1 << 4,
	CR__FD_HANGUP = 1 << 5,     /* epoll: the end, an error or urgent data was announced */
	CR__FD_NOT_SOCKET = 1 << 6, /* epoll: use the calls for files; a hint */
	CR__FD_DRAINED = 1 << 7,    /* uring: the next receive will have to wait; a hint */
	CR__FD_SEEKABLE = 1 << 8,   /* uring: pread(2) would work; a hint */
};

struct cr__fd_slot {
	struct cr__op *reader, *writer;
	uint32_t generation; /* changes when the number is given up */
	uint32_t flags;
};

struct cr__fds {
	struct cr__fd_slot *slots;
	uint32_t count;
};

/* Which directions an operation takes. */
enum { CR__FD_READS = 1, CR__FD_WRITES = 2 };

static inline unsigned cr__op_directions(const struct cr__op *op)
{
	const unsigned writes = 1u << CR__OP_WRITE | 1u << CR__OP_WRITEV | 1u << CR__OP_PWRITE |
	                        1u << CR__OP_SEND | 1u << CR__OP_SENDMSG | 1u << CR__OP_CONNECT |
	                        1u << CR__OP_SEND_ZC | 1u << CR__OP_SENDFILE |
	                        1u << CR__OP_SPLICE_OUT | 1u << CR__OP_SENDMMSG;

	if (op->code != CR__OP_POLL)
		return writes >> op->code & 1 ? CR__FD_WRITES : CR__FD_READS;
	if (!(op->flags & (POLLOUT | POLLWRNORM | POLLWRBAND)))
		return CR__FD_READS;
	return op->flags & (POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI | POLLRDHUP)
	               ? CR__FD_READS | CR__FD_WRITES
	               : CR__FD_WRITES;
}

/* Whether the asker wants to know that it would have to wait. */
static inline bool cr__op_takes_eagain(const struct cr__op *op)
{
	const unsigned messages = 1u << CR__OP_RECV | 1u << CR__OP_SEND | 1u << CR__OP_RECVMSG |
	                          1u << CR__OP_SENDMSG | 1u << CR__OP_RECVMMSG |
	                          1u << CR__OP_SENDMMSG;

	/* A Unix listener whose backlog is full: there is nothing to wait for (connect(2)). */
	return op->code == CR__OP_CONNECT || (messages >> op->code & 1 && op->flags & MSG_DONTWAIT);
}

/* Whether it receives what POLLIN does not announce: urgent data, or errors (recv(2)). */
static inline bool cr__op_receives_aside(const struct cr__op *op)
{
	return (op->code == CR__OP_RECV || op->code == CR__OP_RECVMSG) &&
	       op->flags & (MSG_OOB | MSG_ERRQUEUE);
}

/*
 * Makes the table reach up to a descriptor. Returns 0, -EBADF when nothing is open there, -ENOMEM.
 */
int cr__fds_grow(struct cr__fds *fds, int fd);

void cr__fds_free(struct cr__fds *fds);

/* The slot of a descriptor, or NULL when it was never used here. */
static inline struct cr__fd_slot *cr__fds_slot(const struct cr__fds *fds, int fd)
{
	return (uint32_t)fd < fds->count ? &fds->slots[fd] : NULL;
}

/* Takes the operation's directions. Returns 0, -EBADF, -EBUSY, -ENOMEM. */
static inline int cr__fds_claim(struct cr__fds *fds, struct cr__op *op)
{
	unsigned directions = cr__op_directions(op);
	struct cr__fd_slot *slot;

	if (__builtin_expect((uint32_t)op->fd >= fds->count, 0)) {
		int r = cr__fds_grow(fds, op->fd);

		if (r < 0)
			return r;
	}
	slot = &fds->slots[op->fd];
	if (((directions & CR__FD_READS) && slot->reader) ||
	    ((directions & CR__FD_WRITES) && slot->writer))
		return -EBUSY;
	if (directions & CR__FD_READS)
		slot->reader = op;
	if (directions & CR__FD_WRITES)
		slot->writer = op;
	return 0;
}

/* Gives the operation's directions back. */
static inline void cr__fds_release(struct cr__fds *fds, const struct cr__op *op)
{
	struct cr__fd_slot *slot = &fds->slots[op->fd];

	if (slot->reader == op)
		slot->reader = NULL;
	if (slot->writer == op)
		slot->writer = NULL;
}

/*
 * A descriptor that was just opened for the library, with CR__FD_* flags. What was known about an
 * earlier one of that number is forgotten. Without memory for the table it is simply not known.
 */
void cr__fds_adopt(struct cr__fds *fds, int fd, uint32_t flags);

/*
 * The number is given up: by closing, or to somebody else. An operation that was cancelled and has
 * not ended yet goes on alone to its done(), without a claim on the number.
 */
void cr__fds_drop(struct cr__fds *fds, int fd);

/* Backend functions that only need the table. */
int cr__fds_busy(struct cr__loop *loop, int fd);
int cr__fds_cancel(struct cr__loop *loop, int fd);

#endif
