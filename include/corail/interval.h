/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_INTERVAL_H
#define CORAIL_INTERVAL_H

/*
 * Intervals: something to be done every so often, at fixed times. Unlike a loop around cr_sleep(),
 * whose steps come later and later by the time that the work takes, the ticks of an interval lie on
 * a grid, and what happens when the work takes longer than a step is a decision:
 *
 *	cr_interval every;
 *
 *	cr_interval_start(&every, cr_millis(100), CORAIL_MISSED_SKIP);
 *	while ((missed = cr_interval_wait(&every)) >= 0)
 *		sample();
 *
 * An interval lives in your own frame, needs no memory and no end, and belongs to one task.
 */

#include <corail/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of ticks whose time passed before they were waited for. */
enum cr_missed {
	CORAIL_MISSED_SKIP,  /* the last is given at once, late; the others are dropped */
	CORAIL_MISSED_BURST, /* each is given at once, until the grid is caught up with */
	CORAIL_MISSED_DELAY, /* one is given at once, late, and the grid begins anew there */
};

/* An interval; its fields are private. */
typedef struct cr_interval {
	cr_nsec cr__period, cr__next;
	enum cr_missed cr__missed;
} cr_interval;

/*
 * Starts an interval, with its first tick one period (at least a nanosecond) from now. Starting it
 * again gives it a new grid.
 */
CORAIL_API void cr_interval_start(cr_interval *interval, cr_nsec period, enum cr_missed missed);

/* The same, with the first tick at a point of cr_now()'s clock; at cr_now() itself: at once. */
CORAIL_API void cr_interval_start_at(cr_interval *interval, cr_nsec first, cr_nsec period,
                                     enum cr_missed missed);

/*
 * Waits for the next tick; if its time has passed, lets the others run and returns. Returns how
 * many ticks were missed: dropped between the last one and this, or, with CORAIL_MISSED_BURST, are
 * still to come at once. Or: -ECANCELED, -ENOMEM; the tick then is still to come.
 */
CORAIL_API CORAIL_SUSPENDS int cr_interval_wait(cr_interval *interval);

/* When the next tick is due, on cr_now()'s clock. */
CORAIL_API cr_nsec cr_interval_next(const cr_interval *interval);

#ifdef __cplusplus
}
#endif
#endif
