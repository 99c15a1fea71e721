/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/clock.h"

#include <errno.h>

struct cr__node *cr__node_walk(struct cr__node *root, struct cr__node *node, bool skip)
{
	if (node->child && !skip)
		return node->child;
	while (node != root) {
		if (node->next != node->parent->child)
			return node->next;
		node = node->parent;
	}
	return NULL;
}

/* Wakes the task that sits parked in this node, if its wait can be undone. */
static void deliver(struct cr__node *node)
{
	struct cr__task *task = node->flags & CR__NODE_SCOPE ? cr__scope_of_node(node)->owner
	                                                     : cr__task_of_node(node);
	struct cr__wait *wait;

	if (!task || task->inner != node)
		return;
	wait = task->wait;
	if (!wait || !wait->abort)
		return;
	if (wait->abort(wait) == CR__ABORT_DONE)
		cr__unpark(task, -ECANCELED);
}

/* What is cancelled around a shield starts its grace period, once. */
static void shield_hit(struct cr__sched *s, struct cr__scope *scope)
{
	if (scope->grace_end != CORAIL_NEVER)
		return;
	scope->grace_end = cr__nsec_add(cr__loop_now(&s->loop), scope->grace);
	cr__scope_arm(s, scope);
}

void cr__node_cancel(struct cr__sched *s, struct cr__node *root)
{
	struct cr__node *node = root;

	root->flags |= CR__NODE_ASKED;
	while (node) {
		bool skip = node->flags & CR__NODE_CANCELLED;

		if (node != root && (node->flags & CR__NODE_SHIELD) && !skip) {
			shield_hit(s, cr__scope_of_node(node));
			skip = true;
		} else if (!skip) {
			node->flags |= CR__NODE_CANCELLED;
			s->special++;
			deliver(node);
		}
		node = cr__node_walk(root, node, skip);
	}
}
