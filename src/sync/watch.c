/* SPDX-License-Identifier: MIT */
#include <corail/broadcast.h>

#include "sync/chan.h"

#include <errno.h>

/* The watch: a version and those who wait for the next. The value is the macros' business. */

void cr__watch_changed(cr_watch *watch)
{
	watch->cr__version++;
	cr__chan_wake_all(&watch->cr__waiters, 0);
}

int cr__watch_wait(cr_watch *watch, uint64_t seen, cr__chan_wait *wait)
{
	int r = cr__park_check("cr_watch_wait");

	if (r < 0)
		return r;
	if (watch->cr__version == seen && !watch->cr__closed)
		return cr__chan_park(&watch->cr__waiters, NULL, wait, "watch");
	cr__budget_spend();
	return watch->cr__version == seen ? -EPIPE : 0;
}

void cr__watch_close(cr_watch *watch)
{
	watch->cr__closed = 1;
	cr__chan_wake_all(&watch->cr__waiters, -EPIPE);
}
