/* SPDX-License-Identifier: MIT */
/* Select from a seed: the same choices each time, others with another seed, and fair with each. */

#include "support/test.h"

#include <corail/chan.h>
#include <corail/debug.h>
#include <corail/select.h>
#include <corail/sync.h>
#include <corail/task.h>

enum { CHOICES = 64, CASES = 3 };

struct run {
	unsigned char taken[CHOICES];
	uint64_t trace;
};

static int choose(struct run *run)
{
	cr_event always = {0};
	cr_case cases[CASES];

	cr_event_set(&always);
	for (int i = 0; i < CASES; i++)
		cases[i] = cr_case_event(&always);
	for (int i = 0; i < CHOICES; i++) {
		int taken = cr_select(cases, CASES);

		CHECK_GE(taken, 0);
		run->taken[i] = (unsigned char)taken;
	}
	run->trace = cr_debug_trace();
	return 0;
}

static struct run run_with(uint64_t seed)
{
	cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};
	struct run run = {.trace = 0};

	CHECK_EQ(cr_run_with(&options, choose, &run), 0);
	return run;
}

static void one_seed_is_one_choice(void)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct run first = run_with(seed), second = run_with(seed);

		CHECK_MEM(first.taken, second.taken, sizeof first.taken);
		CHECK_EQ(first.trace, second.trace);
	}
}

static void seeds_differ(void)
{
	struct run first = run_with(1), second = run_with(2);

	CHECK_NE(memcmp(first.taken, second.taken, sizeof first.taken), 0);
	CHECK_NE(first.trace, second.trace);
}

static void fair_with_each_seed(void)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct run run = run_with(seed);
		int counts[CASES] = {0};

		for (int i = 0; i < CHOICES; i++)
			counts[run.taken[i]]++;
		for (int i = 0; i < CASES; i++)
			CHECK_GE(counts[i], CHOICES / CASES / 4);
	}
}

/* Virtual time: a deadline around a select that nobody serves. */
static int waits_a_day(int *unused)
{
	cr_chan_of(int) never = {0};
	int value;
	cr_case receive = cr_case_receive(&never, &value);
	cr_nsec start = cr_now();

	(void)unused;
	CHECK_EQ(cr_timeout(cr_seconds(86400), cr_select(&receive, 1)), -ETIMEDOUT);
	CHECK_EQ(cr_now() - start, cr_seconds(86400));
	return 0;
}

static void deadline(void)
{
	cr_options options = {.backend = CORAIL_BACKEND_SIM};
	int unused = 0;

	CHECK_EQ(cr_run_with(&options, waits_a_day, &unused), 0);
}

int main(void)
{
	RUN(one_seed_is_one_choice);
	RUN(seeds_differ);
	RUN(fair_with_each_seed);
	RUN(deadline);
	return test_done();
}
