/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_PROCESS_H
#define CR__IO_PROCESS_H

/*
 * A child process's inside: what the files process*.c, pidfd.c and pty.c share, and what the
 * connections over its pipes need.
 */

#include <corail/process.h>

#include "base/list.h"
#include "loop/op.h"
#include "task/park.h"

#include <spawn.h>
#include <stdbool.h>

/* Our ends, by the child's descriptor; and the terminal's. */
enum { CR__PROCESS_IN, CR__PROCESS_OUT, CR__PROCESS_ERR, CR__PROCESS_PTY, CR__PROCESS_ENDS };

struct cr_process {
	struct cr__list link; /* all of the loop's */
	struct cr__loop *loop;
	pid_t pid;
	int pidfd;
	int ends[CR__PROCESS_ENDS]; /* -1: none, or not ours any more */
	bool group;                 /* it leads one */
	bool ended;                 /* status and error hold */
	bool zombie;                /* ended, and kept: its number still names its group */
	bool watching;              /* op is in flight */
	bool closing, detached;
	cr_process_status status;
	int error; /* 0; -ECHILD */
	cr_nsec grace, drain;
	struct cr__op op;        /* waits for the pidfd to become readable */
	struct cr__list waiters; /* tasks */
	struct cr__wait closer;  /* parked until op has ended */
	bool closer_parked;
};

/* ---- process_spawn.c ---- */

/*
 * Starts the program and fills in pid, pidfd, ends and group. Returns 0, or as cr_process_open()
 * with nothing left behind.
 */
int cr__process_spawn(cr_process *process, const char *const *argv,
                      const cr_process_options *options);

/* ---- process_env.c ---- */

/* The environment that the options ask for. Returns 0 or -ENOMEM. */
int cr__process_env(const cr_process_options *options, char *const **ret_env);
void cr__process_env_free(const cr_process_options *options, char *const *env);

/* ---- pidfd.c ---- */

/* A descriptor for a child that nobody has reaped yet: close-on-exec. Or a negative error. */
int cr__pidfd_open(pid_t pid);

/* Sends a signal. Returns 0 or a negative error. */
int cr__pidfd_signal(int pidfd, int number);

/*
 * Asks how a child ended. Returns 1 and the status; 0 while it runs, unless `block`; -ECHILD. With
 * `keep` it stays a zombie, and its number its own.
 */
int cr__pidfd_status(int pidfd, bool block, bool keep, cr_process_status *ret_status);

/* ---- pty.c ---- */

/* Room for the path of a terminal. */
enum { CR__PTY_NAME_SIZE = 64 };

/*
 * A new terminal of that size: our end, close-on-exec, and the path of the other one. Returns the
 * descriptor, or a negative error.
 */
int cr__pty_open(unsigned short rows, unsigned short columns, char *name, size_t size);

/* Changes its size. Returns 0, -ENOTTY. */
int cr__pty_resize(int fd, unsigned short rows, unsigned short columns);

#endif
