/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_ASLEEP_H
#define CORAIL_TESTS_SUPPORT_ASLEEP_H

/* For tests of what wakes a loop: to begin only when it sleeps, however long that takes. */

#include "test.h"

#include <sched.h>
#include <sys/types.h>

/*
 * Waits until a thread (gettid(2)), or the first thread of a process, sleeps in the kernel: the
 * state in /proc/PID/task/TID/stat, see proc(5). A shorter path would do, but qemu-user invents the
 * contents of that one.
 */
static inline void until_asleep(pid_t thread)
{
	char path[64], line[512];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)thread, (int)thread);
	for (;;) {
		FILE *stat = fopen(path, "r");
		const char *name_end;

		CHECK(stat != NULL);
		CHECK(fgets(line, sizeof line, stat) != NULL);
		fclose(stat);
		name_end = strrchr(line, ')');
		CHECK(name_end != NULL);
		if (strncmp(name_end, ") S", 3) == 0)
			return;
		sched_yield();
	}
}

#endif
