/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_DIRECT_H
#define CR__LOOP_BACKEND_DIRECT_H

/*
 * Operations as plain system calls that never hold the loop up, for descriptors in whatever mode
 * their owner left them, and writing without SIGPIPE.
 */

#include "loop/op.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Since Linux 6.18; older C libraries do not know it (pwritev2(2)). */
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

/* The result of a system call in our terms, retried when a signal interrupts it. */
#define CR__RESULT_OF(call)                                                                        \
	__extension__({                                                                            \
		ssize_t result_;                                                                   \
		do                                                                                 \
			result_ = (call);                                                          \
		while (result_ < 0 && errno == EINTR);                                             \
		result_ < 0 ? -errno : result_;                                                    \
	})

/* Whether the kernel honours RWF_NOSIGNAL. Tried once, on a pipe. */
bool cr__nosignal_works(void);

/*
 * Keeps a SIGPIPE that the calls in between raise from being seen: it is sent to the thread that
 * writes (pipe(7)), so blocking it there and taking it back is local to us.
 */
struct cr__sigpipe {
	sigset_t old;
};

void cr__sigpipe_hold(struct cr__sigpipe *sigpipe);
void cr__sigpipe_release(const struct cr__sigpipe *sigpipe);

/*
 * Tries an operation. Returns its result; -EAGAIN when it has to wait (for POLL: nothing holds);
 * for CONNECT -EINPROGRESS when it has to be tried again once writable. `known` are the CR__FD_* of
 * the descriptor; a hint in it may change. -ENOTBLK: only a call that waits for a disk would do,
 * cr__direct_wait().
 */
ssize_t cr__direct_try(struct cr__op *op, uint32_t *known);

/*
 * Whether an operation receives all that it has room for (MSG_WAITALL): op->scratch[0], zero before
 * the first try, counts what has come.
 */
static inline bool cr__direct_whole(const struct cr__op *op)
{
	return (op->code == CR__OP_RECV || op->code == CR__OP_RECVMSG) &&
	       (op->flags & (MSG_WAITALL | MSG_PEEK | MSG_OOB)) == MSG_WAITALL;
}

/* poll(2) without waiting: cr__fd_ready() of the backends whose descriptors are the kernel's. */
int cr__direct_ready(struct cr__loop *loop, int fd, int events);

/* The part of cr__direct_try() that io_uring does not know: SENDFILE, SPLICE_*, *MMSG. */
ssize_t cr__direct_move(const struct cr__op *op);

/* Whether an operation is one of those. */
static inline bool cr__direct_only(const struct cr__op *op)
{
	return op->code >= CR__OP_SENDFILE && op->code <= CR__OP_SENDMMSG;
}

/* Reads or writes a file that cannot be waited for (a regular one), waiting for the disk. */
ssize_t cr__direct_wait(const struct cr__op *op);

/*
 * Reads or writes at a position (CR__OP_READ_AT and its kin) as far as that needs no disk. -EAGAIN
 * when it does, or when the file's kind cannot tell.
 */
ssize_t cr__direct_file_try(const struct cr__op *op);

#endif
