/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

/*
 * Handles. 31 bits of the block's generation, 8 bits that tell loops apart, 24 bits of index; positive.
 * A negative one is the error that kept the task from starting. Zero belongs to nobody.
 */
enum {
	INDEX_BITS = 24,
	LOOP_BITS = 8,
	COUNT_MAX = 1 << INDEX_BITS,
	COMMIT_STEP = 1024,
};

int cr__blocks_init(struct cr__sched *s, size_t count_max)
{
	if (count_max == 0 || count_max >= COUNT_MAX)
		count_max = COUNT_MAX - 1;
	s->block_max = (uint32_t)((count_max + 1 + COMMIT_STEP - 1) / COMMIT_STEP * COMMIT_STEP);
	s->blocks = cr__map_reserve((size_t)s->block_max * sizeof *s->blocks);
	s->block_limit = (uint32_t)count_max;
	s->block_top = 0;
	s->block_committed = 0;
	s->free = NULL;
	return s->blocks ? 0 : -ENOMEM;
}

void cr__blocks_destroy(struct cr__sched *s)
{
	cr__map_release(s->blocks, (size_t)s->block_max * sizeof *s->blocks);
	s->blocks = NULL;
}

struct cr__task *cr__block_take(struct cr__sched *s, int *ret_error)
{
	struct cr__task *task = s->free;

	if (__builtin_expect(s->alive >= s->block_limit, 0)) {
		*ret_error = -EAGAIN;
		return NULL;
	}
	if (task) {
		s->free = task->next;
		return task;
	}
	if (s->block_top + 1 >= s->block_committed) {
		struct cr__task *from = s->blocks + s->block_committed;

		if (s->block_committed + COMMIT_STEP > s->block_max) {
			*ret_error = -EAGAIN;
			return NULL;
		}
		*ret_error = cr__map_commit(from, COMMIT_STEP * sizeof *from);
		if (*ret_error < 0)
			return NULL;
		s->block_committed += COMMIT_STEP;
	}
	task = &s->blocks[++s->block_top];
	task->generation = 1;
	return task;
}

void cr__block_give(struct cr__sched *s, struct cr__task *task)
{
	task->generation = (task->generation + 1) & INT32_MAX;
	if (task->generation == 0)
		task->generation = 1;
	task->flags = CR__TASK_DONE;
	task->next = s->free;
	s->free = task;
}

static uint64_t loop_bits(const struct cr__sched *s)
{
	return (uint64_t)s->loop.id & ((1 << LOOP_BITS) - 1);
}

cr_task cr__task_handle(const struct cr__sched *s, const struct cr__task *task)
{
	uint64_t index = (uint64_t)(task - s->blocks);

	return (cr_task){(int64_t)((uint64_t)task->generation << (INDEX_BITS + LOOP_BITS) |
	                           loop_bits(s) << INDEX_BITS | index)};
}

struct cr__task *cr__task_find(struct cr__sched *s, cr_task handle, int *ret_error)
{
	uint64_t id = (uint64_t)handle.id;
	uint32_t index = id & (COUNT_MAX - 1);
	struct cr__task *task;

	*ret_error = -ESRCH;
	if (handle.id < 0) {
		*ret_error = (int)handle.id;
		return NULL;
	}
	if (!s || index == 0 || index > s->block_top ||
	    (id >> INDEX_BITS & ((1 << LOOP_BITS) - 1)) != loop_bits(s))
		return NULL;
	task = &s->blocks[index];
	return task->generation == id >> (INDEX_BITS + LOOP_BITS) ? task : NULL;
}
