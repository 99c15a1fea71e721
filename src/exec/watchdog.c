/* SPDX-License-Identifier: MIT */
#include "task/debug.h"

#include <errno.h>

static int watchdog_start(struct cr__debug *debug)
{
	(void)debug;
	return -ENOSYS;
}

static void watchdog_frames(struct cr__debug *debug, void *const *frames, size_t count)
{
	(void)debug;
	(void)frames;
	(void)count;
}

static void watchdog_stop(struct cr__debug *debug)
{
	(void)debug;
}

const struct cr__watchdog_hooks cr__watchdog_hooks = {
	.start = watchdog_start,
	.frames = watchdog_frames,
	.stop = watchdog_stop,
};
