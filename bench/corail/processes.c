/* SPDX-License-Identifier: MIT */
/*
 * Corail's jobs in worker processes: the same programs as their twin. The pool has two workers.
 *
 *   processes rtt NAME COUNT            one job after the other: microseconds each
 *   processes many NAME COUNT TASKS     so many outstanding: jobs per second
 *   processes speed NAME COUNT WORKERS  so many jobs that compute: milliseconds in all
 */
#include "../c/bench.h"

#include <corail/corail.h>
#include <corail/processes.h>

static const char *name;
static long count, tasks;
static cr_processes *pool;

static int job(long *runs)
{
	++*runs;
	return 0;
}

static int call_all(long *runs)
{
	for (long i = 0; i < count; i++) {
		int r = cr_processes_call(pool, job, runs);

		if (r < 0)
			return r;
	}
	return *runs == count ? 0 : -EIO;
}

static int run_rtt(long *runs)
{
	int64_t before = bench_now();
	int r = call_all(runs);

	bench_print(name, (double)(bench_now() - before) / (double)count / 1000);
	return r;
}

static int run_many(long *runs)
{
	int64_t before = bench_now();
	int r;

	count /= tasks;
	r = cr_gather(call_all, runs, (size_t)tasks);
	bench_print(name, (double)(count * tasks) * BENCH_SECOND / (double)(bench_now() - before));
	return r;
}

/* About a millisecond each. */
static int compute(long *sum)
{
	unsigned long value = (unsigned long)*sum;

	for (long i = 0; i < 1000000; i++)
		value = value * 6364136223846793005 + 1442695040888963407;
	*sum = (long)value;
	return 0;
}

static int run_speed(long *sums)
{
	int64_t before = bench_now();
	int r = cr_processes_map(pool, compute, sums, (size_t)count);

	bench_print(name, (double)(bench_now() - before) / 1e6);
	return r;
}

static int run(char **argv)
{
	const int speed = strcmp(argv[1], "speed") == 0;
	cr_processes_options options = {.process_count_max = speed ? (size_t)tasks : 2};
	long *runs = calloc((size_t)(speed ? count : tasks), sizeof *runs), warm = 0;
	int r = runs ? cr_processes_open(&options, &pool) : -ENOMEM;

	if (r < 0)
		return r;
	r = cr_processes_call(pool, job, &warm);
	if (r == 0)
		r = speed ? run_speed(runs) : tasks == 1 ? run_rtt(runs) : run_many(runs);
	cr_processes_close(pool);
	free(runs);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 4)
		return 2;
	name = argv[2];
	count = bench_argument(argc, argv, 3);
	tasks = argc > 4 ? bench_argument(argc, argv, 4) : 1;
	r = cr_processes_prepare();
	if (r == 0)
		r = cr_run(run, argv);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", name, cr_strerror(r));
	return r < 0;
}
