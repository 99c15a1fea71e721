/* SPDX-License-Identifier: MIT */
/* Virtual time: it jumps, it is exact, and it does not pass by itself. */

#include "support/asleep.h"
#include "support/test.h"

#include <corail/loop.h>
#include <corail/task.h>

#include <pthread.h>
#include <time.h>

static const cr_options sim = {.backend = CORAIL_BACKEND_SIM, .seed = 5};

#define IN_SIM(fn) CHECK_EQ(cr_run_with(&sim, fn, (void *)NULL), 0)

static double real_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int sleep_long(void *unused)
{
	cr_nsec start = cr_now();

	(void)unused;
	for (int i = 0; i < 450; i++)
		CHECK_EQ(cr_sleep(cr_seconds(1)), 0);
	CHECK_EQ(cr_sleep(cr_seconds(100000)), 0);
	CHECK_EQ(cr_now() - start, cr_seconds(100450));
	return 0;
}

static void a_day_takes_no_time(void)
{
	double start = real_seconds();

	IN_SIM(sleep_long);
	CHECK_LT(real_seconds() - start, 60.0);
}

static cr_nsec began;

static int main_began(void *unused)
{
	(void)unused;
	began = cr_now();
	return 0;
}

static void every_run_begins_at_the_same_point(void)
{
	cr_nsec first;

	IN_SIM(main_began);
	first = began;
	CHECK_GT(first, 0);
	IN_SIM(main_began);
	CHECK_EQ(began, first);
}

struct sleeper {
	cr_nsec duration;
	int place;
};

static int woken;

static int sleep_and_note(struct sleeper *sleeper)
{
	cr_nsec start = cr_now();

	CHECK_EQ(cr_sleep(sleeper->duration), 0);
	CHECK_EQ(cr_now() - start, sleeper->duration);
	sleeper->place = woken++;
	return 0;
}

static int sleep_in_disorder(void *unused)
{
	struct sleeper sleepers[] = {
		{cr_millis(20), 0}, {cr_micros(1), 0}, {cr_millis(10), 0}, {1, 0}};
	cr_nsec start = cr_now();

	(void)unused;
	woken = 0;
	CHECK_EQ(cr_gather(sleep_and_note, sleepers, 4), 0);
	CHECK_EQ(cr_now() - start, cr_millis(20));
	CHECK_EQ(sleepers[3].place, 0);
	CHECK_EQ(sleepers[1].place, 1);
	CHECK_EQ(sleepers[2].place, 2);
	CHECK_EQ(sleepers[0].place, 3);
	return 0;
}

static void sleeps_end_in_order_and_exactly(void)
{
	IN_SIM(sleep_in_disorder);
}

static int compute(void *unused)
{
	cr_nsec start = cr_now();
	double until = real_seconds() + 0.01;

	(void)unused;
	while (real_seconds() < until)
		CHECK_EQ(cr_now(), start);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_now(), start);
	return 0;
}

static void computing_takes_no_time(void)
{
	IN_SIM(compute);
}

static int yield_always(int *stop)
{
	while (!*stop)
		CHECK_EQ(cr_yield(), 0);
	return 0;
}

static int beside_a_busy_task(void *unused)
{
	int stop = 0;

	(void)unused;
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, yield_always, &stop);
	CHECK_EQ(cr_sleep(cr_millis(10)), 0);
	CHECK_EQ(cr_timeout(cr_seconds(1), cr_sleep(CORAIL_NEVER)), -ETIMEDOUT);
	stop = 1;
	return cr_scope_wait(&scope);
}

static void a_task_that_never_rests_does_not_stop_the_clock(void)
{
	IN_SIM(beside_a_busy_task);
}

struct handshake {
	cr_loop loop;
	cr_task task;
	pid_t thread;
};

static void cancel_sleeper(void *arg)
{
	struct handshake *handshake = arg;

	CHECK_EQ(cr_task_cancel(handshake->task), 0);
}

static void *post_to_sleeper(void *arg)
{
	struct handshake *handshake = arg;

	until_asleep(handshake->thread);
	CHECK_EQ(cr_loop_post_threadsafe(handshake->loop, cancel_sleeper, handshake), 0);
	return NULL;
}

static int wait_for_thread(void *unused)
{
	struct handshake handshake = {cr_loop_current(), cr_task_self(), gettid()};
	cr_nsec start = cr_now();
	pthread_t thread;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, post_to_sleeper, &handshake), 0);
	CHECK_EQ(cr_sleep(CORAIL_NEVER), -ECANCELED);
	CHECK_EQ(cr_now(), start);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return 0;
}

static void without_a_deadline_another_thread_is_waited_for(void)
{
	IN_SIM(wait_for_thread);
}

int main(void)
{
	RUN(a_day_takes_no_time);
	RUN(every_run_begins_at_the_same_point);
	RUN(sleeps_end_in_order_and_exactly);
	RUN(computing_takes_no_time);
	RUN(a_task_that_never_rests_does_not_stop_the_clock);
	RUN(without_a_deadline_another_thread_is_waited_for);
	return test_done();
}
