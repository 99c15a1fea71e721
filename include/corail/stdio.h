/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_STDIO_H
#define CORAIL_STDIO_H

/*
 * Standard input, output and error as connections, terminals, pipes.
 *
 *	cr_conn *in;
 *	int r = cr_stdin_open(&in);
 *	...
 *	n = cr_timeout(cr_seconds(10), cr_conn_read_line(in, line, sizeof line));
 *
 * They work whatever stands behind them: a terminal, a pipe, a socket, a file, /dev/null; and a
 * read from them can be cancelled. The usual way to that end is O_NONBLOCK, and the usual bug: the
 * mode belongs to the open file, which is shared with the shell and with every process that
 * inherited it, and they begin to fail with EAGAIN. Corail never changes it. A terminal is opened
 * anew by its name, for a mode of its own; everything else can be asked not to wait call by call.
 *
 * Such a connection stands on a duplicate: closing it closes neither descriptor 0, 1 nor 2. What
 * was read ahead goes with it, so open each once, and mix none with <stdio.h>'s buffers.
 * The simulator, which has no such descriptors, gives -EOPNOTSUPP.
 */

#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------- standard streams --- */

/*
 * Open a connection on descriptor 0, 1 or 2. For reading the first, for writing the others. Return
 * 0; -EBADF when the program was started without it; -EMFILE, -ENFILE, -ENOMEM, -EOPNOTSUPP.
 */
CORAIL_API int cr_stdin_open(cr_conn **ret_conn);
CORAIL_API int cr_stdout_open(cr_conn **ret_conn);
CORAIL_API int cr_stderr_open(cr_conn **ret_conn);

/* -------------------------------------------------------------------------------- terminals --- */

/* Whether a connection stands on a terminal: 1 or 0. */
CORAIL_API int cr_tty_is(const cr_conn *conn);

typedef enum cr_tty_mode {
	CORAIL_TTY_NORMAL, /* as it was found: lines, echo, signals */
	CORAIL_TTY_RAW,    /* each key at once, no echo, no signals, no translation: cfmakeraw(3) */
	CORAIL_TTY_KEYS, /* each key at once, no echo; Ctrl-C still is a signal, "\n" a new line */
} cr_tty_mode;

/*
 * Changes a terminal's mode. What it was before the first change comes back with CORAIL_TTY_NORMAL
 * and with the connection's close, however it is closed. The mode is the terminal's, shared by all
 * who have it. Returns 0, -ENOTTY, -EINVAL, -ENOMEM, -EIO when the terminal has hung up.
 */
CORAIL_API int cr_tty_mode_set(cr_conn *conn, cr_tty_mode mode);

/*
 * A terminal's size in characters; 0 where it does not know. Returns 0, or -ENOTTY. When it
 * changes, the foreground processes get SIGWINCH.
 */
CORAIL_API int cr_tty_size(const cr_conn *conn, int *ret_columns, int *ret_rows);

/* ------------------------------------------------------------------------------------ pipes --- */

/*
 * Opens a pipe(2): what is written to one end is read from the other. Returns 0, -EMFILE, -ENFILE,
 * -ENOMEM; -EOPNOTSUPP in the simulator, where cr_conn_pair() is the way.
 */
CORAIL_API int cr_pipe_open(cr_conn **ret_reader, cr_conn **ret_writer);

#ifdef __cplusplus
}
#endif
#endif
