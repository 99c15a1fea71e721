/* SPDX-License-Identifier: MIT */
/*
 * Corail's tasks: the same programs as their twins in the other folders.
 *
 *   tasks yield|yield-mixed NAME TASKS YIELDS      tasks spawn NAME COUNT
 *   tasks alive NAME TASKS ROUNDS                  tasks sleep NAME TASKS
 *   tasks timers NAME TASKS DELAY_MS SPREAD_MS     tasks mutex NAME COUNT
 *   tasks ping NAME COUNT                          tasks select NAME COUNT
 */
#include "../c/bench.h"

#include <corail/corail.h>
#include <unistd.h>

static const char *name;
static int64_t started, ended;
static long tasks, rounds, asleep, fired, delay, spread;

static void check(int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", name, cr_strerror(result));
		exit(1);
	}
}

static int member(const int *first)
{
	for (int i = 0; i < 3; i++)
		cr_yield();
	if (*first)
		started = bench_now();
	for (long i = 0; i < rounds; i++)
		cr_yield();
	if (*first)
		ended = bench_now();
	return 0;
}

static int other_member(const int *first)
{
	for (long i = 0; i < rounds + 3; i++)
		cr_yield();
	return *first;
}

static int run_yield(const int *mixed)
{
	static const int is_first[] = {0, 1};
	CORAIL_SCOPE(scope);

	for (long i = 0; i < tasks; i++) {
		if (*mixed && i == 1)
			cr_spawn(&scope, other_member, &is_first[0]);
		else
			cr_spawn(&scope, member, &is_first[i == 0]);
	}
	check(cr_scope_wait(&scope));
	bench_print(name, (double)(ended - started) / (double)(rounds * tasks));
	return 0;
}

static int nothing(const int *argument)
{
	return *argument;
}

static int run_spawn(const int *argument)
{
	int64_t before = bench_now();
	CORAIL_SCOPE(scope);

	for (long i = 0; i < tasks; i++)
		check(cr_await(cr_spawn(&scope, nothing, argument)));
	bench_print(name, (double)(bench_now() - before) / (double)tasks);
	return 0;
}

static int yield_once(const int *argument)
{
	cr_yield();
	return *argument;
}

/* Starts them all, then awaits them all. */
static void alive_round(cr_task *members, const int *argument)
{
	CORAIL_SCOPE(scope);

	for (long i = 0; i < tasks; i++)
		members[i] = cr_spawn(&scope, yield_once, argument);
	for (long i = 0; i < tasks; i++)
		check(cr_await(members[i]));
}

static int run_alive(const int *argument)
{
	cr_task *members = malloc((size_t)tasks * sizeof *members);
	int64_t before;

	if (!members)
		abort();
	alive_round(members, argument);
	before = bench_now();
	for (long round = 0; round < rounds; round++)
		alive_round(members, argument);
	bench_print(name, (double)(bench_now() - before) / (double)(rounds * tasks));
	free(members);
	return 0;
}

static int sleeper(const int *argument)
{
	asleep++;
	cr_sleep(cr_seconds(600));
	return *argument;
}

static int run_sleep(const int *argument)
{
	char full_name[64];
	int64_t memory_before = bench_memory();
	int64_t before = bench_now();
	CORAIL_SCOPE(scope);

	for (long i = 0; i < tasks; i++)
		cr_spawn(&scope, sleeper, argument);
	while (asleep < tasks)
		check(cr_yield());
	snprintf(full_name, sizeof full_name, "%s-start", name);
	bench_print(full_name, (double)(bench_now() - before) / (double)BENCH_SECOND);
	snprintf(full_name, sizeof full_name, "%s-bytes", name);
	bench_print(full_name, (double)(bench_memory() - memory_before) / (double)tasks);
	_exit(0);
}

static int timer(long *index)
{
	cr_sleep(delay * BENCH_MILLISECOND +
	         bench_scatter(*index, tasks, spread * BENCH_MILLISECOND));
	fired++;
	return 0;
}

static int run_timers(const int *argument)
{
	int64_t before = bench_cpu();
	CORAIL_SCOPE(scope);

	for (long i = 0; i < tasks; i++)
		cr_spawn_copy(&scope, timer, &i);
	check(cr_scope_wait(&scope));
	if (fired != tasks)
		exit(1);
	bench_print(name, (double)(bench_cpu() - before) / (double)tasks);
	return *argument;
}

/* Two tasks that hand a mutex to each other: who unlocks it comes second when it locks it again. */
static int locker(cr_mutex *mutex)
{
	check(cr_mutex_lock(mutex));
	cr_yield(); /* until the other one waits */
	for (long i = 0; i < tasks / 2; i++) {
		check(cr_mutex_unlock(mutex));
		check(cr_mutex_lock(mutex));
	}
	return cr_mutex_unlock(mutex);
}

static int run_mutex(const int *argument)
{
	cr_mutex mutex = {0};
	int64_t before = bench_now();
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, locker, &mutex);
	cr_spawn(&scope, locker, &mutex);
	check(cr_scope_wait(&scope));
	bench_print(name, (double)(bench_now() - before) / (double)tasks);
	return *argument;
}

typedef cr_chan_of(long) long_chan;

struct wires {
	long_chan chans[4];
};

static int echoer(struct wires *wires)
{
	long value;

	while (cr_chan_receive(&wires->chans[0], &value) == 0)
		check(cr_chan_send(&wires->chans[1], value));
	return 0;
}

/* Round trips over two channels without buffers. */
static int run_ping(const int *argument)
{
	struct wires wires = {0};
	long value = *argument;
	int64_t before;
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, echoer, &wires);
	before = bench_now();
	for (long i = 0; i < tasks; i++) {
		check(cr_chan_send(&wires.chans[0], i));
		check(cr_chan_receive(&wires.chans[1], &value));
		if (value != i)
			exit(1);
	}
	bench_print(name, (double)(bench_now() - before) / (double)tasks);
	cr_chan_close(&wires.chans[0]);
	return cr_scope_wait(&scope);
}

static int feeder(struct wires *wires)
{
	for (long i = 0; i < tasks; i++)
		check(cr_chan_send(&wires->chans[i * 7 / 3 % 4], i));
	return 0;
}

/* One task takes what comes from any of four channels without buffers. */
static int run_select(const int *argument)
{
	struct wires wires = {0};
	long values[4] = {*argument};
	cr_case cases[4];
	int64_t before;
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, feeder, &wires);
	for (int i = 0; i < 4; i++)
		cases[i] = cr_case_receive(&wires.chans[i], &values[i]);
	before = bench_now();
	for (long i = 0; i < tasks; i++) {
		int taken = cr_select(cases, 4);

		check(taken);
		if (values[taken] != i)
			exit(1);
	}
	bench_print(name, (double)(bench_now() - before) / (double)tasks);
	return cr_scope_wait(&scope);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	static const int no = 0, yes = 1;

	tasks = bench_argument(argc, argv, 3);
	name = argv[2];
	if (strncmp(what, "yield", 5) == 0) {
		rounds = bench_argument(argc, argv, 4) / tasks;
		return cr_run(run_yield, strcmp(what, "yield-mixed") == 0 ? &yes : &no) < 0;
	}
	if (strcmp(what, "spawn") == 0)
		return cr_run(run_spawn, &no) < 0;
	if (strcmp(what, "alive") == 0) {
		rounds = bench_argument(argc, argv, 4);
		return cr_run(run_alive, &no) < 0;
	}
	if (strcmp(what, "sleep") == 0)
		return cr_run(run_sleep, &no) < 0;
	if (strcmp(what, "mutex") == 0)
		return cr_run(run_mutex, &no) < 0;
	if (strcmp(what, "ping") == 0)
		return cr_run(run_ping, &no) < 0;
	if (strcmp(what, "select") == 0)
		return cr_run(run_select, &no) < 0;
	if (strcmp(what, "timers") == 0) {
		delay = bench_argument(argc, argv, 4);
		spread = bench_argument(argc, argv, 5);
		return cr_run(run_timers, &no) < 0;
	}
	return 2;
}
