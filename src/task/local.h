/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_LOCAL_H
#define CR__TASK_LOCAL_H

/*
 * Task-local values, inside: a task's set of them is shared with its children until one of them
 * changes it, so that inheriting costs a count. Whoever has no values has no set.
 */

#include <corail/local.h>

struct cr__locals;
struct cr__task;

/* Gives a task that is being born its parent's set, which the parent has. */
void cr__locals_inherit(struct cr__task *child, const struct cr__task *parent);

/* Drops the set of a task that ends. */
void cr__locals_end(struct cr__task *task);

/*
 * To carry the calling task's values to a thread that works for it: hold them before, drop them
 * when the job is done, both on the loop's thread (nothing here is atomic, and the values' own
 * destructors belong there). NULL when there are none, or outside a task; all three accept it.
 * Meanwhile the thread may install them, which makes cr_local_get() see them there, until it
 * installs NULL.
 */
struct cr__locals *cr__locals_hold(void);
void cr__locals_drop(struct cr__locals *locals);
void cr__locals_install(struct cr__locals *locals);

/*
 * To lend them to a task of another loop for which the caller waits: the set that the caller sees,
 * held or else kept by whom the caller works for. The task that borrows has a set of its own with
 * the same values, which it gives back at its end: whoever has inherited them from it and lives on
 * sees NULL from then on. It must have none yet. Borrowing returns 0 or -ENOMEM.
 */
struct cr__locals *cr__locals_seen(void);
int cr__locals_borrow(const struct cr__locals *locals, struct cr__locals **ret_borrowed);
void cr__locals_give_back(struct cr__locals *borrowed);

#endif
