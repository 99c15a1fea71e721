/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static _Atomic uint64_t calls;
static _Atomic uint64_t fail_at, fail_last;

static bool must_fail(void)
{
	uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed), call;

	if (at == 0)
		return false;
	call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
	return call >= at && call <= atomic_load_explicit(&fail_last, memory_order_relaxed);
}

static void fail_between(uint64_t first, uint64_t last)
{
	atomic_store(&calls, 0);
	atomic_store(&fail_last, last);
	atomic_store(&fail_at, first);
}

void cr__alloc_fail_at(uint64_t nth)
{
	fail_between(nth, UINT64_MAX);
}

void cr__alloc_fail_once(uint64_t nth)
{
	fail_between(nth, nth);
}

uint64_t cr__alloc_count(void)
{
	return atomic_load(&calls);
}

void *cr__alloc(size_t size)
{
	return must_fail() ? NULL : malloc(size);
}

void *cr__alloc_zero(size_t count, size_t size)
{
	return must_fail() ? NULL : calloc(count, size);
}

void *cr__realloc(void *old, size_t size)
{
	return must_fail() ? NULL : realloc(old, size);
}

void cr__free(void *memory)
{
	free(memory);
}

char *cr__alloc_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = cr__alloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

/*
 * PROT_NONE and MAP_NORESERVE: address space costs nothing against the commit limit until it is
 * made usable, also where vm.overcommit_memory is 2 (mmap(2), proc(5)).
 */
void *cr__map_reserve(size_t size)
{
	void *memory;

	if (must_fail())
		return NULL;
	memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

size_t cr__map_share(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return (size_t)limit.rlim_cur / 8;
}

int cr__map_commit(void *memory, size_t size)
{
	if (must_fail())
		return -ENOMEM;
	return mprotect(memory, size, PROT_READ | PROT_WRITE) ? -ENOMEM : 0;
}

void cr__map_release(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}
