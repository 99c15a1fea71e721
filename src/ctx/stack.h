/* SPDX-License-Identifier: MIT */
#ifndef CR__CTX_STACK_H
#define CR__CTX_STACK_H

/*
 * The stack pool of a loop. Stacks are carved from arenas: one mapping for many, reserved and not
 * paid for until touched. A size class is 64 KiB times a power of two. Free stacks are reused last
 * in first out, so that a warm one comes back; the pool keeps some thousand warm and gives the
 * pages of the rest back. Nothing the scheduler needs lies in a stack: a page is resident only for
 * what runs on it.
 */

#include "base/hot.h"
#include "ctx/guard.h"
#include "ctx/sanitize.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CR__STACK_CLASS_COUNT = 11, /* 64 KiB .. 64 MiB */
	CR__STACK_SIZE_MIN = 65536,
	CR__STACK_COLOUR_COUNT = 32, /* how far apart in cache sets the tops of neighbours are */
	CR__STACK_COLOUR_STEP = 64,
};

struct cr__stack {
	char *base; /* the low end, where the guard lies */
	union {
		struct {
			uint32_t number; /* in its pool: decides its colour */
			uint8_t class;
			uint8_t guard; /* enum cr__guard */
		};
		uint64_t rest; /* all of them, to copy */
	};
};

_Static_assert(sizeof(struct cr__stack) == 16, "two words to copy");

/* Free stacks of one class. */
struct cr__stack_class {
	struct cr__stack *free; /* [0..count): a stack of stacks */
	size_t count, capacity;
	size_t cold;  /* free[0..cold) were given back to the kernel */
	size_t floor; /* how low the count may fall without anybody noticing; not below `cold` */
	size_t spare; /* free[cold..spare) were not needed for a while */
	size_t since; /* how many were returned since that was last found out */
	size_t total; /* ever carved */
};

struct cr__stack_pool {
	struct cr__stack_class class[CR__STACK_CLASS_COUNT];
	struct cr__arena *arenas;
	enum cr__guard guard;
	uint32_t number_next;
	size_t unguarded;  /* how many stacks have no guard: then switches look at the low end */
	size_t high_water; /* the most bytes that any sampled stack had touched */
	uint32_t frees;    /* counts, to sample every so often */
};

void cr__stack_pool_init(struct cr__stack_pool *pool);

/* Unmaps everything. No stack may be in use. */
void cr__stack_pool_destroy(struct cr__stack_pool *pool);

/* The class for a size in bytes (0: the smallest), or -1 when it is too large. */
int cr__stack_class_for(size_t size_bytes);

static inline size_t cr__stack_size(unsigned class)
{
	return (size_t)CR__STACK_SIZE_MIN << class;
}

/*
 * Word by word, as they were written a moment ago: a copy in one piece would wait for those stores
 * to retire.
 */
static CR__HOT void cr__stack_copy(struct cr__stack *to, const struct cr__stack *from)
{
	to->base = from->base;
	to->rest = from->rest;
}

/* Takes a stack whose pages were kept. Returns false where cr__stack_take_cold() has to look. */
static CR__HOT bool cr__stack_take_warm(struct cr__stack_pool *pool, unsigned class,
                                        struct cr__stack *ret_stack)
{
	struct cr__stack_class *c = &pool->class[class];
	size_t count = c->count;

	if (__builtin_expect(count <= c->floor, 0))
		return false;
	c->count = count - 1;
	cr__stack_copy(ret_stack, &c->free[count - 1]);
	return true;
}

/* Takes whichever there is, or a new one, and notes how few are left. Returns 0, or -ENOMEM. */
int cr__stack_take_cold(struct cr__stack_pool *pool, unsigned class, struct cr__stack *ret_stack);

/* Takes a stack. Returns 0, or -ENOMEM. */
static inline int cr__stack_take(struct cr__stack_pool *pool, unsigned class,
                                 struct cr__stack *ret_stack)
{
	if (cr__stack_take_warm(pool, class, ret_stack))
		return 0;
	return cr__stack_take_cold(pool, class, ret_stack);
}

enum { CR__STACK_TIDY_EVERY = 1024 };

/*
 * What is due now and then when stacks have been returned, this one last: a high-water sample,
 * giving pages back.
 */
void cr__stack_tidy(struct cr__stack_pool *pool, const struct cr__stack *stack);

/*
 * For a loop with nothing to do: gives the pages of a few cold stacks back. A burst of tasks that
 * end does not stop for it: returning a page costs as much as all else that a task's end does.
 * Returns whether there are more.
 */
bool cr__stack_pool_rest(struct cr__stack_pool *pool);

/*
 * Returns a stack; it may be the one that the caller still runs on, until it switches away. True:
 * cr__stack_tidy() is due.
 */
static CR__HOT __attribute__((warn_unused_result)) bool cr__stack_give(
	struct cr__stack_pool *pool, const struct cr__stack *stack)
{
	struct cr__stack_class *c = &pool->class[stack->class];

	cr__stack_copy(&c->free[c->count++], stack);
	return __builtin_expect(++pool->frees % CR__STACK_TIDY_EVERY == 0, 0);
}

/* Where its frames begin: the high end, shifted by the colour. */
static inline char *cr__stack_top(const struct cr__stack *stack)
{
	return stack->base + cr__stack_size(stack->class) -
	       (size_t)(stack->number % CR__STACK_COLOUR_COUNT) * CR__STACK_COLOUR_STEP;
}

/* How many bytes were touched from the high end down, in whole pages (mincore(2)). */
size_t cr__stack_touched(const struct cr__stack *stack);

/* For stacks without a guard: the word at the low end, which nothing may overwrite. */
#define CR__STACK_CANARY UINT64_C(0xc0a11c0a11c0a11c)

static inline int cr__stack_intact(const struct cr__stack *stack)
{
	return stack->guard != CR__GUARD_CHECK ||
	       *(const uint64_t *)(const void *)stack->base == CR__STACK_CANARY;
}

#endif
