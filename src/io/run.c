/* SPDX-License-Identifier: MIT */
#include "io/io.h"

#include <errno.h>

/* One operation and the task that waits for it, on that task's stack. */
struct run {
	struct cr__wait wait;
	struct cr__op op;
	struct cr__loop *loop;
};

static void run_done(struct cr__op *op)
{
	cr__unpark(CR__CONTAINER(op, struct run, op)->wait.task, 0);
}

static enum cr__abort run_abort(struct cr__wait *wait)
{
	struct run *run = CR__CONTAINER(wait, struct run, wait);

	return cr__op_cancel(run->loop, &run->op) ? CR__ABORT_DONE : CR__ABORT_LATER;
}

ssize_t cr__io_run(const struct cr__op *asked, const char *caller, const char *reason)
{
	struct run run;
	ssize_t n = cr__park_check(caller);

	if (n < 0)
		return n;
	if (asked->fd < 0)
		return -EBADF;
	run.wait = (struct cr__wait){.abort = run_abort, .reason = reason, .fd = asked->fd};
	run.loop = cr__task_loop();
	run.op = *asked;
	run.op.done = run_done;
	n = cr__op_start(run.loop, &run.op);
	if (n < 0)
		return n;
	if (n > 0) {
		n = run.op.result;
		cr__budget_spend();
		return n;
	}
	n = cr__park(&run.wait);
	cr__io_ended(run.loop, asked->fd);
	return n < 0 ? n : run.op.result;
}
