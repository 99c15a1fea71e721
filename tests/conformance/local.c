/* SPDX-License-Identifier: MIT */
/* Task-local values: inheritance, independence, destructors. */

#include <corail/corail.h>

#include "base/alloc.h"
#include "support/core.h"

#include "task/local.h"

#include <pthread.h>

static int destroyed, destroyed_sum;

static void count(void *value)
{
	destroyed++;
	destroyed_sum += *(int *)value;
}

static cr_local plain, counted = CORAIL_LOCAL(count);
static int values[] = {1, 10, 100, 1000};

TEST(set_and_get)
{
	CHECK(cr_local_get(&plain) == NULL);
	CHECK_EQ(cr_local_set(&plain, NULL), 0);
	CHECK_EQ(cr_local_set(&plain, &values[0]), 0);
	CHECK_EQ(cr_local_set(&counted, &values[1]), 0);
	CHECK(cr_local_get(&plain) == &values[0]);
	CHECK(cr_local_get(&counted) == &values[1]);
	CHECK_EQ(cr_local_set(&plain, &values[2]), 0);
	CHECK(cr_local_get(&plain) == &values[2]);
	CHECK_EQ(cr_local_set(&plain, NULL), 0);
	CHECK(cr_local_get(&plain) == NULL);
	CHECK(cr_local_get(&counted) == &values[1]);
	return 0;
}

static int child(int *spare)
{
	(void)spare;
	note("%d", *(int *)cr_local_get(&counted));
	CHECK_EQ(cr_local_set(&counted, &values[3]), 0);
	CHECK(cr_local_get(&counted) == &values[3]);
	return cr_yield();
}

static int parent(int *spare)
{
	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_local_set(&counted, &values[0]), 0);
	cr_spawn(&scope, child, spare);
	/* What it changes now is its own affair: the child has what was. */
	CHECK_EQ(cr_local_set(&counted, &values[1]), 0);
	cr_spawn(&scope, child, spare);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK(cr_local_get(&counted) == &values[1]);
	/* The first value went with the first child, and each child's own with it. */
	CHECK_EQ(destroyed, 3);
	CHECK_EQ(destroyed_sum, 2001);
	return 0;
}

TEST(inherited)
{
	int spare = 0;

	destroyed = destroyed_sum = 0;
	{
		CORAIL_SCOPE(scope);
		CHECK_EQ(cr_await(cr_spawn(&scope, parent, &spare)), 0);
	}
	CHECK_EQ(destroyed, 4);
	CHECK_EQ(destroyed_sum, 2011);
	CHECK(cr_local_get(&counted) == NULL);
	CHECK(strcmp(core_log, "1 10") == 0 || strcmp(core_log, "10 1") == 0);
	return 0;
}

static int deep(int *depth)
{
	int below = *depth - 1;

	CHECK(cr_local_get(&counted) == &values[2]);
	if (below == 0)
		return 0;
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, deep, &below);
	return cr_scope_wait(&scope);
}

/* Through every way to make a task; one value, one destructor, whoever ends last. */
TEST(shared_by_many)
{
	int depths[50];
	int r;

	destroyed = 0;
	for (int i = 0; i < 50; i++)
		depths[i] = 1 + i % 4;
	CHECK_EQ(cr_local_set(&counted, &values[2]), 0);
	CHECK_EQ(cr_gather(deep, depths, 50), 0);
	CHECK_EQ(cr_gather_limit(deep, depths, 50, 3), 0);
	{
		CORAIL_SCOPE(scope);
		r = cr_scope_start(&scope, deep, &depths[0], NULL);
		CHECK_EQ(r, -ENOMSG);
		for (int i = 0; i < 50; i++)
			cr_spawn_copy(&scope, deep, &depths[i]);
		CHECK_EQ(cr_local_set(&counted, NULL), 0);
		CHECK_EQ(destroyed, 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(destroyed, 1);
	return 0;
}

/* A server's loop: a value for each request, changed while the last requests still run. */
TEST(many_values_one_after_the_other)
{
	static cr_local keys[20];

	destroyed = 0;
	for (int i = 0; i < 20; i++)
		CHECK_EQ(cr_local_set(&keys[i], &values[i % 4]), 0);
	{
		int depth = 1;

		CORAIL_SCOPE(scope);
		for (int i = 0; i < 1000; i++) {
			CHECK_EQ(cr_local_set(&counted, &values[2]), 0);
			cr_spawn_copy(&scope, deep, &depth);
		}
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(destroyed, 999);
	for (int i = 0; i < 20; i++)
		CHECK(cr_local_get(&keys[i]) == &values[i % 4]);
	CHECK_EQ(cr_local_set(&counted, NULL), 0);
	CHECK_EQ(destroyed, 1000);
	return 0;
}

static int has_none(int *spare)
{
	*spare = 1;
	return cr_local_get(&counted) ? -EPROTO : 0;
}

static int spawned_by_a_callback;

static void spawn_from_a_callback(void *scope)
{
	CHECK(cr_local_get(&counted) == NULL);
	CHECK_EQ(cr_local_set(&counted, &values[0]), -EPERM);
	cr_spawn((cr_scope *)scope, has_none, &spawned_by_a_callback);
}

TEST(callbacks_have_none)
{
	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_local_set(&counted, &values[2]), 0);
	CHECK_EQ(cr_loop_post(spawn_from_a_callback, &scope), 0);
	while (!spawned_by_a_callback)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

static void *on_a_thread(void *locals)
{
	void *value;

	CHECK(cr_local_get(&counted) == NULL);
	cr__locals_install(locals);
	value = cr_local_get(&counted);
	CHECK_EQ(cr_local_set(&counted, &values[0]), -EPERM);
	cr__locals_install(NULL);
	CHECK(cr_local_get(&counted) == NULL);
	return value;
}

TEST(carried_to_a_thread)
{
	struct cr__locals *locals;
	pthread_t thread;
	void *value;

	destroyed = 0;
	CHECK(cr__locals_hold() == NULL);
	cr__locals_drop(NULL);
	CHECK_EQ(cr_local_set(&counted, &values[1]), 0);
	locals = cr__locals_hold();
	CHECK_EQ(cr_local_set(&counted, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, on_a_thread, locals), 0);
	CHECK_EQ(pthread_join(thread, &value), 0);
	CHECK(value == &values[1]);
	CHECK_EQ(destroyed, 0);
	cr__locals_drop(locals);
	CHECK_EQ(destroyed, 1);
	return 0;
}

/* Without memory nothing changes, and the value is the caller's still. */
TEST(no_memory)
{
	destroyed = 0;
	CHECK_EQ(cr_local_set(&plain, &values[0]), 0);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		cr__alloc_fail_once(nth);
		CHECK_EQ(cr_local_set(&counted, &values[1]), -ENOMEM);
		cr__alloc_fail_at(0);
		CHECK(cr_local_get(&counted) == NULL);
		CHECK(cr_local_get(&plain) == &values[0]);
	}
	CHECK_EQ(destroyed, 0);
	return 0;
}

static void outside(void)
{
	CHECK(cr_local_get(&plain) == NULL);
	CHECK_EQ(cr_local_set(&plain, &values[0]), -EPERM);
}

int main(void)
{
	RUN(outside);
	RUN_TASK(set_and_get);
	RUN_TASK(inherited);
	RUN_TASK(shared_by_many);
	RUN_TASK(many_values_one_after_the_other);
	RUN_TASK(callbacks_have_none);
	RUN_TASK(carried_to_a_thread);
	RUN_TASK(no_memory);
	return test_done();
}
