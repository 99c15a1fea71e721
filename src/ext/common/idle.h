/* SPDX-License-Identifier: MIT */
#ifndef CR__EXT_IDLE_H
#define CR__EXT_IDLE_H

/*
 * What a pool keeps for later: last in first out, so that what is beyond the need grows old. A task
 * of the program's scope ends what was unused for too long; it lives only while there is something
 * whose time will come.
 *
 * All of it is inline: every library here is one of its own, and has its own copy.
 */

#include <corail/task.h>

#include <stdbool.h>
#include <stddef.h>

/* The first member of whatever is kept. */
struct idle_node {
	struct idle_node *next;
	cr_nsec since;
};

struct idle_list {
	struct idle_node *first;
	size_t count;
	bool tended;
	cr_task tender;
	/* When a node is to be ended; CORAIL_NEVER for one that stays. */
	cr_nsec (*time_of)(const struct idle_node *node);
	/* Ends one, which is out of the list by then. May suspend. */
	void (*end)(struct idle_node *node);
};

static inline struct idle_node *cr__idle_remove(struct idle_list *list, struct idle_node **place)
{
	struct idle_node *node = *place;

	*place = node->next;
	list->count--;
	return node;
}

/* The one that was put there last; NULL without any. */
static inline struct idle_node *cr__idle_take(struct idle_list *list)
{
	return list->first ? cr__idle_remove(list, &list->first) : NULL;
}

/* Ends those whose time has come. Returns when the next one's will. */
CORAIL_SUSPENDS static inline cr_nsec cr__idle_tend_once(struct idle_list *list)
{
	cr_nsec next = CORAIL_NEVER;
	struct idle_node **place = &list->first;

	while (*place) {
		cr_nsec time = list->time_of(*place);

		if (time <= cr_now()) {
			list->end(cr__idle_remove(list, place));
			/* Meanwhile the list may have changed. */
			place = &list->first;
			next = CORAIL_NEVER;
			continue;
		}
		next = time < next ? time : next;
		place = &(*place)->next;
	}
	return next;
}

CORAIL_SUSPENDS static inline int cr__idle_tend(struct idle_list **handle)
{
	struct idle_list *list = *handle;
	cr_nsec next = cr__idle_tend_once(list);

	while (next != CORAIL_NEVER && cr_sleep_until(next) == 0)
		next = cr__idle_tend_once(list);
	list->tended = false;
	return 0;
}

/* Keeps one from now on. Without memory for the task, it stays until the next one is kept. */
static inline void cr__idle_put(struct idle_list *list, struct idle_node *node)
{
	static const cr_spawn_options optional = {.optional = 1};

	node->since = cr_now();
	node->next = list->first;
	list->first = node;
	list->count++;
	if (list->tended || list->time_of(node) == CORAIL_NEVER)
		return;
	list->tender = cr_spawn_copy_with(&optional, cr_scope_program(), cr__idle_tend, &list);
	list->tended = cr_task_error(list->tender) == 0;
}

/* Ends the task, whatever it is doing, and then what is left. Goes through when cancelled. */
CORAIL_SUSPENDS static inline void cr__idle_end(struct idle_list *list)
{
	struct idle_node *node;

	if (list->tended) {
		cr_task_cancel(list->tender);
		cr_shield(CORAIL_NEVER, cr_await(list->tender));
	}
	while ((node = cr__idle_take(list)) != NULL)
		list->end(node);
}

#endif
