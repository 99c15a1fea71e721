/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_ENDED_H
#define CR__TASK_ENDED_H

/*
 * What a scope remembers of children that have ended: their control blocks, in which the results
 * stand. Those that nobody has read yet are one list, those that were read another; each gives its
 * oldest back when it grows too long, so that a scope that lives for weeks keeps a constant size.
 * Inline, because it is half of what the death of a task costs.
 */

#include "task/block.h"

/*
 * Of results that were read a few, for a second look; of those that nobody has read as many as
 * anyone could still be about to ask for.
 */
enum { CR__READ_KEPT = 64, CR__UNREAD_KEPT = 65536 };

static CR__HOT void cr__ended_push(struct cr__ended *list, struct cr__task *task)
{
	struct cr__node *last = list->last;

	task->node.next = NULL;
	task->node.prev = last;
	if (last)
		last->next = &task->node;
	else
		list->first = &task->node;
	list->last = &task->node;
	list->count++;
}

/*
 * The same where the list is full: the oldest block is given back in exchange. Only for a list that
 * nobody takes from the middle of: what comes before a block is not noted.
 */
static CR__HOT void cr__ended_exchange(struct cr__sched *s, struct cr__ended *list,
                                       struct cr__task *task)
{
	struct cr__node *oldest = list->first;

	task->node.next = NULL;
	list->last->next = &task->node;
	list->last = &task->node;
	list->first = oldest->next;
	cr__block_give(s, cr__task_of_node(oldest));
}

static inline void cr__ended_remove(struct cr__ended *list, struct cr__task *task)
{
	struct cr__node *node = &task->node;

	if (node->prev)
		node->prev->next = node->next;
	else
		list->first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		list->last = node->prev;
	list->count--;
}

/* Gives the oldest block back. */
static CR__HOT void cr__ended_drop(struct cr__sched *s, struct cr__ended *list)
{
	struct cr__node *oldest = list->first;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are as many as are counted */
	list->first = oldest->next;
	if (oldest->next)
		oldest->next->prev = NULL;
	else
		list->last = NULL;
	list->count--;
	cr__block_give(s, cr__task_of_node(oldest));
}

static inline void cr__ended_trim(struct cr__sched *s, struct cr__ended *list, uint32_t keep)
{
	while (list->count > keep)
		cr__ended_drop(s, list);
}

/* Behind those that were read. */
static CR__HOT void cr__ended_push_read(struct cr__sched *s, struct cr__scope *scope,
                                        struct cr__task *task)
{
	if (__builtin_expect(scope->read.count == CR__READ_KEPT, 1))
		cr__ended_exchange(s, &scope->read, task);
	else
		cr__ended_push(&scope->read, task);
}

/* Marks an ended task's result as read. */
static inline void cr__ended_read(struct cr__sched *s, struct cr__task *task)
{
	struct cr__scope *scope = cr__task_scope(task);

	if (task->flags & CR__TASK_READ)
		return;
	task->flags |= CR__TASK_READ;
	cr__ended_remove(&scope->unread, task);
	cr__ended_push_read(s, scope, task);
}

/* Keeps the block of a child that ends now, or gives it back if its scope hands out no handles. */
static CR__HOT void cr__ended_remember(struct cr__sched *s, struct cr__scope *scope,
                                       struct cr__task *task)
{
	if (scope->state & CR__SCOPE_FORGET) {
		cr__block_give(s, task);
	} else if (task->flags & CR__TASK_READ) {
		cr__ended_push_read(s, scope, task);
	} else {
		if (scope->alive + 1 > scope->alive_peak)
			scope->alive_peak = scope->alive + 1;
		cr__ended_push(&scope->unread, task);
		if (__builtin_expect(scope->unread.count > CR__UNREAD_KEPT, 0))
			cr__ended_trim(s, &scope->unread,
			               scope->alive_peak > CR__UNREAD_KEPT ? scope->alive_peak
			                                                   : CR__UNREAD_KEPT);
	}
}

/* Gives all of a scope's ended blocks back. */
static inline void cr__ended_forget(struct cr__sched *s, struct cr__scope *scope)
{
	cr__ended_trim(s, &scope->unread, 0);
	cr__ended_trim(s, &scope->read, 0);
}

/* Wakes a scope's owner if this death is what it waits for. */
static CR__HOT void cr__ended_wake_owner(struct cr__sched *s, struct cr__scope *scope)
{
	struct cr__wait *wait = scope->owner_wait;

	if (!wait)
		return;
	if (scope->alive > scope->wake_below && !(scope->state & CR__SCOPE_WANTS_NEXT))
		return;
	scope->owner_wait = NULL;
	scope->state &= ~(uint32_t)CR__SCOPE_WANTS_NEXT;
	cr__wake(s, wait->task, 0);
}

#endif
