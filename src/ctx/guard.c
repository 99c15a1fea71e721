/* SPDX-License-Identifier: MIT */
#include "ctx/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* From the kernel's include/uapi/asm-generic/mman-common.h; Debian 12's headers are older. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* PIDFD_SELF_THREAD_GROUP: the calling process (Linux 6.14, include/uapi/linux/pidfd.h). */
#define PIDFD_OWN (-10001)

enum { PAGE = 4096, BATCH = 64 };

/*
 * How many more mprotect() guards the process may have: half of what the kernel allows in mappings.
 */
static _Atomic long mapping_budget = -1;

/* Whether process_madvise() works on the own process for that advice: 0 not tried, 1 yes, -1 no. */
static _Atomic int vector_guard, vector_populate;

static bool madvise_works(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works;

	if (page == MAP_FAILED)
		return false;
	works = madvise(page, PAGE, MADV_GUARD_INSTALL) == 0;
	munmap(page, PAGE);
	return works;
}

enum cr__guard cr__guard_choose(void)
{
	static _Atomic int known; /* 1 + the answer */
	const char *wanted = getenv("CORAIL_GUARD");

	if (wanted && strcmp(wanted, "check") == 0)
		return CR__GUARD_CHECK;
	if (wanted && strcmp(wanted, "mprotect") == 0)
		return CR__GUARD_MPROTECT;
	if (!atomic_load(&known))
		atomic_store(&known,
		             1 + (madvise_works() ? CR__GUARD_MADVISE : CR__GUARD_MPROTECT));
	return (enum cr__guard)(atomic_load(&known) - 1);
}

const char *cr__guard_name(enum cr__guard guard)
{
	static const char *const names[] = {"madvise", "mprotect", "check"};

	return names[guard];
}

static long budget_read(void)
{
	long limit = 65530; /* vm.max_map_count's default, sysctl/vm documentation */
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[32];

	if (fd >= 0) {
		ssize_t size = read(fd, text, sizeof text - 1);

		close(fd);
		if (size > 0) {
			text[size] = '\0';
			limit = strtol(text, NULL, 10);
		}
	}
	return limit / 4; /* two mappings a guard, and half of all is left to the program */
}

static bool budget_take(long count)
{
	long left = atomic_load(&mapping_budget);

	if (left < 0) {
		long first = -1;

		left = budget_read();
		if (!atomic_compare_exchange_strong(&mapping_budget, &first, left))
			left = first;
	}
	do {
		if (left < count)
			return false;
	} while (!atomic_compare_exchange_weak(&mapping_budget, &left, left - count));
	return true;
}

void cr__guard_release(enum cr__guard guard, size_t count)
{
	if (guard == CR__GUARD_MPROTECT)
		atomic_fetch_add(&mapping_budget, (long)count);
}

/*
 * One system call for up to BATCH ranges. Returns whether all were done; `known` remembers a
 * refusal.
 */
static bool advise_vector(void *first, size_t stride, size_t count, size_t size, int advice,
                          _Atomic int *known)
{
	struct iovec ranges[BATCH];
	char *base = first;

	if (atomic_load_explicit(known, memory_order_relaxed) < 0)
		return false;
	while (count) {
		size_t n = count < BATCH ? count : BATCH;
		long done;

		for (size_t i = 0; i < n; i++)
			ranges[i] = (struct iovec){base + i * stride, size};
		done = syscall(SYS_process_madvise, PIDFD_OWN, ranges, n, advice, 0);
		if (done != (long)(n * size)) {
			atomic_store_explicit(known, -1, memory_order_relaxed);
			return false;
		}
		base += n * stride;
		count -= n;
	}
	return true;
}

static bool guard_madvise(char *base, size_t stride, size_t count)
{
	if (advise_vector(base, stride, count, CR__GUARD_SIZE, MADV_GUARD_INSTALL, &vector_guard))
		return true;
	/* Installing a guard twice is harmless (madvise(2)): begin again, one by one. */
	for (size_t i = 0; i < count; i++)
		if (madvise(base + i * stride, CR__GUARD_SIZE, MADV_GUARD_INSTALL))
			return false;
	return true;
}

static bool guard_mprotect(char *base, size_t stride, size_t count)
{
	if (!budget_take((long)count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (mprotect(base + i * stride, CR__GUARD_SIZE, PROT_NONE) == 0)
			continue;
		while (i-- > 0)
			mprotect(base + i * stride, CR__GUARD_SIZE, PROT_READ | PROT_WRITE);
		cr__guard_release(CR__GUARD_MPROTECT, count);
		return false;
	}
	return true;
}

enum cr__guard cr__guard_install(enum cr__guard wanted, char *base, size_t stride, size_t count)
{
	if (wanted == CR__GUARD_MADVISE && guard_madvise(base, stride, count))
		return CR__GUARD_MADVISE;
	if (wanted <= CR__GUARD_MPROTECT && guard_mprotect(base, stride, count))
		return CR__GUARD_MPROTECT;
	return CR__GUARD_CHECK;
}

void cr__guard_populate(char *first_page, size_t stride, size_t count)
{
	advise_vector(first_page, stride, count, PAGE, MADV_POPULATE_WRITE, &vector_populate);
}
