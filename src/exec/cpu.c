/* SPDX-License-Identifier: MIT */
#include "exec/cpu.h"

#include <corail/exec.h>

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file's beginning as text. Returns false when it cannot be read. */
static bool slurp(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return false;
	n = fread(text, 1, size - 1, file);
	fclose(file);
	text[n] = '\0';
	return true;
}

static size_t processors(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return SIZE_MAX;
	return (size_t)((quota + period - 1) / period);
}

/* Version 2: "QUOTA PERIOD" in microseconds, or "max PERIOD" (cgroup-v2.rst, CPU interface). */
static size_t quota_v2(const char *directory)
{
	char path[PATH_MAX + 16], text[64];
	char *rest;
	long long quota;

	snprintf(path, sizeof path, "%s/cpu.max", directory);
	if (!slurp(path, text, sizeof text))
		return SIZE_MAX;
	quota = strtoll(text, &rest, 10); /* 0 from "max": none */
	return processors(quota, strtoll(rest, NULL, 10));
}

/* Version 1: two files; a quota of -1 is none (sched-bwc.rst). */
static size_t quota_v1(const char *directory)
{
	char path[PATH_MAX + 32], quota[32], period[32];

	snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", directory);
	if (!slurp(path, quota, sizeof quota))
		return SIZE_MAX;
	snprintf(path, sizeof path, "%s/cpu.cfs_period_us", directory);
	if (!slurp(path, period, sizeof period))
		return SIZE_MAX;
	return processors(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/*
 * The least of a group's limit and of those around it, up to the root of what is mounted. In a
 * container the path may be one that is seen only from outside: then the root still holds.
 */
static size_t quota_upwards(const char *root, const char *path, size_t path_size,
                            size_t (*quota)(const char *directory))
{
	char directory[PATH_MAX];
	size_t least = SIZE_MAX, root_size = strlen(root);
	int length = snprintf(directory, sizeof directory, "%s%.*s", root, (int)path_size, path);

	if (length < 0 || (size_t)length >= sizeof directory)
		return SIZE_MAX;
	for (;;) {
		size_t here = quota(directory);
		char *slash;

		if (here < least)
			least = here;
		slash = strrchr(directory, '/');
		if (!slash || (size_t)(slash - directory) < root_size)
			return least;
		*slash = '\0';
	}
}

/* Whether a comma-separated list has a word. */
static bool lists(const char *list, size_t size, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= size; i++) {
		bool starts = i == 0 || list[i - 1] == ',';
		bool ends = i + length == size || list[i + length] == ',';

		if (starts && ends && memcmp(list + i, word, length) == 0)
			return true;
	}
	return false;
}

/* Lines of "NUMBER:CONTROLLERS:PATH"; version 2 has the number 0 and no controllers: cgroups(7). */
size_t cr__cpu_quota(const char *groups, const char *mount)
{
	size_t least = SIZE_MAX;

	while (*groups) {
		const char *end = strchrnul(groups, '\n');
		const char *names = memchr(groups, ':', (size_t)(end - groups));
		const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
		size_t here = SIZE_MAX;
		char root[PATH_MAX];

		if (path) {
			size_t names_size = (size_t)(path - names - 1);
			size_t path_size = (size_t)(end - path - 1);

			int length = snprintf(root, sizeof root, "%s/%.*s", mount, (int)names_size,
			                      names + 1);

			if (names_size == 0)
				here = quota_upwards(mount, path + 1, path_size, quota_v2);
			else if (lists(names + 1, names_size, "cpu") && length > 0 &&
			         (size_t)length < sizeof root)
				here = quota_upwards(root, path + 1, path_size, quota_v1);
		}
		if (here < least)
			least = here;
		groups = *end ? end + 1 : end;
	}
	return least;
}

/* The size of the affinity mask; a machine may have more processors than a cpu_set_t. */
static size_t affinity(void)
{
	for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)most);
		size_t size = CPU_ALLOC_SIZE((size_t)most);
		size_t count = 0;

		if (!set)
			return 1;
		if (sched_getaffinity(0, size, set) == 0)
			count = (size_t)CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (count)
			return count;
	}
	return 1;
}

size_t cr_cpu_count(void)
{
	size_t count = affinity(), quota;
	char groups[4096];

	if (!slurp("/proc/self/cgroup", groups, sizeof groups))
		return count;
	quota = cr__cpu_quota(groups, "/sys/fs/cgroup");
	return quota < count ? quota : count;
}
