/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_WATCH_H
#define CR__LOOP_WATCH_H

/*
 * The pulse of a loop that is being watched, for a thread that looks from outside. A loop without a
 * watcher pays one test of a pointer for each turn.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cr__watch {
	_Atomic uint64_t beats; /* one more at each suspension, and on both sides of a poll */
	_Atomic bool polling;   /* then standing still is what it is there for */
	_Atomic bool look;      /* the watcher asks the loop's thread to look at itself */
	/* On the loop's thread: the library opened a descriptor, or closed it or gave it away. */
	void (*opened)(struct cr__watch *watch, int fd);
	void (*closed)(struct cr__watch *watch, int fd);
};

static inline void cr__watch_beat(struct cr__watch *watch)
{
	/* Nobody else writes it. */
	uint64_t beats = atomic_load_explicit(&watch->beats, memory_order_relaxed);

	atomic_store_explicit(&watch->beats, beats + 1, memory_order_release);
}

static inline void cr__watch_poll(struct cr__watch *watch, bool polling)
{
	atomic_store_explicit(&watch->polling, polling, memory_order_relaxed);
	cr__watch_beat(watch);
}

#endif
