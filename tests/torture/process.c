/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Child processes and signals, tortured: no zombie, no descriptor, no disposition is left. */

#include "support/processes.h"
#include "support/torture.h"

static int check_left(int r)
{
	CHECK(no_child_left());
	return r;
}

static int runs_a_program(struct torture *t)
{
	cr_process_options options = {.input = "some input\n", .input_size = 11, .grace = -1};
	cr_buf out = {0}, err = {0};
	int r = cr_process_run(CORAIL_ARGV("/bin/cat"), &options, &out, &err, NULL);

	if (r == 0 && !torture_delivered(t))
		CHECK_STR(out.data, "some input\n");
	cr_buf_free(&out);
	cr_buf_free(&err);
	return check_left(r);
}

static int talks(cr_process *process)
{
	cr_conn *in, *out;
	char line[16];
	int r = cr_process_stdin(process, &in);

	if (r < 0)
		return r;
	r = cr_process_stdout(process, &out);
	if (r == 0) {
		r = cr_conn_write(in, "hello\n", 6);
		if (r == 0)
			r = (int)cr_conn_read_line(out, line, sizeof line);
		cr_conn_close(out);
	}
	cr_conn_close(in);
	return r;
}

/* Closed while it runs: asked, and after the grace period told. */
static int talks_and_closes(struct torture *t)
{
	static const char *const changes[] = {"CR_A=1", NULL};
	cr_process_options options = {.in = CORAIL_STDIO_PIPE,
	                              .out = CORAIL_STDIO_PIPE,
	                              .env_changes = changes,
	                              .grace = cr_micros(200),
	                              .new_group = 1};
	cr_process *process;
	int r = cr_process_open(CORAIL_ARGV("/bin/cat"), &options, &process);

	(void)t;
	if (r < 0)
		return check_left(r);
	r = talks(process);
	cr_process_close(process);
	return check_left(r);
}

static int wait_for(cr_process *process)
{
	int r = cr_process_wait(process, NULL);

	return r == -ECANCELED ? 0 : r;
}

static int is_waited_for_by_several(struct torture *t)
{
	cr_process *process;
	int r = cr_process_open(CORAIL_ARGV("/bin/sleep", "1000"), NULL, &process);

	(void)t;
	if (r < 0)
		return check_left(r);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, wait_for, process);
		cr_spawn(&scope, wait_for, process);
		r = cr_yield();
		if (r == 0)
			r = cr_process_terminate(process);
		if (r == 0)
			r = cr_process_wait(process, NULL);
		cr_process_close(process);
	}
	return check_left(r);
}

static int uses_a_terminal(struct torture *t)
{
	cr_process_options options = {.in = CORAIL_STDIO_PTY,
	                              .out = CORAIL_STDIO_PTY,
	                              .err = CORAIL_STDIO_MERGE};
	cr_process *process;
	cr_conn *pty;
	char line[16];
	int r = cr_process_open(CORAIL_ARGV("/bin/echo", "hello"), &options, &process);

	(void)t;
	if (r < 0)
		return check_left(r);
	r = cr_sleep(1); /* a child that is quick must not leave us without a suspension */
	if (r == 0)
		r = cr_process_pty(process, &pty);
	if (r == 0) {
		r = (int)cr_conn_read_line(pty, line, sizeof line);
		if (r >= 0)
			r = (int)cr_conn_read(pty, line, sizeof line);
		cr_conn_close(pty);
	}
	cr_process_close(process);
	return check_left(r);
}

static int is_detached(struct torture *t)
{
	cr_process_options options = {.out = CORAIL_STDIO_PIPE};
	cr_process *process;
	int r = cr_process_open(CORAIL_ARGV("/bin/true"), &options, &process);

	(void)t;
	if (r < 0)
		return check_left(r);
	r = cr_sleep(1);
	if (r == 0)
		r = cr_process_wait(process, NULL);
	if (r < 0) {
		cr_process_close(process);
		return check_left(r);
	}
	cr_process_detach(process);
	return check_left(0);
}

static int receives_signals(struct torture *t)
{
	struct sigaction now;
	cr_signal_info info;
	cr_signal *signals;
	int r = cr_signal_open(CORAIL_SIGNALS(SIGUSR1, SIGUSR2), &signals);

	(void)t;
	if (r == 0) {
		if (on_sim())
			cr_signal_simulate(SIGUSR1);
		else
			CHECK_EQ(raise(SIGUSR1), 0);
		r = cr_signal_wait(signals, &info);
		if (r == 0)
			CHECK_EQ(info.number, SIGUSR1);
		/* None comes. */
		if (r == 0)
			r = cr_timeout(cr_micros(10), cr_signal_wait(signals, &info));
		cr_signal_close(signals);
	}
	CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
	CHECK(now.sa_handler == SIG_DFL);
	return r == -ETIMEDOUT ? 0 : r;
}

int main(void)
{
	TORTURE(receives_signals);
	if (on_sim())
		return test_done();
	TORTURE(runs_a_program);
	TORTURE(talks_and_closes);
	TORTURE(is_waited_for_by_several);
	TORTURE(uses_a_terminal);
	TORTURE(is_detached);
	return test_done();
}
