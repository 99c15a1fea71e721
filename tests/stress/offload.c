/* SPDX-License-Identifier: MIT */
/* ctest: timeout=300 */
/*
 * Many small jobs, from several loops, some cancelled: none is lost, none runs twice, and memory
 * stays flat. With a number as argument, so many jobs for each loop instead.
 */

#include <corail/exec.h>

#include "ctx/sanitize.h"
#include "support/footprint.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOOPS = 2, TASKS = 500, CANCEL_EVERY = 7 };

static long jobs_per_loop;
static _Atomic long runs;

struct worker {
	long rounds, done, cancelled;
	int number, ran;
};

static int job(struct worker *w)
{
	w->ran++;
	runs++;
	return 1;
}

static int offload_one(struct worker *w)
{
	return cr_offload(job, w);
}

/* Cancelled just after it was queued: it ran, or it never will. */
static int cancelled_job(struct worker *w)
{
	cr_task task;
	int r;
	CORAIL_SCOPE(scope);

	task = cr_spawn(&scope, offload_one, w);
	CHECK_EQ(cr_yield(), 0);
	cr_task_cancel(task);
	r = cr_await(task);
	CHECK(r == 1 || r == -ECANCELED);
	return r;
}

static int work(struct worker *w)
{
	for (long i = 0; i < w->rounds; i++) {
		int ran = w->ran, r;

		if ((i + w->number) % CANCEL_EVERY)
			r = cr_offload(job, w);
		else
			r = cancelled_job(w);
		CHECK_EQ(w->ran, ran + (r == 1));
		if (r == 1)
			w->done++;
		else
			w->cancelled++;
	}
	return 0;
}

struct total {
	long done, cancelled;
};

static int run_all(struct total *total)
{
	static const int rounds = 4;
	struct worker *workers = calloc(TASKS, sizeof *workers);
	long first = 0;

	CHECK(workers != NULL);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < TASKS; i++) {
			workers[i].number = i;
			workers[i].rounds = jobs_per_loop / TASKS / rounds;
		}
		CHECK_EQ(cr_gather(work, workers, TASKS), 0);
		if (round == 0)
			first = footprint_pages();
	}
	/* Flat: what it needs, it needs in the first round. Sanitizers keep more. */
	if (!CR__SANITIZED)
		CHECK_LT(footprint_pages(), first + 2048);
	for (int i = 0; i < TASKS; i++) {
		total->done += workers[i].done;
		total->cancelled += workers[i].cancelled;
	}
	free(workers);
	return 0;
}

static void *loop_thread(void *arg)
{
	struct total *total = arg;

	CHECK_EQ(cr_run(run_all, total), 0);
	return NULL;
}

static void none_is_lost(void)
{
	struct total totals[LOOPS] = {{0, 0}};
	pthread_t threads[LOOPS];
	cr_threads_stats stats;
	long done = 0, cancelled = 0;

	for (int i = 0; i < LOOPS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, loop_thread, &totals[i]), 0);
	for (int i = 0; i < LOOPS; i++) {
		pthread_join(threads[i], NULL);
		done += totals[i].done;
		cancelled += totals[i].cancelled;
	}
	CHECK_EQ(done + cancelled, LOOPS * (jobs_per_loop / TASKS / 4 * 4) * TASKS);
	CHECK_EQ(runs, done);
	cr_threads_stats_get(cr_threads_default(), &stats);
	CHECK_EQ(stats.queued + stats.waiting + stats.running, 0);
	CHECK_EQ(stats.jobs, (uint64_t)done);
	printf("  %ld jobs done, %ld cancelled before they began\n", done, cancelled);
}

int main(int argc, char **argv)
{
	jobs_per_loop = CR__TSAN ? 4000 : CR__ASAN ? 20000 : 100000;
	if (argc > 1)
		jobs_per_loop = strtol(argv[1], NULL, 10);
	RUN(none_is_lost);
	return test_done();
}
