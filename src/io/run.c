/* SPDX-License-Identifier: MIT */
#include "io/io.h"

#include <errno.h>

static void run_done(struct cr__op *op)
{
	cr__unpark(CR__CONTAINER(op, struct cr__io, op)->wait.task, 0);
}

static enum cr__abort run_abort(struct cr__wait *wait)
{
	struct cr__io *io = CR__CONTAINER(wait, struct cr__io, wait);

	return cr__op_cancel(io->loop, &io->op) ? CR__ABORT_DONE : CR__ABORT_LATER;
}

ssize_t cr__io_run(struct cr__io *io, const char *caller, const char *reason)
{
	const int fd = io->op.fd;
	int r = cr__park_check(caller);

	if (r < 0)
		return r;
	if (fd < 0)
		return -EBADF;
	io->wait.abort = run_abort;
	io->wait.reason = reason;
	io->wait.fd = fd;
	io->wait.holder = NULL;
	io->loop = cr__task_loop();
	io->op.done = run_done;
	r = cr__op_start(io->loop, &io->op);
	if (r == -EBUSY)
		cr__debug_busy(caller, fd);
	if (r < 0)
		return r;
	if (r > 0) {
		cr__budget_spend();
		return io->op.result;
	}
	r = cr__park(&io->wait);
	cr__io_ended(io->loop, fd);
	return r < 0 ? r : io->op.result;
}
