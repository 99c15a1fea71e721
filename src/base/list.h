/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_LIST_H
#define CR__BASE_LIST_H

/*
 * Intrusive doubly linked lists: a ring with a head of its own, so that inserting and removing have
 * no special case. A node that is in no list points to itself after cr__list_init().
 */

#include <stdbool.h>
#include <stddef.h>

struct cr__list {
	struct cr__list *next, *prev;
};

#define CR__CONTAINER(pointer, type, member)                                                       \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void cr__list_init(struct cr__list *list)
{
	list->next = list->prev = list;
}

static inline bool cr__list_empty(const struct cr__list *list)
{
	return list->next == list;
}

static inline void cr__list_insert_between(struct cr__list *node, struct cr__list *prev,
                                           struct cr__list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void cr__list_push_back(struct cr__list *list, struct cr__list *node)
{
	cr__list_insert_between(node, list->prev, list);
}

static inline void cr__list_push_front(struct cr__list *list, struct cr__list *node)
{
	cr__list_insert_between(node, list, list->next);
}

/* Unlinks a node; it points to itself afterwards, so that unlinking twice is harmless. */
static inline void cr__list_remove(struct cr__list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	cr__list_init(node);
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void cr__list_splice(struct cr__list *to, struct cr__list *from)
{
	if (cr__list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	cr__list_init(from);
}

/* The first node, or NULL. */
static inline struct cr__list *cr__list_first(const struct cr__list *list)
{
	return cr__list_empty(list) ? NULL : list->next;
}

#endif
