/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/clock.h"
#include "base/panic.h"

#include <errno.h>

/* Deadlines and shields: scopes that cancel themselves, and scopes that are spared for a while. */

static void expire(struct cr__timer *timer)
{
	struct cr__scope *scope = CR__CONTAINER(timer, struct cr__scope, timer);
	struct cr__sched *s = cr__sched_self();
	const cr_nsec now = cr__loop_now(&s->loop);

	if (!cr__node_cancelled(&scope->node)) {
		if (scope->deadline <= now)
			scope->state |= CR__SCOPE_TIMED_OUT;
		if (scope->grace_end <= now)
			scope->state |= CR__SCOPE_GRACE_OVER;
	}
	cr__node_cancel(s, &scope->node);
}

void cr__scope_arm(struct cr__sched *s, struct cr__scope *scope)
{
	cr_nsec when = scope->deadline < scope->grace_end ? scope->deadline : scope->grace_end;

	cr__timer_unset(&s->loop.timers, &scope->timer);
	if (when == CORAIL_NEVER || (scope->node.flags & CR__NODE_ASKED))
		return;
	scope->timer.fire = expire;
	/*
	 * Already past: the next suspending call reports it, without a turn of the loop in between.
	 */
	if (when <= cr__loop_now(&s->loop)) {
		expire(&scope->timer);
	} else if (cr__timer_set(&s->loop.timers, &scope->timer, when) < 0) {
		cr__scope_fail(s, scope, (cr_task){0}, "deadline", -ENOMEM);
		cr__node_cancel(s, &scope->node);
	}
}

void cr_scope_deadline_set(cr_scope *scope, cr_nsec when)
{
	struct cr__scope *sc = cr__scope_living(scope, "cr_scope_deadline_set");

	sc->deadline = when;
	cr__scope_arm(cr__sched_self(), sc);
}

void cr_scope_timeout_set(cr_scope *scope, cr_nsec duration)
{
	cr_scope_deadline_set(scope, cr__nsec_add(cr_now(), duration));
}

void cr_scope_shield(cr_scope *scope, cr_nsec grace)
{
	struct cr__scope *sc = cr__scope_living(scope, "cr_scope_shield");

	if (sc->node.child)
		cr__panic("cr_scope_shield(): shield a scope before anything runs in it");
	sc->node.flags |= CR__NODE_SHIELD;
	sc->grace = grace;
	if (!cr__node_cancelled(sc->node.parent) || (sc->node.flags & CR__NODE_ASKED))
		return;
	if (cr__node_cancelled(&sc->node)) {
		sc->node.flags &= ~(uint32_t)CR__NODE_CANCELLED;
		cr__sched_self()->special--;
	}
	sc->grace_end = cr__nsec_add(cr_now(), grace);
	cr__scope_arm(cr__sched_self(), sc);
}

void cr__timeout_enter(cr_scope *scope, cr_nsec duration)
{
	cr_scope_enter(scope);
	cr_scope_timeout_set(scope, duration);
}

int cr__timeout_error(const cr_scope *scope)
{
	const struct cr__scope *sc = cr__scope_of_const(scope);

	/* It has no children: what failed was the deadline itself, for want of memory. */
	if (sc->failed)
		return sc->error;
	if (!(sc->state & CR__SCOPE_TIMED_OUT) || cr__node_cancelled(sc->node.parent))
		return -ECANCELED;
	return -ETIMEDOUT;
}

cr_nsec cr_deadline(void)
{
	struct cr__task *self = cr__task_current("cr_deadline");
	cr_nsec nearest = CORAIL_NEVER;

	for (struct cr__node *node = self->inner; node; node = node->parent) {
		struct cr__scope *scope;

		if (!(node->flags & CR__NODE_SCOPE))
			continue;
		scope = cr__scope_of_node(node);
		if (scope->deadline < nearest)
			nearest = scope->deadline;
		if (scope->grace_end < nearest)
			nearest = scope->grace_end;
		if (node->flags & CR__NODE_SHIELD)
			break;
	}
	return nearest;
}

int cr_cancelled(void)
{
	return cr__node_cancelled(cr__task_current("cr_cancelled")->inner);
}
