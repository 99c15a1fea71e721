/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_CHILD_H
#define CORAIL_TESTS_SUPPORT_CHILD_H

/*
 * A function in a process of its own, for what ends a process: what it wrote to standard error, how
 * it ended.
 */

#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct child {
	int status; /* as waitpid(2) gives it */
	size_t size;
	char errors[16384]; /* standard error, as text */
};

static inline void child_collect(struct child *c, int fd, pid_t pid)
{
	char ignored[512];
	ssize_t size;

	c->size = 0;
	for (;;) {
		size_t room = sizeof c->errors - 1 - c->size;

		size = room ? read(fd, c->errors + c->size, room)
		            : read(fd, ignored, sizeof ignored);
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			break;
		if (room)
			c->size += (size_t)size;
	}
	c->errors[c->size] = '\0';
	close(fd);
	while (waitpid(pid, &c->status, 0) < 0)
		CHECK_EQ(errno, EINTR);
}

/* Runs fn(arg) in a child; when it returns, the child exits with that status. No core file. */
static inline void child_run(struct child *c, int (*fn)(void *arg), void *arg)
{
	int pipe_fds[2];
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	CHECK_EQ(pipe(pipe_fds), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		dup2(pipe_fds[1], STDERR_FILENO);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		test_exit(fn(arg));
	}
	close(pipe_fds[1]);
	child_collect(c, pipe_fds[0], pid);
}

/* That the child ended by that signal, and that its standard error says so much. */
#define CHECK_DIED(c, signal_number, text)                                                         \
	child_check_died(__FILE__, __LINE__, (c), (signal_number), (text))

static inline void child_check_died(const char *file, int line, const struct child *c, int number,
                                    const char *text)
{
	if (WIFSIGNALED(c->status) && WTERMSIG(c->status) == number && strstr(c->errors, text))
		return;
	fprintf(stderr,
	        "%s:%d: the child should have died by signal %d saying \"%s\";\n"
	        "its status is %#x and it said:\n%s\n",
	        file, line, number, text, (unsigned)c->status, c->errors);
	test_exit(TEST_FAIL);
}

/* That the child exited by itself, and how; else what it said goes along. */
#define CHECK_EXITED(c, exit_status) child_check_exited(__FILE__, __LINE__, (c), (exit_status))

static inline void child_check_exited(const char *file, int line, const struct child *c,
                                      int exit_status)
{
	if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == exit_status)
		return;
	fprintf(stderr,
	        "%s:%d: the child should have exited with %d;\n"
	        "its status is %#x and it said:\n%s\n",
	        file, line, exit_status, (unsigned)c->status, c->errors);
	test_exit(TEST_FAIL);
}

#define CHECK_SAYS(c, text)                                                                        \
	test_check(__FILE__, __LINE__, "child said " text, !!strstr((c)->errors, text))

#endif
