/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/* Whatever waits for time or for tasks, tortured. */

#include "support/torture.h"

#include <corail/sync.h>
#include <corail/task.h>

static int sleeps(struct torture *t)
{
	int r = cr_sleep(cr_micros(100));

	(void)t;
	if (r == 0)
		r = cr_sleep_until(cr_now() + cr_micros(100));
	return r < 0 ? r : cr_yield();
}

static int nap(int *duration)
{
	int r = cr_sleep(cr_micros(*duration));

	return r < 0 ? r : *duration;
}

static int awaits(struct torture *t)
{
	int first = 100, second = 200, r;

	(void)t;
	CORAIL_SCOPE(scope);
	cr_task a = cr_spawn(&scope, nap, &first), b = cr_spawn(&scope, nap, &second);
	r = cr_await(b);
	if (r >= 0)
		CHECK_EQ(r, 200);
	r = cr_await(a);
	return r;
}

static int waits_for_a_scope(struct torture *t)
{
	int durations[5] = {100, 300, 200, 0, 50};

	(void)t;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 5; i++)
		cr_spawn(&scope, nap, &durations[i]);
	return cr_scope_wait(&scope);
}

static int leaves_without_waiting(struct torture *t)
{
	int durations[3] = {100, 300000000, 200};

	(void)t;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn_copy(&scope, nap, &durations[i]);
	return cr_sleep(cr_micros(50));
}

static int gathers(struct torture *t)
{
	int durations[6] = {300, 100, 200, 0, 50, 100}, statuses[6], r;
	size_t index;

	(void)t;
	r = cr_gather(nap, durations, 6);
	if (r >= 0)
		r = cr_gather_limit(nap, durations, 6, 2);
	if (r >= 0)
		r = cr_gather_collect(nap, durations, 6, statuses);
	if (r >= 0)
		r = cr_gather_first(nap, durations, 6, &index);
	return r;
}

static int fail_late(int *error)
{
	int r = cr_sleep(cr_micros(100));

	return r < 0 ? r : *error;
}

static int fails_among_others(struct torture *t)
{
	int long_nap = 300000000, error = -EPROTO, r;
	cr_failure failure;

	(void)t;
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &long_nap);
	cr_spawn(&scope, fail_late, &error);
	cr_spawn(&scope, fail_late, &error);
	r = cr_scope_wait(&scope);
	if (r == -EPROTO)
		CHECK_GE(cr_scope_failures(&scope, &failure, 1), 1);
	return r == -EPROTO ? 0 : r;
}

static int nests_deadlines(struct torture *t)
{
	int r = cr_timeout(cr_seconds(100), cr_timeout(cr_micros(100), cr_sleep(cr_seconds(100))));

	(void)t;
	if (r == -ETIMEDOUT)
		r = cr_timeout(cr_micros(100),
		               cr_timeout(cr_seconds(100), cr_sleep(cr_seconds(100))));
	return r == -ETIMEDOUT ? 0 : r;
}

static int cleaned;

static int clean_up(void)
{
	int r = cr_sleep(cr_micros(50));

	if (r == 0)
		r = cr_sleep(cr_micros(50));
	if (r == 0)
		cleaned++;
	return r;
}

/* The clean-up runs to its end, wherever the cancellation comes. */
static int cleans_up_under_a_shield(struct torture *t)
{
	int before = cleaned, r, s;

	(void)t;
	r = cr_sleep(cr_micros(100));
	s = cr_shield(cr_seconds(60), clean_up());
	if (!torture_short_of_memory(t)) {
		CHECK_EQ(s, 0);
		CHECK_EQ(cleaned, before + 1);
	}
	return r;
}

static int takes_children_as_they_end(struct torture *t)
{
	int durations[4] = {300, 100, 200, 50}, ended = 0, r;
	cr_task task;

	(void)t;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 4; i++)
		cr_spawn(&scope, nap, &durations[i]);
	while ((r = cr_scope_next(&scope, &task)) == 0)
		ended++;
	if (r == -ENOENT && !torture_short_of_memory(t))
		CHECK_EQ(ended, 4);
	return r == -ENOENT ? 0 : r;
}

static int waits_for_the_first_of_many(struct torture *t)
{
	int durations[20], r;
	cr_task tasks[20];
	size_t index = 0;

	(void)t;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 20; i++) {
		durations[i] = i == 13 ? 100 : 300000000;
		tasks[i] = cr_spawn(&scope, nap, &durations[i]);
	}
	r = cr_task_wait_first(tasks, 20, &index);
	if (r >= 0)
		CHECK_EQ(index, 13);
	return r;
}

static int server(int *value)
{
	int r = cr_sleep(cr_micros(100));

	if (r < 0)
		return r;
	cr_task_started(*value);
	return cr_sleep(cr_seconds(1000));
}

static int starts_a_server(struct torture *t)
{
	int value = 42, r;
	cr_task task;

	(void)t;
	CORAIL_SCOPE(scope);
	r = cr_scope_start(&scope, server, &value, &task);
	if (r >= 0)
		CHECK_EQ(r, 42);
	if (r >= 0)
		r = cr_task_cancel(task);
	return r;
}

static int wait_for(cr_event *event)
{
	return cr_event_wait(event);
}

static int waits_for_an_event(struct torture *t)
{
	cr_event event = {0};
	int r;

	(void)t;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, wait_for, &event);
	r = cr_sleep(cr_micros(100));
	cr_event_set(&event);
	cr_event_clear(&event);
	if (r == 0)
		r = cr_scope_wait(&scope);
	return r;
}

/* An inner scope is cancelled: what is around it goes on as if nothing had been. */
static int lives_on_around(struct torture *t)
{
	int durations[3] = {100, 200, 300}, r;

	{
		CORAIL_SCOPE(scope);
		torture_victim(t, &scope);
		for (int i = 0; i < 3; i++)
			cr_spawn(&scope, nap, &durations[i]);
		r = cr_scope_wait(&scope);
		torture_victim(t, NULL);
		if (!torture_short_of_memory(t))
			CHECK_EQ(r, 0);
	}
	if (!torture_short_of_memory(t))
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	return 0;
}

int main(void)
{
	TORTURE(sleeps);
	TORTURE(awaits);
	TORTURE(waits_for_a_scope);
	TORTURE(leaves_without_waiting);
	TORTURE(gathers);
	TORTURE(fails_among_others);
	TORTURE(nests_deadlines);
	TORTURE(cleans_up_under_a_shield);
	TORTURE(takes_children_as_they_end);
	TORTURE(waits_for_the_first_of_many);
	TORTURE(starts_a_server);
	TORTURE(waits_for_an_event);
	TORTURE(lives_on_around);
	return test_done();
}
