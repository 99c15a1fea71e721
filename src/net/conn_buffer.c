/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include <corail/io.h>

#include "base/alloc.h"
#include "base/list.h"

#include <errno.h>
#include <string.h>

/*
 * The buffer for writing. Two blocks: one is being sent, the other is appended to, and they change
 * places. Who sends is whoever has a reason to: a writer above high water, a flush, a close; and
 * when nobody has, a task of the library's own, which is spawned by the first write into an empty
 * buffer, begins when the writer suspends (so that many small writes go out as one), and ends with
 * the buffer empty. One sends at a time, the others wait for it.
 */

struct block {
	char *data;
	size_t start, end, capacity;
};

struct cr__conn_out {
	struct block filling, sending;
	size_t low, high; /* high 0: everything goes straight through */
	int error;        /* sending has failed: for all further writing */
	bool busy;        /* somebody is in send_until() */
	bool alive;       /* the library's task has been spawned and has not ended */
	bool parked;      /* one task waits until no more than `wanted` are left */
	size_t wanted;
	struct cr__wait waiter;
};

static size_t block_held(const struct block *block)
{
	return block->end - block->start;
}

static size_t held(const struct cr__conn_out *out)
{
	return block_held(&out->filling) + block_held(&out->sending);
}

static int block_append(struct block *block, const void *data, size_t size)
{
	size_t capacity = block->capacity ? block->capacity : 4096;
	char *grown;

	if (size == 0)
		return 0;
	while (capacity - block->end < size)
		capacity *= 2;
	if (capacity != block->capacity) {
		grown = cr__realloc(block->data, capacity);
		if (!grown)
			return -ENOMEM;
		block->data = grown;
		block->capacity = capacity;
	}
	memcpy(block->data + block->end, data, size);
	block->end += size;
	return 0;
}

static void block_free(struct block *block)
{
	cr__free(block->data);
	*block = (struct block){0};
}

/* ---------------------------------------------------------------------------------- waiting --- */

static void wake(struct cr__conn_out *out, int status)
{
	if (!out->parked)
		return;
	out->parked = false;
	cr__unpark(out->waiter.task, status);
}

static enum cr__abort wait_abort(struct cr__wait *wait)
{
	CR__CONTAINER(wait, struct cr__conn_out, waiter)->parked = false;
	return CR__ABORT_DONE;
}

/* Waits for whoever is sending. */
static int wait_until(cr_conn *conn, size_t left)
{
	struct cr__conn_out *out = conn->out;
	int r = cr__park_check("cr_conn_flush");

	if (r < 0)
		return r;
	out->waiter = (struct cr__wait){.abort = wait_abort, .reason = "flush", .fd = conn->fd};
	out->wanted = left;
	out->parked = true;
	return cr__park(&out->waiter);
}

/* ---------------------------------------------------------------------------------- sending --- */

/*
 * One transfer. Returns 0; -ECANCELED when the sender has to stop, with everything still there; or
 * what is wrong with the connection, with everything dropped.
 */
static int send_once(cr_conn *conn)
{
	struct cr__conn_out *out = conn->out;
	struct block *block = &out->sending;
	struct iovec vector;
	ssize_t n;

	if (block_held(block) == 0) {
		struct block empty = *block;

		empty.start = empty.end = 0;
		*block = out->filling;
		out->filling = empty;
	}
	vector = (struct iovec){block->data + block->start, block_held(block)};
	n = cr__conn_send(conn, &vector, 1);
	if (n == -ECANCELED && !conn->dropping && (conn->closing || cr_cancelled()))
		return -ECANCELED;
	if (n >= 0) {
		block->start += (size_t)n;
		return 0;
	}
	out->error = (int)n;
	block_free(&out->filling);
	block_free(&out->sending);
	return (int)n;
}

static int send_until(cr_conn *conn, size_t left)
{
	struct cr__conn_out *out = conn->out;
	int r = 0;

	out->busy = true;
	while (r == 0 && held(out) > left) {
		r = send_once(conn);
		if (held(out) <= out->wanted)
			wake(out, 0);
	}
	out->busy = false;
	/* It may be its turn to send. */
	wake(out, 0);
	return r;
}

/* The library's own task. */
static int send_task(cr_conn *conn)
{
	struct cr__conn_out *out = conn->out;

	if (!out->busy && !conn->dropping && out->error == 0)
		send_until(conn, 0);
	cr__conn_leave(conn, &out->alive, 0);
	return 0;
}

/* Sees to it that somebody sends. Returns false if nobody can. */
static bool send_later(cr_conn *conn)
{
	static const cr_spawn_options options = {.name = "send", .optional = 1};
	struct cr__conn_out *out = conn->out;

	if (out->busy || out->alive || out->error < 0 || held(out) == 0)
		return true;
	out->alive = cr_task_error(cr_spawn_with(&options, cr_scope_program(), send_task, conn)) ==
	             0;
	return out->alive;
}

/*
 * Waits until no more than `left` bytes are there. Returns 0, the error of sending, or -ECANCELED.
 */
static int drain(cr_conn *conn, size_t left)
{
	struct cr__conn_out *out = conn->out;
	const bool closer = conn->closing;
	int r = 0;

	while (r == 0 && out->error == 0 && held(out) > left) {
		if (conn->closing && !closer)
			r = -ECANCELED;
		else
			r = out->busy ? wait_until(conn, left) : send_until(conn, left);
	}
	if (!conn->closing)
		send_later(conn);
	return out->error < 0 ? out->error : r;
}

/* ---------------------------------------------------------------------------------- writing --- */

static int append(struct cr__conn_out *out, const struct iovec *vector, int count)
{
	const size_t end = out->filling.end;

	for (int i = 0; i < count; i++) {
		int r = block_append(&out->filling, vector[i].iov_base, vector[i].iov_len);

		if (r < 0) {
			out->filling.end = end;
			return r;
		}
	}
	return 0;
}

/* What is too much for the buffer, or finds no memory, goes out behind it. */
static int write_through(cr_conn *conn, struct iovec *vector, int count)
{
	int r = drain(conn, 0);

	return r < 0 ? r : cr__conn_write_all(conn, vector, count);
}

int cr__conn_out_write(cr_conn *conn, struct iovec *vector, int count)
{
	struct cr__conn_out *out = conn->out;
	size_t size = 0;
	int r;

	for (int i = 0; i < count; i++)
		size += vector[i].iov_len;
	if (out->error < 0)
		return out->error;
	/* After cancelled writes: those that follow must not pile up. */
	if (held(out) > out->high) {
		r = drain(conn, out->low);
		if (r < 0)
			return r;
	}
	if (size > out->high || append(out, vector, count) < 0)
		return write_through(conn, vector, count);
	if (held(out) > out->high)
		r = drain(conn, out->low);
	else if (send_later(conn))
		r = 0;
	else
		r = drain(conn, 0);
	/* All of it has been taken: the next call reports the cancellation. */
	if (r == -ECANCELED)
		r = 0;
	cr__budget_spend();
	return r;
}

int cr__conn_out_flush(cr_conn *conn)
{
	return drain(conn, 0);
}

bool cr__conn_out_busy(const cr_conn *conn)
{
	return conn->out && conn->out->alive;
}

void cr__conn_out_release(cr_conn *conn)
{
	wake(conn->out, -ECANCELED);
}

void cr__conn_out_free(cr_conn *conn)
{
	if (!conn->out)
		return;
	block_free(&conn->out->filling);
	block_free(&conn->out->sending);
	cr__free(conn->out);
}

/* ----------------------------------------------------------------------------------- public --- */

int cr_conn_buffer_set(cr_conn *conn, size_t low, size_t high)
{
	int r = cr__conn_enter(conn, &conn->writing, __func__);

	if (r < 0)
		return r;
	if (low > high)
		r = -EINVAL;
	else if (conn->out && high == 0)
		r = drain(conn, 0);
	else if (!conn->out && high > 0)
		conn->out = cr__alloc_zero(1, sizeof *conn->out);
	if (r == 0 && high > 0 && !conn->out)
		r = -ENOMEM;
	if (r == 0 && conn->out) {
		conn->out->low = low;
		conn->out->high = high;
	}
	if (r == 0 && conn->out && high == 0 && !conn->out->busy) {
		block_free(&conn->out->filling);
		block_free(&conn->out->sending);
	}
	return (int)cr__conn_leave(conn, &conn->writing, r);
}

int cr_conn_flush(cr_conn *conn)
{
	int r = cr__conn_enter_writing(conn, __func__);

	return r < 0 ? r : (int)cr__conn_leave(conn, &conn->writing, 0);
}

size_t cr_conn_unsent(const cr_conn *conn)
{
	return conn->out ? held(conn->out) : 0;
}
