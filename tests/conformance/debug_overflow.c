/* SPDX-License-Identifier: MIT */
/* ctest: labels=noasan,notsan,noqemu */
/*
 * A stack that overflows: a report with the task, its spawn site and a backtrace, by every kind of
 * guard.
 */

#include "support/child.h"
#include "support/core.h"

#include "ctx/sanitize.h"
#include "task/sched.h"

#include <pthread.h>

struct recursion {
	volatile long depth;
	int (*again)(struct recursion *r);
};

/* Called through a pointer that the compiler cannot see through, so that it stays a recursion. */
static int recurse(struct recursion *r)
{
	volatile char frame[512];

	for (size_t i = 0; i < sizeof frame; i++)
		frame[i] = (char)i;
	r->depth++;
	return r->again(r) + frame[r->depth % 512];
}

static int overflow(struct recursion *r)
{
	return recurse(r);
}

static int overflow_in_task(void *unused)
{
	cr_spawn_options options = {.name = "the greedy one", .stack_size_bytes = 65536};
	struct recursion r = {0, recurse};

	(void)unused;
	CORAIL_SCOPE(scope);
	cr_spawn_with(&options, &scope, overflow, &r);
	return cr_scope_wait(&scope);
}

static int run_overflow(void *unused)
{
	return cr_run(overflow_in_task, unused);
}

static void a_guard_reports_the_task(const char *way, int signal_number)
{
	struct child c;

	setenv("CORAIL_GUARD", way, 1);
	child_run(&c, run_overflow, NULL);
	unsetenv("CORAIL_GUARD");
	CHECK_DIED(&c, signal_number, "stack overflow in task 'the greedy one'");
	CHECK_SAYS(&c, "spawned at ");
	CHECK_SAYS(&c, "debug_overflow.c:");
	CHECK_SAYS(&c, "its stack of 64 KiB is used up");
	CHECK_SAYS(&c, "stack_size_bytes");
	/* The backtrace, whose frames are this program's. */
	CHECK_SAYS(&c, "debug_overflow(");
}

static void madvise_guards_report(void)
{
	a_guard_reports_the_task("madvise", SIGSEGV);
}

static void mprotect_guards_report(void)
{
	a_guard_reports_the_task("mprotect", SIGSEGV);
}

/* Writes where the stack ends, as a frame that reaches so far would, and suspends. */
static int trespass(char **low_end)
{
	memset(*low_end, 1, 64);
	return cr_yield();
}

static int find_low_end(char **low_end)
{
	char here;

	*low_end = cr__task_current("find_low_end")->stack.base;
	CHECK(&here > *low_end);
	return trespass(low_end);
}

static int trespass_in_task(void *unused)
{
	cr_spawn_options options = {.name = "the careless one", .stack_size_bytes = 65536};
	char *low_end = NULL;

	(void)unused;
	CORAIL_SCOPE(scope);
	cr_spawn_with(&options, &scope, find_low_end, &low_end);
	return cr_scope_wait(&scope);
}

static int run_trespass(void *unused)
{
	return cr_run(trespass_in_task, unused);
}

static void without_guards_the_next_suspension_reports(void)
{
	struct child c;

	setenv("CORAIL_GUARD", "check", 1);
	child_run(&c, run_trespass, NULL);
	unsetenv("CORAIL_GUARD");
	CHECK_DIED(&c, SIGABRT, "stack overflow in task 'the careless one'");
	CHECK_SAYS(&c, "debug_overflow.c:");
}

static int fault_elsewhere(void *unused)
{
	volatile char *volatile nowhere = (volatile char *)(uintptr_t)64;

	(void)unused;
	return *nowhere;
}

static int run_fault(void *unused)
{
	return cr_run(fault_elsewhere, unused);
}

static void other_faults_are_left_alone(void)
{
	struct child c;

	child_run(&c, run_fault, NULL);
	CHECK_DIED(&c, SIGSEGV, "");
	CHECK(strstr(c.errors, "stack overflow") == NULL);
}

static void own_handler(int number)
{
	(void)number;
	dprintf(STDERR_FILENO, "the program's own handler\n");
	_exit(5);
}

static int run_fault_with_handler(void *unused)
{
	struct sigaction action = {.sa_handler = own_handler, .sa_flags = SA_ONSTACK}, after;
	void *nothing = NULL;

	CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
	(void)unused;
	return cr_run(fault_elsewhere, nothing) + sigaction(SIGSEGV, NULL, &after);
}

static void the_program_s_own_handler_is_called(void)
{
	struct child c;

	child_run(&c, run_fault_with_handler, NULL);
	CHECK_EXITED(&c, 5);
	CHECK_SAYS(&c, "the program's own handler");
}

static void *run_in_thread(void *unused)
{
	CHECK_EQ(cr_run(overflow_in_task, unused), 0);
	return NULL;
}

static int overflow_in_thread(void *unused)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, run_in_thread, unused), 0);
	return pthread_join(thread, NULL);
}

static void threads_have_a_handler_s_stack_too(void)
{
	struct child c;

	child_run(&c, overflow_in_thread, NULL);
	CHECK_DIED(&c, SIGSEGV, "stack overflow in task 'the greedy one'");
}

static int run_fine(void *unused)
{
	struct nap n = {0};
	struct sigaction before, after;

	(void)unused;
	CHECK_EQ(sigaction(SIGSEGV, NULL, &before), 0);
	CHECK_EQ(cr_run(nap, &n), 0);
	CHECK_EQ(sigaction(SIGSEGV, NULL, &after), 0);
	CHECK(before.sa_handler == after.sa_handler);
	return 0;
}

static void the_handler_goes_with_the_last_loop(void)
{
	run_fine(NULL);
}

int main(void)
{
	if (CR__SANITIZED || cr__on_valgrind())
		SKIP("they report overflows themselves");
	RUN(madvise_guards_report);
	RUN(mprotect_guards_report);
	RUN(without_guards_the_next_suspension_reports);
	RUN(other_faults_are_left_alone);
	RUN(the_program_s_own_handler_is_called);
	RUN(threads_have_a_handler_s_stack_too);
	RUN(the_handler_goes_with_the_last_loop);
	return test_done();
}
