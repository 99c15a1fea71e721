/* SPDX-License-Identifier: MIT */
#ifndef CR__EXT_TIME_H
#define CR__EXT_TIME_H

/* Points in time, of which some never come. */

#include <corail/base.h>

/* So long after a point in time; CORAIL_NEVER when either never comes, or the sum is beyond it. */
static inline cr_nsec cr__time_after(cr_nsec when, cr_nsec duration)
{
	return when > CORAIL_NEVER - duration ? CORAIL_NEVER : when + duration;
}

#endif
