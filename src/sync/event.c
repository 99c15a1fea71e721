/* SPDX-License-Identifier: MIT */
/*
 * The event: a flag and a FIFO of those who wait: parked tasks, and cases of cr_select(). The links
 * are in the waiters' frames; cancellation takes a waiter out of the middle, so that nothing of it
 * remains.
 */

#include <corail/sync.h>

#include "base/list.h"
#include "task/choice.h"
#include "task/park.h"

struct node {
	struct node *next, *prev;
	struct cr__case *of_case; /* NULL: a waiter's */
};

struct waiter {
	struct cr__wait wait;
	struct node node;
	cr_event *event;
};

static void link_node(cr_event *event, struct node *node)
{
	node->next = NULL;
	node->prev = event->cr__last;
	if (node->prev)
		node->prev->next = node;
	else
		event->cr__first = node;
	event->cr__last = node;
}

static void unlink_node(cr_event *event, struct node *node)
{
	if (node->prev)
		node->prev->next = node->next;
	else
		event->cr__first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		event->cr__last = node->prev;
}

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	struct waiter *waiter = CR__CONTAINER(wait, struct waiter, wait);

	unlink_node(waiter->event, &waiter->node);
	return CR__ABORT_DONE;
}

void cr_event_set(cr_event *event)
{
	struct node *node;

	event->cr__set = 1;
	/* One by one: a cr_select() may have two cases here, and takes both away. */
	while ((node = event->cr__first) != NULL) {
		unlink_node(event, node);
		if (node->of_case)
			cr__case_take(node->of_case);
		else
			cr__unpark(CR__CONTAINER(node, struct waiter, node)->wait.task, 0);
	}
}

void cr_event_clear(cr_event *event)
{
	event->cr__set = 0;
}

int cr_event_is_set(const cr_event *event)
{
	return event->cr__set;
}

int cr_event_wait(cr_event *event)
{
	struct waiter waiter = {
		.wait = {.abort = waiter_abort, .reason = "event", .fd = -1},
		.event = event,
	};
	int r = cr__park_check("cr_event_wait");

	if (r < 0)
		return r;
	if (event->cr__set) {
		cr__budget_spend();
		return 0;
	}
	link_node(event, &waiter.node);
	return cr__park(&waiter.wait);
}

/* ------------------------------------------------------------- as a case of cr_select() --- */

struct event_case {
	struct cr__case head;
	struct node node;
	cr_event *event;
};

static bool case_attempt(struct cr__case *c)
{
	c->result = 0;
	return CR__CONTAINER(c, struct event_case, head)->event->cr__set;
}

static bool case_enqueue(struct cr__case *c)
{
	struct event_case *own = CR__CONTAINER(c, struct event_case, head);

	own->node.of_case = c;
	link_node(own->event, &own->node);
	return false;
}

static bool case_dequeue(struct cr__case *c)
{
	struct event_case *own = CR__CONTAINER(c, struct event_case, head);

	unlink_node(own->event, &own->node);
	return true;
}

cr_case cr_case_event(struct cr_event *event)
{
	static const struct cr__case_ops ops = {case_attempt, case_enqueue, case_dequeue};
	union {
		cr_case whole;
		struct event_case own;
	} u;

	u.own.head.ops = &ops;
	u.own.event = event;
	return u.whole;
}
