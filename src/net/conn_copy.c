/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "base/alloc.h"
#include "io/io.h"
#include "io/move.h"
#include "loop/loop.h"

#include <errno.h>

/*
 * Relaying. A byte is taken out of the first connection only when the second has it: in the general
 * way, by leaving it in the first one's buffer until then; where both are plain, what a splice had
 * in its pipe when it was cut short goes back to that buffer.
 *
 * The two connections can be closed while the relay waits for either, so it runs in a scope of its
 * own, which the close cancels.
 */

/* What a pipe holds, unless it was told otherwise (pipe(7)). */
enum { PIECE = 64 * 1024 };

struct relay {
	cr_conn *from, *to;
	int64_t count;
	int pipe[2];
};

static int interrupted(const struct relay *relay)
{
	return relay->from->closing || relay->to->closing ? -ECANCELED : 0;
}

/* Writes what the first connection's buffer holds. */
static int buffered_write(struct relay *relay)
{
	while (cr__conn_held(relay->from) > 0) {
		struct iovec vector = {relay->from->buffer + relay->from->start,
		                       cr__conn_held(relay->from)};
		int r = interrupted(relay);
		ssize_t n = r < 0 ? r : cr__conn_send(relay->to, &vector, 1);

		if (n < 0)
			return (int)n;
		cr__conn_drop(relay->from, (size_t)n);
		relay->count += n;
	}
	return 0;
}

static int relay_copied(struct relay *relay)
{
	for (;;) {
		int r = buffered_write(relay);
		ssize_t n = r < 0 ? r : interrupted(relay);

		if (n == 0)
			n = cr__conn_fill(relay->from, PIECE);
		if (n <= 0)
			return (int)n;
	}
}

static ssize_t splice_op(enum cr__opcode code, int fd, int other, size_t size)
{
	struct cr__io io = {.op = {.code = code, .fd = fd, .other = other, .size = size}};

	return cr__io_run(&io, "cr_conn_copy", "splice");
}

/* Puts what is stuck in the pipe back into the first connection. */
static void rescue(struct relay *relay, size_t size)
{
	char *data = cr__alloc(size);

	if (!data) {
		relay->from->lost = -ENOMEM;
		return;
	}
	size = cr__io_pipe_empty(relay->pipe[0], data, size);
	cr__conn_put_back(relay->from, data, size);
	cr__free(data);
}

static int pipe_write(struct relay *relay, size_t size)
{
	while (size > 0) {
		ssize_t n = interrupted(relay);

		if (n == 0)
			n = splice_op(CR__OP_SPLICE_OUT, relay->to->fd, relay->pipe[0], size);
		if (n <= 0) {
			rescue(relay, size);
			return n < 0 ? (int)n : -EIO;
		}
		size -= (size_t)n;
		relay->count += n;
	}
	return 0;
}

/* Returns 0 at the end, or an error: -EINVAL when this cannot be spliced. */
static int relay_spliced(struct relay *relay)
{
	for (;;) {
		ssize_t n = interrupted(relay);

		if (n == 0)
			n = splice_op(CR__OP_SPLICE_IN, relay->from->fd, relay->pipe[1], PIECE);
		if (n > 0) {
			int r = pipe_write(relay, (size_t)n);

			if (r < 0)
				return r;
		} else {
			return (int)n;
		}
	}
}

static int relay_run(struct relay *relay)
{
	struct cr__loop *loop = cr__loop_self();
	int r = buffered_write(relay);

	if (r < 0)
		return r;
	if (relay->from->transport != &cr__conn_plain || relay->to->transport != &cr__conn_plain ||
	    relay->from->lost || cr__io_pipe(loop, relay->pipe) < 0)
		return relay_copied(relay);
	r = relay_spliced(relay);
	cr_fd_close(relay->pipe[0]);
	cr_fd_close(relay->pipe[1]);
	/* A terminal, a file: bytes that came before that are back in the buffer. */
	return r == -EINVAL || r == -ENOSYS ? relay_copied(relay) : r;
}

int64_t cr_conn_copy(cr_conn *from, cr_conn *to)
{
	struct relay relay = {.from = from, .to = to};
	int r;

	if (from == to)
		return -EINVAL;
	r = cr__conn_enter(from, &from->reading, __func__);
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		from->relay[0] = &scope;
		r = cr__conn_enter_writing(to, __func__);
		if (r == 0) {
			to->relay[1] = &scope;
			r = relay_run(&relay);
			to->relay[1] = NULL;
			cr__conn_leave(to, &to->writing, 0);
		}
		from->relay[0] = NULL;
	}
	cr__conn_leave(from, &from->reading, 0);
	return r < 0 ? r : relay.count;
}
