/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_PANIC_H
#define CR__BASE_PANIC_H

/*
 * Programmer errors and broken invariants: a message, the task tree, abort(3). Kept in production.
 */

#include <corail/base.h>

/* Prints "corail: " and the message to standard error, calls the panic hook, and aborts. */
_Noreturn void cr__panic(const char *format, ...) CORAIL_PRINTF(1, 2);

/* What else to print before aborting: the task layer hangs its tree here. One for the process. */
void cr__panic_hook_set(void (*hook)(void));

#define CR__ASSERT(condition)                                                                      \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			cr__panic("%s:%d: broken invariant: %s", __FILE__, __LINE__, #condition);  \
	} while (0)

#endif
