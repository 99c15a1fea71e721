/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu (qemu-user has threads of its own before any of ours) */
/* Jobs in worker processes: arguments, results, maps, refusals. */

#include "in_task.h"
#include "worker_processes.h"

#include <sys/mman.h>

static int results_come_back(int *unused)
{
	cr_processes *pool = open_pool(0);
	struct add a = {1, 2, 0};

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, add, &a), 1);
	CHECK_EQ(a.sum, 3);
	a = (struct add){-5, 2, 0};
	CHECK_EQ(cr_processes_call(pool, add, &a), -5);
	CHECK_EQ(a.sum, -3);
	cr_processes_close(pool);
	cr_processes_close(NULL);
	return 0;
}

/* What only reads may have what nobody can write. */
static int read_only(const struct add *a)
{
	return a->a + a->b;
}

static int constants_are_read(int *unused)
{
	static const struct add constant = {20, 22, 0};
	cr_processes *pool = open_pool(1);

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, read_only, &constant), 42);
	cr_processes_close(pool);
	return 0;
}

struct large {
	unsigned char bytes[CORAIL_PROCESSES_ARGUMENT_MAX];
};

struct too_large {
	unsigned char bytes[CORAIL_PROCESSES_ARGUMENT_MAX + 1];
};

static int invert(struct large *large)
{
	for (size_t i = 0; i < sizeof large->bytes; i++)
		large->bytes[i] = (unsigned char)~large->bytes[i];
	return 0;
}

static int never(struct too_large *large)
{
	large->bytes[0] = 1;
	return 0;
}

/* The largest arguments go round in a ring that holds only a few of them. */
static int large_arguments(int *unused)
{
	static struct large many[12];
	static struct too_large too_large;
	cr_processes *pool = open_pool(2);

	(void)unused;
	for (int i = 0; i < 12; i++)
		memset(&many[i], i, sizeof many[i]);
	CHECK_EQ(cr_processes_map(pool, invert, many, 12), 0);
	for (int i = 0; i < 12; i++)
		for (size_t j = 0; j < sizeof many[i].bytes; j += 97)
			CHECK_EQ(many[i].bytes[j], 255 - i);
	CHECK_EQ(cr_processes_call(pool, never, &too_large), -EMSGSIZE);
	CHECK_EQ(too_large.bytes[0], 0);
	cr_processes_close(pool);
	return 0;
}

/* ------------------------------------------------------------------------------------- maps --- */

static int fail_at_50(struct add *a)
{
	a->sum = a->a + a->b;
	return a->a == 50 ? -EDOM : 0;
}

static int maps(int *unused)
{
	enum { COUNT = 500 };
	static struct add items[COUNT];
	static int statuses[COUNT];
	cr_processes_map_options options = {.statuses = statuses, .limit = 7};
	cr_processes *pool = open_pool(2);
	int ran = 0;

	(void)unused;
	for (int i = 0; i < COUNT; i++)
		items[i] = (struct add){i, 1, 0};
	CHECK_EQ(cr_processes_map(pool, add, items, COUNT), 0);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(items[i].sum, i + 1);
	CHECK_EQ(cr_processes_map(pool, add, items, 0), 0);

	for (int i = 0; i < COUNT; i++)
		items[i] = (struct add){i, 1, 0};
	CHECK_EQ(cr_processes_map_with(pool, &options, fail_at_50, items, COUNT), -EDOM);
	CHECK_EQ(statuses[50], -EDOM);
	for (int i = 0; i < COUNT; i++) {
		CHECK(statuses[i] == 0 || statuses[i] == -ECANCELED || i == 50);
		CHECK_EQ(items[i].sum, statuses[i] == -ECANCELED ? 0 : i + 1);
		ran += items[i].sum != 0;
	}
	CHECK_GT(ran, 50 - 7);

	/* One after the other: what came after the failure was not begun. */
	for (int i = 0; i < COUNT; i++)
		items[i] = (struct add){i, 1, 0};
	options.limit = 1;
	CHECK_EQ(cr_processes_map_with(pool, &options, fail_at_50, items, COUNT), -EDOM);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(items[i].sum != 0, i <= 50);

	options.limit = 7;
	options.collect = 1;
	CHECK_EQ(cr_processes_map_with(pool, &options, fail_at_50, items, COUNT), 1);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(statuses[i], i == 50 ? -EDOM : 0);
	cr_processes_close(pool);
	return 0;
}

/* A function that workers cannot have: where it is, nothing was when they were made. */
static int unknown_functions_are_refused(int *unused)
{
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_processes *pool = open_pool(1);
	struct add a = {1, 2, 0};
	int (*fn)(struct add *);

	(void)unused;
	memcpy(&fn, &memory, sizeof fn);
	if (!on_sim()) {
		CHECK_EQ(cr_processes_call(pool, fn, &a), -CORAIL_E_PROCESSES_UNKNOWN);
		CHECK_EQ(cr_processes_map(pool, fn, &a, 1), -CORAIL_E_PROCESSES_UNKNOWN);
	}
	munmap(memory, 4096);
	cr_processes_close(pool);
	return 0;
}

static int options_are_checked(int *unused)
{
	cr_processes_options many = {.process_count_max = 257}, unkind = {.nice = 20};
	cr_processes *pool;

	(void)unused;
	CHECK_EQ(cr_processes_open(&many, &pool), -EINVAL);
	CHECK_EQ(cr_processes_open(&unkind, &pool), -EINVAL);
	return 0;
}

int main(void)
{
	CHECK_EQ(cr_processes_prepare(), 0);
	CHECK_EQ(cr_processes_prepare(), 0);
	RUN_TASK(results_come_back);
	RUN_TASK(constants_are_read);
	RUN_TASK(large_arguments);
	RUN_TASK(maps);
	RUN_TASK(unknown_functions_are_refused);
	RUN_TASK(options_are_checked);
	return test_done();
}
