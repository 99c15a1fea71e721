/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/* Random programs of tasks beside a model of them: see model.h, and seeds.h for how to run them. */

#include "ctx/sanitize.h"
#include "sim/model_run.h"
#include "sim/seeds.h"

enum { SEEDS = CR__TSAN ? 30 : CR__SANITIZED ? 200 : 1000 };

struct outcome {
	struct model model;
	uint64_t trace;
	cr_nsec took;
};

static int checked(struct outcome *o)
{
	cr_nsec begun = cr_now();

	CHECK_EQ(model_main(&o->model), 0);
	seeds_check_rest();
	/* Only main may be cancelled still. */
	CHECK_EQ(cr__sched_self()->special & (CR__EXCEPTIONS - 1), cr_cancelled());
	o->trace = cr_debug_trace();
	o->took = cr_now() - begun;
	return 0;
}

static void run_seed(uint64_t seed, struct outcome *o)
{
	cr_options options = seeds_begin(seed);

	memset(o, 0, sizeof *o);
	o->model.tasks[0].random = seed * UINT64_C(0x9e3779b97f4a7c15);
	o->model.semaphore = (cr_semaphore)CORAIL_SEMAPHORE(MODEL_PERMITS);
	o->model.limiter = (cr_limiter)CORAIL_LIMITER(2);
	o->model.barrier = (cr_barrier)CORAIL_BARRIER(MODEL_PARTIES);
	o->model.keys[0] = (cr_local)CORAIL_LOCAL(model_cell_destroy);
	CHECK_EQ(cr_run_with(&options, checked, o), 0);
	seeds_end();
}

static void programs_do_what_the_model_says(void)
{
	static struct outcome outcome;
	struct seeds seeds = seeds_wanted(SEEDS);
	uint64_t tasks = 0, steps = 0, values = 0;

	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		run_seed(seed, &outcome);
		tasks += outcome.model.task_count;
		steps += outcome.model.steps;
		for (uint32_t i = 0; i < outcome.model.value_next; i++)
			values += outcome.model.fates[i] != MODEL_UNSENT;
	}
	printf("  %ju tasks, %ju instructions, %ju values\n", (uintmax_t)tasks, (uintmax_t)steps,
	       (uintmax_t)values);
}

static void the_same_seed_is_the_same_program(void)
{
	static struct outcome a, b;

	for (uint64_t seed = 1; seed <= SEEDS / 10; seed++) {
		run_seed(seed, &a);
		run_seed(seed, &b);
		CHECK_EQ(a.trace, b.trace);
		CHECK_EQ(a.took, b.took);
		CHECK_EQ(a.model.digest, b.model.digest);
	}
}

static int run_all(void)
{
	RUN(programs_do_what_the_model_says);
	RUN(the_same_seed_is_the_same_program);
	return test_done();
}

int main(void)
{
	return seeds_main(run_all);
}
