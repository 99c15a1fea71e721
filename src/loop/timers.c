/* SPDX-License-Identifier: MIT */
#include "loop/timers.h"

#include "base/alloc.h"
#include "base/panic.h"

#include <errno.h>
#include <string.h>

/*
 * Each array is one reservation of address space; committing in steps keeps a million timers at 28
 * bytes each, with no copying and no doubling while they are being set.
 */
enum { COMMIT_STEP = 4096 };

/*
 * Entries left unused in front: the children of node i are 4i+1..4i+4, one cache line when node 1
 * starts one.
 */
enum { SPARE = 3 };

static size_t heap_bytes(uint32_t slots)
{
	return ((size_t)slots + SPARE + 1) * sizeof(struct cr__timer_entry);
}

int cr__timers_init(struct cr__timers *t, uint32_t count_max)
{
	void *heap, *position, *timer;

	memset(t, 0, sizeof *t);
	while (count_max > COMMIT_STEP && heap_bytes(count_max) > cr__map_share())
		count_max /= 2;
	t->capacity = (count_max + COMMIT_STEP) / COMMIT_STEP * COMMIT_STEP;
	heap = cr__map_reserve(heap_bytes(t->capacity));
	position = cr__map_reserve((size_t)t->capacity * sizeof *t->position);
	timer = cr__map_reserve((size_t)t->capacity * sizeof *t->timer);
	t->heap = heap ? (struct cr__timer_entry *)heap + SPARE : NULL;
	t->position = position;
	t->timer = timer;
	if (heap && position && timer)
		return 0;
	cr__timers_destroy(t);
	return -ENOMEM;
}

void cr__timers_destroy(struct cr__timers *t)
{
	cr__map_release(t->heap ? t->heap - SPARE : NULL, heap_bytes(t->capacity));
	cr__map_release(t->position, (size_t)t->capacity * sizeof *t->position);
	cr__map_release(t->timer, (size_t)t->capacity * sizeof *t->timer);
	memset(t, 0, sizeof *t);
}

static int commit_more(struct cr__timers *t)
{
	uint32_t from = t->committed, to = from + COMMIT_STEP;

	if (to > t->capacity)
		return -ENOMEM;
	if (cr__map_commit(t->heap - SPARE, heap_bytes(to)) < 0 ||
	    cr__map_commit(t->position, (size_t)to * sizeof *t->position) < 0 ||
	    cr__map_commit(t->timer, (size_t)to * sizeof *t->timer) < 0)
		return -ENOMEM;
	t->committed = to;
	return 0;
}

static uint32_t slot_take(struct cr__timers *t)
{
	uint32_t slot = t->slot_free;

	if (slot) {
		t->slot_free = t->position[slot];
		return slot;
	}
	if (t->slot_top + 1 >= t->committed && commit_more(t) < 0)
		return 0;
	return ++t->slot_top;
}

/*
 * Order wraps around: of two equal deadlines set fewer than 2^31 settings apart, the elder is
 * first.
 */
static inline bool before(const struct cr__timer_entry *a, const struct cr__timer_entry *b)
{
	if (a->when != b->when)
		return a->when < b->when;
	return (int32_t)(a->order - b->order) < 0;
}

static inline void place(struct cr__timers *t, uint32_t index, struct cr__timer_entry entry)
{
	t->heap[index] = entry;
	t->position[entry.slot] = index;
}

static void sift_up(struct cr__timers *t, uint32_t index, struct cr__timer_entry entry)
{
	while (index > 0) {
		uint32_t parent = (index - 1) / 4;

		if (!before(&entry, &t->heap[parent]))
			break;
		place(t, index, t->heap[parent]);
		index = parent;
	}
	place(t, index, entry);
}

static void sift_down(struct cr__timers *t, uint32_t index, struct cr__timer_entry entry)
{
	for (;;) {
		uint32_t child = 4 * index + 1, least = child, end = child + 4;

		if (child >= t->count)
			break;
		if (end > t->count)
			end = t->count;
		for (uint32_t i = child + 1; i < end; i++)
			if (before(&t->heap[i], &t->heap[least]))
				least = i;
		if (!before(&t->heap[least], &entry))
			break;
		place(t, index, t->heap[least]);
		index = least;
	}
	place(t, index, entry);
}

int cr__timer_set(struct cr__timers *t, struct cr__timer *timer, cr_nsec when)
{
	struct cr__timer_entry entry = {.when = when, .order = t->order_next};
	uint32_t slot;

	CR__ASSERT(timer->slot == 0);
	slot = slot_take(t);
	if (!slot)
		return -ENOMEM;
	t->order_next++;
	t->timer[slot] = timer;
	timer->slot = entry.slot = slot;
	sift_up(t, t->count++, entry);
	return 0;
}

static void slot_release(struct cr__timers *t, uint32_t slot)
{
	t->timer[slot]->slot = 0;
	t->position[slot] = t->slot_free;
	t->slot_free = slot;
}

static void remove_at(struct cr__timers *t, uint32_t index)
{
	struct cr__timer_entry last = t->heap[--t->count];

	if (index == t->count)
		return;
	if (index > 0 && before(&last, &t->heap[(index - 1) / 4]))
		sift_up(t, index, last);
	else
		sift_down(t, index, last);
}

void cr__timer_unset(struct cr__timers *t, struct cr__timer *timer)
{
	uint32_t slot = timer->slot;

	if (!slot)
		return;
	remove_at(t, t->position[slot]);
	slot_release(t, slot);
}

uint32_t cr__timers_fire(struct cr__timers *t, cr_nsec now)
{
	uint32_t fired = 0, end = t->order_next;

	/*
	 * A timer that is set while others fire, already due, would keep this loop going: it waits.
	 * How old the others are does not matter, be it more settings ago than the order can count.
	 */
	while (t->count && t->heap[0].when <= now &&
	       t->heap[0].order - end >= t->order_next - end) {
		uint32_t slot = t->heap[0].slot;
		struct cr__timer *timer = t->timer[slot];

		remove_at(t, 0);
		slot_release(t, slot);
		timer->fire(timer);
		fired++;
	}
	return fired;
}
