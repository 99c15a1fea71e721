/* SPDX-License-Identifier: MIT */
/* ctest: labels=noasan,notsan,noqemu */
/* Where the system gives little: address space, descriptors, mappings. */

#include "support/child.h"
#include "support/core.h"

#include "ctx/sanitize.h"

#include <fcntl.h>

static int yield_once(int *unused)
{
	(void)unused;
	return cr_yield();
}

TEST(work)
{
	struct nap naps[100];

	for (int i = 0; i < 100; i++)
		naps[i] = (struct nap){cr_micros(i), i, 0};
	CHECK_EQ(cr_gather(nap, naps, 100), 0);
	return 0;
}

static int run_in_little_space(void *megabytes)
{
	rlim_t size = (rlim_t) * (int *)megabytes << 20;
	struct rlimit limit = {size, size};
	void *nothing = NULL;

	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	CHECK_EQ(cr_run(work, nothing), 0);
	return cr_run(work, nothing);
}

/* What is only reserved is reserved in smaller pieces. */
static void a_gigabyte_of_address_space_is_enough(void)
{
	static int sizes[] = {4096, 1024, 256};
	struct child c;

	for (int i = 0; i < 3; i++) {
		child_run(&c, run_in_little_space, &sizes[i]);
		CHECK_EXITED(&c, 0);
	}
}

TEST(spawn_until_it_fails)
{
	int unused = 0, error = 0;
	size_t count = 0;

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	while (error == 0 && count < 1000000) {
		error = cr_task_error(cr_spawn(&scope, yield_once, &unused));
		count += error == 0;
	}
	CHECK_EQ(error, -ENOMEM);
	CHECK_GT(count, 100);
	CHECK_EQ(cr_scope_wait(&scope), -ENOMEM);
	/* What has ended makes room again. */
	CHECK_EQ(cr_task_error(cr_spawn(&scope, yield_once, &unused)), 0);
	return 0;
}

static int spawn_in_little_space(void *unused)
{
	struct rlimit limit = {512 << 20, 512 << 20};

	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	return cr_run(spawn_until_it_fails, unused);
}

static void the_end_of_address_space_is_an_error_of_spawn(void)
{
	struct child c;

	child_run(&c, spawn_in_little_space, NULL);
	CHECK_EXITED(&c, 0);
}

static int run_without_descriptors(void *unused)
{
	struct rlimit limit = {16, 16};
	int last = -1, fd, r;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		last = fd;
	r = cr_run(work, unused);
	/* Only the simulator needs none. */
	if (r != 0 && r != -EMFILE && r != -ENOSYS)
		return 1;
	for (fd = last; fd >= 8; fd--)
		close(fd);
	return cr_run(work, unused) == 0 ? 0 : 2;
}

static void no_descriptors_are_an_error_of_run(void)
{
	struct child c;

	child_run(&c, run_without_descriptors, NULL);
	CHECK_EXITED(&c, 0);
}

TEST(thirty_thousand_at_once)
{
	int unused = 0;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 30000; i++)
		CHECK_EQ(cr_task_error(cr_spawn(&scope, yield_once, &unused)), 0);
	return cr_scope_wait(&scope);
}

static int run_many(void *unused)
{
	return cr_run(thirty_thousand_at_once, unused);
}

/* More guards than there may be mappings: the rest is checked when it suspends. */
static void the_budget_of_mappings_is_no_limit_of_tasks(void)
{
	static const char *const ways[] = {"mprotect", "check", "madvise"};
	struct child c;

	for (int i = 0; i < 3; i++) {
		setenv("CORAIL_GUARD", ways[i], 1);
		child_run(&c, run_many, NULL);
		unsetenv("CORAIL_GUARD");
		CHECK_EXITED(&c, 0);
	}
}

int main(void)
{
	if (CR__SANITIZED || cr__on_valgrind())
		SKIP("their own memory does not fit such limits");
	RUN(a_gigabyte_of_address_space_is_enough);
	RUN(the_end_of_address_space_is_an_error_of_spawn);
	RUN(no_descriptors_are_an_error_of_run);
	RUN(the_budget_of_mappings_is_no_limit_of_tasks);
	return test_done();
}
