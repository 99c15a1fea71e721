/* SPDX-License-Identifier: MIT */
#include <corail/interval.h>
#include <corail/task.h>

#include "base/clock.h"

#include <limits.h>

/* Ticks on a grid: made of a sleep until a point in time. */

void cr_interval_start(cr_interval *interval, cr_nsec period, enum cr_missed missed)
{
	cr_interval_start_at(interval, cr__nsec_add(cr_now(), period < 1 ? 1 : period), period,
	                     missed);
}

void cr_interval_start_at(cr_interval *interval, cr_nsec first, cr_nsec period,
                          enum cr_missed missed)
{
	interval->cr__period = period < 1 ? 1 : period;
	interval->cr__next = first < 0 ? 0 : first;
	interval->cr__missed = missed;
}

/* Moves the grid on from a tick that is given now. Returns how many are late besides. */
static int64_t advance(cr_interval *interval, cr_nsec now)
{
	const int64_t late = (now - interval->cr__next) / interval->cr__period;

	if (interval->cr__missed == CORAIL_MISSED_DELAY && late > 0)
		interval->cr__next = now;
	else if (interval->cr__missed == CORAIL_MISSED_SKIP)
		interval->cr__next += late * interval->cr__period;
	interval->cr__next = cr__nsec_add(interval->cr__next, interval->cr__period);
	return late;
}

int cr_interval_wait(cr_interval *interval)
{
	/* One whose time has passed yields. */
	int r = cr_sleep_until(interval->cr__next);
	int64_t late;

	if (r < 0)
		return r;
	late = advance(interval, cr_now());
	return late > INT_MAX ? INT_MAX : (int)late;
}

cr_nsec cr_interval_next(const cr_interval *interval)
{
	return interval->cr__next;
}
