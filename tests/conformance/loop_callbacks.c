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
	CHECK_EQ(cr_timeout(cr_millis(200), cr_sleep(cr_seconds(100))), -ETIMEDOUT);
	CHECK_STR(core_log, "A X");
	CHECK_ELAPSED(start, cr_millis(200));
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

static int sleep_and_say(struct nap *n)
{
	cr_nsec start = cr_now();
	int r = cr_sleep(n->duration);

	CHECK_GE(cr_now() - start, n->duration);
	note("%d", n->result);
	return r;
}

TEST(timers_fire_by_time_and_equal_ones_as_they_were_set)
{
	struct nap naps[] = {{cr_millis(20), 20, 0}, {cr_millis(10), 10, 0}};
	cr_nsec when = cr_now() + cr_millis(30);

	CHECK_EQ(cr_gather(sleep_and_say, naps, 2), 0);
	CHECK_STR(core_log, "10 20");
	core_log_clear();
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 5; i++) {
		struct nap n = {when - cr_now(), i, 0};

		cr_spawn_copy(&scope, sleep_and_say, &n);
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	if (on_sim())
		CHECK_STR(core_log, "0 1 2 3 4");
	return 0;
}

struct until {
	cr_nsec when;
	int number;
};

static int sleep_until_and_say(struct until *u)
{
	int r = cr_sleep_until(u->when);

	note("%d", u->number);
	return r;
}

TEST(equal_points_in_time_are_served_in_order)
{
	struct until all[8];

	for (int i = 0; i < 8; i++)
		all[i] = (struct until){cr_now() + cr_millis(5), i};
	for (int i = 1; i < 8; i++)
		all[i].when = all[0].when;
	CHECK_EQ(cr_gather(sleep_until_and_say, all, 8), 0);
	CHECK_STR(core_log, "0 1 2 3 4 5 6 7");
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
	RUN_TASK(equal_points_in_time_are_served_in_order);
	RUN_TASK(sleeping_is_never_early);
	RUN_TASK(sleeping_takes_a_handful_of_turns);
	return test_done();
}
