/* SPDX-License-Identifier: MIT */
/* Callbacks and timers: their order, and which turn they run in. */

#include "support/core.h"

#include "base/alloc.h"

#include <corail/debug.h>
#include <corail/sync.h>

static void say(void *text)
{
	note("%s", (const char *)text);
}

static void say_and_post(void *text)
{
	say(text);
	CHECK_EQ(cr_loop_post(say, (void *)(uintptr_t) "X"), 0);
}

#define POST(fn, text) CHECK_EQ(cr_loop_post(fn, (void *)(uintptr_t)(text)), 0)

TEST(queued_callbacks_run_before_the_task_resumes)
{
	POST(say, "A");
	POST(say, "B");
	POST(say, "C");
	note("queued");
	CHECK_EQ(cr_yield(), 0);
	note("resumed");
	CHECK_STR(core_log, "queued A B C resumed");
	return 0;
}

TEST(what_a_callback_queues_runs_in_the_following_turn)
{
	POST(say_and_post, "A");
	POST(say, "B");
	CHECK_EQ(cr_yield(), 0);
	note("resumed");
	CHECK_EQ(cr_yield(), 0);
	note("again");
	CHECK_STR(core_log, "A B resumed X again");
	return 0;
}

TEST(a_callback_wakes_a_loop_that_would_sleep)
{
	cr_nsec start = cr_now();

	POST(say_and_post, "A");
	CHECK_EQ(cr_timeout(cr_millis(50), cr_sleep(cr_seconds(100))), -ETIMEDOUT);
	CHECK_STR(core_log, "A X");
	CHECK_ELAPSED(start, cr_millis(50));
	return 0;
}

struct spawner {
	cr_scope *scope;
	int ran;
};

static int be_spawned(struct spawner *s)
{
	s->ran++;
	return cr_yield();
}

static void spawn_from_callback(void *arg)
{
	struct spawner *s = arg;

	CHECK_EQ(cr_task_self().id, 0);
	CHECK_EQ(cr_task_error(cr_spawn(s->scope, be_spawned, s)), 0);
	CHECK_EQ(s->ran, 0);
}

TEST(callbacks_may_spawn)
{
	struct spawner s = {NULL, 0};

	CORAIL_SCOPE(scope);
	s.scope = &scope;
	CHECK_EQ(cr_loop_post(spawn_from_callback, &s), 0);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(s.ran, 1);
	return 0;
}

static void set_event(void *event)
{
	cr_event_set(event);
}

TEST(callbacks_may_wake_tasks)
{
	cr_event event = {0};

	for (int i = 0; i < 100; i++) {
		cr_event_clear(&event);
		CHECK_EQ(cr_loop_post(set_event, &event), 0);
		CHECK_EQ(cr_event_wait(&event), 0);
	}
	return 0;
}

TEST(no_memory_for_a_callback_is_told)
{
	cr__alloc_fail_at(1);
	CHECK_EQ(cr_loop_post(say, NULL), -ENOMEM);
	CHECK_EQ(cr_loop_post_threadsafe(cr_loop_current(), say, NULL), -ENOMEM);
	cr__alloc_fail_at(0);
	CHECK_EQ(cr_yield(), 0);
	CHECK_STR(core_log, "");
	return 0;
}

TEST(posts_are_counted)
{
	cr_loop_stats before, after;

	CHECK_EQ(cr_debug_stats(&before), 0);
	for (int i = 0; i < 10; i++)
		POST(say, ".");
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_debug_stats(&after), 0);
	CHECK_EQ(after.posts - before.posts, 10);
	CHECK_GT(after.turns, before.turns);
	return 0;
}

struct until {
	cr_nsec when;
	int number;
	cr_nsec began;
};

static int sleep_until_and_say(struct until *u)
{
	int r;

	u->began = cr_now();
	r = cr_sleep_until(u->when);
	CHECK_GE(cr_now(), u->when);
	note("%d", u->number);
	return r;
}

/*
 * That sleeps until these points in time, in hundredths of a second from now, end in that order.
 * Where the machine stalled until they were all but over, they say nothing: once more.
 */
static void check_order(const int *points, int count, const char *expected)
{
	struct until all[8];
	bool stalled;

	do {
		cr_nsec now = cr_now(), nearest = CORAIL_NEVER;

		core_log_clear();
		for (int i = 0; i < count; i++) {
			cr_nsec when = now + cr_millis(10 * points[i]);

			all[i] = (struct until){when, i, 0};
			nearest = when < nearest ? when : nearest;
		}
		CHECK_EQ(cr_gather(sleep_until_and_say, all, (size_t)count), 0);
		stalled = all[count - 1].began > nearest - cr_millis(10);
	} while (stalled && !on_sim());
	CHECK_STR(core_log, expected);
}

TEST(timers_fire_by_time_and_equal_ones_as_they_were_set)
{
	check_order((int[]){20, 10}, 2, "1 0");
	check_order((int[]){10, 10, 10, 10, 10}, 5, "0 1 2 3 4");
	check_order((int[]){30, 10, 20, 10, 30, 12, 20, 11}, 8, "1 3 7 5 2 6 0 4");
	CHECK_EQ(cr_sleep_until(0), 0);
	CHECK_EQ(cr_sleep_until(INT64_MIN), 0);
	return 0;
}

TEST(sleeping_is_never_early)
{
	static const cr_nsec durations[] = {1000000, 5000000, 10000000, 1, 999, 123456};

	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		cr_nsec start = cr_now();

		CHECK_EQ(cr_sleep(durations[i]), 0);
		CHECK_ELAPSED(start, durations[i]);
	}
	return 0;
}

/* A short sleep is a wait of the kernel's, not a spin: each takes a handful of turns. */
TEST(sleeping_takes_a_handful_of_turns)
{
	static const cr_nsec durations[] = {10000000, 100000, 1000};
	cr_loop_stats before, after;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(cr_debug_stats(&before), 0);
		CHECK_EQ(cr_sleep(durations[i]), 0);
		CHECK_EQ(cr_debug_stats(&after), 0);
		CHECK_LE(after.turns - before.turns, 5);
	}
	return 0;
}

int main(void)
{
	RUN_TASK(queued_callbacks_run_before_the_task_resumes);
	RUN_TASK(what_a_callback_queues_runs_in_the_following_turn);
	RUN_TASK(a_callback_wakes_a_loop_that_would_sleep);
	RUN_TASK(callbacks_may_spawn);
	RUN_TASK(callbacks_may_wake_tasks);
	RUN_TASK(no_memory_for_a_callback_is_told);
	RUN_TASK(posts_are_counted);
	RUN_TASK(timers_fire_by_time_and_equal_ones_as_they_were_set);
	RUN_TASK(sleeping_is_never_early);
	RUN_TASK(sleeping_takes_a_handful_of_turns);
	return test_done();
}
