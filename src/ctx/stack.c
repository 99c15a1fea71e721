/* SPDX-License-Identifier: MIT */
#include "ctx/stack.h"

#include "base/alloc.h"
#include "base/panic.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum {
	PAGE = 4096,
	CARVE = 64,              /* stacks carved, guarded and touched together */
	WARM_MAX = 4096,         /* free stacks of a class whose pages are kept in any case */
	COLD_AT_ONCE = 64,       /* of spare ones, given back each time that the pool is tidied */
	COLD_IDLE = 8,           /* of all beyond, whenever the loop is about to wait */
	FLOOR_STEP = 1024,       /* how exactly it is known how low the count has fallen */
	TOUCHED_KEEP = 4 * PAGE, /* stacks that used more give it back: cr__stack_tidy() */
};

/* Address space is free, so arenas are large; where it is limited (RLIMIT_AS), they get smaller. */
static const size_t arena_size_max = (size_t)1 << 30;

struct cr__arena {
	struct cr__arena *next;
	char *base;
	size_t size, used; /* used: carved so far */
	unsigned class;
	size_t guarded_by_mprotect;
	unsigned *valgrind; /* numbers of the stacks, by position; NULL outside Valgrind */
};

void cr__stack_pool_init(struct cr__stack_pool *pool)
{
	memset(pool, 0, sizeof *pool);
	pool->guard = cr__guard_choose();
}

void cr__stack_pool_destroy(struct cr__stack_pool *pool)
{
	while (pool->arenas) {
		struct cr__arena *a = pool->arenas;

		pool->arenas = a->next;
		for (size_t i = 0; a->valgrind && i < a->used / cr__stack_size(a->class); i++)
			cr__stack_deregister(a->valgrind[i]);
		cr__map_release(a->base, a->size);
		cr__guard_release(CR__GUARD_MPROTECT, a->guarded_by_mprotect);
		cr__free(a->valgrind);
		cr__free(a);
	}
	for (unsigned i = 0; i < CR__STACK_CLASS_COUNT; i++)
		cr__free(pool->class[i].free);
	memset(pool, 0, sizeof *pool);
}

int cr__stack_class_for(size_t size_bytes)
{
	for (int class = 0; class < CR__STACK_CLASS_COUNT; class ++)
		if (cr__stack_size((unsigned)class) >= size_bytes)
			return class;
	return -1;
}

/*
 * MAP_NORESERVE: a quarter of a million reserved stacks must not count as memory. MADV_NOHUGEPAGE:
 * a huge page behind each sparse stack would cost 2 MiB instead of 4 KiB.
 */
static struct cr__arena *arena_new(unsigned class, size_t size)
{
	size_t stride = cr__stack_size(class);
	struct cr__arena *a = cr__alloc_zero(1, sizeof *a);

	if (!a)
		return NULL;
	if (cr__on_valgrind()) {
		a->valgrind = cr__alloc_zero(size / stride, sizeof *a->valgrind);
		if (!a->valgrind)
			size = 0;
	}
	while (size >= stride) {
		a->base = cr__map_reserve(size);
		if (a->base && cr__map_commit(a->base, size) == 0)
			break;
		cr__map_release(a->base, size);
		a->base = NULL;
		size /= 2;
	}
	if (!a->base) {
		cr__free(a->valgrind);
		cr__free(a);
		return NULL;
	}
	madvise(a->base, size, MADV_NOHUGEPAGE);
	a->size = size;
	a->class = class;
	return a;
}

/* The arena to carve from: four carvings at first, then as much again as there is already. */
static struct cr__arena *arena_for(struct cr__stack_pool *pool, unsigned class)
{
	size_t stride = cr__stack_size(class), size = 4 * CARVE * stride;
	struct cr__arena *a;

	for (a = pool->arenas; a; a = a->next)
		if (a->class == class && a->size - a->used >= stride)
			return a;
	if (cr__on_valgrind())
		size = CARVE * stride;
	while (size < pool->class[class].total * stride)
		size *= 2;
	if (size > arena_size_max)
		size = arena_size_max;
	a = arena_new(class, size);
	if (a) {
		a->next = pool->arenas;
		pool->arenas = a;
	}
	return a;
}

/* Room for every stack of the class, so that giving one back never allocates. */
static int reserve_free(struct cr__stack_class *c, size_t total)
{
	size_t capacity = c->capacity ? c->capacity : CARVE;
	struct cr__stack *array;

	while (capacity < total)
		capacity *= 2;
	if (capacity == c->capacity)
		return 0;
	array = cr__realloc(c->free, capacity * sizeof *array);
	if (!array)
		return -ENOMEM;
	c->free = array;
	c->capacity = capacity;
	return 0;
}

static void carve(struct cr__stack_pool *pool, struct cr__arena *a, size_t count)
{
	struct cr__stack_class *c = &pool->class[a->class];
	size_t stride = cr__stack_size(a->class);
	char *base = a->base + a->used;
	enum cr__guard guard = cr__guard_install(pool->guard, base, stride, count);

	if (guard == CR__GUARD_MPROTECT)
		a->guarded_by_mprotect += count;
	else if (guard == CR__GUARD_CHECK)
		pool->unguarded += count;
	/* Many at once means that many more will come: fault their first pages in together. */
	if (c->total >= CARVE)
		cr__guard_populate(base + stride - PAGE, stride, count);
	for (size_t i = count; i-- > 0;) {
		struct cr__stack stack = {.base = base + i * stride, .rest = 0};

		stack.number = pool->number_next + (uint32_t)i;
		stack.class = (uint8_t)a->class;
		stack.guard = (uint8_t)guard;
		if (guard == CR__GUARD_CHECK)
			*(uint64_t *)(void *)stack.base = CR__STACK_CANARY;
		if (a->valgrind)
			a->valgrind[a->used / stride + i] =
				cr__stack_register(stack.base, stack.base + stride - 1);
		c->free[c->count++] = stack;
	}
	pool->number_next += (uint32_t)count;
	c->total += count;
	a->used += count * stride;
}

/* Carves more stacks of a class. Returns 0, or -ENOMEM. */
static int grow(struct cr__stack_pool *pool, unsigned class)
{
	struct cr__arena *a = arena_for(pool, class);
	size_t count;

	if (!a)
		return -ENOMEM;
	count = (a->size - a->used) / cr__stack_size(class);
	if (count > CARVE)
		count = CARVE;
	if (reserve_free(&pool->class[class], pool -> class[class].total + count) < 0)
		return -ENOMEM;
	carve(pool, a, count);
	return 0;
}

int cr__stack_take_cold(struct cr__stack_pool *pool, unsigned class, struct cr__stack *ret_stack)
{
	struct cr__stack_class *c = &pool->class[class];

	if (c->count == 0) {
		int r = grow(pool, class);

		if (r < 0)
			return r;
	}
	cr__stack_copy(ret_stack, &c->free[--c->count]);
	if (c->cold > c->count)
		c->cold = c->count;
	c->floor = c->count > c->cold + FLOOR_STEP ? c->count - FLOOR_STEP : c->cold;
	if (c->spare > c->floor)
		c->spare = c->floor;
	return 0;
}

size_t cr__stack_touched(const struct cr__stack *stack)
{
	unsigned char resident[1024];
	size_t size = cr__stack_size(stack->class), touched = 0;

	/* From the high end down, a window of pages at a time, until one without a touched page. */
	while (touched < size) {
		size_t left = size - touched,
		       window = left < sizeof resident * PAGE ? left : sizeof resident * PAGE;
		const char *low = stack->base + left - window;
		size_t lowest = window / PAGE;

		if (mincore((void *)(uintptr_t)low, window, resident))
			break;
		for (size_t i = window / PAGE; i-- > 0;)
			if (resident[i] & 1)
				lowest = i;
		if (lowest == window / PAGE)
			break;
		touched += window - lowest * PAGE;
		if (lowest != 0)
			break;
	}
	return touched;
}

/* Gives all but the highest page back, and that too when `all`. A guard stays (madvise(2)). */
static void give_pages_back(const struct cr__stack *stack, bool all)
{
	size_t keep = all ? 0 : PAGE,
	       guard = stack->guard == CR__GUARD_CHECK ? PAGE : CR__GUARD_SIZE;

	madvise(stack->base + guard, cr__stack_size(stack->class) - guard - keep, MADV_DONTNEED);
}

/*
 * Stacks that came back since the last look, when the sampled one was used deeply: most likely they
 * were too. The caller may still run on the last of them, which is therefore left alone.
 */
static void trim_recent(struct cr__stack_class *c)
{
	size_t last = c->count - 1, first = c->cold;

	if (last > CR__STACK_TIDY_EVERY && last - CR__STACK_TIDY_EVERY > first)
		first = last - CR__STACK_TIDY_EVERY;
	for (size_t i = first; i < last; i++)
		give_pages_back(&c->free[i], false);
}

/*
 * What was free all the time while twice as many stacks came back as there are is spare: tasks that
 * come and go in crowds, whatever their size, have used all that they need by then.
 */
static void find_spare(struct cr__stack_class *c)
{
	c->since += CR__STACK_TIDY_EVERY;
	if (c->since < 2 * c->total)
		return;
	c->since = 0;
	c->spare = c->floor;
	c->floor = c->count;
}

/*
 * Gives the pages of up to `count` of the coldest stacks below `end` back. Returns whether there
 * are more.
 */
static bool give_cold_back(struct cr__stack_class *c, size_t end, size_t count)
{
	/* One more than is kept: the caller may still run on the last. */
	if (c->count <= WARM_MAX + 1)
		return false;
	if (end > c->count - WARM_MAX - 1)
		end = c->count - WARM_MAX - 1;
	for (; count > 0 && c->cold < end; count--)
		give_pages_back(&c->free[c->cold++], true);
	if (c->floor < c->cold)
		c->floor = c->cold;
	return c->cold < end;
}

void cr__stack_tidy(struct cr__stack_pool *pool, const struct cr__stack *stack)
{
	struct cr__stack_class *c = &pool->class[stack->class];
	size_t touched = cr__stack_touched(stack);

	if (touched > pool->high_water)
		pool->high_water = touched;
	if (touched > TOUCHED_KEEP)
		trim_recent(c);
	find_spare(c);
	give_cold_back(c, c->spare, COLD_AT_ONCE);
}

bool cr__stack_pool_rest(struct cr__stack_pool *pool)
{
	bool more = false;

	for (unsigned i = 0; i < CR__STACK_CLASS_COUNT; i++)
		more |= give_cold_back(&pool->class[i], SIZE_MAX, COLD_IDLE);
	return more;
}
