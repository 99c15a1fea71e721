/* SPDX-License-Identifier: MIT */
#ifndef CR__CTX_GUARD_H
#define CR__CTX_GUARD_H

/*
 * Guards: pages at the low end of a stack that fault when touched, so that an overflow is a report
 * with a name and not a corruption. Three ways, best first; which one is found out by trying.
 */

#include <stdbool.h>
#include <stddef.h>

enum cr__guard {
	CR__GUARD_MADVISE, /* MADV_GUARD_INSTALL (Linux 6.13): costs no mapping */
	/* PROT_NONE: two mappings each, of which vm.max_map_count allows 65,530 */
	CR__GUARD_MPROTECT,
	CR__GUARD_CHECK, /* none: a word at the low end is looked at when the task suspends */
};

/*
 * Untouchable bytes at the low end of every stack. Four pages: compilers without stack-clash probes
 * jump far.
 */
enum { CR__GUARD_SIZE = 16384 };

/*
 * The best way here, or the one that CORAIL_GUARD=madvise|mprotect|check in the environment asks
 * for (a worse one can always be had).
 */
enum cr__guard cr__guard_choose(void);

const char *cr__guard_name(enum cr__guard guard);

/*
 * Guards `count` stacks that lie `stride` bytes apart from `base` on. Returns how it was done:
 * worse than `wanted` when the kernel refused or the budget of mappings is used up.
 */
enum cr__guard cr__guard_install(enum cr__guard wanted, char *base, size_t stride, size_t count);

/* Gives a budget of mappings back, when guarded stacks are unmapped. */
void cr__guard_release(enum cr__guard guard, size_t count);

/*
 * Touches one page of each of `count` stacks in one call, if the kernel can; otherwise they fault
 * later.
 */
void cr__guard_populate(char *first_page, size_t stride, size_t count);

#endif
