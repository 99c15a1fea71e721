/* SPDX-License-Identifier: MIT */
/* Order from a seed: shuffled, and the same each time. */

#include "support/test.h"

#include <corail/debug.h>
#include <corail/net.h>
#include <corail/sim.h>
#include <corail/task.h>

#include <stdbool.h>

enum { TASKS = 8 };

struct run {
	int order[TASKS];
	int ended;
	uint64_t trace;
};

struct runner {
	struct run *run;
	int number;
};

static int runner(struct runner *runner)
{
	struct run *run = runner->run;

	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	run->order[run->ended++] = runner->number;
	return 0;
}

static int run_all(struct run *run)
{
	struct runner runners[TASKS];
	int r;

	for (int i = 0; i < TASKS; i++)
		runners[i] = (struct runner){run, i};
	r = cr_gather(runner, runners, TASKS);
	run->trace = cr_debug_trace();
	return r;
}

static struct run run_with(uint64_t seed)
{
	cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};
	struct run run = {.ended = 0};

	CHECK_EQ(cr_run_with(&options, run_all, &run), 0);
	CHECK_EQ(run.ended, TASKS);
	return run;
}

static bool same_order(const struct run *a, const struct run *b)
{
	return memcmp(a->order, b->order, sizeof a->order) == 0;
}

static void one_seed_is_one_order(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct run first = run_with(seed), second = run_with(seed);

		CHECK(same_order(&first, &second));
		CHECK_EQ(first.trace, second.trace);
		CHECK_NE(first.trace, 0);
	}
}

static void seeds_differ(void)
{
	struct run first = run_with(1);
	int orders = 0, first_places[TASKS] = {0};

	for (uint64_t seed = 2; seed <= 200; seed++) {
		struct run other = run_with(seed);

		CHECK_NE(first.trace, other.trace);
		orders += !same_order(&first, &other);
		first_places[other.order[0]]++;
	}
	CHECK_GT(orders, 190);
	for (int i = 0; i < TASKS; i++)
		CHECK_GT(first_places[i], 5);
}

static void the_seed_can_come_from_the_environment(void)
{
	struct run given = run_with(4711), from_environment;

	setenv("CORAIL_SEED", "4711", 1);
	from_environment = run_with(0);
	unsetenv("CORAIL_SEED");
	CHECK_EQ(given.trace, from_environment.trace);
}

static int stream(uint64_t *ret_trace)
{
	cr_sim_network network = {.latency = cr_millis(1), .jitter = cr_millis(5), .split = 1};
	char buffer[100];
	cr_conn *conns[2];

	CHECK_EQ(cr_sim_network_set(&network), 0);
	CHECK_EQ(cr_conn_pair(conns), 0);
	CHECK_EQ(cr_conn_write(conns[0], "0123456789", 10), 0);
	CHECK_EQ(cr_conn_read_exactly(conns[1], buffer, 10), 0);
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	*ret_trace = cr_debug_trace();
	return 0;
}

/* A single task: all that differs is what the network decided. */
static void the_network_is_part_of_the_trace(void)
{
	uint64_t traces[3];

	for (uint64_t i = 0; i < 3; i++) {
		cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = 1 + i % 2};

		CHECK_EQ(cr_run_with(&options, stream, &traces[i]), 0);
	}
	CHECK_EQ(traces[0], traces[2]);
	CHECK_NE(traces[0], traces[1]);
}

int main(void)
{
	RUN(one_seed_is_one_order);
	RUN(seeds_differ);
	RUN(the_seed_can_come_from_the_environment);
	RUN(the_network_is_part_of_the_trace);
	return test_done();
}
