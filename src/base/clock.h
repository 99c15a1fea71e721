/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_CLOCK_H
#define CR__BASE_CLOCK_H

/* The seam for time: nobody else reads a clock. */

#include <corail/base.h>

/* CLOCK_MONOTONIC in nanoseconds (clock_gettime(2)); never goes back. */
cr_nsec cr__clock_monotonic(void);

/* Seconds since the epoch, CLOCK_REALTIME. */
int64_t cr__clock_wall_seconds(void);

/* a + b for a point in time and a duration; negative durations count as zero, the sum saturates. */
static inline cr_nsec cr__nsec_add(cr_nsec a, cr_nsec b)
{
	if (b <= 0)
		return a;
	return a > CORAIL_NEVER - b ? CORAIL_NEVER : a + b;
}

#endif
