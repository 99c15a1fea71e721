/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/*
 * Random programs of tasks beside a model of them: see model.h. A failure prints its seed;
 * TEST_SEED=n runs that one alone, TEST_SEEDS=n so many from the first on.
 */

#include "ctx/sanitize.h"
#include "task/sched.h"

#include "sim/model_run.h"

#include <corail/debug.h>
#include <corail/sim.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SEEDS = CR__TSAN ? 30 : CR__SANITIZED ? 200 : 1000 };

/* Shared with the parent, who tells which seed it was. */
static uint64_t *running;

static void hung(int number)
{
	(void)number;
	cr_debug_dump(STDERR_FILENO);
	_exit(TEST_FAIL);
}

struct outcome {
	struct model model;
	uint64_t trace;
	cr_nsec took;
};

static int checked(struct outcome *o)
{
	cr_nsec begun = cr_now();

	CHECK_EQ(model_main(&o->model), 0);
	CHECK_EQ(cr__sched_self()->alive, 1);
	CHECK_EQ(cr__sched_self()->loop.timers.count, 0);
	/* Only main may be cancelled still. */
	CHECK_EQ(cr__sched_self()->special & (CR__EXCEPTIONS - 1), cr_cancelled());
	o->trace = cr_debug_trace();
	o->took = cr_now() - begun;
	return 0;
}

static void run_seed(uint64_t seed, struct outcome *o)
{
	cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};

	memset(o, 0, sizeof *o);
	o->model.tasks[0].random = seed * UINT64_C(0x9e3779b97f4a7c15);
	o->model.semaphore = (cr_semaphore)CORAIL_SEMAPHORE(MODEL_PERMITS);
	o->model.limiter = (cr_limiter)CORAIL_LIMITER(2);
	o->model.barrier = (cr_barrier)CORAIL_BARRIER(MODEL_PARTIES);
	o->model.keys[0] = (cr_local)CORAIL_LOCAL(model_cell_destroy);
	*running = seed;
	alarm(60);
	CHECK_EQ(cr_run_with(&options, checked, o), 0);
	alarm(0);
}

static void programs_do_what_the_model_says(void)
{
	static struct outcome outcome;
	const char *only = getenv("TEST_SEED"), *many = getenv("TEST_SEEDS");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only ? first : many ? strtoull(many, NULL, 10) : SEEDS;
	uint64_t tasks = 0, steps = 0, values = 0;

	for (uint64_t seed = first; seed <= last; seed++) {
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
	signal(SIGALRM, hung);
	RUN(programs_do_what_the_model_says);
	RUN(the_same_seed_is_the_same_program);
	return test_done();
}

int main(void)
{
	pid_t child;
	int status;

	running = mmap(NULL, sizeof *running, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	CHECK(running != MAP_FAILED);
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0)
		return run_all();
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "TEST_SEED=%ju\n", (uintmax_t)*running);
	return TEST_FAIL;
}
