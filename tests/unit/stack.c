/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* The stack pool: classes, colours, reuse, guards, giving memory back. */

#include "support/child.h"

#include "base/alloc.h"
#include "ctx/stack.h"

#include <stdbool.h>
#include <sys/mman.h>

enum { PAGE = 4096, WARM = 4096 };

static struct cr__stack_pool pool;

static struct cr__stack take(unsigned class)
{
	struct cr__stack stack;

	CHECK_EQ(cr__stack_take(&pool, class, &stack), 0);
	CHECK_EQ(stack.class, class);
	return stack;
}

static void give(const struct cr__stack *stack)
{
	if (cr__stack_give(&pool, stack))
		cr__stack_tidy(&pool, stack);
}

static size_t resident_pages(const struct cr__stack *stack)
{
	size_t count = cr__stack_size(stack->class) / PAGE, resident = 0;
	unsigned char pages[1024];

	CHECK_LE(count, sizeof pages);
	CHECK_EQ(mincore(stack->base, count * PAGE, pages), 0);
	for (size_t i = 0; i < count; i++)
		resident += pages[i] & 1;
	return resident;
}

static void use(const struct cr__stack *stack, size_t size)
{
	memset(stack->base + cr__stack_size(stack->class) - size, 1, size);
}

static void classes_are_powers_of_two(void)
{
	CHECK_EQ(cr__stack_class_for(0), 0);
	CHECK_EQ(cr__stack_class_for(1), 0);
	CHECK_EQ(cr__stack_class_for(65536), 0);
	CHECK_EQ(cr__stack_class_for(65537), 1);
	CHECK_EQ(cr__stack_class_for(262144), 2);
	CHECK_EQ(cr__stack_class_for(64 << 20), CR__STACK_CLASS_COUNT - 1);
	CHECK_EQ(cr__stack_class_for((64 << 20) + 1), -1);
	CHECK_EQ(cr__stack_class_for(SIZE_MAX), -1);
	for (unsigned i = 0; i < CR__STACK_CLASS_COUNT; i++)
		CHECK_EQ(cr__stack_class_for(cr__stack_size(i)), i);
}

static void the_last_one_back_is_the_first_one_out(void)
{
	struct cr__stack a, b;

	cr__stack_pool_init(&pool);
	a = take(0);
	b = take(0);
	CHECK(a.base != b.base);
	give(&a);
	give(&b);
	CHECK(take(0).base == b.base);
	CHECK(take(0).base == a.base);
	cr__stack_pool_destroy(&pool);
}

static void neighbours_have_different_colours(void)
{
	bool seen[CR__STACK_COLOUR_COUNT] = {0};

	cr__stack_pool_init(&pool);
	for (int i = 0; i < CR__STACK_COLOUR_COUNT; i++) {
		struct cr__stack stack = take(2);
		ptrdiff_t shift = stack.base + cr__stack_size(2) - cr__stack_top(&stack);

		CHECK_EQ(shift % CR__STACK_COLOUR_STEP, 0);
		CHECK_LT(shift, PAGE);
		CHECK(!seen[shift / CR__STACK_COLOUR_STEP]);
		seen[shift / CR__STACK_COLOUR_STEP] = true;
	}
	cr__stack_pool_destroy(&pool);
}

static void all_classes_work(void)
{
	/* Valgrind takes half a minute to unmap the largest. */
	unsigned count = cr__on_valgrind() ? CR__STACK_CLASS_COUNT - 4 : CR__STACK_CLASS_COUNT;

	cr__stack_pool_init(&pool);
	for (unsigned class = 0; class < count; class ++) {
		struct cr__stack stack = take(class), other = take(class);
		size_t size = cr__stack_size(class);

		CHECK(other.base >= stack.base + size || stack.base >= other.base + size);
		stack.base[size - 1] = 1;
		stack.base[CR__GUARD_SIZE] = 1;
		CHECK(cr__stack_intact(&stack));
		give(&stack);
		give(&other);
	}
	cr__stack_pool_destroy(&pool);
}

static void what_is_not_touched_is_not_paid_for(void)
{
	struct cr__stack stack;

	cr__stack_pool_init(&pool);
	stack = take(2);
	CHECK_LE(resident_pages(&stack), 1);
	CHECK_LE(cr__stack_touched(&stack), PAGE);
	use(&stack, 5 * PAGE);
	CHECK_EQ(resident_pages(&stack), 5);
	CHECK_EQ(cr__stack_touched(&stack), 5 * PAGE);
	cr__stack_pool_destroy(&pool);
}

/* A stack is so large that its pages are looked at in several windows. */
static void large_stacks_are_measured_whole(void)
{
	struct cr__stack stack;

	cr__stack_pool_init(&pool);
	stack = take(7);
	CHECK_EQ(cr__stack_size(7), 8 << 20);
	use(&stack, 6 << 20);
	CHECK_EQ(cr__stack_touched(&stack), 6 << 20);
	cr__stack_pool_destroy(&pool);
}

/*
 * A burst of tasks: the pool keeps some thousand stacks warm and gives the rest of the memory back.
 */
static void the_pool_gives_memory_back(void)
{
	enum { BURST = 12 * 1024 };
	static struct cr__stack stacks[BURST];
	size_t warm = 0;

	cr__stack_pool_init(&pool);
	for (int i = 0; i < BURST; i++) {
		stacks[i] = take(0);
		use(&stacks[i], 100);
	}
	for (int i = 0; i < BURST; i++)
		give(&stacks[i]);
	/* A little of it when few are needed for a while, the rest when there is nothing to do. */
	for (int i = 0; i < 6 * BURST; i++) {
		struct cr__stack stack = take(0);

		give(&stack);
	}
	for (int i = 0; i < BURST; i++)
		warm += resident_pages(&stacks[i]) != 0;
	CHECK_GT(warm, WARM + 1024);
	CHECK_LT(warm, BURST);
	while (cr__stack_pool_rest(&pool))
		;
	warm = 0;
	for (int i = 0; i < BURST; i++)
		warm += resident_pages(&stacks[i]) != 0;
	CHECK_LE(warm, WARM + 2);
	CHECK_GE(warm, WARM);
	CHECK_EQ(pool.class[0].count, pool.class[0].total);
	/* All can be had again, the warm ones first. */
	CHECK_GT(resident_pages(&(struct cr__stack){.base = take(0).base}), 0);
	for (int i = 1; i < BURST; i++)
		use(&(struct cr__stack){.base = take(0).base}, 100);
	cr__stack_pool_destroy(&pool);
}

/* Tasks that come and go in crowds find the stacks of those before them warm. */
static void a_crowd_that_comes_again_finds_its_stacks(void)
{
	enum { CROWD = 10000, ROUNDS = 9 };
	static struct cr__stack stacks[CROWD];

	cr__stack_pool_init(&pool);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CROWD; i++) {
			stacks[i] = take(0);
			CHECK(round == 0 || resident_pages(&stacks[i]) != 0);
			use(&stacks[i], 100);
		}
		for (int i = 0; i < CROWD; i++)
			give(&stacks[i]);
	}
	cr__stack_pool_destroy(&pool);
}

/* Stacks that were used deeply once must not stay resident for ever. */
static void deeply_used_stacks_are_trimmed(void)
{
	enum { BURST = 3000, DEEP = 40 * PAGE };
	static struct cr__stack stacks[BURST];
	size_t resident = 0;

	cr__stack_pool_init(&pool);
	for (int i = 0; i < BURST; i++)
		stacks[i] = take(2);
	for (int i = 0; i < BURST; i++) {
		use(&stacks[i], DEEP);
		give(&stacks[i]);
	}
	for (int i = 0; i < BURST; i++)
		resident += resident_pages(&stacks[i]);
	CHECK_EQ(pool.high_water, DEEP);
	/* Those that came back since the pool looked last are as they were. */
	CHECK_LE(resident, BURST + 2 * CR__STACK_TIDY_EVERY * (DEEP / PAGE));
	cr__stack_pool_destroy(&pool);
}

static void without_memory_nothing_is_lost(void)
{
	struct cr__stack stack;

	for (uint64_t nth = 1; nth < 12; nth++) {
		int r;

		cr__stack_pool_init(&pool);
		cr__alloc_fail_at(nth);
		r = cr__stack_take(&pool, 2, &stack);
		cr__alloc_fail_at(0);
		CHECK(r == 0 || r == -ENOMEM);
		CHECK_EQ(cr__stack_take(&pool, 2, &stack), 0);
		use(&stack, 100);
		cr__stack_pool_destroy(&pool);
	}
}

static int write_low(void *offset)
{
	struct cr__stack stack;

	signal(SIGSEGV, SIG_DFL);
	cr__stack_pool_init(&pool);
	CHECK_EQ(cr__stack_take(&pool, 1, &stack), 0);
	((volatile char *)stack.base)[*(int *)offset] = 1;
	return cr__stack_intact(&stack) ? 0 : 3;
}

static void the_low_end_is_guarded(void)
{
	static const char *const ways[] = {"madvise", "mprotect"};
	int offsets[] = {0, PAGE, CR__GUARD_SIZE - 1};
	struct child c;

	for (int way = 0; way < 2; way++) {
		setenv("CORAIL_GUARD", ways[way], 1);
		for (int i = 0; i < 3; i++) {
			child_run(&c, write_low, &offsets[i]);
			CHECK_DIED(&c, SIGSEGV, "");
		}
	}
	unsetenv("CORAIL_GUARD");
}

static void without_a_guard_the_low_word_tells(void)
{
	int offset = 3;
	struct child c;

	setenv("CORAIL_GUARD", "check", 1);
	child_run(&c, write_low, &offset);
	CHECK_EXITED(&c, 3);
	cr__stack_pool_init(&pool);
	take(0);
	CHECK_GT(pool.unguarded, 0);
	cr__stack_pool_destroy(&pool);
	unsetenv("CORAIL_GUARD");
}

int main(void)
{
	RUN(classes_are_powers_of_two);
	RUN(the_last_one_back_is_the_first_one_out);
	RUN(neighbours_have_different_colours);
	RUN(all_classes_work);
	RUN(without_memory_nothing_is_lost);
	if (cr__on_valgrind())
		return test_done(); /* it keeps pages of its own, and faults are its own too */
	RUN(what_is_not_touched_is_not_paid_for);
	RUN(large_stacks_are_measured_whole);
	RUN(the_pool_gives_memory_back);
	RUN(a_crowd_that_comes_again_finds_its_stacks);
	RUN(deeply_used_stacks_are_trimmed);
	RUN(the_low_end_is_guarded);
	RUN(without_a_guard_the_low_word_tells);
	return test_done();
}
