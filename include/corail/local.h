/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_LOCAL_H
#define CORAIL_LOCAL_H

/*
 * Task-local values: what a request carries along without passing it to every function, such as its
 * identity for a log or its account.
 *
 * A key is a static object of yours. A value belongs to a task; a task that is spawned has the
 * values that its spawner has at that moment (as Python's contextvars), and what either changes
 * later is its own affair. Work that is handed to a thread sees the values of the task that handed
 * it over, and so does a task of another loop that somebody waits for (cr_call_loop(), and
 * cr_call_threadsafe() in a job): they are lent until the call returns, and NULL from then on to
 * whoever has inherited them there and lives on.
 *
 *	static cr_local request_id;
 *
 *	cr_local_set(&request_id, id);            in the handler of a request
 *	... cr_local_get(&request_id) ...         anywhere below it, and in the tasks it spawns
 *
 * A value is a pointer. With CORAIL_LOCAL(destroy) for a key, the last task that has a value frees
 * it when it ends or sets another.
 */

#include <corail/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A key. All zero is one whose values need no destructor. */
typedef struct cr_local {
	void (*destroy)(void *value); /* NULL: nothing; must not suspend */
	void *cr__spare;
} cr_local;

/* Initialises a key with a destructor: static cr_local user = CORAIL_LOCAL(free); */
#define CORAIL_LOCAL(destroy)                                                                      \
	{                                                                                          \
		(destroy), NULL                                                                    \
	}

/*
 * Sets the calling task's value for a key; NULL takes it away. The value that was set before is
 * destroyed if no other task has it. Returns 0; or, with the value still yours: -ENOMEM, -EPERM
 * outside a task.
 */
CORAIL_API int cr_local_set(cr_local *key, void *value);

/* The calling task's value; NULL when it has none. Outside tasks and the jobs they gave: NULL. */
CORAIL_API void *cr_local_get(const cr_local *key);

#ifdef __cplusplus
}
#endif
#endif
