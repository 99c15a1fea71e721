/* SPDX-License-Identifier: MIT */
/* libuv's uv_queue_work: callbacks, no tasks.   offload rtt NAME COUNT, many NAME COUNT TASKS */
#include "../c/bench.h"

#include <uv.h>

struct worker {
	uv_work_t work;
	long runs;
};

static long count;

static void job(uv_work_t *work)
{
	struct worker *worker = work->data;

	worker->runs++;
}

static void after(uv_work_t *work, int status)
{
	struct worker *worker = work->data;

	if (status < 0)
		exit(1);
	if (worker->runs < count)
		uv_queue_work(work->loop, work, job, after);
}

int main(int argc, char **argv)
{
	long all = bench_argument(argc, argv, 3);
	long tasks = strcmp(argv[1], "many") == 0 ? bench_argument(argc, argv, 4) : 1;
	struct worker *workers = calloc((size_t)tasks, sizeof *workers);
	uv_loop_t *loop = uv_default_loop();
	int64_t before, took;

	setenv("UV_THREADPOOL_SIZE", "2", 1);
	if (!workers)
		return 1;
	/* One first, so that the threads are there. */
	workers[0].work.data = &workers[0];
	count = 1;
	uv_queue_work(loop, &workers[0].work, job, after);
	uv_run(loop, UV_RUN_DEFAULT);
	workers[0].runs = 0;
	count = all / tasks;
	before = bench_now();
	for (long i = 0; i < tasks; i++) {
		workers[i].work.data = &workers[i];
		uv_queue_work(loop, &workers[i].work, job, after);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	took = bench_now() - before;
	for (long i = 0; i < tasks; i++)
		if (workers[i].runs != count)
			return 1;
	if (tasks == 1)
		bench_print(argv[2], (double)took / (double)count / 1000);
	else
		bench_print(argv[2], (double)(count * tasks) * BENCH_SECOND / (double)took);
	free(workers);
	return 0;
}
