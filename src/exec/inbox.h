/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_INBOX_H
#define CR__EXEC_INBOX_H

/*
 * A queue that any thread appends to without a lock, by one exchange, and that one at a time takes
 * from, first in first out: the intrusive queue of Dmitry Vyukov (1024cores.net, "Intrusive MPSC
 * node-based queue"). Who takes touches only what it takes, which matters: each record was written
 * on another processor.
 *
 * Between the two steps of an append, the rest of the queue is out of reach: then nothing can be
 * taken although the queue is not empty. That is two instructions long, unless the appending thread
 * loses its processor just there.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct cr__inbox_node {
	_Atomic(struct cr__inbox_node *) next;
};

struct cr__inbox {
	/* Whoever appends. */
	_Atomic(struct cr__inbox_node *) last;
	_Atomic size_t appended; /* about so many */
	/* Whoever takes: not on the same cache line. */
	char apart[64];
	struct cr__inbox_node *first;
	size_t taken;               /* of those counted as appended */
	struct cr__inbox_node stub; /* so that it is never without a node */
};

static inline void cr__inbox_init(struct cr__inbox *inbox)
{
	inbox->stub.next = NULL;
	inbox->first = &inbox->stub;
	inbox->last = &inbox->stub;
	inbox->appended = inbox->taken = 0;
}

static inline void cr__inbox_link(struct cr__inbox *inbox, struct cr__inbox_node *node)
{
	struct cr__inbox_node *before;

	atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
	before = atomic_exchange(&inbox->last, node);
	atomic_store_explicit(&before->next, node, memory_order_release);
}

/* Any thread. Sequentially consistent with what follows it. */
static inline void cr__inbox_append(struct cr__inbox *inbox, struct cr__inbox_node *node)
{
	size_t appended = atomic_load_explicit(&inbox->appended, memory_order_relaxed);

	/* Not atomically: an error stays until the queue is empty, and another step would cost. */
	atomic_store_explicit(&inbox->appended, appended + 1, memory_order_relaxed);
	cr__inbox_link(inbox, node);
}

/* Any thread: whether it is worth looking. Does not see what lies before the stub. */
static inline bool cr__inbox_promises(struct cr__inbox *inbox)
{
	return atomic_load_explicit(&inbox->last, memory_order_relaxed) != &inbox->stub;
}

/*
 * The taker: whether there is nothing, not even something that is being appended. The stub may have
 * come last behind records that are still to be taken: somebody appended just before it.
 */
static inline bool cr__inbox_empty(struct cr__inbox *inbox)
{
	return inbox->first == &inbox->stub && atomic_load(&inbox->last) == &inbox->stub;
}

/* The taker: about how many there are. */
static inline size_t cr__inbox_depth(struct cr__inbox *inbox)
{
	size_t appended = atomic_load_explicit(&inbox->appended, memory_order_relaxed);

	if (cr__inbox_empty(inbox))
		inbox->taken = appended;
	return appended > inbox->taken ? appended - inbox->taken : 0;
}

/* The taker: the first one, or NULL when nothing is within reach. */
static inline struct cr__inbox_node *cr__inbox_take(struct cr__inbox *inbox)
{
	struct cr__inbox_node *node = inbox->first;
	struct cr__inbox_node *next = atomic_load_explicit(&node->next, memory_order_acquire);

	if (node == &inbox->stub) {
		if (!next)
			return NULL;
		inbox->first = node = next;
		next = atomic_load_explicit(&node->next, memory_order_acquire);
	}
	if (!next) {
		/* It is the last one, or another one is about to follow it. */
		if (atomic_load(&inbox->last) != node)
			return NULL;
		cr__inbox_link(inbox, &inbox->stub);
		next = atomic_load_explicit(&node->next, memory_order_acquire);
		if (!next)
			return NULL;
	}
	inbox->first = next;
	inbox->taken++;
	return node;
}

#endif
