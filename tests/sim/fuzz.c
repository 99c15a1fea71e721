/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/*
 * The scheduler, fuzzed: random programs of tasks, each under another order. See seeds.h for how to
 * run one of them.
 */

#include "sim/fuzz_program.h"
#include "sim/seeds.h"

#if defined(__SANITIZE_THREAD__)
enum { SEEDS = 200 }; /* a switch costs a hundred times as much */
#else
enum { SEEDS = 2000 };
#endif

enum { BYTES_MAX = 600 };

/* xorshift64*: the programs must not depend on the generator under test. */
static uint8_t next_byte(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint8_t)(*state * UINT64_C(0x2545f4914f6cdd1d) >> 56);
}

struct outcome {
	struct fuzz fuzz;
	uint64_t trace;
	cr_nsec took;
};

static int checked(struct outcome *outcome)
{
	cr_nsec start = cr_now();
	int r = fuzz_main(&outcome->fuzz);

	CHECK_EQ(outcome->fuzz.frames, 0);
	seeds_check_rest();
	outcome->trace = cr_debug_trace();
	outcome->took = cr_now() - start;
	return r;
}

static struct outcome run_seed(uint64_t seed)
{
	cr_options options = seeds_begin(seed);
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	uint8_t bytes[BYTES_MAX];
	struct outcome outcome = {.fuzz = {.bytes = bytes}};

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = next_byte(&state);
	outcome.fuzz.size = 20 + next_byte(&state) * (size_t)2;
	CHECK_EQ(cr_run_with(&options, checked, &outcome), 0);
	seeds_end();
	outcome.fuzz.bytes = NULL;
	return outcome;
}

static void random_programs_end_with_nothing_left(void)
{
	struct seeds seeds = seeds_wanted(SEEDS);
	int open = test_open_fds();
	size_t spawned = 0;

	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++)
		spawned += run_seed(seed).fuzz.spawned;
	CHECK_EQ(test_open_fds(), open);
	printf("  %zu tasks\n", spawned);
}

static void the_same_seed_is_the_same_run(void)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct outcome a = run_seed(seed), b = run_seed(seed);

		CHECK_EQ(a.trace, b.trace);
		CHECK_EQ(a.took, b.took);
		CHECK_EQ(a.fuzz.spawned, b.fuzz.spawned);
	}
}

static int run_all(void)
{
	RUN(random_programs_end_with_nothing_left);
	RUN(the_same_seed_is_the_same_run);
	return test_done();
}

int main(void)
{
	return seeds_main(run_all);
}
