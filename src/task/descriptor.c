/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

/*
 * The passive descriptor: at a fixed symbol, in every build, what a tool needs to find the loops
 * and the tasks of a live process or of a core file from outside, without debug information and
 * without our help: addresses and offsets, all in 64-bit words. New words are added at the end,
 * with a new version. tools/corail-gdb.py reads it. The order of the words is the format.
 *
 * Version 2: positions in the run queue, and its mask, are in bytes instead of slots.
 */

enum { VERSION = 2 };

#define WORD(value) ((uint64_t)(value))

const struct cr__debug_descriptor cr__debug_descriptor = {
	.magic = "corail",
	.version = VERSION,
	.word_count = 30,
	.registry = &cr__loop_registry,
	.words =
		{
			/* A loop, which a scheduler begins with. */
			WORD(offsetof(struct cr__loop, registry_next)),
			WORD(offsetof(struct cr__loop, id)),
			WORD(offsetof(struct cr__sched, blocks)),
			WORD(offsetof(struct cr__sched, block_top)),
			WORD(offsetof(struct cr__sched, current)),
			WORD(offsetof(struct cr__sched, queue)),
			WORD(offsetof(struct cr__loop, handed)),
			WORD(offsetof(struct cr__sched, tail)),
			WORD(offsetof(struct cr__sched, mask)),
			/* A slot of the queue: what a runnable task's stack pointer is. */
			WORD(sizeof(struct cr__slot)),
			WORD(offsetof(struct cr__slot, sp)),
			WORD(offsetof(struct cr__slot, index)),
			/* A task's control block. */
			WORD(sizeof(struct cr__task)),
			WORD(offsetof(struct cr__task, sp)),
			WORD(offsetof(struct cr__task, wait)),
			WORD(offsetof(struct cr__task, handle)),
			WORD(offsetof(struct cr__task, flags)),
			WORD(CR__TASK_DONE),
			WORD(CR__TASK_NAMED),
			WORD(offsetof(struct cr__task, stack.base)),
			WORD(offsetof(struct cr__task, stack.class)),
			WORD(CR__STACK_SIZE_MIN), /* shifted left by the class: a stack's size */
			WORD(sizeof(struct cr__extra) - offsetof(struct cr__extra, name)),
			/* ^ how far below the high end of its stack a task's own name stands */
			WORD(offsetof(struct cr__task, site)), /* "file.c:12\0function" */
			WORD(offsetof(struct cr__task, inner)),
			WORD(offsetof(struct cr__node, flags)),
			WORD(CR__NODE_CANCELLED),
			/* What it waits for. */
			WORD(offsetof(struct cr__wait, reason)),
			WORD(offsetof(struct cr__wait, fd)),
/*
		 * The architecture's frame of a suspended context: see ctx/. 1: x86-64, 2: AArch64.
		 */
#if defined(__x86_64__)
			1,
#else
			2,
#endif
		},
};
