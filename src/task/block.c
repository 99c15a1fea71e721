/* SPDX-License-Identifier: MIT */
#include "task/block.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

enum { COUNT_MAX = 1 << CR__INDEX_BITS, COMMIT_STEP = 1024 };

/*
 * The limit is one of living tasks; ended ones keep their blocks while their results may be asked
 * for. So address space is reserved for as many as handles can name, or for less where it is
 * limited (RLIMIT_AS).
 */
int cr__blocks_init(struct cr__sched *s, size_t count_max)
{
	if (count_max == 0 || count_max >= COUNT_MAX)
		count_max = COUNT_MAX - 1;
	s->block_limit = (uint32_t)count_max;
	s->block_max = COUNT_MAX;
	while (s->block_max > COMMIT_STEP && s->block_max * sizeof *s->blocks > cr__map_share())
		s->block_max /= 2;
	s->blocks = cr__map_reserve((size_t)s->block_max * sizeof *s->blocks);
	s->block_top = 0;
	s->block_committed = 0;
	s->free = NULL;
	return s->blocks ? 0 : -ENOMEM;
}

void cr__blocks_destroy(struct cr__sched *s)
{
	cr__map_release(s->blocks, (size_t)s->block_max * sizeof *s->blocks);
	cr__free(s->queue);
	s->blocks = NULL;
	s->queue = NULL;
}

/* Not the same for each loop: handles hold only a part of the loop's number. */
static int64_t generation_first(const struct cr__sched *s)
{
	return 1 + ((uint32_t)(s->loop.id >> CR__LOOP_BITS) * UINT32_C(40503)) % INT32_MAX;
}

struct cr__task *cr__block_fresh(struct cr__sched *s, int *ret_error)
{
	struct cr__task *task;

	if (s->alive >= s->block_limit) {
		*ret_error = -EAGAIN;
		return NULL;
	}
	if (s->block_top + 1 >= s->block_committed) {
		struct cr__task *from = s->blocks + s->block_committed;

		*ret_error = -EAGAIN;
		if (s->block_committed + COMMIT_STEP > s->block_max)
			return NULL;
		/* Every task can be runnable at once: making one so must never fail. */
		*ret_error = cr__queue_reserve(s, s->block_committed + COMMIT_STEP);
		if (*ret_error == 0)
			*ret_error = cr__map_commit(from, COMMIT_STEP * sizeof *from);
		if (*ret_error < 0)
			return NULL;
		s->block_committed += COMMIT_STEP;
	}
	s->block_top++;
	task = &s->blocks[s->block_top];
	task->inner = &task->node;
	task->handle.id = generation_first(s) * CR__GENERATION + s->handle_bits + s->block_top;
	return task;
}
