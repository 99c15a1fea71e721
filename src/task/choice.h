/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_CHOICE_H
#define CR__TASK_CHOICE_H

/*
 * The contract for what can be a case of cr_select(). The engine (select.c) knows cases only by
 * these functions; channels, tasks, events and descriptors each bring theirs:
 *
 *	attempt()   takes the case if that needs no waiting: sets c->result and returns true
 *	enqueue()   waits: whoever makes it ready later takes it, undoes its own entry, sets
 *	            c->result and calls cr__case_take(c). Returns true when it was taken at once
 *	            after all, with c->result set: then nothing is queued
 *	dequeue()   another case was taken, or the wait was cancelled: undoes enqueue(). True: it is
 *	            gone. False: it cannot be undone now (the kernel still has it), and
 *	            cr__case_gone(c) is still to come
 *
 * The first cr__case_take() wins, and undoes all the others before it returns: so there is never a
 * second one. The task goes on when nothing of its cases is left anywhere.
 */

#include <corail/select.h>

#include <stdbool.h>

struct cr__case;
struct cr__choice;

struct cr__case_ops {
	bool (*attempt)(struct cr__case *c);
	bool (*enqueue)(struct cr__case *c);
	bool (*dequeue)(struct cr__case *c);
};

/* What every cr_case begins with; what its kind needs comes behind, within cr_case's words. */
struct cr__case {
	int32_t result;
	int32_t undoing; /* dequeued, and not gone yet */
	const struct cr__case_ops *ops;
	struct cr__choice *choice; /* while it is queued */
};

/* A case that was queued has become ready. On its own loop only. */
void cr__case_take(struct cr__case *c);

/* A case whose dequeue() was false is gone at last. */
void cr__case_gone(struct cr__case *c);

#endif
