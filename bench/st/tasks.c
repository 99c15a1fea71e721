/* SPDX-License-Identifier: MIT */
/*
 * State Threads. It has no yield of its own: a sleep of zero is how one gives way.
 *
 *   tasks yield|yield-mixed NAME TASKS YIELDS      tasks spawn NAME COUNT
 *   tasks alive NAME TASKS ROUNDS                  tasks sleep NAME TASKS
 *   tasks timers NAME TASKS DELAY_MS SPREAD_MS     tasks mutex NAME COUNT
 *   tasks ping NAME COUNT
 */
#include "../c/bench.h"

#include <st.h>
#include <unistd.h>

static int64_t started, ended;
static long tasks, rounds, asleep, fired;

static st_thread_t spawn(void *(*function)(void *), void *argument, int joinable)
{
	st_thread_t thread = st_thread_create(function, argument, joinable, 0);

	if (!thread) {
		perror("st_thread_create");
		exit(1);
	}
	return thread;
}

static void *member(void *first)
{
	for (int i = 0; i < 3; i++)
		st_usleep(0);
	if (first)
		started = bench_now();
	for (long i = 0; i < rounds; i++)
		st_usleep(0);
	if (first)
		ended = bench_now();
	return NULL;
}

static void *other_member(void *unused)
{
	for (long i = 0; i < rounds + 3; i++)
		st_usleep(0);
	return unused;
}

static void run_yield(const char *name, long yields, int mixed)
{
	st_thread_t *members = malloc((size_t)tasks * sizeof *members);

	if (!members)
		abort();
	rounds = yields / tasks;
	st_randomize_stacks(1);
	for (long i = 0; i < tasks; i++)
		members[i] = spawn(mixed && i == 1 ? other_member : member, i == 0 ? &rounds : NULL,
		                   1);
	for (long i = 0; i < tasks; i++)
		st_thread_join(members[i], NULL);
	free(members);
	bench_print(name, (double)(ended - started) / (double)(rounds * tasks));
}

static void *nothing(void *unused)
{
	return unused;
}

static void run_spawn(const char *name, long count)
{
	int64_t before = bench_now();

	for (long i = 0; i < count; i++)
		st_thread_join(spawn(nothing, NULL, 1), NULL);
	bench_print(name, (double)(bench_now() - before) / (double)count);
}

static void *yield_once(void *unused)
{
	st_usleep(0);
	return unused;
}

static void run_alive(const char *name, long times)
{
	st_thread_t *members = malloc((size_t)tasks * sizeof *members);
	int64_t before = 0;

	if (!members)
		abort();
	for (long round = 0; round <= times; round++) {
		if (round == 1)
			before = bench_now();
		for (long i = 0; i < tasks; i++)
			members[i] = spawn(yield_once, NULL, 1);
		for (long i = 0; i < tasks; i++)
			st_thread_join(members[i], NULL);
	}
	free(members);
	bench_print(name, (double)(bench_now() - before) / (double)(times * tasks));
}

static void *sleeper(void *unused)
{
	asleep++;
	st_sleep(600);
	return unused;
}

static void run_sleep(const char *name)
{
	char full_name[64];
	int64_t memory_before = bench_memory();
	int64_t before = bench_now();

	for (long i = 0; i < tasks; i++)
		spawn(sleeper, NULL, 0);
	while (asleep < tasks)
		st_usleep(0);
	snprintf(full_name, sizeof full_name, "%s-start", name);
	bench_print(full_name, (double)(bench_now() - before) / (double)BENCH_SECOND);
	snprintf(full_name, sizeof full_name, "%s-bytes", name);
	bench_print(full_name, (double)(bench_memory() - memory_before) / (double)tasks);
	_exit(0);
}

static void *timer(void *wait)
{
	st_usleep((st_utime_t)(uintptr_t)wait);
	fired++;
	return NULL;
}

static void run_timers(const char *name, long delay, long spread)
{
	int64_t before = bench_cpu();

	for (long i = 0; i < tasks; i++) {
		int64_t wait = delay * BENCH_MILLISECOND +
		               bench_scatter(i, tasks, spread * BENCH_MILLISECOND);

		spawn(timer, (void *)(uintptr_t)(wait / 1000), 0);
	}
	while (fired < tasks)
		st_usleep(10000);
	bench_print(name, (double)(bench_cpu() - before) / (double)tasks);
	_exit(0);
}

static void *locker(void *mutex)
{
	st_mutex_lock(mutex);
	st_usleep(0);
	for (long i = 0; i < tasks / 2; i++) {
		st_mutex_unlock(mutex);
		st_mutex_lock(mutex);
	}
	st_mutex_unlock(mutex);
	return NULL;
}

static void run_mutex(const char *name)
{
	st_mutex_t mutex = st_mutex_new();
	int64_t before = bench_now();
	st_thread_t one = spawn(locker, mutex, 1), two = spawn(locker, mutex, 1);

	st_thread_join(one, NULL);
	st_thread_join(two, NULL);
	bench_print(name, (double)(bench_now() - before) / (double)tasks);
}

/* It has no channels: a word and a condition variable for each direction. */
struct wire {
	st_cond_t changed;
	long value;
	int full;
};

static void wire_send(struct wire *wire, long value)
{
	wire->value = value;
	wire->full = 1;
	st_cond_signal(wire->changed);
}

static long wire_receive(struct wire *wire)
{
	while (!wire->full)
		st_cond_wait(wire->changed);
	wire->full = 0;
	return wire->value;
}

static void *echoer(void *wires)
{
	struct wire *there = wires, *back = there + 1;

	for (long i = 0; i < tasks; i++)
		wire_send(back, wire_receive(there));
	return NULL;
}

static void run_ping(const char *name)
{
	struct wire wires[2] = {{st_cond_new(), 0, 0}, {st_cond_new(), 0, 0}};
	st_thread_t other = spawn(echoer, wires, 1);
	int64_t before = bench_now();

	for (long i = 0; i < tasks; i++) {
		wire_send(&wires[0], i);
		if (wire_receive(&wires[1]) != i)
			exit(1);
	}
	bench_print(name, (double)(bench_now() - before) / (double)tasks);
	st_thread_join(other, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	tasks = bench_argument(argc, argv, 3);
	st_set_eventsys(ST_EVENTSYS_ALT);
	if (st_init() < 0)
		return 1;
	if (strcmp(what, "yield") == 0)
		run_yield(argv[2], bench_argument(argc, argv, 4), 0);
	else if (strcmp(what, "yield-mixed") == 0)
		run_yield(argv[2], bench_argument(argc, argv, 4), 1);
	else if (strcmp(what, "spawn") == 0)
		run_spawn(argv[2], tasks);
	else if (strcmp(what, "alive") == 0)
		run_alive(argv[2], bench_argument(argc, argv, 4));
	else if (strcmp(what, "mutex") == 0)
		run_mutex(argv[2]);
	else if (strcmp(what, "ping") == 0)
		run_ping(argv[2]);
	else if (strcmp(what, "sleep") == 0)
		run_sleep(argv[2]);
	else if (strcmp(what, "timers") == 0)
		run_timers(argv[2], bench_argument(argc, argv, 4), bench_argument(argc, argv, 5));
	else
		return 2;
	return 0;
}
