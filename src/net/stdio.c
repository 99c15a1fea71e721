/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include <corail/io.h>
#include <corail/stdio.h>

#include "base/alloc.h"
#include "io/move.h"
#include "io/terminal.h"
#include "loop/loop.h"

#include <errno.h>
#include <unistd.h>

/* Connections on what a program is started with, on terminals and on pipes. */

static int standard_open(int number, const char *caller, cr_conn **ret_conn)
{
	struct cr__loop *loop;
	cr_conn *conn;
	int fd, r;

	cr__task_current(caller);
	loop = cr__loop_self();
	if (loop->backend == &cr__backend_sim)
		return -EOPNOTSUPP;
	fd = cr__standard_open(number, number != STDIN_FILENO);
	if (fd < 0)
		return fd;
	cr__fd_opened(loop, fd);
	r = cr_conn_from_fd(fd, &conn);
	if (r < 0) {
		cr__fd_close(loop, fd);
		return r;
	}
	conn->shared = true;
	*ret_conn = conn;
	return 0;
}

int cr_stdin_open(cr_conn **ret_conn)
{
	return standard_open(STDIN_FILENO, __func__, ret_conn);
}

int cr_stdout_open(cr_conn **ret_conn)
{
	return standard_open(STDOUT_FILENO, __func__, ret_conn);
}

int cr_stderr_open(cr_conn **ret_conn)
{
	return standard_open(STDERR_FILENO, __func__, ret_conn);
}

/* -------------------------------------------------------------------------------- terminals --- */

int cr_tty_is(const cr_conn *conn)
{
	int fd = cr_conn_fd(conn);

	return fd >= 0 && cr__terminal_is(fd);
}

int cr_tty_mode_set(cr_conn *conn, cr_tty_mode mode)
{
	int fd = cr_conn_fd(conn), r = 0;

	if (!cr_tty_is(conn))
		return -ENOTTY;
	if (!conn->terminal) {
		conn->terminal = cr__alloc_zero(1, sizeof *conn->terminal);
		if (!conn->terminal)
			return -ENOMEM;
		r = cr__terminal_find(fd, conn->terminal);
		if (r < 0) {
			cr__free(conn->terminal);
			conn->terminal = NULL;
			return r;
		}
	}
	switch (mode) {
	case CORAIL_TTY_NORMAL:
		return cr__terminal_restore(fd, conn->terminal);
	case CORAIL_TTY_RAW:
	case CORAIL_TTY_KEYS:
		return cr__terminal_keys(fd, conn->terminal, mode == CORAIL_TTY_RAW);
	}
	return -EINVAL;
}

int cr_tty_size(const cr_conn *conn, int *ret_columns, int *ret_rows)
{
	int fd = cr_conn_fd(conn);

	return fd < 0 ? -ENOTTY : cr__terminal_size(fd, ret_columns, ret_rows);
}

/* ------------------------------------------------------------------------------------ pipes --- */

int cr_pipe_open(cr_conn **ret_reader, cr_conn **ret_writer)
{
	struct cr__loop *loop;
	cr_conn *reader = NULL, *writer = NULL;
	int fds[2], r;

	cr__task_current(__func__);
	loop = cr__loop_self();
	r = cr__io_pipe(loop, fds);
	if (r < 0)
		return r;
	r = cr_conn_from_fd(fds[0], &reader);
	if (r == 0)
		r = cr_conn_from_fd(fds[1], &writer);
	if (r < 0) {
		cr__free(reader);
		cr__fd_close(loop, fds[0]);
		cr__fd_close(loop, fds[1]);
		return r;
	}
	*ret_reader = reader;
	*ret_writer = writer;
	return 0;
}
