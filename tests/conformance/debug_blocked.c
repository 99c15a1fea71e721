/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/*
 * The watchdog: a task that blocks or computes is reported while it does. Each offender goes on
 * until its report has come, so that no test depends on how fast that is.
 */

#include "support/child.h"
#include "support/core.h"

#include <corail/corail.h>
#include <corail/debug.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static int report_pipe[2];
static atomic_int reported;

/* Copies reports to standard error, and notes that one has come. */
static void *copy_reports(void *unused)
{
	char text[4096];
	ssize_t size;

	while ((size = read(report_pipe[0], text, sizeof text)) > 0) {
		if (write(STDERR_FILENO, text, (size_t)size) < 0)
			break;
		atomic_store(&reported, 1);
	}
	return unused;
}

/* Runs main's task in this process, watched with a short patience. */
static int run_watched(int (*fn)(void *unused))
{
	cr_debug_options options = {.blocked = cr_millis(20)};
	cr_options run = {.debug = 1, .name = "main"};
	pthread_t thread;
	void *nothing = NULL;
	int r;

	CHECK_EQ(pipe(report_pipe), 0);
	CHECK_EQ(pthread_create(&thread, NULL, copy_reports, NULL), 0);
	options.fd = report_pipe[1];
	cr_debug_enable(&options);
	r = cr_run_with(&run, fn, nothing);
	close(report_pipe[1]);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return r != 0;
}

/* Called through a pointer, so that it has a frame of its own in the backtrace. */
static int sleep_until_reported(void *unused)
{
	const struct timespec pause = {.tv_nsec = 300000000};
	struct timespec before, after;

	(void)unused;
	while (!atomic_load(&reported)) {
		clock_gettime(CLOCK_MONOTONIC, &before);
		/* The watchdog's signal does not cut it short. */
		CHECK_EQ(nanosleep(&pause, NULL), 0);
		clock_gettime(CLOCK_MONOTONIC, &after);
		CHECK((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec -
		              before.tv_nsec >=
		      pause.tv_nsec);
	}
	return 0;
}

static int (*volatile offend)(void *unused);

static int offender(void *unused)
{
	int r = offend(unused);

	return r < 0 ? r : cr_yield();
}

static int spawn_offender(void *unused)
{
	cr_spawn_options options = {.name = "the sleeper"};

	CORAIL_SCOPE(scope);
	CHECK(cr_debug_enabled());
	cr_spawn_with(&options, &scope, offender, unused);
	return cr_scope_wait(&scope);
}

static int run_sleeper(void *unused)
{
	(void)unused;
	offend = sleep_until_reported;
	return run_watched(spawn_offender);
}

#define CHECK_RAN(c)                                                                               \
	do {                                                                                       \
		if ((c)->status != 0)                                                              \
			fprintf(stderr, "it said:\n%s\n", (c)->errors);                            \
		CHECK_EQ((c)->status, 0);                                                          \
	} while (0)

static void a_sleep_is_reported(void)
{
	struct child c;

	child_run(&c, run_sleeper, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "corail: task 'the sleeper' (");
	CHECK_SAYS(&c, "debug_blocked.c:");
	CHECK_SAYS(&c, ") has not suspended for 0.");
	CHECK_SAYS(&c, "it blocks the whole loop in nanosleep().");
	CHECK_SAYS(&c, "cr_sleep()");
	CHECK_SAYS(&c, "cr_offload(fn, &args)");
	CHECK_SAYS(&c, "corail:   #0 ");
	CHECK_SAYS(&c, " suspends again: it blocked the loop for ");
}

static int compute_until_reported(void *unused)
{
	(void)unused;
	while (!atomic_load_explicit(&reported, memory_order_relaxed))
		;
	return 0;
}

static int run_computer(void *unused)
{
	(void)unused;
	offend = compute_until_reported;
	return run_watched(spawn_offender);
}

static void a_computation_is_reported(void)
{
	struct child c;

	/* ThreadSanitizer keeps a signal back until the next call of a library. */
	if (CR__TSAN)
		return;
	child_run(&c, run_computer, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "corail: task 'the sleeper' (");
	CHECK_SAYS(&c, "it computes, and nobody else on its loop can run.");
	CHECK_SAYS(&c, "cr_offload(fn, &args)");
	CHECK_SAYS(&c, "cr_yield()");
	CHECK_SAYS(&c, "corail:   #0 ");
}

static int poll_until_reported(void *unused)
{
	(void)unused;
	while (!atomic_load(&reported))
		CHECK_EQ(poll(NULL, 0, 200), 0);
	return 0;
}

static int run_poller(void *unused)
{
	(void)unused;
	offend = poll_until_reported;
	return run_watched(spawn_offender);
}

static void a_poll_is_reported_and_not_interrupted(void)
{
	struct child c;

	child_run(&c, run_poller, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "it blocks the whole loop in poll().");
	CHECK_SAYS(&c, "cr_fd_poll()");
}

/* Lists a lost descriptor elsewhere, again and again: the report still goes where reports go. */
static int list_until_reported(void *unused)
{
	int elsewhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	cr_conn *conns[2];

	(void)unused;
	CHECK(elsewhere >= 0);
	CHECK_EQ(cr_conn_pair(conns), 0);
	while (!atomic_load(&reported))
		CHECK_EQ(cr_debug_descriptors(elsewhere), 2);
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return close(elsewhere);
}

static int run_lister(void *unused)
{
	(void)unused;
	offend = list_until_reported;
	return run_watched(spawn_offender);
}

static void a_report_goes_where_it_should(void)
{
	struct child c;

	child_run(&c, run_lister, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "corail: task 'the sleeper' (");
	CHECK_SAYS(&c, ") has not suspended for ");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *unlock_when_reported(void *unused)
{
	pthread_mutex_lock(&mutex);
	atomic_store(&reported, 2);
	while (atomic_load(&reported) != 1)
		sched_yield();
	pthread_mutex_unlock(&mutex);
	return unused;
}

static int lock_a_mutex(void *unused)
{
	pthread_t thread;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, unlock_when_reported, NULL), 0);
	while (!atomic_load(&reported))
		sched_yield();
	/* What the start itself may have caused on a busy machine does not count. */
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return pthread_join(thread, NULL);
}

static int run_locker(void *unused)
{
	(void)unused;
	offend = lock_a_mutex;
	return run_watched(spawn_offender);
}

static void a_mutex_is_reported(void)
{
	struct child c;

	if (CR__TSAN)
		return;
	child_run(&c, run_locker, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "has not suspended for ");
	CHECK_SAYS(&c, "cr_offload(fn, &args)");
}

static void *end_when_reported(void *unused)
{
	while (!atomic_load(&reported))
		sched_yield();
	return unused;
}

static int join_a_thread(void *unused)
{
	pthread_t thread;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, end_when_reported, NULL), 0);
	return pthread_join(thread, NULL);
}

static int run_joiner(void *unused)
{
	(void)unused;
	offend = join_a_thread;
	return run_watched(spawn_offender);
}

/* A wait inside of the C library, whose function may have no name there. */
static void a_join_is_no_computation(void)
{
	struct child c;

	if (CR__TSAN)
		return;
	child_run(&c, run_joiner, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "it blocks the whole loop in ");
	CHECK_SAYS(&c, "call it on a thread: cr_offload(fn, &args)");
	CHECK(!strstr(c.errors, "computations belong on a thread"));
}

static void callback(void *event)
{
	sleep_until_reported(NULL);
	cr_event_set(event);
}

static int post_callback(void *unused)
{
	cr_event event = {0};

	(void)unused;
	CHECK_EQ(cr_loop_post(callback, &event), 0);
	return cr_event_wait(&event);
}

static int run_callback(void *unused)
{
	(void)unused;
	return run_watched(post_callback);
}

static void a_callback_is_reported(void)
{
	struct child c;

	child_run(&c, run_callback, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "corail: a callback of the loop has not suspended for ");
	CHECK_SAYS(&c, "nanosleep()");
}

static int finish_blocked(void *unused)
{
	return sleep_until_reported(unused);
}

static int run_to_the_end(void *unused)
{
	(void)unused;
	return run_watched(finish_blocked);
}

static void a_task_that_ends_has_suspended(void)
{
	struct child c;

	child_run(&c, run_to_the_end, NULL);
	CHECK_RAN(&c);
	CHECK_SAYS(&c, "task 'main' (");
	CHECK_SAYS(&c, " suspends again: it blocked the loop for ");
}

static int nap_a_while(void *unused)
{
	(void)unused;
	CHECK(cr_debug_enabled());
	return cr_sleep(cr_millis(50));
}

/* With patience enough for any machine. */
static int run_clean(void *unused)
{
	cr_debug_options options = {.blocked = cr_seconds(1000)};
	cr_options run = {.debug = 1};

	cr_debug_enable(&options);
	return cr_run_with(&run, nap_a_while, unused);
}

static void a_clean_program_is_silent(void)
{
	struct child c;

	child_run(&c, run_clean, NULL);
	CHECK_RAN(&c);
	CHECK_STR(c.errors, "");
}

static int not_enabled(void *unused)
{
	(void)unused;
	return cr_debug_enabled();
}

static void it_is_off_unless_asked_for(void)
{
	void *nothing = NULL;

	unsetenv("CORAIL_DEBUG");
	CHECK_EQ(cr_run(not_enabled, nothing), 0);
	CHECK_EQ(cr_debug_enabled(), 0);
	setenv("CORAIL_DEBUG", "0", 1);
	CHECK_EQ(cr_run(not_enabled, nothing), 0);
	setenv("CORAIL_DEBUG", "1", 1);
	setenv("CORAIL_DEBUG_BLOCKED_MS", "0", 1);
	CHECK_EQ(cr_run(not_enabled, nothing), 1);
	cr_debug_disable();
	CHECK_EQ(cr_run(not_enabled, nothing), 0);
	cr_debug_enable(NULL);
	CHECK_EQ(cr_run(not_enabled, nothing), 1);
	cr_debug_disable();
	unsetenv("CORAIL_DEBUG");
	unsetenv("CORAIL_DEBUG_BLOCKED_MS");
}

int main(void)
{
	RUN(it_is_off_unless_asked_for);
	RUN(a_sleep_is_reported);
	RUN(a_computation_is_reported);
	RUN(a_poll_is_reported_and_not_interrupted);
	RUN(a_report_goes_where_it_should);
	RUN(a_mutex_is_reported);
	RUN(a_join_is_no_computation);
	RUN(a_callback_is_reported);
	RUN(a_task_that_ends_has_suspended);
	RUN(a_clean_program_is_silent);
	return test_done();
}
