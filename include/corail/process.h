/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_PROCESS_H
#define CORAIL_PROCESS_H

/*
 * Child processes: start a program, talk to it, wait for it, end it.
 *
 *	cr_buf out = {0};
 *	int r = cr_timeout(cr_seconds(10), cr_process_run(CORAIL_ARGV("git", "log", "-1"), NULL,
 *	                                                  &out, NULL, NULL));
 *
 * cr_process_run() is a whole life in one call. cr_process_open() starts a program and gives the
 * object for it, with the ends of its pipes as connections; cr_process_close() ends both.
 *
 * Rules. A process belongs to whoever opened it: leaving it means ending it. cr_process_close()
 * asks a child that still runs to terminate (SIGTERM), kills it when it has not done so within
 * the grace period (SIGKILL), and reaps it in any case, even in a cancelled scope; a run that is
 * cancelled, or whose deadline passes, does the same. What is still open when the loop ends is
 * killed. Only cr_process_detach() lets a child live on.
 *
 * Waiting is cancellable and leaves the child alone; several tasks may wait for one child. It ends
 * when the child has ended, whoever else still holds its pipes.
 *
 * Signals go through a pidfd (pidfd_open(2)), so that they reach this child or nobody: once it has
 * ended they are refused with -ESRCH, and no number that the kernel gave to another process is ever
 * signalled. There is no handler for SIGCHLD, and no descriptor but those that are asked for gets
 * into the child. It starts with no signal blocked and none ignored.
 *
 * Do not reap this library's children behind its back: with a wait(2) for any child somewhere else
 * in the program a status may be lost, and waiting gives -ECHILD. Where SIGCHLD is ignored the
 * kernel does it, and nothing is started.
 *
 * Starting holds the loop up until the child has called execve(2), for a millisecond at most as a
 * rule: the memory of the program is not copied. The simulator refuses (-EOPNOTSUPP): a real
 * program in it would be neither reproducible nor in virtual time.
 */

#include <corail/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A child process. */
typedef struct cr_process cr_process;

/* See <corail/net.h>. */
typedef struct cr_conn cr_conn;

/* How a child ended. */
typedef struct cr_process_status {
	int code;            /* what it gave to exit(3), 0 to 255; -1 when a signal ended it */
	int signal;          /* the signal that ended it; 0 when it exited */
	unsigned dumped : 1; /* it left a core file */
} cr_process_status;

/* Where one of the child's standard streams goes. */
enum cr_stdio {
	CORAIL_STDIO_INHERIT = 0, /* the same as ours */
	CORAIL_STDIO_NULL,        /* /dev/null */
	CORAIL_STDIO_PIPE,        /* a pipe, whose other end is ours: cr_process_stdin() ... */
	CORAIL_STDIO_FD,    /* a descriptor of yours, which stays yours: in_fd, out_fd, err_fd */
	CORAIL_STDIO_MERGE, /* err only: where out goes */
	CORAIL_STDIO_PTY,   /* a new terminal: cr_process_pty() */
};

/* All zero means: all streams inherited, our environment, our working directory. */
typedef struct cr_process_options {
	enum cr_stdio in, out, err;
	int in_fd, out_fd, err_fd; /* with CORAIL_STDIO_FD */
	/* the file to execute, if it is not argv[0]; found in the same way */
	const char *program;
	/* the whole environment, "NAME=value" each, NULL at the end; NULL: ours */
	const char *const *env;
	/* on top of that: "NAME=value" sets, "NAME" removes; NULL at the end; NULL: no change */
	const char *const *env_changes;
	const char *directory; /* the child's working directory; NULL: ours */
	/* further descriptors, which become 3, 4, ... in the child and stay yours here */
	const int *fds;
	size_t fd_count;
	/*
	 * How long a child has between SIGTERM and SIGKILL when it is closed; 0: 3 s; negative:
	 * none, it is killed at once.
	 */
	cr_nsec grace;
	/* cr_process_run(): what is written to standard input, which is a pipe then */
	const void *input;
	size_t input_size;
	/*
	 * cr_process_run(), cr_process_communicate(): how long after the child's end its output
	 * may still come, from grandchildren that hold its pipes; 0: as long as it takes.
	 */
	cr_nsec drain;
	/* with CORAIL_STDIO_PTY: the size of the terminal; 0: 24 lines, 80 columns */
	unsigned short pty_rows, pty_columns;
	/*
	 * The child leads a process group of its own (setpgid(2)), or a session (setsid(2)), which
	 * has a group too. Closing then ends the whole group, and the keys of our terminal
	 * (Ctrl-C) no longer reach it. A pty always comes with a session.
	 */
	unsigned new_group : 1;
	unsigned new_session : 1;
	/* the child keeps our signal mask, and ignores what we ignore */
	unsigned keep_signals : 1;
} cr_process_options;

#ifndef __cplusplus
/* An argument list: CORAIL_ARGV("ls", "-l", path). Lives as long as the block around it. */
#define CORAIL_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#endif

/* ------------------------------------------------------------------------------------ life --- */

/*
 * Runs a program from start to end: starts it, writes options->input to its standard input and
 * closes that, collects its output and waits for all of it and for its end. `out` and `err` get
 * what it writes, each up to its buffer's limit_bytes; NULL leaves that stream as the options say.
 * The same buffer for both merges them, in the child's own order. Without input, standard input is
 * as the options say. `options` and `ret_status` may be NULL.
 *
 * Returns the exit code, 0 to 255, or 128 plus the number of the signal that ended it, as a shell
 * does. Or: the errors of cr_process_open(); -EMSGSIZE for output beyond a limit (what fits is in
 * the buffer); -EINVAL for a stream that is asked for twice (input and an `in` other than a pipe);
 * -ECHILD; -ECANCELED. On an error that comes while the child runs, it is closed as
 * cr_process_close() does, and buffers keep what had come.
 */
CORAIL_API CORAIL_SUSPENDS int cr_process_run(const char *const *argv,
                                              const cr_process_options *options, cr_buf *out,
                                              cr_buf *err, cr_process_status *ret_status);

/*
 * Starts a program. argv[0] is its path, or, without a slash in it, is looked for in PATH (ours). A
 * relative path counts from the child's working directory. Does not suspend. `options` may be NULL.
 * Returns 0 when the program has been executed. Or:
 *
 *	-ENOENT       no such program (or the interpreter that its first line names)
 *	-EACCES       it may not be executed, or the directory may not be entered
 *	-ENOEXEC      not a program, nor a script with a first line that says what runs it
 *	-ENOTDIR      the working directory does not exist, or is none
 *	-EINVAL       argv is empty; MERGE for another stream than err; an unknown enum cr_stdio
 *	-EBADF        a descriptor that is to be passed on is not open
 *	-E2BIG        arguments and environment are too long
 *	-EAGAIN       too many processes
 *	-ECHILD       SIGCHLD is ignored (SIG_IGN, SA_NOCLDWAIT): nobody could ask how it ended
 *	-EMFILE, -ENFILE, -ENOMEM
 *	-ENOSYS       the kernel has no pidfd_open(2): before Linux 5.4
 *	-EOPNOTSUPP   on the simulator
 *	-ESRCH        no loop runs on this thread
 */
CORAIL_API int cr_process_open(const char *const *argv, const cr_process_options *options,
                               cr_process **ret_process);

/*
 * Closes: its pipes first; then, if the child still runs, SIGTERM, the grace period, SIGKILL;
 * reaps it. Goes through even in a cancelled scope. Tasks that wait for it get -ECANCELED. Where
 * the child leads a group, the whole group is asked to terminate, and what is left of it after the
 * leader's end is killed. Connections that were taken out of it are yours, and stay. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_process_close(cr_process *process);

/*
 * Lets the child live on, and frees the object; pipes that were not taken out are closed. Should it
 * end while this loop runs, it is reaped. Tasks that wait for it get -ECANCELED. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_process_detach(cr_process *process);

/* --------------------------------------------------------------------------------- streams --- */

/*
 * Our end of a pipe to the child (stdin: to write; stdout, stderr: to read). The connection is
 * yours from then on: closing the one for standard input is what tells the child that its input
 * has ended. Each can be taken once. Returns 0; -ENOENT when there is no such pipe, or it was taken
 * or closed already; -ENOMEM.
 */
CORAIL_API int cr_process_stdin(cr_process *process, cr_conn **ret_conn);
CORAIL_API int cr_process_stdout(cr_process *process, cr_conn **ret_conn);
CORAIL_API int cr_process_stderr(cr_process *process, cr_conn **ret_conn);

/*
 * Our end of the child's terminal, for both directions, as cr_process_stdin(). Its stream ends when
 * the last process has closed the terminal. Closing it hangs the terminal up: SIGHUP.
 */
CORAIL_API int cr_process_pty(cr_process *process, cr_conn **ret_conn);

/*
 * Tells a terminal its size; the programs on it get SIGWINCH. `conn` is from cr_process_pty().
 * Returns 0, -ENOTTY, -EINVAL for a connection without a descriptor.
 */
CORAIL_API int cr_process_pty_resize(cr_conn *conn, unsigned short rows, unsigned short columns);

/*
 * Takes all pipes, writes `input` to standard input and closes it, reads standard output and error
 * to their ends, all at once, so that nobody blocks on a full pipe; and waits for the child's end.
 * A buffer that is NULL: that output is read and dropped. A child that does not read all of its
 * input is no error. Returns 0; -EMSGSIZE past a buffer's limit; -ENOMEM; -ECHILD; -ECANCELED. In
 * any case the pipes are closed, the buffers keep what had come, and the process is still to be
 * closed.
 */
CORAIL_API CORAIL_SUSPENDS int cr_process_communicate(cr_process *process, const void *input,
                                                      size_t input_size, cr_buf *out, cr_buf *err);

/* ---------------------------------------------------------------------------- end, signals --- */

/*
 * Waits for the child's end, and writes how it ended; `ret_status` may be NULL. A child that has
 * ended answers without suspending, as often as asked. Returns 0; -ECANCELED, which leaves the
 * child alone; -ECHILD when somebody else reaped it; -ENOMEM.
 */
CORAIL_API CORAIL_SUSPENDS int cr_process_wait(cr_process *process, cr_process_status *ret_status);

/* The same without waiting: -EINPROGRESS while it runs. */
CORAIL_API int cr_process_poll(cr_process *process, cr_process_status *ret_status);

/*
 * Sends a signal to the child alone (signal(7)); 0 sends none and only asks. Returns 0; -ESRCH once
 * it has ended; -EINVAL for a number that is no signal; -EPERM (a set-user-ID program).
 */
CORAIL_API int cr_process_signal(cr_process *process, int number);

/*
 * SIGTERM and SIGKILL, to the child, or to its group if it leads one. A group is reached as long as
 * any process is in it, also after its leader's end. Return as cr_process_signal().
 */
CORAIL_API int cr_process_terminate(cr_process *process);
CORAIL_API int cr_process_kill(cr_process *process);

/* The child's process number. It is the child's own until the process is closed or has ended. */
CORAIL_API pid_t cr_process_pid(const cr_process *process);

#ifdef __cplusplus
}
#endif
#endif
