/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/* Jobs on threads, tortured. */

#include "support/torture.h"

#include <corail/exec.h>
#include <corail/task.h>

struct add {
	int a, b, sum;
};

static int add(struct add *a)
{
	a->sum = a->a + a->b;
	return 0;
}

static int offloads(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};
	int r = 0;

	(void)t;
	for (int i = 0; i < 3 && r == 0; i++) {
		a.sum = 0;
		r = cr_offload(add, &a);
		if (r == 0)
			CHECK_EQ(a.sum, 3);
	}
	return r;
}

static int offloads_copies(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};
	int r = 0;

	(void)t;
	for (int i = 0; i < 3 && r == 0; i++) {
		a.sum = 0;
		r = cr_offload_copy(add, &a);
		CHECK_EQ(a.sum, r == 0 ? 3 : 0);
	}
	return r;
}

static int maps(struct torture *t)
{
	struct add items[20] = {{0}};
	int statuses[20], r;
	cr_offload_map_options options = {.statuses = statuses};

	(void)t;
	for (int i = 0; i < 20; i++)
		items[i] = (struct add){.a = i, .b = 1};
	r = cr_offload_map_with(&options, add, items, 20);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(items[i].sum, statuses[i] == 0 ? i + 1 : 0);
	return r;
}

static int opens_a_pool(struct torture *t)
{
	cr_threads_options options = {.thread_count_max = 2, .queue_limit = 1};
	cr_offload_options with = {.pool = NULL};
	struct add a = {.a = 1, .b = 2};
	int r = cr_threads_open(&options, &with.pool);

	(void)t;
	if (r < 0)
		return r;
	r = cr_offload_with(&with, add, &a);
	cr_threads_close(with.pool);
	return r;
}

struct asking {
	cr_loop loop;
	struct add add;
};

static int add_slowly(struct add *a)
{
	int r = cr_sleep(cr_micros(10));

	return r < 0 ? r : add(a);
}

static int ask(struct asking *asking)
{
	int r = cr_call_threadsafe(asking->loop, add_slowly, &asking->add);

	if (r == 0)
		CHECK_EQ(asking->add.sum, 3);
	return r;
}

static int ask_offloaded(struct asking *asking)
{
	asking->loop = cr_loop_current();
	return cr_offload(ask, asking);
}

static int jobs_call_back(struct torture *t)
{
	struct asking asking[2] = {{.add = {1, 2, 0}}, {.add = {2, 1, 0}}};

	(void)t;
	return cr_gather(ask_offloaded, asking, 2);
}

static int asks_from_afar(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};
	cr_remote *remote;
	int result, r = cr_run_threadsafe(cr_loop_current(), add_slowly, &a, &remote);

	(void)t;
	if (r < 0)
		return r;
	while (cr_remote_result(remote, &result) == -EINPROGRESS) {
		if (r == 0)
			r = cr_sleep(cr_micros(10));
		if (r < 0) {
			cr_remote_cancel(remote);
			cr_shield(CORAIL_NEVER, cr_yield());
		}
	}
	cr_remote_close(remote);
	return r < 0 ? r : result;
}

int main(void)
{
	TORTURE(offloads);
	TORTURE(offloads_copies);
	TORTURE(maps);
	TORTURE(opens_a_pool);
	TORTURE(jobs_call_back);
	TORTURE(asks_from_afar);
	return test_done();
}
