/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_SYMBOLS_H
#define CR__EXEC_SYMBOLS_H

/*
 * Names and lines for code addresses of this process: by libdw where it is installed (it is loaded
 * when it is first wanted, no dependency), else by dladdr(3), which knows exported functions only.
 * Wants a thread's stack, not a task's.
 */

#include <stdbool.h>
#include <stddef.h>

struct cr__report;

struct cr__symbol {
	char name[96];   /* of the function; empty if nobody knows */
	char place[256]; /* "file.c:12", else "module+0x123"; empty likewise */
	bool library;    /* of somebody else: neither in the program nor in libcorail */
};

/*
 * Resolves addresses as cr__frames_here() gives them; `own_stack`: not on a thread's, use nothing
 * that is deep.
 */
void cr__symbols_find(void *const *frames, size_t count, bool own_stack,
                      struct cr__symbol *symbols);

/*
 * Appends a line for each, leaving out what is the library's own business: its internal functions
 * at the inner end, and what comes before a task's first function.
 */
void cr__symbols_add(struct cr__report *report, const struct cr__symbol *symbols, size_t count);

#endif
