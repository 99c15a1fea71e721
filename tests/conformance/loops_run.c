/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* A loop on each of several threads: who runs where, results, failures. */

#include <corail/exec.h>
#include <corail/loops.h>

#include "support/core.h"

#include <pthread.h>
#include <stdatomic.h>

enum { COUNT = 4 };

/* --------------------------------------------------------------------------- who runs where --- */

struct place {
	size_t index, count;
	int64_t loop, siblings[COUNT];
	pthread_t thread;
	int result, grandchildren;
};

static int grandchild(struct place *p)
{
	int r = cr_yield();

	p->grandchildren++;
	return r;
}

static int look_around(struct place *p)
{
	CORAIL_SCOPE(scope);

	p->index = cr_loops_index();
	p->count = cr_loops_count();
	p->loop = cr_loop_current().id;
	p->thread = pthread_self();
	for (size_t i = 0; i < COUNT; i++)
		p->siblings[i] = cr_loops_at(i).id;
	CHECK_EQ(cr_loops_at(COUNT).id, 0);
	for (int i = 0; i < 10; i++)
		cr_spawn(&scope, grandchild, p);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return p->result;
}

static void check_places(const struct place *places)
{
	for (size_t i = 0; i < COUNT; i++) {
		CHECK_EQ(places[i].index, i);
		CHECK_EQ(places[i].count, COUNT);
		CHECK_EQ(places[i].grandchildren, 10);
		CHECK(!pthread_equal(places[i].thread, pthread_self()));
		for (size_t j = 0; j < COUNT; j++) {
			CHECK_EQ(places[i].siblings[j], places[j].loop);
			CHECK(i == j || places[i].loop != places[j].loop);
		}
	}
}

static void one_for_each_element(void)
{
	struct place places[COUNT] = {{.result = 0}};
	int fds = test_open_fds();

	CHECK_EQ(cr_loops_each(look_around, places, COUNT), 0);
	check_places(places);
	CHECK_EQ(cr_loops_each(look_around, places, 0), 0);
	CHECK_EQ(cr_loops_index(), 0);
	CHECK_EQ(cr_loops_count(), 0);
	CHECK_EQ(cr_loops_at(0).id, 0);
	CHECK_EQ(test_open_fds(), fds);
}

TEST(one_for_each_element_from_a_task)
{
	struct place places[COUNT] = {{.result = 7}, {.result = 0}};
	int statuses[COUNT];
	cr_loops_options options = {.statuses = statuses, .name = "a long name for a thread"};

	CHECK_EQ(cr_loops_each_with(&options, look_around, places, COUNT), 0);
	check_places(places);
	CHECK_EQ(statuses[0], 7);
	CHECK_EQ(statuses[COUNT - 1], 0);
	CHECK_EQ(cr_loops_index(), 0);
	CHECK_EQ(cr_loops_count(), 1);
	CHECK_EQ(cr_loops_at(0).id, cr_loop_current().id);
	CHECK_EQ(cr_loops_at(1).id, 0);
	return 0;
}

struct tally {
	_Atomic size_t runs, sum, count;
};

static int count_run(struct tally *t)
{
	atomic_fetch_add(&t->runs, 1);
	atomic_fetch_add(&t->sum, cr_loops_index());
	atomic_store(&t->count, cr_loops_count());
	return cr_sleep(cr_micros(10));
}

static void one_for_each_processor(void)
{
	struct tally t = {0};
	size_t count = cr_cpu_count(), again = CR__TSAN ? 5 : 20;

	CHECK_EQ(cr_loops(0, count_run, &t), 0);
	CHECK_EQ(t.runs, count);
	CHECK_EQ(t.count, count);
	CHECK_EQ(t.sum, count * (count - 1) / 2);
	/* Again and again, also more than there are processors: nothing is left over. */
	for (size_t i = 0; i < again; i++)
		CHECK_EQ(cr_loops(COUNT, count_run, &t), 0);
	CHECK_EQ(t.runs, count + again * COUNT);
}

/* Others go on while a task waits for its loops, and loops may have loops. */
static int nested(struct tally *t)
{
	return cr_loops(2, count_run, t);
}

TEST(loops_in_loops)
{
	struct tally t = {0};
	struct gate gate = {.result = 0};
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, pass, &gate);
	CHECK_EQ(cr_loops(2, nested, &t), 0);
	CHECK_EQ(t.runs, 4);
	cr_event_set(&gate.open);
	return cr_scope_wait(&scope);
}

/* ---------------------------------------------------------------------------------- options --- */

struct named {
	char thread[32], task[64];
	int processors;
};

static int look_at_names(struct named *n)
{
	cpu_set_t set;

	CHECK_EQ(pthread_getname_np(pthread_self(), n->thread, sizeof n->thread), 0);
	snprintf(n->task, sizeof n->task, "%s", cr_task_name(cr_task_self()));
	CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
	n->processors = CPU_COUNT(&set);
	return 0;
}

static int count_processors(int *ret_count)
{
	cpu_set_t set;

	CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
	*ret_count = CPU_COUNT(&set);
	return 0;
}

/* A job's thread must not inherit the one processor of the loop that asked for it. */
static int ask_a_job(int *ret_count)
{
	return cr_offload(count_processors, ret_count);
}

static void names_and_processors(void)
{
	struct named names[2] = {{.processors = 0}};
	cr_options runs[2] = {{.name = "first"}, {.stack_size_bytes = 65536}};
	cr_loops_options options = {.name = "serve", .run_each = runs, .pin = 1};
	int here, counts[2] = {0, 0};

	CHECK_EQ(cr_loops_each_with(&options, look_at_names, names, 2), 0);
	CHECK_STR(names[0].thread, "serve/0");
	CHECK_STR(names[1].thread, "serve/1");
	CHECK_STR(names[0].task, "first");
	CHECK_STR(names[1].task, "look_at_names");
	CHECK_EQ(names[0].processors, 1);
	CHECK_EQ(names[1].processors, 1);
	CHECK_EQ(count_processors(&here), 0);
	CHECK_EQ(cr_loops_each_with(&options, ask_a_job, counts, 2), 0);
	CHECK_EQ(counts[0], here);
	CHECK_EQ(counts[1], here);
}

static void bad_options(void)
{
	struct tally t = {0};
	cr_options unknown = {.backend = (enum cr_backend)77};
	cr_loops_options options = {.stack_size_bytes = 1};

	CHECK_EQ(cr_loops(1025, count_run, &t), -EINVAL);
	CHECK_EQ(cr_loops_with(&options, 1, count_run, &t), -EINVAL);
	options = (cr_loops_options){.run = &unknown};
	CHECK_EQ(cr_loops_with(&options, 1, count_run, &t), -EINVAL);
	CHECK_EQ(t.runs, 0);
}

/* A loop that cannot be opened: the others are cancelled, and find it gone. */
static void loop_that_does_not_open(void)
{
	struct tally t = {0};
	cr_options runs[3] = {{.stack_size_bytes = 0}, {.stack_size_bytes = SIZE_MAX}};
	int statuses[3];
	cr_loops_options options = {.run_each = runs, .statuses = statuses};

	CHECK_EQ(cr_loops_with(&options, 3, count_run, &t), -EINVAL);
	CHECK_EQ(statuses[1], -EINVAL);
	CHECK_EQ(t.runs, 2);
}

/* --------------------------------------------------------------------------------- failures --- */

struct member {
	int result;
	int seen;
};

static int fail_or_wait(struct member *m)
{
	cr_event never = {0};

	if (m->result < 0)
		return m->result;
	m->seen = cr_event_wait(&never);
	return m->seen;
}

static void first_failure_cancels(void)
{
	struct member members[COUNT] = {{.result = 0}, {.result = 0}, {.result = -EPROTO}};
	int statuses[COUNT];
	cr_loops_options options = {.statuses = statuses};

	CHECK_EQ(cr_loops_each_with(&options, fail_or_wait, members, COUNT), -EPROTO);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(statuses[i], i == 2 ? -EPROTO : -ECANCELED);
	CHECK_EQ(members[0].seen, -ECANCELED);
}

static int fail_or_not(struct member *m)
{
	return m->result;
}

static void failures_collected(void)
{
	struct member members[COUNT] = {{.result = 3}, {.result = -EPROTO}, {.result = -ENODATA}};
	int statuses[COUNT];
	cr_loops_options options = {.statuses = statuses, .collect = 1};

	CHECK_EQ(cr_loops_each_with(&options, fail_or_not, members, COUNT), 2);
	CHECK_EQ(statuses[0], 3);
	CHECK_EQ(statuses[1], -EPROTO);
	CHECK_EQ(statuses[2], -ENODATA);
	CHECK_EQ(statuses[3], 0);
}

/* -------------------------------------------------------------------------------- simulator --- */

static int nothing_here(int *unused)
{
	(void)unused;
	return 0;
}

TEST(refused_in_a_simulation)
{
	struct tally t = {0};
	cr_options real = {.backend = CORAIL_BACKEND_EPOLL};
	cr_loops_options options = {.run = &real};

	CHECK_EQ(cr_loops(2, count_run, &t), -EOPNOTSUPP);
	CHECK_EQ(cr_loops_with(&options, 2, count_run, &t), -EOPNOTSUPP);
	CHECK_EQ(cr_loops_count(), 1);
	CHECK_EQ(t.runs, 0);
	return 0;
}

static void refused_outside_a_simulation(void)
{
	cr_options sim = {.backend = CORAIL_BACKEND_SIM};
	cr_loops_options options = {.run = &sim};
	int unused = 0;

	CHECK_EQ(cr_loops_with(&options, 2, nothing_here, &unused), -EOPNOTSUPP);
}

int main(void)
{
	RUN(refused_outside_a_simulation);
	if (on_sim()) {
		RUN_TASK(refused_in_a_simulation);
		return test_done();
	}
	RUN(one_for_each_element);
	RUN_TASK(one_for_each_element_from_a_task);
	RUN(one_for_each_processor);
	RUN_TASK(loops_in_loops);
	RUN(names_and_processors);
	RUN(bad_options);
	RUN(loop_that_does_not_open);
	RUN(first_failure_cancels);
	RUN(failures_collected);
	return test_done();
}
