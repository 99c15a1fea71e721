/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_IO_H
#define CR__IO_IO_H

/*
 * Running one operation for the calling task, and knowing who is busy with a descriptor, so that a
 * close can wait for them.
 */

#include <corail/io.h>

#include "base/list.h"
#include "loop/op.h"
#include "task/park.h"

/* One operation and the task that waits for it, on that task's stack. */
struct cr__io {
	struct cr__wait wait;
	struct cr__op op;
	struct cr__loop *loop;
};

/*
 * Fills in a receive or a send without flags, and touches nothing else of the record: clearing all
 * of it first would take longer than the rest of starting it.
 */
static inline void cr__io_transfer(struct cr__io *io, enum cr__opcode code, int fd, void *buffer,
                                   size_t size)
{
	io->op.code = code;
	io->op.fd = fd;
	io->op.flags = 0;
	io->op.buffer = buffer;
	io->op.size = size;
}

/*
 * Runs io->op and suspends until it has ended. Fill in code, fd and what they need; `caller` is the
 * public function's name, `reason` one static word for dumps. Returns the operation's result, or
 * -ECANCELED before anything was started, or when it was undone. Not inlined, and called as
 * directly as can be: each function between the user and the switch costs a mispredicted return.
 */
ssize_t cr__io_run(struct cr__io *io, const char *caller, const char *reason);

/* Tells those who wait in cr__io_quiesce() that a call, or an operation of no call, has ended. */
void cr__io_ended(struct cr__loop *loop, int fd);

/*
 * Cancels what is in flight on a descriptor and suspends until those calls have returned, with the
 * steps that follow in the same call. Not ended by cancellation itself.
 */
void cr__io_quiesce(struct cr__loop *loop, int fd);

/*
 * A call of several operations, for its whole duration: a close between two of them would otherwise
 * let the next one reach whatever file has the number by then. `closed` is set by the close.
 */
struct cr__io_steps {
	struct cr__list link;
	struct cr__loop *loop;
	int fd;
	bool closed;
};

void cr__io_steps_enter(struct cr__io_steps *steps, struct cr__loop *loop, int fd);
void cr__io_steps_leave(struct cr__io_steps *steps);

#endif
