/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_BIND_H
#define CR__EXEC_BIND_H

/* Threads that stay on one processor, and those that must not inherit that. */

#include <stddef.h>

/*
 * To be called before threads are bound: remembers where this process may run. From then on the
 * default pool is as wide as that, whoever asks for it first.
 */
void cr__bind_prepare(void);

/*
 * Binds the calling thread to one of the processors that the process may use, in turn by index.
 * Does nothing where that is not possible: it is a hint.
 */
void cr__bind_self(size_t index);

/* A new thread, whose creator may be bound, runs where the process may. */
void cr__bind_release(void);

#endif
