/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* A child's life: waiting, signals, closing, groups, detaching. */

#include "in_task.h"
#include "support/child.h"
#include "support/processes.h"

#include <fcntl.h>

/* Reads until the child has said so much, so that it is where the test wants it. */
static void expect(cr_process *process, const char *text)
{
	cr_conn *conn;
	char line[64];

	CHECK_EQ(cr_process_stdout(process, &conn), 0);
	CHECK_GE(cr_conn_read_line(conn, line, sizeof line), 0);
	CHECK_STR(line, text);
	cr_conn_close(conn);
}

struct waiter {
	cr_process *process;
	cr_process_status status;
	int result;
};

static int wait_for(struct waiter *waiter)
{
	waiter->result = cr_process_wait(waiter->process, &waiter->status);
	return 0;
}

static int several_wait(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(SH("read x; exit 5"), &options);
	struct waiter waiters[3];
	cr_process_status status;
	cr_conn *in;

	(void)unused;
	CHECK_GT(cr_process_pid(process), 1);
	CHECK_EQ(cr_process_poll(process, &status), -EINPROGRESS);
	CHECK_EQ(cr_process_signal(process, 0), 0);
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct waiter){.process = process, .result = -1};
		cr_spawn(&scope, wait_for, &waiters[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_process_stdin(process, &in), 0);
	CHECK_EQ(cr_conn_close(in), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(waiters[i].result, 0);
		CHECK_EQ(waiters[i].status.code, 5);
	}
	/* Again, and without suspending. */
	CHECK_EQ(cr_process_wait(process, NULL), 0);
	CHECK_EQ(cr_process_wait(process, &status), 0);
	CHECK_EQ(status.code, 5);
	CHECK_EQ(cr_process_poll(process, &status), 0);
	CHECK_EQ(cr_process_signal(process, SIGTERM), -ESRCH);
	CHECK_EQ(cr_process_terminate(process), -ESRCH);
	CHECK_EQ(cr_process_kill(process), -ESRCH);
	cr_process_close(process);
	cr_process_close(NULL);
	cr_process_detach(NULL);
	return 0;
}

/* A child that nobody has waited for yet has ended all the same. */
static int signal_after_exit(int *unused)
{
	cr_process_options options = {.out = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(CORAIL_ARGV("true"), &options);
	siginfo_t info;

	(void)unused;
	CHECK_EQ(waitid(P_PID, (id_t)cr_process_pid(process), &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(cr_process_signal(process, SIGKILL), -ESRCH);
	CHECK_EQ(cr_process_wait(process, NULL), 0);
	cr_process_close(process);
	return 0;
}

static int signals(int *unused)
{
	cr_process *process = open_with(CORAIL_ARGV("sleep", "1000"), NULL);
	cr_process_status status;

	(void)unused;
	CHECK_EQ(cr_process_signal(process, 999), -EINVAL);
	/* A stop is no end. */
	CHECK_EQ(cr_process_signal(process, SIGSTOP), 0);
	CHECK_EQ(cr_process_poll(process, &status), -EINPROGRESS);
	CHECK_EQ(cr_process_signal(process, SIGCONT), 0);
	CHECK_EQ(cr_process_terminate(process), 0);
	CHECK_EQ(cr_process_wait(process, &status), 0);
	CHECK_EQ(status.signal, SIGTERM);
	CHECK_EQ(status.code, -1);
	cr_process_close(process);
	process = open_with(CORAIL_ARGV("sleep", "1000"), NULL);
	CHECK_EQ(cr_process_kill(process), 0);
	CHECK_EQ(cr_process_wait(process, &status), 0);
	CHECK_EQ(status.signal, SIGKILL);
	cr_process_close(process);
	return 0;
}

static int cancelled_wait_leaves_it_alive(int *unused)
{
	cr_process *process = open_with(CORAIL_ARGV("sleep", "1000"), NULL);

	(void)unused;
	CHECK_EQ(cr_timeout(cr_millis(1), cr_process_wait(process, NULL)), -ETIMEDOUT);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_process_wait(process, NULL), -ECANCELED);
	}
	CHECK_EQ(cr_process_signal(process, 0), 0);
	CHECK_EQ(cr_process_terminate(process), 0);
	CHECK_EQ(cr_process_wait(process, NULL), 0);
	cr_process_close(process);
	return 0;
}

static int grandchild_holds_the_pipe(int *unused)
{
	cr_process_options options = {.out = CORAIL_STDIO_PIPE, .new_group = 1};
	cr_process *process = open_with(SH("sleep 1000 & exit 4"), &options);
	cr_process_status status;
	cr_conn *out;
	char byte;

	(void)unused;
	CHECK_EQ(cr_process_stdout(process, &out), 0);
	CHECK_EQ(cr_process_wait(process, &status), 0);
	CHECK_EQ(status.code, 4);
	/* The group outlives its leader, and can still be reached. */
	CHECK_EQ(cr_process_signal(process, 0), -ESRCH);
	CHECK_EQ(cr_process_terminate(process), 0);
	CHECK_EQ(cr_conn_read(out, &byte, 1), 0);
	cr_conn_close(out);
	cr_process_close(process);
	return 0;
}

static int full_pipe_at_exit(int *unused)
{
	enum { PIPE_SIZE = 65536 };
	static char data[PIPE_SIZE];
	cr_process_options options = {.out = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(SH("head -c 65536 /dev/zero; exit 3"), &options);
	cr_process_status status;
	cr_conn *out;

	(void)unused;
	CHECK_EQ(cr_process_wait(process, &status), 0);
	CHECK_EQ(status.code, 3);
	CHECK_EQ(cr_process_stdout(process, &out), 0);
	CHECK_EQ(cr_conn_read_exactly(out, data, sizeof data), 0);
	CHECK_EQ(cr_conn_read(out, data, 1), 0);
	cr_conn_close(out);
	cr_process_close(process);
	return 0;
}

/* --------------------------------------------------------------------------------- closing --- */

static int close_terminates(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE, .out = CORAIL_STDIO_PIPE};
	struct waiter waiter = {.process = open_with(CORAIL_ARGV("sleep", "1000"), &options)};

	(void)unused;
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, wait_for, &waiter);
	CHECK_EQ(cr_yield(), 0);
	cr_process_close(waiter.process);
	CHECK(no_child_left());
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(waiter.result, -ECANCELED);
	return 0;
}

static int close_kills_who_does_not_listen(int *unused)
{
	cr_process_options options = {.out = CORAIL_STDIO_PIPE, .grace = cr_millis(5)};
	cr_process *process = open_with(SH("trap '' TERM; echo ready; exec sleep 1000"), &options);

	(void)unused;
	expect(process, "ready");
	cr_process_close(process);
	CHECK(no_child_left());
	/* Without any patience, and while it is stopped, and in a cancelled scope. */
	options.grace = -1;
	process = open_with(SH("trap '' TERM; echo ready; exec sleep 1000"), &options);
	expect(process, "ready");
	CHECK_EQ(cr_process_signal(process, SIGSTOP), 0);
	CORAIL_SCOPE(scope);
	cr_scope_cancel(&scope);
	cr_process_close(process);
	CHECK(no_child_left());
	return 0;
}

static int close_waits_for_clean_up(int *unused)
{
	cr_process_options options = {.out = CORAIL_STDIO_PIPE,
	                              .grace = cr_seconds(100),
	                              .fd_count = 1};
	cr_process *process;
	char text[8] = "";
	int fds[2];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	options.fds = &fds[1];
	process = open_with(
		SH("trap 'echo bye >&3; exit 0' TERM; echo ready; while :; do sleep 0.01; done"),
		&options);
	close(fds[1]);
	expect(process, "ready");
	/* One that is stopped is woken, so that it can clean up. */
	CHECK_EQ(cr_process_signal(process, SIGSTOP), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		cr_process_close(process);
	}
	CHECK(no_child_left());
	CHECK_EQ(cr_fd_read(fds[0], text, sizeof text - 1), 4);
	CHECK_STR(text, "bye\n");
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	return 0;
}

/* Everybody in the group holds the pipe: its end says that they are all gone. */
static int close_ends_the_group(int *unused)
{
	const char *const scripts[] = {
		"sleep 1000 & sleep 1000 & echo ready; wait",
		"(trap '' TERM; echo ready; sleep 1000) & wait",
	};

	(void)unused;
	for (int i = 0; i < 4; i++) {
		cr_process_options options = {.out = CORAIL_STDIO_PIPE, .fd_count = 1};
		cr_process *process;
		int fds[2];
		char byte;

		CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
		options.fds = &fds[1];
		options.new_group = i / 2 == 0;
		options.new_session = i / 2 == 1;
		process = open_with(SH(scripts[i % 2]), &options);
		close(fds[1]);
		CHECK_EQ(getpgid(cr_process_pid(process)), cr_process_pid(process));
		CHECK_EQ(getsid(cr_process_pid(process)),
		         options.new_session ? cr_process_pid(process) : getsid(0));
		expect(process, "ready");
		cr_process_close(process);
		CHECK_EQ(cr_fd_read(fds[0], &byte, 1), 0);
		CHECK_EQ(cr_fd_close(fds[0]), 0);
		CHECK(no_child_left());
	}
	return 0;
}

static int forget_to_close(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE, .out = CORAIL_STDIO_PIPE};

	(void)unused;
	expect(open_with(SH("trap '' TERM; echo ready; exec sleep 1000"), &options), "ready");
	open_with(CORAIL_ARGV("true"), &options);
	return 0;
}

static void left_open(void)
{
	int unused = 0, fds = test_open_fds();

	CHECK_EQ(cr_run(forget_to_close, &unused), 0);
	CHECK(no_child_left());
	CHECK_EQ(test_open_fds(), fds);
}

/* ------------------------------------------------------------------------------- detaching --- */

static int detached_is_reaped(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE, .out = CORAIL_STDIO_NULL};
	cr_process *process = open_with(CORAIL_ARGV("cat"), &options);
	cr_conn *in;

	(void)unused;
	CHECK_EQ(cr_process_stdin(process, &in), 0);
	cr_process_detach(process);
	CHECK(!no_child_left());
	CHECK_EQ(cr_conn_write(in, "hello", 5), 0);
	cr_conn_close(in);
	while (!no_child_left())
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	/* One that has ended before. */
	process = open_with(CORAIL_ARGV("true"), NULL);
	CHECK_EQ(cr_process_wait(process, NULL), 0);
	cr_process_detach(process);
	CHECK(no_child_left());
	return 0;
}

static int detach(pid_t *ret_pid)
{
	cr_process *process = open_with(CORAIL_ARGV("sleep", "1000"), NULL);

	*ret_pid = cr_process_pid(process);
	cr_process_detach(process);
	return 0;
}

static void detached_outlives_the_loop(void)
{
	int fds = test_open_fds(), status;
	pid_t pid = 0;

	CHECK_EQ(cr_run(detach, &pid), 0);
	CHECK_EQ(test_open_fds(), fds);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* -------------------------------------------------------------------------- who else reaps --- */

static int stolen(int *unused)
{
	cr_process *process = open_with(CORAIL_ARGV("true"), &(cr_process_options){.new_group = 1});
	int status;

	(void)unused;
	CHECK_EQ(waitpid(cr_process_pid(process), &status, 0), cr_process_pid(process));
	CHECK_EQ(cr_process_wait(process, NULL), -ECHILD);
	CHECK_EQ(cr_process_poll(process, NULL), -ECHILD);
	CHECK_EQ(cr_process_signal(process, SIGTERM), -ESRCH);
	CHECK_EQ(cr_process_kill(process), -ESRCH);
	cr_process_close(process);
	return 0;
}

static int with_sigchld_ignored(int *unused)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	cr_process *process;

	(void)unused;
	CHECK_EQ(sigaction(SIGCHLD, &ignore, &old), 0);
	CHECK_EQ(cr_process_open(CORAIL_ARGV("true"), NULL, &process), -ECHILD);
	CHECK_EQ(sigaction(SIGCHLD, &old, NULL), 0);
	return 0;
}

static int no_descriptors_left(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE,
	                              .out = CORAIL_STDIO_PIPE,
	                              .err = CORAIL_STDIO_PIPE};
	struct rlimit old, few;
	cr_process *process;
	int fds, r;

	(void)unused;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	fds = test_open_fds();
	/* One more each time, until it is enough. */
	for (rlim_t limit = 3;; limit++) {
		few = (struct rlimit){.rlim_cur = limit, .rlim_max = old.rlim_max};
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
		r = cr_process_open(CORAIL_ARGV("true"), &options, &process);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (r == 0)
			break;
		CHECK_EQ(r, -EMFILE);
		CHECK_EQ(test_open_fds(), fds);
		CHECK(no_child_left());
	}
	cr_process_close(process);
	CHECK_EQ(test_open_fds(), fds);
	return 0;
}

static void outside_a_loop(void)
{
	cr_process *process;

	CHECK_EQ(cr_process_open(CORAIL_ARGV("true"), NULL, &process), -ESRCH);
}

int main(void)
{
	need_processes();
	RUN_TASK(several_wait);
	RUN_TASK(signal_after_exit);
	RUN_TASK(signals);
	RUN_TASK(cancelled_wait_leaves_it_alive);
	RUN_TASK(grandchild_holds_the_pipe);
	RUN_TASK(full_pipe_at_exit);
	RUN_TASK(close_terminates);
	RUN_TASK(close_kills_who_does_not_listen);
	RUN_TASK(close_waits_for_clean_up);
	RUN_TASK(close_ends_the_group);
	RUN(left_open);
	RUN_TASK(detached_is_reaped);
	RUN(detached_outlives_the_loop);
	RUN_TASK(stolen);
	RUN_TASK(with_sigchld_ignored);
	RUN_TASK(no_descriptors_left);
	RUN(outside_a_loop);
	CHECK(no_child_left());
	return test_done();
}
