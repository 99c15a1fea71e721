/* SPDX-License-Identifier: MIT */
/* How tasks begin and take turns: deferred start, order, arguments, stacks, errno. */

#include "support/core.h"
#include "support/full.h"

#include <corail/debug.h>

struct number {
	int value;
};

static int say(struct number *n)
{
	note("%d", n->value);
	return n->value;
}

static int fail_it(struct number *n)
{
	(void)n;
	return -EPROTO;
}

TEST(a_spawned_task_has_not_run_yet)
{
	struct number one = {1};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, say, &one);
	note("spawned");
	CHECK_EQ(cr_scope_count(&scope), 1);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_scope_count(&scope), 0);
	CHECK_STR(core_log, "spawned 1");
	return 0;
}

TEST(five_start_in_order)
{
	struct number numbers[] = {{0}, {1}, {2}, {3}, {4}};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 5; i++)
		cr_spawn(&scope, say, &numbers[i]);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "0 1 2 3 4");
	return 0;
}

static int yield_thrice(struct number *n)
{
	for (int i = 0; i < 3; i++) {
		note("%c%d", n->value, i);
		CHECK_EQ(cr_yield(), 0);
	}
	return 0;
}

TEST(two_that_yield_take_turns)
{
	struct number a = {'a'}, b = {'b'};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, yield_thrice, &a);
	cr_spawn(&scope, yield_thrice, &b);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "a0 b0 a1 b1 a2 b2");
	return 0;
}

static int spawn_another(cr_scope *scope)
{
	struct number two = {2};

	note("first");
	cr_spawn_copy(scope, say, &two);
	note("spawned");
	return 0;
}

TEST(a_child_may_spawn_its_sibling)
{
	struct number three = {3};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, spawn_another, &scope);
	cr_spawn(&scope, say, &three);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "first spawned 3 2");
	return 0;
}

TEST(spawn_copies_when_asked)
{
	struct number n = {0};

	CORAIL_SCOPE(scope);
	for (n.value = 1; n.value <= 3; n.value++)
		cr_spawn_copy(&scope, say, &n);
	n.value = 9;
	cr_spawn(&scope, say, &n);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "1 2 3 9");
	return 0;
}

/* The largest argument that may be copied, and the same with a byte too many. */
struct large {
	_Alignas(16) unsigned char bytes[16384];
};

struct too_large {
	unsigned char bytes[16385];
};

static int sum_large(struct large *large)
{
	int sum = 0;

	CHECK_EQ((uintptr_t)large % 16, 0);
	CHECK_EQ(cr_yield(), 0);
	for (size_t i = 0; i < sizeof large->bytes; i++)
		sum += large->bytes[i];
	return sum;
}

static int never_runs(struct too_large *unused)
{
	(void)unused;
	FAIL("was run");
}

TEST(sixteen_kilobytes_can_be_copied_and_no_more)
{
	static struct large large;
	static struct too_large too_large;
	cr_task task;

	memset(&large, 1, sizeof large);
	{
		CORAIL_SCOPE(scope);
		task = cr_spawn_copy(&scope, sum_large, &large);
		memset(&large, 2, sizeof large);
		CHECK_EQ(cr_await(task), 16384);
	}
	CORAIL_SCOPE(scope);
	task = cr_spawn_copy(&scope, never_runs, &too_large);
	CHECK_EQ(cr_task_error(task), -E2BIG);
	CHECK_EQ(cr_scope_wait(&scope), -E2BIG);
	return 0;
}

struct depth {
	size_t bytes;
};

static __attribute__((noinline)) int eat(size_t bytes)
{
	volatile char frame[4096];

	frame[0] = 1;
	frame[4095] = 2;
	if (bytes > sizeof frame)
		return eat(bytes - sizeof frame) + frame[0] - frame[4095] + 1;
	return cr_yield();
}

static int use_stack(struct depth *depth)
{
	return eat(depth->bytes);
}

/*
 * Three quarters of what was asked for: frames of an unoptimised build are larger than their
 * locals.
 */
TEST(stacks_are_as_large_as_asked_for)
{
	static const size_t sizes[] = {1, 65536, 65537, 262144, 1 << 20, 8 << 20, 64 << 20};

	CORAIL_SCOPE(scope);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		cr_spawn_options options = {.stack_size_bytes = sizes[i]};
		struct depth depth = {sizes[i] < 65536 ? 32768 : sizes[i] / 4 * 3 - 16384};

		cr_spawn_copy_with(&options, &scope, use_stack, &depth);
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

static int collect_sizes(const cr_task_info *info, void *arg)
{
	(void)arg;
	note("%s:%zu", info->name, info->stack_size_bytes / 1024);
	return 0;
}

TEST(sizes_are_rounded_up_to_a_class)
{
	cr_spawn_options small = {.stack_size_bytes = 1, .name = "small"};
	cr_spawn_options odd = {.stack_size_bytes = 300000, .name = "odd"};
	cr_spawn_options huge = {.stack_size_bytes = (64 << 20) + 1};
	struct number n = {1};
	cr_task task;

	CORAIL_SCOPE(scope);
	cr_task_name_set("main");
	cr_spawn_with(&small, &scope, say, &n);
	cr_spawn_with(&odd, &scope, say, &n);
	CHECK_EQ(cr_debug_tasks(collect_sizes, NULL), 3);
	CHECK_STR(core_log, "main:256 small:64 odd:512");
	CHECK_EQ(cr_scope_wait(&scope), 0);
	task = cr_spawn_with(&huge, &scope, say, &n);
	CHECK_EQ(cr_task_error(task), -EINVAL);
	CHECK_EQ(cr_scope_wait(&scope), -EINVAL);
	return 0;
}

TEST(the_loop_s_own_size_is_the_default)
{
	CHECK_EQ(cr_debug_tasks(collect_sizes, NULL), 1);
	CHECK_STR(core_log, "the_loop_s_own_size_is_the_default:1024");
	return 0;
}

/* Whoever can do without a child loses nothing but that child when there is no room for it. */
TEST(an_optional_child_that_cannot_be_started_harms_nobody)
{
	const cr_spawn_options optional = {.optional = 1, .name = "optional"};
	const cr_spawn_options huge = {.optional = 1, .stack_size_bytes = (64 << 20) + 1};
	struct number n = {1}, copy = {2};

	CORAIL_SCOPE(scope);
	full_begin();
	CHECK_EQ(cr_task_error(cr_spawn_with(&optional, &scope, say, &n)), -EAGAIN);
	CHECK_EQ(cr_task_error(cr_spawn_copy_with(&optional, &scope, say, &n)), -EAGAIN);
	full_end();
	CHECK_EQ(cr_task_error(cr_spawn_with(&huge, &scope, say, &n)), -EINVAL);
	CHECK_EQ(cr_scope_failures(&scope, NULL, 0), 0);
	CHECK_EQ(cr_scope_cancelled(&scope), 0);
	core_log_clear();
	CHECK_EQ(cr_task_error(cr_spawn_with(&optional, &scope, say, &copy)), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "2");
	/* It is started or not; what it returns counts as ever. */
	cr_spawn_with(&optional, &scope, fail_it, &n);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	return 0;
}

static int keep_errno(struct number *n)
{
	for (int i = 0; i < 5; i++) {
		errno = n->value + i;
		CHECK_EQ(i % 2 ? cr_yield() : cr_sleep(cr_micros(10)), 0);
		CHECK_EQ(errno, n->value + i);
	}
	return 0;
}

TEST(errno_belongs_to_the_task)
{
	struct number numbers[] = {{100}, {200}, {300}, {400}};

	errno = 77;
	CHECK_EQ(cr_gather(keep_errno, numbers, 4), 0);
	CHECK_EQ(errno, 77);
	return 0;
}

static int fresh_errno(struct number *n)
{
	(void)n;
	CHECK_EQ(errno, 0);
	errno = EDOM;
	return 0;
}

TEST(errno_begins_at_zero)
{
	struct number numbers[3] = {{0}};

	errno = ERANGE;
	CHECK_EQ(cr_gather(fresh_errno, numbers, 3), 0);
	CHECK_EQ(errno, ERANGE);
	return 0;
}

int main(void)
{
	RUN_TASK(a_spawned_task_has_not_run_yet);
	RUN_TASK(five_start_in_order);
	RUN_TASK(two_that_yield_take_turns);
	RUN_TASK(a_child_may_spawn_its_sibling);
	RUN_TASK(spawn_copies_when_asked);
	RUN_TASK(sixteen_kilobytes_can_be_copied_and_no_more);
	RUN_TASK(stacks_are_as_large_as_asked_for);
	RUN_TASK(sizes_are_rounded_up_to_a_class);
	RUN_TASK_WITH(&(cr_options){.stack_size_bytes = 1 << 20},
	              the_loop_s_own_size_is_the_default);
	RUN_TASK(an_optional_child_that_cannot_be_started_harms_nobody);
	RUN_TASK(errno_belongs_to_the_task);
	RUN_TASK(errno_begins_at_zero);
	return test_done();
}
