/* SPDX-License-Identifier: MIT */
/* The dump: one line a task, children below their parents, and what each waits for. */

#include "support/core.h"

#include "loop/op.h"
#include "task/park.h"

#include <corail/debug.h>
#include <corail/io.h>
#include <corail/sync.h>

static char text[65536];

/* What cr_debug_dump() prints. */
static const char *dumped(void)
{
	FILE *file = tmpfile();
	size_t size;

	CHECK(file != NULL);
	CHECK_EQ(cr_debug_dump(fileno(file)), 0);
	rewind(file);
	size = fread(text, 1, sizeof text - 1, file);
	text[size] = '\0';
	fclose(file);
	return text;
}

/* The line that holds a text; with its indentation. */
static const char *line_with(const char *dump, const char *word)
{
	static char line[512];
	const char *at = strstr(dump, word), *end;

	if (!at) {
		fprintf(stderr, "no \"%s\" in:\n%s", word, dump);
		FAIL("the dump lacks a line");
	}
	while (at > dump && at[-1] != '\n')
		at--;
	end = strchr(at, '\n');
	CHECK(end != NULL && (size_t)(end - at) < sizeof line);
	memcpy(line, at, (size_t)(end - at));
	line[end - at] = '\0';
	return line;
}

static size_t indentation(const char *line)
{
	return strspn(line, " ");
}

static int wait_for_event(cr_event *event)
{
	return cr_event_wait(event);
}

static int parent(cr_event *event)
{
	cr_spawn_options named = {.name = "grandchild"};

	CORAIL_SCOPE(scope);
	cr_spawn_with(&named, &scope, wait_for_event, event);
	return cr_scope_wait(&scope);
}

struct reader {
	int fd;
};

static int read_byte(struct reader *r)
{
	char byte;

	return (int)cr_fd_recv(r->fd, &byte, 1, 0);
}

TEST(the_tree_is_printed)
{
	cr_spawn_options sleepy = {.name = "sleepy"};
	struct nap asleep = {cr_seconds(100), 0, 0};
	struct reader reader;
	cr_event event = {0};
	char expected[64];
	const char *dump, *line;
	int fds[2];

	CHECK_EQ(cr__sock_pair(cr__task_loop(), AF_UNIX, SOCK_STREAM, fds), 0);
	reader.fd = fds[0];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, parent, &event);
		cr_spawn_with(&sleepy, &scope, nap, &asleep);
		cr_spawn(&scope, read_byte, &reader);
		/* By turns, not by the clock: the grandchild begins in the second. */
		for (int turn = 0; turn < 4; turn++)
			CHECK_EQ(cr_yield(), 0);
		cr_spawn(&scope, wait_for_event, &event);
		dump = dumped();

		snprintf(expected, sizeof expected, " (%s)\n", cr_loop_backend());
		CHECK(strncmp(dump, "6 tasks on loop ", 16) == 0);
		CHECK(strstr(dump, expected) != NULL);
		line = line_with(dump, "the_tree_is_printed (");
		CHECK_EQ(indentation(line), 2);
		CHECK(strstr(line, ") running") != NULL);
		line = line_with(dump, "parent (");
		CHECK_EQ(indentation(line), 4);
		CHECK(strstr(line, "debug_dump.c:") != NULL);
		CHECK(strstr(line, ") waiting: scope") != NULL);
		line = line_with(dump, "grandchild (");
		CHECK_EQ(indentation(line), 6);
		CHECK(strstr(line, ") waiting: event") != NULL);
		CHECK(strstr(line_with(dump, "sleepy ("), ") waiting: sleep") != NULL);
		snprintf(expected, sizeof expected, ") waiting: recv fd %d", fds[0]);
		CHECK(strstr(line_with(dump, "read_byte ("), expected) != NULL);
		CHECK(strstr(line_with(dump, "wait_for_event ("), ") ready") != NULL);
		CHECK(strstr(dump, "cancelled") == NULL);

		cr_scope_cancel(&scope);
		dump = dumped();
		CHECK(strstr(line_with(dump, "sleepy ("), ") ready, cancelled") != NULL);
		CHECK(strstr(line_with(dump, "the_tree_is_printed ("), "running, cancelled") !=
		      NULL);
	}
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	dump = dumped();
	CHECK(strncmp(dump, "1 task on loop ", 15) == 0);
	return 0;
}

TEST(names_are_cleaned)
{
	cr_task_name_set("a\nb\x1b[31mc\x7f"
	                 "d");
	CHECK(strstr(dumped(), "  a?b?[31mc?d (") != NULL);
	CHECK_STR(cr_task_name(cr_task_self()), "a\nb\x1b[31mc\x7f"
	                                        "d");
	return 0;
}

struct deep {
	int depth;
};

static int deeper(struct deep *d)
{
	CORAIL_SCOPE(scope);
	if (--d->depth > 0)
		cr_spawn(&scope, deeper, d);
	else
		dumped();
	return cr_scope_wait(&scope);
}

TEST(a_deep_tree_stays_readable)
{
	struct deep d = {100};
	const char *line, *at = text;
	int lines = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, deeper, &d);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (; (line = strchr(at, '\n')) != NULL; at = line + 1) {
		CHECK_LT(line - at, 256);
		lines++;
	}
	CHECK_EQ(lines, 102);
	return 0;
}

TEST(an_error_of_the_descriptor_is_returned)
{
	CHECK_EQ(cr_debug_dump(-1), -EBADF);
	return 0;
}

static void without_a_loop_it_says_so(void)
{
	CHECK_STR(dumped(), "no loop on this thread\n");
}

static int describe(const cr_task_info *info, void *arg)
{
	*(cr_task_info *)arg = *info;
	return info->wait_fd >= 0;
}

TEST(the_descriptor_is_listed)
{
	struct reader reader;
	cr_task_info info;
	int fds[2];

	CHECK_EQ(cr__sock_pair(cr__task_loop(), AF_UNIX, SOCK_STREAM, fds), 0);
	reader.fd = fds[1];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, read_byte, &reader);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_debug_tasks(describe, &info), 2);
		CHECK_EQ(info.wait_fd, fds[1]);
		CHECK_STR(info.wait_reason, "recv");
		CHECK_EQ(info.state, CORAIL_TASK_WAITING);
	}
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(the_tree_is_printed);
	RUN_TASK(names_are_cleaned);
	RUN_TASK(a_deep_tree_stays_readable);
	RUN_TASK(an_error_of_the_descriptor_is_returned);
	RUN_TASK(the_descriptor_is_listed);
	RUN(without_a_loop_it_says_so);
	return test_done();
}
