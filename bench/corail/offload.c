/* SPDX-License-Identifier: MIT */
/*
 * Corail's jobs on threads: the same programs as their twins. The pool has two threads everywhere.
 *
 *   offload rtt NAME COUNT              one job after the other: microseconds each
 *   offload many NAME COUNT TASKS       so many outstanding: jobs per second
 */
#include "../c/bench.h"

#include <corail/corail.h>

static const char *name;
static long count, tasks;
static cr_offload_options options;

static int job(long *runs)
{
	++*runs;
	return 0;
}

static int offload_all(long *runs)
{
	for (long i = 0; i < count; i++) {
		int r = cr_offload_with(&options, job, runs);

		if (r < 0)
			return r;
	}
	return *runs == count ? 0 : -EIO;
}

static int run_rtt(long *runs)
{
	int64_t before;
	int r = cr_offload_with(&options, job, runs);

	*runs = 0;
	before = bench_now();
	if (r == 0)
		r = offload_all(runs);
	bench_print(name, (double)(bench_now() - before) / (double)count / 1000);
	return r;
}

static int run_many(long *runs)
{
	int64_t before = bench_now();
	int r;

	count /= tasks;
	r = cr_gather(offload_all, runs, (size_t)tasks);
	bench_print(name, (double)(count * tasks) * BENCH_SECOND / (double)(bench_now() - before));
	return r;
}

int main(int argc, char **argv)
{
	cr_threads_options two = {.thread_count_max = 2};
	long *runs;
	int r;

	if (argc < 4)
		return 2;
	name = argv[2];
	count = bench_argument(argc, argv, 3);
	tasks = strcmp(argv[1], "many") == 0 ? bench_argument(argc, argv, 4) : 1;
	runs = calloc((size_t)tasks, sizeof *runs);
	if (!runs || cr_threads_open(&two, &options.pool) < 0)
		return 1;
	r = tasks == 1 ? cr_run(run_rtt, runs) : cr_run(run_many, runs);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", name, cr_strerror(r));
	cr_threads_close(options.pool);
	free(runs);
	return r < 0;
}
