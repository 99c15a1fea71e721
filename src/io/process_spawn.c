/* SPDX-License-Identifier: MIT */
#include "io/process.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Starting a program: pipes, a list of file actions, posix_spawnp(3), a pidfd.
 *
 * posix_spawn(3) of the GNU C library shares our memory with the child until it executes
 * (CLONE_VM | CLONE_VFORK): its cost does not depend on how much memory we have, no handler of ours
 * runs in it, and an error of execve(2) comes back as a return value. Between its return and
 * pidfd_open(2) nobody can reap the child, so its number is its own.
 *
 * In the child, descriptors 0, 1, 2 and those of options->fds are put in place by dup2(2). So that
 * none overwrites what another one is still to be made of, whatever lies in the range of the
 * targets is first moved above it. All above the range is closed, though everything of ours is
 * close-on-exec: what others in the program have opened may not be.
 */

enum { STREAMS = 3 };

struct spawn {
	cr_process *process;
	const cr_process_options *options;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int *temporary; /* descriptors to be closed afterwards */
	size_t temporary_count;
	int target_count; /* 0 ... target_count - 1 are the child's */
	int pty_target;   /* the child's first stream on the terminal; -1 */
	char pty_name[CR__PTY_NAME_SIZE];
};

static void later_close(struct spawn *s, int fd)
{
	s->temporary[s->temporary_count++] = fd;
}

static void temporary_close(struct spawn *s)
{
	while (s->temporary_count > 0)
		close(s->temporary[--s->temporary_count]);
}

/* Gives the child a descriptor of ours under another number. */
static int give(struct spawn *s, int fd, int target)
{
	if (fd < 0)
		return -EBADF;
	if (fd < s->target_count) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, s->target_count);
		if (fd < 0)
			return -errno;
		later_close(s, fd);
	}
	return -posix_spawn_file_actions_adddup2(&s->actions, fd, target);
}

static int give_pipe(struct spawn *s, int target)
{
	const bool reads = target == STDIN_FILENO; /* the child */
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	s->process->ends[target] = fds[reads];
	r = give(s, fds[!reads], target);
	/* If it was moved, there are two of it. */
	later_close(s, fds[!reads]);
	return r;
}

static int give_pty(struct spawn *s, int target)
{
	const cr_process_options *o = s->options;
	int fd;

	if (s->pty_target >= 0)
		return -posix_spawn_file_actions_adddup2(&s->actions, s->pty_target, target);
	fd = cr__pty_open(o->pty_rows, o->pty_columns, s->pty_name, sizeof s->pty_name);
	if (fd < 0)
		return fd;
	s->process->ends[CR__PROCESS_PTY] = fd;
	s->pty_target = target;
	return -posix_spawn_file_actions_addopen(&s->actions, target, s->pty_name, O_RDWR, 0);
}

static int give_stream(struct spawn *s, int target, enum cr_stdio kind, int fd)
{
	switch (kind) {
	case CORAIL_STDIO_INHERIT:
		return 0;
	case CORAIL_STDIO_NULL:
		return -posix_spawn_file_actions_addopen(&s->actions, target, "/dev/null",
		                                         target ? O_WRONLY : O_RDONLY, 0);
	case CORAIL_STDIO_PIPE:
		return give_pipe(s, target);
	case CORAIL_STDIO_FD:
		return give(s, fd, target);
	case CORAIL_STDIO_MERGE:
		if (target != STDERR_FILENO)
			return -EINVAL;
		return -posix_spawn_file_actions_adddup2(&s->actions, STDOUT_FILENO, target);
	case CORAIL_STDIO_PTY:
		return give_pty(s, target);
	}
	return -EINVAL;
}

static int give_all(struct spawn *s)
{
	const cr_process_options *o = s->options;
	const enum cr_stdio kinds[STREAMS] = {o->in, o->out, o->err};
	const int fds[STREAMS] = {o->in_fd, o->out_fd, o->err_fd};
	int r = 0;

	for (int i = 0; i < STREAMS && r == 0; i++)
		r = give_stream(s, i, kinds[i], fds[i]);
	for (size_t i = 0; i < o->fd_count && r == 0; i++)
		r = give(s, o->fds[i], STREAMS + (int)i);
	if (r == 0)
		r = -posix_spawn_file_actions_addclosefrom_np(&s->actions, s->target_count);
	return r;
}

/*
 * Opened by us, so that a directory that is missing is not mistaken for a program that is missing.
 */
static int enter_directory(struct spawn *s)
{
	int fd;

	if (!s->options->directory)
		return 0;
	fd = open(s->options->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOTDIR : -errno;
	later_close(s, fd);
	return -posix_spawn_file_actions_addfchdir_np(&s->actions, fd);
}

static void set_attributes(struct spawn *s)
{
	const cr_process_options *o = s->options;
	const bool session = o->new_session || s->pty_target >= 0;
	short flags = 0;
	sigset_t set;

	if (session)
		flags = POSIX_SPAWN_SETSID;
	else if (o->new_group)
		flags = POSIX_SPAWN_SETPGROUP; /* its default, 0, is the child's own number */
	s->process->group = session || o->new_group;
	if (!o->keep_signals) {
		flags |= POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
		sigemptyset(&set);
		posix_spawnattr_setsigmask(&s->attr, &set);
		sigfillset(&set);
		sigdelset(&set, SIGKILL);
		sigdelset(&set, SIGSTOP);
		posix_spawnattr_setsigdefault(&s->attr, &set);
	}
	posix_spawnattr_setflags(&s->attr, flags);
}

/* Whether the kernel would reap our children by itself: waitpid(2). */
static bool reaped_by_kernel(void)
{
	struct sigaction now;

	return sigaction(SIGCHLD, NULL, &now) == 0 &&
	       (now.sa_handler == SIG_IGN || now.sa_flags & SA_NOCLDWAIT);
}

/*
 * Executes. A pidfd of our own keeps a number free for the child's, and shows that there are any.
 */
static int execute(struct spawn *s, const char *const *argv)
{
	const char *program = s->options->program ? s->options->program : argv[0];
	int r, reserved;
	char *const *env;

	if (reaped_by_kernel())
		return -ECHILD;
	reserved = cr__pidfd_open(getpid());
	if (reserved < 0)
		return reserved;
	r = cr__process_env(s->options, &env);
	if (r == 0) {
		r = -posix_spawnp(&s->process->pid, program, &s->actions, &s->attr,
		                  (char *const *)argv, env);
		cr__process_env_free(s->options, env);
	}
	close(reserved);
	if (r < 0)
		return r;
	s->process->pidfd = cr__pidfd_open(s->process->pid);
	if (s->process->pidfd >= 0)
		return 0;
	/* Another thread took the number that we kept, the last one. */
	r = s->process->pidfd;
	kill(s->process->pid, SIGKILL);
	while (waitpid(s->process->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int cr__process_spawn(cr_process *process, const char *const *argv,
                      const cr_process_options *options)
{
	struct spawn s = {.process = process, .options = options, .pty_target = -1};
	int r;

	if (options->fd_count > INT16_MAX)
		return -EMFILE;
	s.target_count = STREAMS + (int)options->fd_count;
	/* Each target may need a moved one; each stream its pipe's other end; and the directory. */
	s.temporary = cr__alloc((2 * STREAMS + options->fd_count + 1) * sizeof(int));
	if (!s.temporary)
		return -ENOMEM;
	posix_spawn_file_actions_init(&s.actions);
	posix_spawnattr_init(&s.attr);
	r = enter_directory(&s);
	if (r == 0)
		r = give_all(&s);
	if (r == 0) {
		set_attributes(&s);
		r = execute(&s, argv);
	}
	posix_spawnattr_destroy(&s.attr);
	posix_spawn_file_actions_destroy(&s.actions);
	temporary_close(&s);
	cr__free(s.temporary);
	for (int i = 0; i < CR__PROCESS_ENDS && r < 0; i++) {
		if (process->ends[i] >= 0)
			close(process->ends[i]);
		process->ends[i] = -1;
	}
	return r;
}
