/* SPDX-License-Identifier: MIT */
#include "base/panic.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*_Atomic panic_hook)(void);

void cr__panic_hook_set(void (*hook)(void))
{
	atomic_store(&panic_hook, hook);
}

void cr__panic(const char *format, ...)
{
	char text[512];
	void (*hook)(void);
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (size < 0)
		size = 0;
	if ((size_t)size >= sizeof text)
		size = sizeof text - 1;
	dprintf(STDERR_FILENO, "corail: %.*s\n", size, text);
	/* Taken away first: a panic inside the hook must not come back here. */
	hook = atomic_exchange(&panic_hook, NULL);
	if (hook)
		hook();
	abort();
}
