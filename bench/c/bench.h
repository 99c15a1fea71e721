/* SPDX-License-Identifier: MIT */
/*
 * What every C and C++ program of the benchmark shares: the clocks, the memory of this process, and
 * the deadlines of the timer benchmark. Each program prints lines of the form "NAME VALUE".
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_SECOND 1000000000LL
#define BENCH_MILLISECOND 1000000LL

static inline int64_t bench_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * BENCH_SECOND + now.tv_nsec;
}

/* Monotonic time, in nanoseconds. */
static inline int64_t bench_now(void)
{
	return bench_clock(CLOCK_MONOTONIC);
}

/* User and system time of all threads of this process, in nanoseconds. */
static inline int64_t bench_cpu(void)
{
	return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Bytes resident plus bytes of page tables, from proc(5) status. */
static inline int64_t bench_memory(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	int64_t total = 0;
	long kib;

	if (!status) {
		perror("/proc/self/status");
		exit(1);
	}
	while (fgets(line, sizeof line, status))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
			total += kib * 1024;
	fclose(status);
	return total;
}

/*
 * The deadlines of timers-1m: `count` distinct ones, spread evenly over `spread_ns`, in an order
 * that is scattered but the same in every language (a prime stride walks every slot once).
 */
static inline int64_t bench_scatter(int64_t index, int64_t count, int64_t spread_ns)
{
	return index * 611953 % count * (spread_ns / count);
}

static inline void bench_print(const char *name, double value)
{
	printf("%s %.4f\n", name, value);
	fflush(stdout);
}

/* The numeric argument at `index`, which must be there. */
static inline long bench_argument(int argc, char **argv, int index)
{
	if (index >= argc) {
		fprintf(stderr, "%s: argument %d is missing\n", argv[0], index);
		exit(2);
	}
	return atol(argv[index]);
}

#endif
