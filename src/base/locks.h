/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_LOCKS_H
#define CR__BASE_LOCKS_H

/*
 * What libcorail-debug.so, which programs may preload, tells the library: the locks of POSIX
 * threads that the calling thread holds. The library looks the function up by its name.
 */

#include <stddef.h>

struct cr__lock_held {
	const void *lock;
	void *caller; /* the address that the locking call returned to */
};

/* Writes where they are, the last one locked last. Returns how many. Valid until the next call. */
typedef size_t cr__locks_fn(const struct cr__lock_held **ret_locks);

/* In libcorail-debug.so: found by this name, never linked with. */
cr__locks_fn cr__locks_held;
#define CR__LOCKS_TEXT(name) #name
#define CR__LOCKS_FUNCTION CR__LOCKS_TEXT(cr__locks_held)

#endif
