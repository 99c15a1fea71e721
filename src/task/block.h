/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_BLOCK_H
#define CR__TASK_BLOCK_H

/*
 * Control blocks: where they come from and go to, and the handles that name them. A block that is
 * given back keeps its place; only the generation in its handle goes on.
 */

#include "task/sched.h"

int cr__blocks_init(struct cr__sched *s, size_t count_max);
void cr__blocks_destroy(struct cr__sched *s);

/* A block that was never used before, or NULL: -ENOMEM or -EAGAIN in ret_error. */
struct cr__task *cr__block_fresh(struct cr__sched *s, int *ret_error);

/* Whether a block that was used before is free, and may be taken. */
static inline bool cr__block_waits(const struct cr__sched *s)
{
	return s->free && s->alive < s->block_limit;
}

/* Takes that one. */
static inline struct cr__task *cr__block_take_used(struct cr__sched *s)
{
	struct cr__task *task = s->free;

	s->free = task->next;
	return task;
}

/* A free block, or as cr__block_fresh(). */
static inline struct cr__task *cr__block_take(struct cr__sched *s, int *ret_error)
{
	return cr__block_waits(s) ? cr__block_take_used(s) : cr__block_fresh(s, ret_error);
}

/* Gives a block back: from now on handles of its task are stale. */
static CR__HOT void cr__block_give(struct cr__sched *s, struct cr__task *task)
{
	task->handle.id = (int64_t)((uint64_t)task->handle.id + CR__GENERATION);
	if (__builtin_expect(task->handle.id < 0, 0))
		task->handle.id = (task->handle.id & (CR__GENERATION - 1)) + CR__GENERATION;
	task->flags = CR__TASK_DONE;
	task->next = s->free;
	s->free = task;
}

/* The task behind a handle, alive or ended; NULL for a stale one, or one that never was. */
static inline struct cr__task *cr__task_lookup(struct cr__sched *s, cr_task handle)
{
	uint32_t index = cr__handle_index(handle);
	struct cr__task *task = &s->blocks[index];

	if (__builtin_expect(index - 1 >= s->block_top, 0))
		return NULL;
	return task->handle.id == handle.id ? task : NULL;
}

/* The same outside the hot path: without a scheduler too, and with the error to return for NULL. */
static inline struct cr__task *cr__task_find(struct cr__sched *s, cr_task handle, int *ret_error)
{
	struct cr__task *task = s && handle.id > 0 ? cr__task_lookup(s, handle) : NULL;

	if (!task)
		*ret_error = handle.id < 0 ? (int)handle.id : -ESRCH;
	return task;
}

#endif
