/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_FOOTPRINT_H
#define CORAIL_TESTS_SUPPORT_FOOTPRINT_H

/* What this process has of the machine's memory, see proc(5): as much after a test as before. */

#include "test.h"

/* How many pages of it are in memory. */
static inline long footprint_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long size, resident;

	CHECK(file != NULL);
	CHECK_EQ(fscanf(file, "%ld %ld", &size, &resident), 2);
	fclose(file);
	return resident;
}

/* How many mappings it has, which the kernel limits. */
static inline size_t footprint_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t count = 0;
	int c;

	CHECK(maps != NULL);
	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

#endif
