/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/* Jobs in processes, tortured. */

#include "support/torture.h"

#include <corail/processes.h>

struct add {
	int a, b, sum;
};

static int add(struct add *a)
{
	a->sum = a->a + a->b;
	return 0;
}

static int die(struct add *a)
{
	_exit(a->a);
}

static int open_pool(cr_processes **ret_pool)
{
	cr_processes_options options = {.process_count_max = 1};

	return cr_processes_open(&options, ret_pool);
}

static int calls(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};
	cr_processes *pool;
	int r = open_pool(&pool);

	(void)t;
	if (r < 0)
		return r;
	for (int i = 0; i < 2 && r == 0; i++) {
		a.sum = 0;
		r = cr_processes_call(pool, add, &a);
		CHECK_EQ(a.sum, r == 0 ? 3 : 0);
	}
	cr_processes_close(pool);
	return r;
}

static int survives_deaths(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};
	cr_processes *pool;
	int r = open_pool(&pool);

	(void)t;
	if (r < 0)
		return r;
	r = cr_processes_call(pool, die, &a);
	if (r == -CORAIL_E_PROCESSES_DIED)
		r = cr_processes_call(pool, add, &a);
	cr_processes_close(pool);
	return r;
}

static int maps(struct torture *t)
{
	struct add items[20] = {{0}};
	int statuses[20], r;
	cr_processes_map_options options = {.statuses = statuses, .limit = 3};
	cr_processes *pool;

	(void)t;
	r = open_pool(&pool);
	if (r < 0)
		return r;
	for (int i = 0; i < 20; i++)
		items[i] = (struct add){.a = i, .b = 1};
	for (int i = 0; i < 20; i++)
		statuses[i] = -ECANCELED;
	r = cr_processes_map_with(pool, &options, add, items, 20);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(items[i].sum, statuses[i] == 0 ? i + 1 : 0);
	cr_processes_close(pool);
	return r;
}

struct together {
	cr_processes *pool;
	struct add add;
};

static int call_one(struct together *one)
{
	return cr_processes_call(one->pool, add, &one->add);
}

static int several_at_once(struct torture *t)
{
	struct together all[4];
	cr_processes *pool;
	int r = open_pool(&pool);

	(void)t;
	if (r < 0)
		return r;
	for (int i = 0; i < 4; i++)
		all[i] = (struct together){.pool = pool, .add = {.a = i, .b = 1}};
	r = cr_gather(call_one, all, 4);
	for (int i = 0; i < 4 && r == 0; i++)
		CHECK_EQ(all[i].add.sum, i + 1);
	cr_processes_close(pool);
	return r;
}

static int fill(cr_shared *shared)
{
	void *data;
	int r = cr_shared_map(*shared, &data, NULL);

	if (r == 0)
		*(int *)data = 42;
	return r;
}

static int shares(struct torture *t)
{
	cr_processes *pool;
	cr_shared shared;
	void *data;
	int r = cr_shared_open(4096, &shared);

	(void)t;
	if (r < 0)
		return r;
	r = open_pool(&pool);
	if (r == 0) {
		r = cr_processes_call(pool, fill, &shared);
		CHECK_EQ(cr_shared_map(shared, &data, NULL), 0);
		if (r == 0)
			CHECK_EQ(*(int *)data, 42);
		cr_processes_close(pool);
	}
	cr_shared_close(shared);
	return r;
}

int main(void)
{
	CHECK_EQ(cr_processes_prepare(), 0);
	TORTURE(calls);
	/* In the simulator the one who dies is the program. */
	if (!on_sim())
		TORTURE(survives_deaths);
	TORTURE(maps);
	TORTURE(several_at_once);
	TORTURE(shares);
	return test_done();
}
