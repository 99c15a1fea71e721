/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_ALLOC_H
#define CR__BASE_ALLOC_H

/*
 * The seam for memory: the library allocates here and nowhere else, so that a test can let the n-th
 * allocation fail, and every one after it, and see what is left behind.
 */

#include <stddef.h>
#include <stdint.h>

/* As malloc(3), calloc(3), realloc(3), free(3). */
void *cr__alloc(size_t size);
void *cr__alloc_zero(size_t count, size_t size);
void *cr__realloc(void *old, size_t size);
void cr__free(void *memory);

/* A copy of a text, or NULL. */
char *cr__alloc_text(const char *text);

/* Address space: anonymous pages, neither readable nor writable yet. NULL when refused. */
void *cr__map_reserve(size_t size);

/*
 * The most that one structure should reserve: an eighth of the address space where that is limited
 * (RLIMIT_AS), so that something is left for the others and for stacks. Else no limit.
 */
size_t cr__map_share(void);

/* Makes reserved pages usable. Returns 0, or -ENOMEM. */
int cr__map_commit(void *memory, size_t size);

void cr__map_release(void *memory, size_t size);

/*
 * For tests: the n-th call from now that wants memory (1 is the next) fails, and so do all after it
 * until cr__alloc_fail_at(0) restores normal operation. Per process.
 */
void cr__alloc_fail_at(uint64_t nth);

/* The same, but only that one call fails: who recovers from a first failure is seen to go on. */
void cr__alloc_fail_once(uint64_t nth);

/* How many calls wanted memory since the last of those. */
uint64_t cr__alloc_count(void);

#endif
