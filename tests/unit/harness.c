/* SPDX-License-Identifier: MIT */
/* The harness itself: a check that cannot fail would make every other test worthless. */

#include "support/test.h"

#include <sys/wait.h>

static int exit_status_of(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		/* What the child prints is expected, and would only confuse a reader. */
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(99);
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void false_expression(void)
{
	CHECK(1 + 1 == 3);
}

static void different_numbers(void)
{
	CHECK_EQ(-ECANCELED, 0);
}

static void wrong_order(void)
{
	CHECK_LT(2, 2);
}

static void different_text(void)
{
	CHECK_STR("corail", NULL);
}

static void different_bytes(void)
{
	CHECK_MEM("abc", "abd", 3);
}

static void not_to_be_reached(void)
{
	FAIL("reached");
}

static void skipped(void)
{
	SKIP("no reason");
}

static void all_true(void)
{
	CHECK(1);
	CHECK_EQ(2, 1 + 1);
	CHECK_NE(&test_count, NULL);
	CHECK_LT(-1, 0);
	CHECK_LE(0, 0);
	CHECK_GT(INT64_MAX, 0);
	CHECK_GE(0, 0);
	CHECK_STR("a", "a");
	CHECK_MEM("abc", "abd", 2);
}

static void failures_are_seen(void)
{
	CHECK_EQ(exit_status_of(false_expression), TEST_FAIL);
	CHECK_EQ(exit_status_of(different_numbers), TEST_FAIL);
	CHECK_EQ(exit_status_of(wrong_order), TEST_FAIL);
	CHECK_EQ(exit_status_of(different_text), TEST_FAIL);
	CHECK_EQ(exit_status_of(different_bytes), TEST_FAIL);
	CHECK_EQ(exit_status_of(not_to_be_reached), TEST_FAIL);
}

static void skips_and_successes_are_seen(void)
{
	CHECK_EQ(exit_status_of(skipped), TEST_SKIP);
	CHECK_EQ(exit_status_of(all_true), 0);
}

static void leaked_descriptors_are_seen(void)
{
	int before = test_open_fds(), fd = dup(STDOUT_FILENO);

	CHECK_GE(fd, 0);
	CHECK_EQ(test_open_fds(), before + 1);
	close(fd);
	CHECK_EQ(test_open_fds(), before);
}

int main(void)
{
	RUN(failures_are_seen);
	RUN(skips_and_successes_are_seen);
	RUN(leaked_descriptors_are_seen);
	return test_done();
}
