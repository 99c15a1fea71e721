/* SPDX-License-Identifier: MIT */
#include "io/process.h"

#include <corail/io.h>
#include <corail/task.h>

#include <errno.h>

/* Talking to a child until both have nothing more to say: one task for each pipe. */

enum { CHUNK_SIZE = 32768 };

struct pump {
	int fd;
	bool terminal;
	const void *input;
	size_t size;
	cr_buf *buf; /* NULL: what comes is dropped */
};

static int feed(struct pump *pump)
{
	int r = cr_fd_write_all(pump->fd, pump->input, pump->size);

	/* The end of the input is its close; a terminal goes on. */
	if (!pump->terminal) {
		cr_fd_close(pump->fd);
		pump->fd = -1;
	}
	/* A child need not read all that it is given. */
	return r == -EPIPE || r == -EIO ? 0 : r;
}

/* Appends, or as much as fits. */
static int keep(cr_buf *buf, const char *data, size_t size)
{
	int r = cr_buf_append(buf, data, size);

	if (r == -EMSGSIZE && buf->limit_bytes > buf->size)
		cr_buf_append(buf, data, buf->limit_bytes - buf->size);
	return r;
}

static int drain(struct pump *pump)
{
	char chunk[CHUNK_SIZE];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = cr_fd_read(pump->fd, chunk, sizeof chunk)) != 0) {
		/* That is how a terminal says that nobody has it open any more. */
		if (n == -EIO && pump->terminal)
			break;
		if (n < 0)
			return (int)n;
		if (pump->buf)
			r = keep(pump->buf, chunk, (size_t)n);
	}
	return r;
}

struct exchange {
	cr_process *process;
	struct pump pumps[CR__PROCESS_ENDS]; /* by the child's descriptor */
	struct pump terminal_input;
};

static void pump_spawn(cr_scope *scope, struct pump *pump, int (*fn)(struct pump *pump))
{
	static const cr_spawn_options options = {.name = "process pipe"};

	if (pump->fd >= 0)
		cr_spawn_with(&options, scope, fn, pump);
}

static int exchange_run(struct exchange *x)
{
	/* Not to be asked of the object at the end: somebody may have closed it. */
	const cr_nsec patience = x->process->drain;
	int r, ended;

	CORAIL_SCOPE(scope);
	pump_spawn(&scope, &x->pumps[CR__PROCESS_IN], feed);
	pump_spawn(&scope, &x->terminal_input, feed);
	pump_spawn(&scope, &x->pumps[CR__PROCESS_OUT], drain);
	pump_spawn(&scope, &x->pumps[CR__PROCESS_ERR], drain);
	pump_spawn(&scope, &x->pumps[CR__PROCESS_PTY], drain);
	/* Refused at once, if one of them could not be started: its scope is cancelled. */
	ended = cr_process_wait(x->process, NULL);
	if (ended == 0 && patience > 0)
		cr_scope_timeout_set(&scope, patience);
	else if (ended < 0 && ended != -ECHILD)
		cr_scope_cancel(&scope);
	r = cr_scope_wait(&scope);
	if (r == -ETIMEDOUT && ended == 0)
		r = 0; /* grandchildren hold the pipes: enough */
	return r < 0 ? r : ended;
}

int cr_process_communicate(cr_process *process, const void *input, size_t input_size, cr_buf *out,
                           cr_buf *err)
{
	struct exchange x = {.process = process};
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	for (int i = 0; i < CR__PROCESS_ENDS; i++) {
		x.pumps[i] = (struct pump){.fd = process->ends[i], .buf = out};
		process->ends[i] = -1;
	}
	x.pumps[CR__PROCESS_IN].input = input;
	x.pumps[CR__PROCESS_IN].size = input_size;
	x.pumps[CR__PROCESS_ERR].buf = err;
	x.pumps[CR__PROCESS_PTY].terminal = true;
	x.terminal_input = (struct pump){
		.fd = x.pumps[CR__PROCESS_IN].fd < 0 ? x.pumps[CR__PROCESS_PTY].fd : -1,
		.terminal = true,
		.input = input,
		.size = input_size,
	};
	r = exchange_run(&x);
	for (int i = 0; i < CR__PROCESS_ENDS; i++)
		if (x.pumps[i].fd >= 0)
			cr_fd_close(x.pumps[i].fd);
	return r;
}

/* --------------------------------------------------------------------------------- a whole --- */

/* Makes a pipe of a stream that says nothing else. */
static bool pipe_wanted(enum cr_stdio *stream)
{
	if (*stream == CORAIL_STDIO_INHERIT)
		*stream = CORAIL_STDIO_PIPE;
	return *stream == CORAIL_STDIO_PIPE;
}

static int plan(cr_process_options *options, const cr_buf *out, const cr_buf *err)
{
	const bool input = options->input || options->input_size;

	if (input && options->in != CORAIL_STDIO_PTY && !pipe_wanted(&options->in))
		return -EINVAL;
	if (out && options->out != CORAIL_STDIO_PTY && !pipe_wanted(&options->out))
		return -EINVAL;
	if (err && err == out) {
		if (options->err != CORAIL_STDIO_INHERIT && options->err != CORAIL_STDIO_MERGE)
			return -EINVAL;
		options->err = CORAIL_STDIO_MERGE;
	} else if (err && !pipe_wanted(&options->err)) {
		return -EINVAL;
	}
	return 0;
}

int cr_process_run(const char *const *argv, const cr_process_options *options, cr_buf *out,
                   cr_buf *err, cr_process_status *ret_status)
{
	cr_process_options planned = options ? *options : (cr_process_options){0};
	cr_process_status status;
	cr_process *process;
	int r = cr__park_check(__func__);

	if (r == 0)
		r = plan(&planned, out, err);
	if (r == 0)
		r = cr_process_open(argv, &planned, &process);
	if (r != 0)
		return r;
	r = cr_process_communicate(process, planned.input, planned.input_size, out, err);
	if (r == 0)
		r = cr_process_poll(process, &status);
	cr_process_close(process);
	if (r != 0)
		return r;
	if (ret_status)
		*ret_status = status;
	return status.signal ? 128 + status.signal : status.code;
}
