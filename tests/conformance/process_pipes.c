/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* A child's streams: connections, pipes between children, communicate, terminals. */

#include "in_task.h"
#include "support/processes.h"

#include <fcntl.h>

static int lines_back_and_forth(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE, .out = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(CORAIL_ARGV("cat"), &options);
	cr_conn *in, *out, *err;
	char line[32];

	(void)unused;
	CHECK_EQ(cr_process_stdin(process, &in), 0);
	CHECK_EQ(cr_process_stdout(process, &out), 0);
	CHECK_EQ(cr_process_stdin(process, &err), -ENOENT); /* taken */
	CHECK_EQ(cr_process_stderr(process, &err), -ENOENT);
	CHECK_EQ(cr_process_pty(process, &err), -ENOENT);
	for (int i = 0; i < 10; i++) {
		char text[32];
		int size = snprintf(text, sizeof text, "line %d\n", i);

		CHECK_EQ(cr_conn_write(in, text, (size_t)size), 0);
		CHECK_EQ(cr_conn_read_line(out, line, sizeof line), size - 1);
		text[size - 1] = '\0';
		CHECK_STR(line, text);
	}
	CHECK_EQ(cr_conn_close(in), 0);
	CHECK_EQ(cr_conn_read(out, line, sizeof line), 0);
	/* The connection is ours, and outlives the process. */
	cr_process_close(process);
	CHECK_EQ(cr_conn_read(out, line, sizeof line), 0);
	cr_conn_close(out);
	return 0;
}

static int errors_apart(int *unused)
{
	cr_process_options options = {.out = CORAIL_STDIO_NULL, .err = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(SH("echo out; echo err >&2"), &options);
	cr_conn *err;
	char line[32];

	(void)unused;
	CHECK_EQ(cr_process_stderr(process, &err), 0);
	CHECK_EQ(cr_conn_read_line(err, line, sizeof line), 3);
	CHECK_STR(line, "err");
	CHECK_EQ(cr_conn_read(err, line, 1), 0);
	cr_conn_close(err);
	cr_process_close(process);
	return 0;
}

/* The reader has gone: an error, and no SIGPIPE for us. */
static int child_that_does_not_read(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(CORAIL_ARGV("true"), &options);
	cr_conn *in;

	(void)unused;
	CHECK_EQ(cr_process_stdin(process, &in), 0);
	CHECK_EQ(cr_process_wait(process, NULL), 0);
	CHECK_EQ(cr_conn_write(in, "x", 1), -EPIPE);
	cr_conn_close(in);
	cr_process_close(process);
	return 0;
}

static int from_child_to_child(int *unused)
{
	cr_process_options first = {.out = CORAIL_STDIO_FD};
	cr_process_options second = {.in = CORAIL_STDIO_FD, .out = CORAIL_STDIO_PIPE};
	cr_process *printer, *counter;
	cr_buf out = {0};
	int fds[2];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	first.out_fd = fds[1];
	second.in_fd = fds[0];
	printer = open_with(CORAIL_ARGV("printf", "c\\na\\nb\\n"), &first);
	counter = open_with(CORAIL_ARGV("sort"), &second);
	close(fds[0]);
	close(fds[1]);
	CHECK_EQ(cr_process_communicate(counter, NULL, 0, &out, NULL), 0);
	CHECK_STR(out.data, "a\nb\nc\n");
	cr_buf_free(&out);
	cr_process_close(printer);
	cr_process_close(counter);
	return 0;
}

static int both_ways_at_once(int *unused)
{
	enum { SIZE = 256 * 1024 };
	static char data[SIZE];
	cr_process_options options = {.in = CORAIL_STDIO_PIPE,
	                              .out = CORAIL_STDIO_PIPE,
	                              .err = CORAIL_STDIO_PIPE};
	cr_process *process = open_with(SH("tee /dev/stderr"), &options);
	cr_buf out = {0};

	(void)unused;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + i / 251);
	/* Standard error is read and dropped. */
	CHECK_EQ(cr_process_communicate(process, data, sizeof data, &out, NULL), 0);
	CHECK_EQ(out.size, SIZE);
	CHECK_MEM(out.data, data, SIZE);
	CHECK_EQ(cr_process_poll(process, NULL), 0);
	cr_buf_free(&out);
	cr_process_close(process);
	return 0;
}

struct talk {
	cr_process *process;
	cr_buf out;
	int result;
};

static int communicate(struct talk *talk)
{
	talk->result = cr_process_communicate(talk->process, NULL, 0, &talk->out, NULL);
	return 0;
}

static int closed_under_a_talk(int *unused)
{
	cr_process_options options = {.out = CORAIL_STDIO_PIPE};
	struct talk talk = {.process = open_with(SH("echo some; exec sleep 1000"), &options)};

	(void)unused;
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, communicate, &talk);
	while (talk.out.size < 5)
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	cr_process_close(talk.process);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(talk.result, -ECANCELED);
	CHECK_STR(talk.out.data, "some\n");
	cr_buf_free(&talk.out);
	return 0;
}

/* -------------------------------------------------------------------------------- terminal --- */

static const cr_process_options on_terminal = {.in = CORAIL_STDIO_PTY,
                                               .out = CORAIL_STDIO_PTY,
                                               .err = CORAIL_STDIO_PTY};

static void line_is(cr_conn *conn, const char *wanted)
{
	char line[64];

	CHECK_GE(cr_conn_read_line(conn, line, sizeof line), 0);
	CHECK_STR(line, wanted);
}

static int terminal(int *unused)
{
	cr_process *process =
		open_with(SH("stty -echo; test -t 0 && test -t 1 && test -t 2 && echo all; "
	                     "echo hello >/dev/tty; stty size; read x; stty size; exit 6"),
	                  &on_terminal);
	cr_process_status status;
	cr_conn *pty, *in;
	char byte;

	(void)unused;
	CHECK_EQ(cr_process_stdin(process, &in), -ENOENT);
	CHECK_EQ(cr_process_pty(process, &pty), 0);
	CHECK_EQ(cr_process_pty(process, &in), -ENOENT);
	line_is(pty, "all");
	line_is(pty, "hello"); /* it is the controlling terminal */
	line_is(pty, "24 80");
	CHECK_EQ(cr_process_pty_resize(pty, 50, 132), 0);
	CHECK_EQ(cr_conn_write(pty, "\n", 1), 0);
	line_is(pty, "50 132");
	CHECK_EQ(cr_conn_read(pty, &byte, 1), 0);
	CHECK_EQ(cr_conn_shutdown_write(pty), -EOPNOTSUPP);
	CHECK_EQ(cr_process_wait(process, &status), 0);
	CHECK_EQ(status.code, 6);
	CHECK_EQ(cr_conn_close(pty), 0);
	cr_process_close(process);
	return 0;
}

static int keys_and_hangup(int *unused)
{
	cr_process_status status;
	cr_process *process;
	cr_conn *pty;

	(void)unused;
	for (int hangup = 0; hangup < 2; hangup++) {
		process = open_with(SH("stty -echo; echo ready; exec sleep 1000"), &on_terminal);
		CHECK_EQ(cr_process_pty(process, &pty), 0);
		line_is(pty, "ready");
		if (hangup)
			cr_conn_close(pty);
		else
			CHECK_EQ(cr_conn_write(pty, "\003", 1), 0);
		CHECK_EQ(cr_process_wait(process, &status), 0);
		CHECK_EQ(status.signal, hangup ? SIGHUP : SIGINT);
		if (!hangup)
			cr_conn_close(pty);
		cr_process_close(process);
	}
	return 0;
}

static int resize_what_is_none(int *unused)
{
	cr_conn *pair[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(pair), 0);
	CHECK_EQ(cr_process_pty_resize(pair[0], 1, 1), -ENOTTY);
	cr_conn_close(pair[0]);
	cr_conn_close(pair[1]);
	return 0;
}

static int run_on_a_terminal(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_PTY,
	                              .out = CORAIL_STDIO_PTY,
	                              .pty_rows = 10,
	                              .pty_columns = 20,
	                              .input = "word\n",
	                              .input_size = 5};
	cr_buf out = {0}, err = {0};

	(void)unused;
	CHECK_EQ(cr_process_run(SH("stty size; read x; echo got $x; echo apart >&2"), &options,
	                        &out, &err, NULL),
	         0);
	CHECK(strstr(out.data, "10 20\r\n"));
	CHECK(strstr(out.data, "got word\r\n"));
	CHECK_STR(err.data, "apart\n");
	cr_buf_free(&out);
	cr_buf_free(&err);
	return 0;
}

int main(void)
{
	need_processes();
	RUN_TASK(lines_back_and_forth);
	RUN_TASK(errors_apart);
	RUN_TASK(child_that_does_not_read);
	RUN_TASK(from_child_to_child);
	RUN_TASK(both_ways_at_once);
	RUN_TASK(closed_under_a_talk);
	RUN_TASK(terminal);
	RUN_TASK(keys_and_hangup);
	RUN_TASK(resize_what_is_none);
	RUN_TASK(run_on_a_terminal);
	CHECK(no_child_left());
	return test_done();
}
