/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

cr_nsec cr__clock_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (cr_nsec)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cr__clock_wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}
