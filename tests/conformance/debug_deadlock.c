/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/*
 * Deadlocks: who waits for whom, and the cycles. In the simulator the run ends; on a real loop,
 * where somebody else may still come, it goes on.
 */

#include "support/child.h"
#include "support/core.h"

#include <corail/corail.h>
#include <corail/debug.h>

#include <pthread.h>

struct pair {
	cr_task other[2];
	int results[2];
	cr_event never;
};

static int await_second(struct pair *p)
{
	return p->results[0] = cr_await(p->other[1]);
}

static int await_first(struct pair *p)
{
	return p->results[1] = cr_await(p->other[0]);
}

static void start_cycle(cr_scope *scope, struct pair *p)
{
	p->other[0] = cr_spawn(scope, await_second, p);
	p->other[1] = cr_spawn(scope, await_first, p);
}

/* ----------------------------------------------------------------------- asked for by hand --- */

static char text[65536];

static const char *deadlock_text(int expected)
{
	FILE *file = tmpfile();
	size_t size;

	CHECK(file != NULL);
	CHECK_EQ(cr_debug_deadlock(fileno(file)), expected);
	rewind(file);
	size = fread(text, 1, sizeof text - 1, file);
	text[size] = '\0';
	fclose(file);
	return text;
}

TEST(a_cycle_of_two_is_named)
{
	struct pair p = {.results = {1, 1}};

	CORAIL_SCOPE(scope);
	start_cycle(&scope, &p);
	CHECK_STR(deadlock_text(0), "");
	cr_yield();
	deadlock_text(2);
	CHECK(strstr(text, "a cycle: 'await_second' (") != NULL);
	CHECK(strstr(text, " waits for 'await_first' (") != NULL);
	CHECK(strstr(text, " waits for 'await_second'\n") != NULL);
	CHECK(strstr(text, "debug_deadlock.c:") != NULL);
	CHECK(strstr(text, "'a_cycle_of_two_is_named' (") != NULL);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(p.results[0], -ECANCELED);
	return 0;
}

static int await_parent(cr_task *parent)
{
	return cr_await(*parent);
}

static int join_child(cr_task *self)
{
	CORAIL_SCOPE(scope);
	*self = cr_task_self();
	cr_spawn(&scope, await_parent, self);
	return cr_scope_wait(&scope);
}

TEST(a_child_that_awaits_who_joins_it)
{
	cr_task parent;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, join_child, &parent);
	cr_yield();
	cr_yield();
	deadlock_text(2);
	CHECK(strstr(text, "'join_child' (") != NULL);
	CHECK(strstr(text, " waits: scope, for 1 child") != NULL);
	CHECK(strstr(text, "a cycle: ") != NULL);
	cr_scope_cancel(&scope);
	return 0;
}

/* A long chain with no cycle, and many children: no recursion, no false alarm. */
struct chain {
	cr_task before;
	cr_event *start;
};

static int await_before(struct chain *c)
{
	return c->before.id ? cr_await(c->before) : cr_event_wait(c->start);
}

TEST(a_chain_is_no_cycle)
{
	enum { MANY = 2000 };
	static struct chain chain[MANY];
	int count = core_many(MANY);
	cr_event start = {0};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < count; i++) {
		cr_task before = {0};

		if (i > 0)
			before = chain[i].before;
		chain[i] = (struct chain){before, &start};
		before = cr_spawn(&scope, await_before, &chain[i]);
		if (i + 1 < count)
			chain[i + 1].before = before;
	}
	cr_yield();
	CHECK_STR(deadlock_text(0), "");
	cr_event_set(&start);
	return cr_scope_wait(&scope);
}

static void without_a_loop_there_is_none(void)
{
	CHECK_EQ(cr_debug_deadlock(STDERR_FILENO), -ESRCH);
}

/* --------------------------------------------------------------------------- the simulator --- */

static int cycle(void *unused)
{
	struct pair p = {.results = {0}};

	(void)unused;
	CORAIL_SCOPE(scope);
	start_cycle(&scope, &p);
	return cr_scope_wait(&scope);
}

static int wait_for_ever(void *unused)
{
	cr_event never = {0};

	(void)unused;
	/* Cancelled, it still cleans up. */
	CHECK_EQ(cr_event_wait(&never), -ECANCELED);
	CHECK_EQ(cr_shield(cr_seconds(1), cr_sleep(cr_millis(1))), 0);
	return 7;
}

struct simulation {
	int (*main)(void *unused);
	int debug;
};

static int simulate(void *arg)
{
	const struct simulation *simulation = arg;
	cr_options options = {.backend = CORAIL_BACKEND_SIM, .name = "main"};
	void *nothing = NULL;

	options.debug = simulation->debug != 0;
	CHECK_EQ(cr_run_with(&options, simulation->main, nothing), -EDEADLK);
	return 0;
}

static void in_simulation(struct child *c, int (*fn)(void *unused), int debug)
{
	struct simulation simulation = {fn, debug};

	child_run(c, simulate, &simulation);
	if (c->status != 0)
		fprintf(stderr, "it said:\n%s\n", c->errors);
	CHECK_EQ(c->status, 0);
}

static void a_simulation_that_cannot_go_on_ends(void)
{
	struct child c;

	/* Its own threads look like others that may post. */
	if (CR__TSAN)
		return;
	for (int debug = 0; debug < 2; debug++) {
		in_simulation(&c, wait_for_ever, debug);
		CHECK_SAYS(&c, "corail: deadlock on loop ");
		CHECK_SAYS(&c,
		           "(sim): none of its 1 task can run any more, and nothing is to come:");
		CHECK_SAYS(&c, "corail:   'main' (");
		CHECK_SAYS(&c, " waits: event");
		in_simulation(&c, cycle, debug);
		CHECK_SAYS(&c, "none of its 3 tasks can run any more");
		CHECK_SAYS(&c, " waits: scope, for 2 children");
		CHECK_SAYS(&c, "corail: a cycle: 'await_second' (");
	}
}

/* -------------------------------------------------------------------------------- for real --- */

static int report_pipe[2];
static cr_loop the_loop;
static cr_event *the_event;

static void set_event(void *unused)
{
	(void)unused;
	cr_event_set(the_event);
}

/* Waits for the end of a report, and then lets the loop go on. */
static void *wake_when_reported(void *last_words)
{
	char seen[16384];
	size_t size = 0;
	ssize_t got;

	seen[0] = '\0';
	while (!strstr(seen, last_words)) {
		got = read(report_pipe[0], seen + size, sizeof seen - 1 - size);
		CHECK_GT(got, 0);
		size += (size_t)got;
		seen[size] = '\0';
	}
	CHECK_EQ(write(STDERR_FILENO, seen, size), (ssize_t)size);
	CHECK_EQ(cr_loop_post_threadsafe(the_loop, set_event, NULL), 0);
	return NULL;
}

static int wait_to_be_woken(void *unused)
{
	cr_event event = {0};

	(void)unused;
	the_event = &event;
	return cr_event_wait(&event);
}

static int cycle_until_woken(void *unused)
{
	struct pair p = {.results = {0}};

	CORAIL_SCOPE(scope);
	start_cycle(&scope, &p);
	return wait_to_be_woken(unused);
}

struct real {
	int (*main)(void *unused);
	const char *last_words;
};

static int start_and_wait(struct real *real)
{
	pthread_t thread;
	void *unused = NULL;
	int r;

	the_loop = cr_loop_current();
	CHECK_EQ(pthread_create(&thread, NULL, wake_when_reported, (void *)real->last_words), 0);
	r = real->main(unused);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return r;
}

static int run_real(void *arg)
{
	cr_debug_options debug = {.blocked = -1, .idle = cr_millis(20)};
	cr_options options = {.debug = 1, .name = "main"};
	struct real *real = arg;

	CHECK_EQ(pipe(report_pipe), 0);
	debug.fd = report_pipe[1];
	cr_debug_enable(&debug);
	CHECK_EQ(cr_run_with(&options, start_and_wait, real), 0);
	return 0;
}

static void on_a_loop(struct child *c, int (*fn)(void *unused), const char *last_words)
{
	struct real real = {fn, last_words};

	child_run(c, run_real, &real);
	if (c->status != 0)
		fprintf(stderr, "it said:\n%s\n", c->errors);
	CHECK_EQ(c->status, 0);
}

static void a_quiet_loop_is_looked_at(void)
{
	struct child c;

	on_a_loop(&c, wait_to_be_woken, "waits: event");
	CHECK_SAYS(&c, "corail: deadlock on loop ");
	CHECK_SAYS(&c, "can run any more, unless another thread or a signal wakes one:");
	CHECK_SAYS(&c, "corail:   'main' (");
}

static void a_cycle_is_found_there(void)
{
	struct child c;

	on_a_loop(&c, cycle_until_woken, "a cycle:");
	CHECK_SAYS(&c, "some wait for each other:");
	CHECK_SAYS(&c, "'await_first' (");
}

int main(void)
{
	RUN_TASK(a_cycle_of_two_is_named);
	RUN_TASK(a_child_that_awaits_who_joins_it);
	RUN_TASK(a_chain_is_no_cycle);
	RUN(without_a_loop_there_is_none);
	RUN(a_simulation_that_cannot_go_on_ends);
	RUN(a_quiet_loop_is_looked_at);
	RUN(a_cycle_is_found_there);
	return test_done();
}
