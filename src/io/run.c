/* SPDX-License-Identifier: MIT */
#include "io/io.h"

#include <errno.h>
#include <poll.h>

/* One operation and the task that waits for it, on that task's stack. */
struct run {
	struct cr__wait wait;
	struct cr__op op;
	struct cr__loop *loop;
};

static void run_done(struct cr__op *op)
{
	struct run *run = CR__CONTAINER(op, struct run, op);
	struct cr__loop *loop = run->loop;
	int fd = op->fd;

	cr__unpark(run->wait.task, 0);
	cr__io_ended(loop, fd);
}

static enum cr__abort run_abort(struct cr__wait *wait)
{
	struct run *run = CR__CONTAINER(wait, struct run, wait);

	if (!cr__op_cancel(run->loop, &run->op))
		return CR__ABORT_LATER;
	cr__io_ended(run->loop, run->op.fd);
	return CR__ABORT_DONE;
}

/* Starts run->op and waits for its end. */
static ssize_t run_once(struct run *run)
{
	int r = cr__op_start(run->loop, &run->op);

	if (r < 0)
		return r;
	if (r > 0) {
		ssize_t result = run->op.result;

		cr__budget_spend();
		return result;
	}
	r = cr__park(&run->wait);
	return r < 0 ? r : run->op.result;
}

/* Which readiness an operation lacked that ended with -EAGAIN. */
static uint32_t events_of(enum cr__opcode code)
{
	switch (code) {
	case CR__OP_WRITE:
	case CR__OP_WRITEV:
	case CR__OP_PWRITE:
	case CR__OP_SEND:
	case CR__OP_SENDMSG:
	case CR__OP_CONNECT:
		return POLLOUT;
	default:
		return POLLIN;
	}
}

/*
 * A descriptor that its owner made O_NONBLOCK may answer -EAGAIN even to io_uring (io_uring_enter(2)):
 * then readiness is waited for, and the operation started again.
 */
static ssize_t run_when_ready(struct run *run, const struct cr__op *asked)
{
	ssize_t n;

	run->op = (struct cr__op){
		.done = run_done, .code = CR__OP_POLL, .fd = asked->fd, .flags = events_of(asked->code)};
	n = run_once(run);
	if (n < 0)
		return n;
	run->op = *asked;
	run->op.done = run_done;
	return run_once(run);
}

/* Whether -EAGAIN is an answer that the caller wants, or has to deal with (connect(2), Unix sockets). */
static bool wants_eagain(const struct cr__op *asked)
{
	switch (asked->code) {
	case CR__OP_RECV:
	case CR__OP_SEND:
	case CR__OP_RECVMSG:
	case CR__OP_SENDMSG:
		return asked->flags & MSG_DONTWAIT;
	default:
		return asked->code == CR__OP_CONNECT;
	}
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
	n = run_once(&run);
	while (__builtin_expect(n == -EAGAIN || n == -EINTR, 0)) {
		if (n == -EAGAIN && wants_eagain(asked))
			return n;
		n = cr__park_check(caller);
		if (n < 0)
			return n;
		n = run_when_ready(&run, asked);
	}
	return n;
}
