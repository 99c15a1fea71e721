/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_BLOCKING_H
#define CR__EXEC_BLOCKING_H

/* Functions that block a thread, and what to call instead in a task. */

#include "exec/symbols.h"

struct cr__blocking {
	const char *name;
	const char *instead; /* NULL: cr_offload() is the only way */
};

/*
 * The call that blocks, of a backtrace: the outermost one that is known, before the program's own
 * code begins. NULL: none is, so the thread computes.
 */
const struct cr__blocking *cr__blocking_find(const struct cr__symbol *symbols, size_t count);

/* The same by the number of a system call. NULL: not known. */
const struct cr__blocking *cr__blocking_call(unsigned long number);

#endif
