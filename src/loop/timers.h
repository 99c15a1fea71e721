/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_TIMERS_H
#define CR__LOOP_TIMERS_H

/*
 * Timers: a 4-ary heap of 16-byte entries (deadline, order, slot), four children to a cache line.
 * Timers themselves live in the waiter, often on a stack that is cold: the heap never touches them
 * while it moves entries about. It keeps each entry's position in a dense array by slot instead, so
 * that removing is O(log n) too. Equal deadlines fire in the order in which they were set.
 */

#include <corail/base.h>

#include <stdbool.h>

struct cr__timer {
	/* runs on the loop's stack; the timer is unset by then */
	void (*fire)(struct cr__timer *timer);
	uint32_t slot; /* 0: not set */
};

struct cr__timer_entry {
	cr_nsec when;
	uint32_t order;
	uint32_t slot;
};

struct cr__timers {
	struct cr__timer_entry *heap; /* [0..count) */
	uint32_t *position;           /* by slot: index in the heap, or the next free slot */
	struct cr__timer **timer;     /* by slot */
	uint32_t count, committed;    /* slots 1..committed are usable memory */
	uint32_t slot_free, slot_top; /* free slots as a chain; slots above top were never used */
	uint32_t order_next, capacity;
};

/*
 * Reserves address space for `count_max` timers; memory is used as they are set. Returns 0 or
 * -ENOMEM.
 */
int cr__timers_init(struct cr__timers *timers, uint32_t count_max);
void cr__timers_destroy(struct cr__timers *timers);

/*
 * Sets a timer that is not set. Returns 0, or -ENOMEM with the timer unset. CORAIL_NEVER is
 * allowed.
 */
int cr__timer_set(struct cr__timers *timers, struct cr__timer *timer, cr_nsec when);

/* Unsets a timer; harmless when it is not set. */
void cr__timer_unset(struct cr__timers *timers, struct cr__timer *timer);

static inline bool cr__timer_is_set(const struct cr__timer *timer)
{
	return timer->slot != 0;
}

/* The earliest deadline, or CORAIL_NEVER. */
static inline cr_nsec cr__timers_next(const struct cr__timers *timers)
{
	return timers->count ? timers->heap[0].when : CORAIL_NEVER;
}

/*
 * Fires all whose time has come. Timers set meanwhile wait for the next call. Returns how many
 * fired.
 */
uint32_t cr__timers_fire(struct cr__timers *timers, cr_nsec now);

#endif
