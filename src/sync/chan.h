/* SPDX-License-Identifier: MIT */
#ifndef CR__SYNC_CHAN_H
#define CR__SYNC_CHAN_H

/*
 * The inside of a channel: two queues of those who wait, and a store. At most one side waits (but
 * for cr_select(), which may wait on both): receivers only while the store is empty, senders only
 * while it is full, nobody once it is closed.
 *
 * Whoever comes and finds the other side waiting hands the value over directly, from frame to
 * frame, takes the waiter out of its queue and makes it runnable: from then on it can no longer be
 * cancelled out of its wait, so no value is lost.
 */

#include <corail/chan.h>

#include "task/choice.h"
#include "task/park.h"

#include <stdbool.h>
#include <string.h>

/* Somebody who waits to send or to receive. */
struct cr__chan_node {
	struct cr__chan_node *next, *prev;
	struct cr__chan_list *list;
	void *value;              /* to be read, or written */
	struct cr__case *of_case; /* of a cr_select(); NULL: a struct cr__chan_waiter's */
};

/* What a cr__chan_wait holds. */
struct cr__chan_waiter {
	struct cr__wait wait;
	struct cr__chan_node node;
};

_Static_assert(sizeof(struct cr__chan_waiter) <= sizeof(cr__chan_wait),
               "cr__chan_wait has too few words");

/* Another store than the ring: of a queue. */
struct cr__chan_store {
	/* Stores a value; there is room within the capacity. Returns 0 or -ENOMEM. */
	int (*put)(cr_chan *chan, const void *value, size_t size);
	/* Takes the next value out of a store that is not empty. */
	void (*take)(cr_chan *chan, void *ret_value, size_t size);
	/* A value went directly from a sender to a receiver. */
	void (*pass)(cr_chan *chan);
};

/*
 * Does what can be done without waiting: 0, -EPIPE, -ENOMEM, or -EAGAIN. These never suspend.
 */
int cr__chan_send_now(cr_chan *chan, const void *value, size_t size);
int cr__chan_receive_now(cr_chan *chan, void *ret_value, size_t size);

/*
 * Suspends in a list, for cr__chan_wake_all() or whoever takes the node out and unparks its task:
 * returns their result, or -ECANCELED.
 */
int cr__chan_park(struct cr__chan_list *list, void *value, cr__chan_wait *wait, const char *reason);

/* Wakes the first in a list, or all of it. */
void cr__chan_wake_first(struct cr__chan_list *list, int result);
void cr__chan_wake_all(struct cr__chan_list *list, int result);

static inline void cr__chan_link(struct cr__chan_list *list, struct cr__chan_node *node)
{
	node->next = NULL;
	node->prev = list->last;
	node->list = list;
	if (list->last)
		list->last->next = node;
	else
		list->first = node;
	list->last = node;
}

static inline void cr__chan_unlink(struct cr__chan_node *node)
{
	struct cr__chan_list *list = node->list;

	if (node->prev)
		node->prev->next = node->next;
	else
		list->first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		list->last = node->prev;
}

#endif
