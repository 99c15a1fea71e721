/* SPDX-License-Identifier: MIT */
#include "task/ended.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"

#include <errno.h>
#include <string.h>

/* Life of a scope: entering, children that end, waiting, leaving. */

void cr__scope_enter_in(struct cr__sched *s, struct cr__scope *scope, struct cr__task *owner,
                        struct cr__node *parent)
{
	memset(scope, 0, sizeof *scope);
	scope->magic = CR__SCOPE_MAGIC;
	scope->owner = owner;
	scope->deadline = scope->grace_end = CORAIL_NEVER;
	cr__node_link(s, &scope->node, parent, CR__NODE_SCOPE);
}

void cr_scope_enter(cr_scope *scope)
{
	struct cr__task *self = cr__task_current("cr_scope_enter");
	struct cr__scope *sc = cr__scope_of(scope);

	cr__scope_enter_in(cr__sched_self(), sc, self, self->inner);
	self->inner = &sc->node;
}

/*
 * Beyond the first, failures go to memory of their own; when there is none, they are only counted.
 */
static void record_failure(struct cr__scope *scope, cr_failure failure)
{
	if (scope->failed == 0) {
		scope->error = failure.error;
		scope->failure_first = failure;
	} else if (scope->failed < CR__FAILURES_KEPT) {
		if (!scope->failures)
			scope->failures = cr__alloc_zero(1, sizeof *scope->failures);
		if (scope->failures)
			scope->failures->kept[scope->failed] = failure;
	}
	scope->failed++;
}

void cr__scope_fail(struct cr__sched *s, struct cr__scope *scope, cr_task task, const char *name,
                    int error)
{
	record_failure(scope, (cr_failure){task, error, name});
	if (!(scope->state & CR__SCOPE_COLLECT))
		cr__node_cancel(s, &scope->node);
}

void cr__scope_wait_below(struct cr__scope *scope, uint32_t count, const char *reason)
{
	struct cr__wait wait = {.abort = NULL, .reason = reason, .fd = -1};

	if (scope->alive <= count)
		return;
	scope->wake_below = count;
	scope->owner_wait = &wait;
	cr__park(&wait);
}

struct cr__scope *cr__scope_living(const cr_scope *scope, const char *caller)
{
	struct cr__scope *sc = cr__scope_of((cr_scope *)(uintptr_t)scope);

	if (sc->magic != CR__SCOPE_MAGIC)
		cr__panic("%s(): the scope was not entered, or was left already", caller);
	return sc;
}

/* The scope as its owner sees it: only the owner may wait. */
struct cr__scope *cr__scope_owned(const cr_scope *scope, const char *caller)
{
	struct cr__task *self = cr__task_current(caller);
	struct cr__scope *sc = cr__scope_living(scope, caller);

	if (sc->owner != self)
		cr__panic("%s(): only the task that entered a scope may do this", caller);
	return sc;
}

/*
 * A wait that only the children's end ends needs the owner to be in that very scope: a deadline of
 * one inside it could not reach them.
 */
static struct cr__scope *owned_innermost(cr_scope *scope, const char *caller)
{
	struct cr__scope *sc = cr__scope_owned(scope, caller);

	if (sc->owner->inner != &sc->node)
		cr__panic("%s(): a scope inside this one was not left yet", caller);
	return sc;
}

/* Whether what is cancelled around it reached in. */
static bool parent_cancelled(const struct cr__scope *scope)
{
	if (scope->node.flags & CR__NODE_SHIELD)
		return scope->state & CR__SCOPE_GRACE_OVER;
	return cr__node_cancelled(scope->node.parent);
}

/* What has become of it, once its children have ended. */
static int status(const struct cr__scope *scope)
{
	if (scope->failed)
		return scope->error;
	if (parent_cancelled(scope))
		return -ECANCELED;
	return scope->state & CR__SCOPE_TIMED_OUT ? -ETIMEDOUT : 0;
}

int cr_scope_wait(cr_scope *scope)
{
	struct cr__scope *sc = owned_innermost(scope, "cr_scope_wait");

	cr__scope_wait_below(sc, 0, "scope");
	return status(sc);
}

void cr_scope_leave(cr_scope *scope)
{
	struct cr__scope *sc = owned_innermost(scope, "cr_scope_leave");
	struct cr__sched *s = cr__sched_self();

	sc->state |= CR__SCOPE_CLOSING;
	if (sc->alive) {
		cr__node_cancel(s, &sc->node);
		cr__scope_wait_below(sc, 0, "leaving a scope");
	}
	cr__timer_unset(&s->loop.timers, &sc->timer);
	cr__ended_forget(s, sc);
	cr__free(sc->failures);
	cr__node_unlink(s, &sc->node);
	sc->owner->inner = sc->node.parent;
	sc->magic = 0;
}

struct next_wait {
	struct cr__wait wait;
	/* the owner may be in one inside it: cr_timeout(d, cr_scope_next()) */
	struct cr__scope *scope;
};

static enum cr__abort next_abort(struct cr__wait *wait)
{
	struct cr__scope *scope = CR__CONTAINER(wait, struct next_wait, wait)->scope;

	scope->owner_wait = NULL;
	scope->state &= ~(uint32_t)CR__SCOPE_WANTS_NEXT;
	return CR__ABORT_DONE;
}

/* Waits for a child to end. Returns 0, -ENOENT without children, or -ECANCELED. */
static int wait_next(struct cr__scope *scope)
{
	struct next_wait next = {.wait = {.abort = next_abort, .reason = "next child", .fd = -1},
	                         .scope = scope};

	if (cr__node_cancelled(scope->owner->inner))
		return cr__park_refuse();
	if (scope->alive == 0)
		return -ENOENT;
	scope->wake_below = 0;
	scope->owner_wait = &next.wait;
	scope->state |= CR__SCOPE_WANTS_NEXT;
	return cr__park(&next.wait);
}

int cr__scope_drain(struct cr__scope *scope)
{
	struct next_wait drain = {.wait = {.abort = next_abort, .reason = "drain", .fd = -1},
	                          .scope = scope};

	if (scope->alive == 0)
		return 0;
	if (cr__node_cancelled(scope->owner->inner))
		return cr__park_refuse();
	scope->wake_below = 0;
	scope->owner_wait = &drain.wait;
	return cr__park(&drain.wait);
}

int cr_scope_next(cr_scope *scope, cr_task *ret_task)
{
	struct cr__scope *sc = cr__scope_owned(scope, "cr_scope_next");
	struct cr__sched *s = cr__sched_self();
	struct cr__task *task;

	if (cr__node_cancelled(sc->owner->inner))
		return cr__park_refuse();
	/* More than once: a child may end whose result somebody else awaited and has read. */
	while (!sc->unread.first) {
		int r = wait_next(sc);

		if (r < 0)
			return r;
	}
	task = cr__task_of_node(sc->unread.first);
	*ret_task = task->handle;
	cr__ended_read(s, task);
	return 0;
}

void cr_scope_cancel(cr_scope *scope)
{
	struct cr__scope *sc = cr__scope_living(scope, "cr_scope_cancel");

	cr__node_cancel(cr__sched_self(), &sc->node);
}

void cr_scope_collect(cr_scope *scope)
{
	cr__scope_living(scope, "cr_scope_collect")->state |= CR__SCOPE_COLLECT;
}

int cr_scope_cancelled(const cr_scope *scope)
{
	return cr__node_cancelled(&cr__scope_living(scope, "cr_scope_cancelled")->node);
}

size_t cr_scope_count(const cr_scope *scope)
{
	return cr__scope_living(scope, "cr_scope_count")->alive;
}

size_t cr_scope_failures(const cr_scope *scope, cr_failure *failures, size_t count)
{
	const struct cr__scope *sc = cr__scope_living(scope, "cr_scope_failures");
	size_t kept = sc->failed < CR__FAILURES_KEPT ? sc->failed : CR__FAILURES_KEPT;

	if (!sc->failures && kept > 1)
		kept = 1;
	if (count > 0 && kept > 0)
		failures[0] = sc->failure_first;
	for (size_t i = 1; i < kept && i < count; i++)
		failures[i] = sc->failures->kept[i];
	return sc->failed;
}

cr_scope *cr_scope_program(void)
{
	struct cr__sched *s = cr__sched_self();

	if (!s)
		cr__panic("cr_scope_program() called without a loop; see cr_run()");
	return (cr_scope *)(void *)&s->program;
}
