/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_WATCHDOG_H
#define CR__EXEC_WATCHDOG_H

/*
 * The watchdog of a loop that is being debugged: one thread for each such loop. It looks at the
 * loop's pulse a few times in each period that would be too long, and turns addresses into names
 * for the loop's own reports.
 */

#include "exec/sample.h"

#include <pthread.h>

struct cr__watchdog {
	struct cr__debug *debug;
	pid_t process, loop_thread;
	bool armed; /* samples can be taken */
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake, served;
	bool stop;
	void *const *frames; /* to be appended to the loop's report; NULL: nothing */
	size_t frame_count;

	/* The thread's own. */
	cr_nsec period, last_look;
	uint64_t beats; /* when it last looked */
	cr_nsec still;  /* for how long there have been no more */
	bool reported, asked_to_look;
	struct cr__sample sample;
	struct cr__report report;
	struct cr__symbol *symbols;
};

#endif
