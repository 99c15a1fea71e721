/* SPDX-License-Identifier: MIT */
/* ctest: timeout=300 */
/*
 * Many small jobs in processes: none is lost, and memory stays flat. And the same while workers are
 * killed at random: each job is run once, or reported as failed, never run twice. With a number as
 * argument, so many jobs instead.
 */

#include <corail/corail.h>
#include <corail/processes.h>

#include "ctx/sanitize.h"
#include "support/footprint.h"
#include "test.h"

#include <signal.h>
#include <stdatomic.h>

enum { TASKS = 500, ROUNDS = 4 };

static long jobs_wanted;
static cr_processes *pool;

struct worker {
	long rounds, done;
};

struct add {
	long a, sum;
};

static int add(struct add *a)
{
	a->sum = a->a + 1;
	return 1;
}

static int work(struct worker *w)
{
	for (long i = 0; i < w->rounds; i++) {
		struct add a = {.a = i};

		CHECK_EQ(cr_processes_call(pool, add, &a), 1);
		CHECK_EQ(a.sum, i + 1);
		w->done++;
	}
	return 0;
}

static int many_jobs(int *unused)
{
	static struct worker workers[TASKS];
	long first = 0, done = 0;
	cr_processes_stats stats;

	(void)unused;
	CHECK_EQ(cr_processes_open(NULL, &pool), 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < TASKS; i++)
			workers[i].rounds = jobs_wanted / TASKS / ROUNDS;
		CHECK_EQ(cr_gather(work, workers, TASKS), 0);
		if (round == 0)
			first = footprint_pages();
	}
	if (!CR__SANITIZED)
		CHECK_LT(footprint_pages(), first + 1024);
	for (int i = 0; i < TASKS; i++)
		done += workers[i].done;
	CHECK_EQ(done, jobs_wanted / TASKS / ROUNDS * ROUNDS * TASKS);
	cr_processes_stats_get(pool, &stats);
	CHECK_EQ(stats.jobs, (uint64_t)done);
	CHECK_EQ(stats.running + stats.queued + stats.waiting, 0);
	CHECK_EQ(stats.deaths, 0);
	cr_processes_close(pool);
	printf("  %ld jobs done\n", done);
	return 0;
}

/* ----------------------------------------------------------------------------------- kill -9 -- */

struct ticket {
	cr_shared shared;
	size_t number;
	long result;
};

/* How often each was begun and ended, in memory that outlives its workers. */
struct tally {
	_Atomic unsigned char begun, ended;
};

static int punch(struct ticket *t)
{
	struct tally *tallies;
	void *memory;

	if (cr_shared_map(t->shared, &memory, NULL) < 0)
		return -EIO;
	tallies = memory;
	tallies[t->number].begun++;
	for (int i = 0; i < 2000; i++)
		t->result += (long)t->number ^ i;
	tallies[t->number].ended++;
	return 0;
}

static int kill_at_random(unsigned *seed)
{
	pid_t pids[4];
	int r;

	while ((r = cr_sleep(cr_micros(300))) == 0) {
		size_t count = cr_processes_pids(pool, pids, 4);

		*seed = *seed * 1103515245 + 12345;
		if (count)
			kill(pids[(*seed >> 16) % count], SIGKILL);
	}
	return r;
}

static int killed_workers(int *unused)
{
	const size_t count = (size_t)jobs_wanted / 10;
	cr_processes_options four = {.process_count_max = 4};
	struct ticket *tickets = calloc(count, sizeof *tickets);
	int *statuses = calloc(count, sizeof *statuses), failed;
	cr_processes_map_options options = {.statuses = statuses, .collect = 1, .limit = 200};
	const struct tally *tallies;
	cr_processes_stats stats;
	unsigned seed = 1;
	cr_shared shared;
	void *memory;
	long died = 0, twice = 0;

	(void)unused;
	CHECK(tickets && statuses);
	CHECK_EQ(cr_shared_open(count * sizeof *tallies, &shared), 0);
	CHECK_EQ(cr_shared_map(shared, &memory, NULL), 0);
	tallies = memory;
	for (size_t i = 0; i < count; i++)
		tickets[i] = (struct ticket){.shared = shared, .number = i};
	CHECK_EQ(cr_processes_open(&four, &pool), 0);
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, kill_at_random, &seed);
		failed = cr_processes_map_with(pool, &options, punch, tickets, count);
	}
	for (size_t i = 0; i < count; i++) {
		CHECK(statuses[i] == 0 || statuses[i] == -CORAIL_E_PROCESSES_DIED);
		died += statuses[i] != 0;
		twice += tallies[i].begun > 1;
		if (statuses[i] == 0)
			CHECK_EQ(tallies[i].ended, 1);
	}
	CHECK_EQ(twice, 0);
	CHECK_EQ(failed, died);
	cr_processes_stats_get(pool, &stats);
	CHECK_EQ(stats.jobs, count);
	CHECK_EQ(stats.running + stats.queued + stats.waiting, 0);
	printf("  %zu jobs, %ju workers killed, %ld jobs with them\n", count,
	       (uintmax_t)stats.deaths, died);
	cr_processes_close(pool);
	cr_shared_close(shared);
	free(tickets);
	free(statuses);
	return 0;
}

static void none_is_lost(void)
{
	int unused = 0;

	CHECK_EQ(cr_run(many_jobs, &unused), 0);
}

static void each_once_or_failed(void)
{
	int unused = 0;

	CHECK_EQ(cr_run(killed_workers, &unused), 0);
}

int main(int argc, char **argv)
{
	jobs_wanted = CR__SANITIZED ? 20000 : 100000;
	if (argc > 1)
		jobs_wanted = strtol(argv[1], NULL, 10);
	CHECK_EQ(cr_processes_prepare(), 0);
	RUN(none_is_lost);
	RUN(each_once_or_failed);
	return test_done();
}
