/* SPDX-License-Identifier: MIT */
/*
 * SIGINT: main is cancelled and cleans up, then the run ends as interrupted; a second one ends the
 * process.
 */

#include "support/asleep.h"
#include "support/child.h"
#include "support/core.h"

#include <corail/sync.h>

#include <pthread.h>

struct program {
	int seen, cleaned, result;
	bool raises;
	cr_nsec patience;
};

static int interrupt_oneself(struct program *p)
{
	if (p->raises)
		CHECK_EQ(raise(SIGINT), 0);
	p->seen = cr_sleep(p->patience ? p->patience : cr_seconds(100));
	p->cleaned = cr_shield(cr_seconds(60), cr_sleep(cr_millis(5)));
	return p->result ? p->result : p->seen;
}

static int end_at_once(struct program *p)
{
	(void)p;
	return cr_sleep(cr_millis(1));
}

static int interrupted(void *unused)
{
	struct program p = {.raises = true};
	struct sigaction after;

	(void)unused;
	CHECK_EQ(cr_run(interrupt_oneself, &p), -EINTR);
	CHECK_EQ(p.seen, -ECANCELED);
	CHECK_EQ(p.cleaned, 0);
	/* The signal is the program's again. */
	CHECK_EQ(sigaction(SIGINT, NULL, &after), 0);
	CHECK(after.sa_handler == SIG_DFL);
	/* And the next run is not interrupted by the signal of the last. */
	CHECK_EQ(cr_run(end_at_once, &p), 0);
	return 0;
}

static void main_is_cancelled_and_cleans_up(void)
{
	struct child c;

	child_run(&c, interrupted, NULL);
	CHECK_EXITED(&c, 0);
}

static int main_s_own_result(void *unused)
{
	struct program p = {.raises = true, .result = 17};

	(void)unused;
	return cr_run(interrupt_oneself, &p);
}

static void a_main_that_ends_well_keeps_its_result(void)
{
	struct child c;

	child_run(&c, main_s_own_result, NULL);
	CHECK_EXITED(&c, 17);
}

static int clean_up_for_ever(struct program *p)
{
	(void)p;
	CHECK_EQ(raise(SIGINT), 0);
	CHECK_EQ(cr_sleep(cr_seconds(5)), -ECANCELED);
	CHECK_EQ(raise(SIGINT), 0);
	FAIL("the second one was survived");
}

static int interrupted_twice(void *unused)
{
	struct program p = {.result = 0};

	(void)unused;
	return cr_run(clean_up_for_ever, &p);
}

static void a_second_one_ends_the_process(void)
{
	struct child c;

	child_run(&c, interrupted_twice, NULL);
	CHECK_DIED(&c, SIGINT, "");
}

static int busy(struct program *p)
{
	CHECK_EQ(raise(SIGINT), 0);
	while (cr_yield() == 0)
		p->seen++;
	return -ECANCELED;
}

static int interrupt_busy(void *unused)
{
	struct program p = {.result = 0};

	(void)unused;
	return cr_run(busy, &p) == -EINTR ? 0 : 1;
}

static void a_main_that_never_rests_is_reached_too(void)
{
	struct child c;

	child_run(&c, interrupt_busy, NULL);
	CHECK_EXITED(&c, 0);
}

static int keep(void *unused)
{
	struct program p = {.raises = true};
	cr_options options = {.keep_sigint = 1};

	(void)unused;
	return cr_run_with(&options, interrupt_oneself, &p);
}

static void the_program_may_keep_it(void)
{
	struct child c;

	child_run(&c, keep, NULL);
	CHECK_DIED(&c, SIGINT, "");
}

static volatile sig_atomic_t caught;

static void catch (int number)
{
	(void)number;
	caught++;
}

static int own_handler(void *unused)
{
	struct program p = {.raises = true, .result = 9, .patience = cr_millis(50)};
	struct sigaction action = {.sa_handler = catch};

	(void)unused;
	CHECK_EQ(sigaction(SIGINT, &action, NULL), 0);
	p.seen = 1;
	CHECK_EQ(cr_run(interrupt_oneself, &p), 9);
	CHECK_EQ(caught, 1);
	CHECK_EQ(p.seen, 0);
	return 0;
}

static void a_handler_of_the_program_stays(void)
{
	struct child c;

	child_run(&c, own_handler, NULL);
	CHECK_EXITED(&c, 0);
}

static void *signal_process(void *arg)
{
	until_asleep(*(pid_t *)arg);
	CHECK_EQ(kill(getpid(), SIGINT), 0);
	return NULL;
}

static int wait_for_signal(cr_event *event)
{
	pid_t waiting = gettid();
	pthread_t thread;
	int r;

	CHECK_EQ(pthread_create(&thread, NULL, signal_process, &waiting), 0);
	r = cr_event_wait(event);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return r;
}

static int asleep(void *unused)
{
	cr_event event = {0};

	(void)unused;
	return cr_run(wait_for_signal, &event) == -EINTR ? 0 : 1;
}

static void a_sleeping_loop_is_woken(void)
{
	struct child c;

	/* The thread sanitizer keeps signals back until a call that it knows; futex(2) is none. */
	if (CR__TSAN && on_sim())
		return;
	child_run(&c, asleep, NULL);
	CHECK_EXITED(&c, 0);
}

int main(void)
{
	RUN(main_is_cancelled_and_cleans_up);
	RUN(a_main_that_ends_well_keeps_its_result);
	RUN(a_second_one_ends_the_process);
	RUN(a_main_that_never_rests_is_reached_too);
	RUN(the_program_may_keep_it);
	RUN(a_handler_of_the_program_stays);
	RUN(a_sleeping_loop_is_woken);
	return test_done();
}
