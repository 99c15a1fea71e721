/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/*
 * What a loop that is being debugged reports about its tasks: busy directions, cancellation that is
 * ignored, locks over suspensions, descriptors that were never closed; and that a clean program
 * makes it say nothing.
 */

#include "support/child.h"
#include "support/core.h"
#include "support/loopback.h"

#include <corail/corail.h>
#include <corail/debug.h>

#include <pthread.h>

/* No blocked loop is reported, however slow the machine is. */
static const cr_debug_options patient = {.blocked = -1, .ignored = INT64_MAX, .idle = -1};

struct program {
	int (*main)(void *unused);
	int expected;
};

static int run_debugged(void *arg)
{
	const struct program *program = arg;
	cr_options options = {.debug = 1, .name = "main"};
	void *nothing = NULL;

	cr_debug_enable(&patient);
	CHECK_EQ(cr_run_with(&options, program->main, nothing), program->expected);
	return 0;
}

static void in_child(struct child *c, int (*fn)(void *unused), int expected)
{
	struct program program = {fn, expected};

	child_run(c, run_debugged, &program);
	if (c->status != 0)
		fprintf(stderr, "it said:\n%s\n", c->errors);
	CHECK_EQ(c->status, 0);
}

/* ------------------------------------------------------------------------------------ busy --- */

struct reader {
	cr_conn *conn;
	int result;
};

static int read_one(struct reader *r)
{
	char byte;

	r->result = (int)cr_conn_read(r->conn, &byte, 1);
	return 0;
}

static int read_twice(void *unused)
{
	cr_spawn_options first = {.name = "the first"}, second = {.name = "the second"};
	cr_conn *conns[2];
	struct reader readers[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(conns), 0);
	{
		CORAIL_SCOPE(scope);
		readers[0].conn = readers[1].conn = conns[0];
		cr_spawn_with(&first, &scope, read_one, &readers[0]);
		cr_yield();
		cr_spawn_with(&second, &scope, read_one, &readers[1]);
		cr_yield();
		cr_yield();
	}
	CHECK_EQ(readers[1].result, -EBUSY);
	CHECK_EQ(readers[0].result, -ECANCELED);
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return 0;
}

static void a_busy_direction_names_its_holder(void)
{
	struct child c;

	in_child(&c, read_twice, 0);
	CHECK_SAYS(&c, "corail: cr_conn_read() returns -EBUSY to task 'the second' (");
	CHECK_SAYS(&c, "corail: held by task 'the first' (");
	CHECK_SAYS(&c, "which waits: recv fd ");
	CHECK_SAYS(&c, "corail:   #0 ");
	CHECK(strstr(c.errors, "never closed") == NULL);
}

struct fd_reader {
	int fd;
};

static int receive(struct fd_reader *r)
{
	char byte;

	return (int)cr_fd_recv(r->fd, &byte, 1, 0);
}

static int receive_twice(void *unused)
{
	cr_conn *conns[2];
	struct fd_reader reader;
	char byte;

	(void)unused;
	CHECK_EQ(cr_conn_pair(conns), 0);
	reader.fd = cr_conn_fd(conns[0]);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, receive, &reader);
		cr_yield();
		CHECK_EQ(cr_fd_recv(reader.fd, &byte, 1, 0), -EBUSY);
	}
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return 0;
}

static void so_does_a_plain_descriptor(void)
{
	struct child c;

	in_child(&c, receive_twice, 0);
	CHECK_SAYS(&c, "corail: cr_fd_recv() returns -EBUSY to task 'main' (");
	CHECK_SAYS(&c, "corail: held by task 'receive' (");
}

/* ---------------------------------------------------------------------------- cancellation --- */

static int stubborn(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5000; i++)
		(void)cr_sleep(cr_millis(1));
	return 0;
}

static int cancel_the_stubborn(void *unused)
{
	cr_spawn_options options = {.name = "the stubborn"};

	CORAIL_SCOPE(scope);
	cr_spawn_with(&options, &scope, stubborn, unused);
	cr_yield();
	cr_scope_cancel(&scope);
	cr_scope_wait(&scope);
	return 0;
}

static void ignored_cancellation_is_reported_once(void)
{
	struct child c;
	const char *first;

	in_child(&c, cancel_the_stubborn, 0);
	first = strstr(c.errors, "corail: task 'the stubborn' (");
	CHECK(first != NULL);
	CHECK_SAYS(&c, "is cancelled and goes on: 1000 suspending calls have returned -ECANCELED");
	CHECK_SAYS(&c, "cr_shield()");
	CHECK(strstr(first + 1, "corail: task 'the stubborn' (") == NULL);
}

/* ----------------------------------------------------------------------------- descriptors --- */

static int lose_one(void *unused)
{
	cr_conn *conns[2];

	(void)unused;
	CHECK_EQ(cr_debug_descriptors(STDERR_FILENO), 0);
	CHECK_EQ(cr_conn_pair(conns), 0);
	CHECK_EQ(cr_debug_descriptors(STDERR_FILENO), 2);
	cr_conn_close(conns[0]);
	return 0;
}

static int lose_in_task(void *unused)
{
	cr_spawn_options options = {.name = "the careless"};

	CORAIL_SCOPE(scope);
	cr_spawn_with(&options, &scope, lose_one, unused);
	return cr_scope_wait(&scope);
}

static void a_lost_descriptor_is_reported(void)
{
	struct child c;
	const char *first;

	in_child(&c, lose_in_task, 0);
	CHECK_SAYS(&c, " is open, opened by task 'the careless' (");
	first = strstr(c.errors, " was never closed, opened by task 'the careless' (");
	CHECK(first != NULL);
	CHECK(strstr(first, "debug_reports.c:") != NULL);
	CHECK(strstr(first, "corail:   #0 ") != NULL);
	CHECK(strstr(first + 1, " was never closed") == NULL);
}

static int accept_and_lose(void *unused)
{
	cr_conn *conns[2];

	(void)unused;
	tcp_pair(conns);
	return cr_conn_close(conns[0]);
}

static void so_is_an_accepted_one(void)
{
	struct child c;

	in_child(&c, accept_and_lose, 0);
	CHECK_SAYS(&c, " was never closed, opened by task 'main' (");
}

static void without_debugging_there_is_no_list(void)
{
	CHECK_EQ(cr_debug_descriptors(STDERR_FILENO), -ESRCH);
}

/* ----------------------------------------------------------------------------------- locks --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int lock_and_sleep(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&mutex);
	cr_sleep(cr_millis(1));
	pthread_mutex_unlock(&mutex);
	cr_sleep(cr_millis(1));
	return 0;
}

/* This program again, with the library that counts locks before the C library. */
static int exec_preloaded(void *library)
{
	setenv("LD_PRELOAD", library, 1);
	execl("/proc/self/exe", "debug_reports", "lock", (char *)NULL);
	return 1;
}

static void a_lock_over_a_suspension_is_reported(void)
{
	const char *build = getenv("CORAIL_BUILD");
	char library[512];
	struct child c;

	if (!build || CR__SANITIZED || cr__on_valgrind())
		return;
	snprintf(library, sizeof library, "%s/libcorail-debug.so", build);
	if (access(library, R_OK) < 0)
		return;
	child_run(&c, exec_preloaded, library);
	CHECK_EQ(c.status, 0);
	CHECK_SAYS(&c, "corail: task 'main' (");
	CHECK_SAYS(&c, " suspends (sleep) while it holds a lock of POSIX threads, ");
	CHECK_SAYS(&c, "where it was locked:");
	CHECK_SAYS(&c, "cr_mutex");
}

/* ----------------------------------------------------------------------------- a clean one --- */

static int end_when_cancelled(void *unused)
{
	(void)unused;
	return cr_sleep(cr_seconds(1000));
}

static int be_clean(void *unused)
{
	cr_conn *conns[2];
	char byte = 0;

	CHECK_EQ(cr_conn_pair(conns), 0);
	CHECK_EQ(cr_conn_write(conns[0], "x", 1), 0);
	CHECK_EQ(cr_conn_read(conns[1], &byte, 1), 1);
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < 100; i++)
			cr_spawn(&scope, end_when_cancelled, unused);
		cr_yield();
	}
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_debug_deadlock(STDERR_FILENO), 0);
	cr_spawn(cr_scope_program(), end_when_cancelled, unused);
	return 0;
}

static void a_clean_program_is_silent(void)
{
	struct child c;

	in_child(&c, be_clean, 0);
	CHECK_STR(c.errors, "");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "lock") == 0) {
		struct program program = {lock_and_sleep, 0};

		return run_debugged(&program);
	}
	RUN(a_busy_direction_names_its_holder);
	RUN(so_does_a_plain_descriptor);
	RUN(ignored_cancellation_is_reported_once);
	RUN(a_lost_descriptor_is_reported);
	RUN(so_is_an_accepted_one);
	RUN(without_debugging_there_is_no_list);
	RUN(a_lock_over_a_suspension_is_reported);
	RUN(a_clean_program_is_silent);
	return test_done();
}
