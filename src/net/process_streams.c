/* SPDX-License-Identifier: MIT */
#include <corail/io.h>
#include <corail/net.h>
#include <corail/process.h>

#include "base/alloc.h"
#include "io/process.h"
#include "loop/loop.h"

#include <errno.h>

/*
 * The ends of a child's pipes and terminal as connections. Taking one moves the descriptor from the
 * process to the connection, so that each has one owner.
 */

static int take(cr_process *process, int end, cr_conn **ret_conn)
{
	int r;

	if (process->ends[end] < 0)
		return -ENOENT;
	r = cr_conn_from_fd(process->ends[end], ret_conn);
	if (r == 0)
		process->ends[end] = -1;
	return r;
}

int cr_process_stdin(cr_process *process, cr_conn **ret_conn)
{
	return take(process, CR__PROCESS_IN, ret_conn);
}

int cr_process_stdout(cr_process *process, cr_conn **ret_conn)
{
	return take(process, CR__PROCESS_OUT, ret_conn);
}

int cr_process_stderr(cr_process *process, cr_conn **ret_conn)
{
	return take(process, CR__PROCESS_ERR, ret_conn);
}

/* -------------------------------------------------------------------------------- terminal --- */

/* A plain descriptor, but for its end: pty(7) gives EIO when nobody has the other end open. */
struct terminal {
	int fd;
};

static ssize_t terminal_read(void *state, void *buffer, size_t size)
{
	ssize_t n = cr_fd_read(((struct terminal *)state)->fd, buffer, size);

	return n == -EIO ? 0 : n;
}

static ssize_t terminal_write(void *state, const struct iovec *vector, int count)
{
	return cr_fd_writev(((struct terminal *)state)->fd, vector, count);
}

static int terminal_shutdown_write(void *state)
{
	(void)state;
	return -EOPNOTSUPP;
}

static void terminal_cancel(void *state)
{
	cr__fd_cancel(cr__loop_self(), ((struct terminal *)state)->fd);
}

static int terminal_close(void *state, int reset)
{
	int r = cr_fd_close(((struct terminal *)state)->fd);

	(void)reset;
	cr__free(state);
	return r;
}

static int terminal_fd(void *state)
{
	return ((struct terminal *)state)->fd;
}

static const cr_transport transport = {
	.read = terminal_read,
	.write = terminal_write,
	.shutdown_write = terminal_shutdown_write,
	.cancel = terminal_cancel,
	.close = terminal_close,
	.fd = terminal_fd,
};

int cr_process_pty(cr_process *process, cr_conn **ret_conn)
{
	struct terminal *terminal;
	int r;

	if (process->ends[CR__PROCESS_PTY] < 0)
		return -ENOENT;
	terminal = cr__alloc(sizeof *terminal);
	if (!terminal)
		return -ENOMEM;
	terminal->fd = process->ends[CR__PROCESS_PTY];
	r = cr_conn_from_transport(&transport, terminal, ret_conn);
	if (r < 0) {
		cr__free(terminal);
		return r;
	}
	process->ends[CR__PROCESS_PTY] = -1;
	return 0;
}

int cr_process_pty_resize(cr_conn *conn, unsigned short rows, unsigned short columns)
{
	int fd = cr_conn_fd(conn);

	return fd < 0 ? -EINVAL : cr__pty_resize(fd, rows, columns);
}
