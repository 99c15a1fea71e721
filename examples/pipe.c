/* SPDX-License-Identifier: MIT */

/*
 * A pipe of processes, as a shell makes it:
 *
 *	pipe                                       ls /etc | grep conf | wc -l
 *	pipe ls -l / '|' sort -k 5 -n '|' tail -3
 *
 * Each program's output is the next one's input, without passing through us. All run at once; we
 * wait for all of them, and end with the status of the last one. Ctrl-C, or an error on the way,
 * ends those that still run: a process is closed by whoever opened it.
 */

#include <corail/corail.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAGES_MAX 32

struct stage {
	const char **argv; /* with a NULL at the end */
	cr_process *process;
	cr_process_status status;
};

struct pipeline {
	struct stage stages[STAGES_MAX];
	int count;
};

/* Cuts an argument list at each "|". Returns 0, or -EINVAL. */
static int parse(struct pipeline *pipeline, const char **words)
{
	struct stage *stage = &pipeline->stages[pipeline->count++];

	for (stage->argv = words; *words; words++) {
		if (strcmp(*words, "|") != 0)
			continue;
		*words = NULL;
		if (!*stage->argv || pipeline->count == STAGES_MAX)
			return -EINVAL;
		stage = &pipeline->stages[pipeline->count++];
		stage->argv = words + 1;
	}
	return *stage->argv ? 0 : -EINVAL;
}

static void close_on_exec(int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Starts all programs. `input` is the reading end of the pipe before; -1 for the first. */
static int start(struct pipeline *pipeline)
{
	int r = 0, input = -1, ends[2];

	for (int i = 0; i < pipeline->count && r == 0; i++) {
		struct stage *stage = &pipeline->stages[i];
		cr_process_options options = {.in_fd = input};

		if (input >= 0)
			options.in = CORAIL_STDIO_FD;
		ends[0] = ends[1] = -1;
		if (i < pipeline->count - 1) {
			if (pipe(ends) < 0)
				return -errno;
			close_on_exec(ends[0]);
			close_on_exec(ends[1]);
			options.out = CORAIL_STDIO_FD;
			options.out_fd = ends[1];
		}
		r = cr_process_open(stage->argv, &options, &stage->process);
		if (r < 0)
			fprintf(stderr, "pipe: %s: %s\n", stage->argv[0], cr_strerror(r));
		/* What the children have is theirs: a pipe only ends when we hold no end either. */
		if (input >= 0)
			close(input);
		if (ends[1] >= 0)
			close(ends[1]);
		input = ends[0];
	}
	if (input >= 0)
		close(input);
	return r;
}

static int wait_for_all(struct pipeline *pipeline)
{
	int r = 0;

	for (int i = 0; i < pipeline->count && r == 0; i++)
		r = cr_process_wait(pipeline->stages[i].process, &pipeline->stages[i].status);
	return r;
}

static int run(struct pipeline *pipeline)
{
	int r = start(pipeline);

	if (r == 0)
		r = wait_for_all(pipeline);
	/* Those that still run are terminated; an input that nobody reads any more ends, too. */
	for (int i = 0; i < pipeline->count; i++)
		cr_process_close(pipeline->stages[i].process);
	return r;
}

int main(int argc, char **argv)
{
	const char *standard[] = {"ls", "/etc", "|", "grep", "conf", "|", "wc", "-l", NULL};
	struct pipeline pipeline = {.count = 0};
	const cr_process_status *last;
	int r = parse(&pipeline, argc > 1 ? (const char **)(void *)(argv + 1) : standard);

	if (r == 0)
		r = cr_run(run, &pipeline);
	if (r == -EINTR)
		return 130; /* Ctrl-C */
	if (r < 0) {
		fprintf(stderr, "pipe: %s\n", cr_strerror(r));
		return 1;
	}
	last = &pipeline.stages[pipeline.count - 1].status;
	return last->signal ? 128 + last->signal : last->code;
}
