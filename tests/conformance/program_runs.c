/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Runs, one after the other and beside each other: nothing leaks, nothing is shared. */

#include "support/core.h"
#include "support/footprint.h"

#include <corail/debug.h>
#include <corail/sync.h>

#include <pthread.h>

static int nothing(int *unused)
{
	(void)unused;
	return cr_yield();
}

/* A little of everything that takes memory, stacks, timers and descriptors. */
TEST(busy_run)
{
	struct nap naps[20];
	cr_spawn_options large = {.stack_size_bytes = 4 << 20};
	int unused = 0;

	for (int i = 0; i < 20; i++)
		naps[i] = (struct nap){cr_micros(i * 10), i, 0};
	CHECK_EQ(cr_gather(nap, naps, 20), 0);
	CORAIL_SCOPE(scope);
	for (int i = 0; i < core_many(300); i++)
		cr_spawn(&scope, nothing, &unused);
	cr_spawn_with(&large, &scope, nothing, &unused);
	return cr_scope_wait(&scope);
}

static void fifty_runs_leak_nothing(void)
{
	void *argument = NULL;
	size_t mappings;
	int fds;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_run(busy_run, argument), 0);
	fds = test_open_fds();
	mappings = footprint_mappings();
	for (int i = 0; i < 50; i++)
		CHECK_EQ(cr_run(busy_run, argument), 0);
	CHECK_EQ(test_open_fds(), fds);
	/* A sanitizer's allocator maps as it likes. */
	if (!CR__SANITIZED)
		CHECK_LE(footprint_mappings(), mappings + 25);
}

struct stale {
	cr_task task;
	cr_loop loop;
};

static void never_called(void *unused)
{
	(void)unused;
	FAIL("a callback of an ended loop was called");
}

static int remember(struct stale *stale)
{
	stale->task = cr_task_self();
	stale->loop = cr_loop_current();
	return 0;
}

static int use_stale(struct stale *stale)
{
	int result;

	CHECK_NE(cr_task_self().id, stale->task.id);
	CHECK_NE(cr_loop_current().id, stale->loop.id);
	CHECK_EQ(cr_await(stale->task), -ESRCH);
	CHECK_EQ(cr_task_cancel(stale->task), -ESRCH);
	CHECK_EQ(cr_task_result(stale->task, &result), -ESRCH);
	CHECK_EQ(cr_loop_post_threadsafe(stale->loop, never_called, NULL), -ESRCH);
	return 0;
}

/* Also after as many runs as a handle's bits for the loop can tell apart. */
static void handles_of_ended_runs_stay_stale(void)
{
	struct stale stale = {{0}, {0}}, ignored = {{0}, {0}};

	CHECK_EQ(cr_run(remember, &stale), 0);
	CHECK_EQ(cr_loop_post_threadsafe(stale.loop, never_called, NULL), -ESRCH);
	for (int i = 0; i < 520; i++) {
		CHECK_EQ(cr_run(i % 8 == 7 ? use_stale : remember, i % 8 == 7 ? &stale : &ignored),
		         0);
		CHECK_NE(ignored.task.id, stale.task.id);
	}
}

struct worker {
	int number;
	uint64_t sum;
	cr_loop loop;
	int errors;
};

static int add_up(struct worker *w)
{
	for (int i = 0; i < 1000; i++) {
		errno = w->number;
		CHECK_EQ(cr_yield(), 0);
		w->errors += errno != w->number;
		w->sum += (uint64_t)w->number;
		if (i % 100 == 0)
			CHECK_EQ(cr_sleep(cr_micros(50)), 0);
	}
	return 0;
}

static int ten_times(struct worker *w)
{
	struct worker parts[10];

	w->loop = cr_loop_current();
	for (int i = 0; i < 10; i++)
		parts[i] = (struct worker){.number = w->number};
	CHECK_EQ(cr_gather(add_up, parts, 10), 0);
	for (int i = 0; i < 10; i++) {
		w->sum += parts[i].sum;
		w->errors += parts[i].errors;
	}
	return w->number;
}

static void *run_loop(void *arg)
{
	struct worker *w = arg;

	CHECK_EQ(cr_run(ten_times, w), w->number);
	return NULL;
}

static void four_threads_with_a_loop_each(void)
{
	struct worker workers[4];
	pthread_t threads[4];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++) {
			workers[i] = (struct worker){.number = i + 1};
			CHECK_EQ(pthread_create(&threads[i], NULL, run_loop, &workers[i]), 0);
		}
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(workers[i].sum, (uint64_t)(i + 1) * 10000);
			CHECK_EQ(workers[i].errors, 0);
			for (int j = 0; j < i; j++)
				CHECK_NE(workers[i].loop.id, workers[j].loop.id);
		}
	}
}

static __attribute__((noinline)) int deep_stack(int *unused)
{
	volatile char frame[100000];

	(void)unused;
	for (size_t i = 0; i < sizeof frame; i += 1000)
		frame[i] = 1;
	return cr_yield();
}

TEST(high_water_marks_are_seen)
{
	cr_loop_stats stats;
	size_t before = cr_debug_stack_high_water();
	int unused = 0;

	CHECK_GT(before, 0);
	CHECK_LT(before, 65536);
	CHECK_EQ(deep_stack(&unused), 0);
	CHECK_GE(cr_debug_stack_high_water(), 100000);
	CHECK_LE(cr_debug_stack_high_water(), 262144);
	if (CR__TSAN)
		return 0; /* a thousand tasks take their time there */
	CORAIL_SCOPE(scope);
	/* Ended tasks are sampled, one in a thousand. */
	for (int i = 0; i < 1100; i++)
		CHECK_EQ(cr_await(cr_spawn(&scope, deep_stack, &unused)), 0);
	CHECK_EQ(cr_debug_stats(&stats), 0);
	CHECK_GE(stats.stack_bytes_high, 100000);
	CHECK_GT(stats.stacks_cached, 0);
	return 0;
}

int main(void)
{
	RUN(fifty_runs_leak_nothing);
	RUN(handles_of_ended_runs_stay_stale);
	RUN(four_threads_with_a_loop_each);
	RUN_TASK(high_water_marks_are_seen);
	return test_done();
}
