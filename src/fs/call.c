/* SPDX-License-Identifier: MIT */
#include "fs/call.h"

#include <corail/io.h>

#include <errno.h>

static void call_done(struct cr__op *op)
{
	cr__unpark(CR__CONTAINER(op, struct cr__fs_call, op)->wait.task, 0);
}

static enum cr__abort call_abort(struct cr__wait *wait)
{
	struct cr__fs_call *call = CR__CONTAINER(wait, struct cr__fs_call, wait);

	return cr__op_cancel(call->loop, &call->op) ? CR__ABORT_DONE : CR__ABORT_LATER;
}

static ssize_t run(struct cr__fs_call *call, const char *reason)
{
	int r;

	call->wait.reason = reason;
	call->wait.fd = call->op.fd;
	call->wait.holder = NULL;
	call->loop = cr__task_loop();
	call->op.done = call_done;
	call->waited = false;
	r = cr__op_start(call->loop, &call->op);
	if (r < 0)
		return r;
	if (r > 0) {
		cr__budget_spend();
		return call->op.result;
	}
	call->waited = true;
	r = cr__park(&call->wait);
	return r < 0 ? r : call->op.result;
}

ssize_t cr__fs_run(struct cr__fs_call *call, const char *caller, const char *reason)
{
	int r = cr__park_check(caller);

	if (r < 0)
		return r;
	call->wait.abort = call_abort;
	return run(call, reason);
}

ssize_t cr__fs_run_always(struct cr__fs_call *call, const char *reason)
{
	call->wait.abort = NULL;
	return run(call, reason);
}

void cr__fs_close_fd(int fd)
{
	cr_fd_close(fd);
}
