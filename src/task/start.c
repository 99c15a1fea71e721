/* SPDX-License-Identifier: MIT */
#include "task/block.h"

#include <errno.h>

/* The start hand-shake: a parent that goes on when its child says that it is ready. */

struct cr__start {
	struct cr__wait wait;
	struct cr__task *child; /* NULL once nothing is owed */
};

static enum cr__abort start_abort(struct cr__wait *wait)
{
	struct cr__start *start = CR__CONTAINER(wait, struct cr__start, wait);

	/*
	 * Nobody gets the child's handle now: it goes with its parent's wish, also out of another
	 * scope.
	 */
	cr__task_extra(start->child)->start = NULL;
	cr__node_cancel(cr__sched_self(), &start->child->node);
	return CR__ABORT_DONE;
}

void cr_task_started(int value)
{
	struct cr__task *self = cr__task_current("cr_task_started");
	struct cr__start *start = self->flags & CR__TASK_EXTRA ? cr__task_extra(self)->start : NULL;

	if (!start)
		return;
	cr__task_extra(self)->start = NULL;
	cr__unpark(start->wait.task, value < 0 ? 0 : value);
}

bool cr__start_ended(struct cr__extra *extra, int result)
{
	struct cr__start *start = extra->start;

	if (!start)
		return false;
	extra->start = NULL;
	cr__unpark(start->wait.task, result < 0 ? result : -ENOMSG);
	return true;
}

int cr__scope_start(cr_scope *scope, cr__fn fn, const void *arg, cr_task *ret_task, cr__site site)
{
	struct cr__start start = {
		.wait = {.abort = start_abort, .reason = "start of a child", .fd = -1},
	};
	struct cr__extra extra = {.start = &start};
	int r = cr__park_check("cr_scope_start");
	cr_task child;

	if (r < 0)
		return r;
	child = cr__spawn_extra(cr__scope_of(scope), fn, arg, site, &extra);
	start.child = cr__task_find(cr__sched_self(), child, &r);
	if (!start.child)
		return r;
	r = cr__park(&start.wait);
	if (r >= 0 && ret_task)
		*ret_task = child;
	return r;
}
