/* SPDX-License-Identifier: MIT */
#include "task/block.h"
#include "task/ended.h"
#include "task/handover.h"
#include "task/keep.h"
#include "task/local.h"

#include "base/panic.h"
#include "task/debug.h"

#include <errno.h>
#include <string.h>

/* Birth and death of a task. */

enum { COPY_MAX = 16384 };

/* Sizes at the high end of a stack, in multiples of 16, so that what lies below stays aligned. */
static inline size_t rounded(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

static _Noreturn void task_finish(int result);

/* The function's text in a site. */
static const char *site_function(cr__site site)
{
	return site + strlen(site) + 1;
}

const char *cr__task_name(struct cr__task *task)
{
	return task->flags & CR__TASK_NAMED ? cr__task_extra(task)->name
	                                    : site_function(task->site);
}

static void name_set(struct cr__task *task, const char *name)
{
	struct cr__extra *extra = cr__task_extra(task);
	size_t size = strnlen(name, sizeof extra->name - 1);

	memcpy(extra->name, name, size);
	extra->name[size] = '\0';
	task->flags |= CR__TASK_NAMED;
}

void cr_task_name_set(const char *name)
{
	name_set(cr__task_current("cr_task_name_set"), name);
}

/* Gives a block its stack. Returns the high end, below what every task has there. */
static CR__HOT char *move_in(struct cr__task *task, const struct cr__stack *stack)
{
	char *end = stack->base + cr__stack_size(stack->class);

	cr__stack_copy(&task->stack, stack);
	task->extra = (struct cr__extra *)(void *)(end - sizeof(struct cr__extra));
#if CR__SANITIZED
	cr__fiber_init(&task->fiber, stack->base, cr__stack_size(stack->class));
#endif
	return cr__stack_top(stack) - rounded(sizeof(struct cr__extra));
}

/* Sets up a task whose frames begin at `top`. Returns its first stack pointer. */
static CR__HOT void *begin(struct cr__sched *s, struct cr__scope *scope, struct cr__task *task,
                           char *top, cr__fn fn, const void *arg, cr__site site)
{
	void *sp = cr__ctx_make(top, fn, arg, task_finish, CR__SCHED_ARRIVE);

	task->flags = 0;
	task->site = site;
	cr__node_link(s, &task->node, &scope->node, 0);
	s->spawned++;
	s->alive++;
	scope->alive++;
	return sp;
}

/* Takes a block and a stack. NULL, and why, when there is no room. */
static struct cr__task *create(struct cr__sched *s, unsigned class, char **ret_top, int *ret_error)
{
	struct cr__task *task = cr__block_take(s, ret_error);
	struct cr__stack stack;

	if (!task)
		return NULL;
	*ret_error = cr__stack_take(&s->stacks, class, &stack);
	if (*ret_error < 0) {
		cr__block_give(s, task);
		return NULL;
	}
	*ret_top = move_in(task, &stack);
	return task;
}

static cr_task refuse(struct cr__sched *s, struct cr__scope *scope, const cr_spawn_options *options,
                      cr__site site, int error)
{
	cr_task handle = {error};

	if (!options || !options->optional)
		cr__scope_fail(s, scope, handle, site_function(site), error);
	return handle;
}

static struct cr__sched *sched_for(const struct cr__scope *scope)
{
	struct cr__sched *s = cr__sched_self();

	if (__builtin_expect(!s, 0))
		cr__panic("cr_spawn() called without a loop; see cr_run()");
	if (__builtin_expect(scope->magic != CR__SCOPE_MAGIC, 0))
		cr__panic("cr_spawn(): the scope was not entered, or was left already");
	return s;
}

/* With whatever the caller may want, and whatever may be missing. */
static __attribute__((noinline)) cr_task spawn_slowly(cr_scope *opaque,
                                                      const cr_spawn_options *options, cr__fn fn,
                                                      const void *arg, size_t copy_size,
                                                      cr__site site)
{
	struct cr__scope *scope = cr__scope_of(opaque);
	struct cr__sched *s = sched_for(scope);
	int class = (int)s->stack_class_default, error;
	struct cr__task *task;
	char *top;
	void *sp;

	if (options && options->stack_size_bytes)
		class = cr__stack_class_for(options->stack_size_bytes);
	if (class < 0)
		return refuse(s, scope, options, site, -EINVAL);
	if (copy_size > COPY_MAX)
		return refuse(s, scope, options, site, -E2BIG);
	if (scope->state & CR__SCOPE_CLOSING)
		return refuse(s, scope, options, site, -ESHUTDOWN);
	task = create(s, (unsigned)class, &top, &error);
	if (!task)
		return refuse(s, scope, options, site, error);
	/* Where guards run out, they do so when stacks are made, which is only here. */
	if (s->stacks.unguarded)
		s->special |= CR__UNGUARDED;
	if (copy_size) {
		top -= rounded(copy_size);
		arg = memcpy(top, arg, copy_size);
	}
	sp = begin(s, scope, task, top, fn, arg, site);
	if (options && options->name)
		name_set(task, options->name);
	/* Block 0 stands for the loop, which has none: a callback may spawn too. */
	if (s->blocks[s->current].flags & CR__TASK_LOCALS)
		cr__locals_inherit(task, &s->blocks[s->current]);
	cr__ready(s, task, sp, 0);
	return task->handle;
}

/*
 * The ordinary birth, from a block and a stack that were used before. What is out of the ordinary
 * is a tail call away, so that nothing needs saving here.
 */
cr_task cr__spawn(cr_scope *opaque, const cr_spawn_options *options, cr__fn fn, const void *arg,
                  size_t copy_size, cr__site site)
{
	struct cr__scope *scope = cr__scope_of(opaque);
	struct cr__sched *s = cr__sched_self();
	struct cr__stack stack;
	struct cr__task *task;
	void *sp;

	if (__builtin_expect(options || copy_size || !s || scope->magic != CR__SCOPE_MAGIC ||
	                             (scope->state & CR__SCOPE_CLOSING) || !cr__block_waits(s) ||
	                             (s->blocks[s->current].flags & CR__TASK_LOCALS) ||
	                             !cr__stack_take_warm(&s->stacks, s->stack_class_default,
	                                                  &stack),
	                     0))
		return spawn_slowly(opaque, options, fn, arg, copy_size, site);
	task = cr__block_take_used(s);
	sp = begin(s, scope, task, move_in(task, &stack), fn, arg, site);
	cr__ready(s, task, sp, 0);
	return task->handle;
}

cr_task cr__spawn_extra(struct cr__scope *scope, cr__fn fn, const void *arg, cr__site site,
                        const struct cr__extra *extra)
{
	cr_task handle = cr__spawn((cr_scope *)(void *)scope, NULL, fn, arg, 0, site);
	struct cr__extra *own;
	struct cr__task *task;
	int error;

	task = cr__task_find(cr__sched_self(), handle, &error);
	if (!task)
		return handle;
	own = cr__task_extra(task);
	own->ret_status = extra->ret_status;
	own->index = extra->index;
	own->start = extra->start;
	task->flags |= CR__TASK_EXTRA;
	return handle;
}

/*
 * Hands the result to whoever was promised it at birth. Returns whether that was a failure's due.
 */
static bool report_extra(struct cr__scope *scope, struct cr__task *task)
{
	struct cr__extra *extra = cr__task_extra(task);

	if (extra->ret_status)
		*extra->ret_status = task->result;
	if ((scope->state & CR__SCOPE_FIRST) && task->result >= 0 &&
	    !(scope->state & CR__SCOPE_WON)) {
		scope->state |= CR__SCOPE_WON;
		scope->winner = extra->index;
		scope->winner_result = task->result;
		cr__node_cancel(cr__sched_self(), &scope->node);
	}
	return cr__start_ended(extra, task->result);
}

/*
 * What few tasks have to settle when they end. Returns whether a failure was told to whom it
 * concerns.
 */
static __attribute__((noinline)) bool settle(struct cr__scope *scope, struct cr__task *task)
{
	if (task->flags & CR__TASK_LOCALS)
		cr__locals_end(task);
	if (task->flags & CR__TASK_KEEPS)
		cr__keeps_end(task);
	return (task->flags & CR__TASK_EXTRA) && report_extra(scope, task);
}

/*
 * ThreadSanitizer's fiber of an ended task is still the one that runs: the next death destroys it.
 */
static void fiber_bury(struct cr__sched *s, struct cr__task *task)
{
#if CR__TSAN
	if (s->dead_fiber)
		__tsan_destroy_fiber(s->dead_fiber);
	s->dead_fiber = task->fiber.tsan;
#else
	(void)s;
	(void)task;
#endif
}

static __attribute__((noinline, cold)) _Noreturn void tidy_and_leave(struct cr__sched *s,
                                                                     struct cr__task *task)
{
	cr__stack_tidy(&s->stacks, &task->stack);
	cr__leave(s, task);
}

/* What remains of a task's end, on a stack that it no longer owns. */
static CR__HOT _Noreturn void leave(struct cr__sched *s, struct cr__scope *scope,
                                    struct cr__task *task)
{
	fiber_bury(s, task);
	/* The block may be given back here; what it says stands until the next birth takes it. */
	cr__ended_remember(s, scope, task);
	cr__ended_wake_owner(s, scope);
	if (cr__stack_give(&s->stacks, &task->stack))
		tidy_and_leave(s, task);
	cr__leave(s, task);
}

/* The end of a task with whatever may be settled then. */
static __attribute__((noinline)) _Noreturn void finish_slowly(struct cr__sched *s,
                                                              struct cr__task *task, int result)
{
	struct cr__scope *scope = cr__task_scope(task);
	bool handled = false;

	if (task->inner != &task->node)
		cr__panic("task '%s' returned from inside a scope that it did not leave",
		          cr__task_name(task));
	if (!cr__stack_intact(&task->stack))
		cr__overflow_report(s, task);
	task->result = result;
	if (task->flags & (CR__TASK_EXTRA | CR__TASK_KEEPS | CR__TASK_LOCALS))
		handled = settle(scope, task);
	task->flags |= task->joiners ? CR__TASK_DONE | CR__TASK_READ : CR__TASK_DONE;
	cr__node_unlink(s, &task->node);
	if (task->joiners) {
		cr__joiners_wake(s, task);
		handled = true;
	}
	s->alive--;
	scope->alive--;
	/* An owner in cr_scope_next() is told of it now. */
	if (scope->owner_wait && (scope->state & CR__SCOPE_WANTS_NEXT))
		handled = true;
	/*
	 * Being cancelled is not a failure: whoever cancelled knows. A gather is told all the same.
	 */
	if (result == -ECANCELED)
		scope->cancelled++;
	else if (result < 0 && !handled)
		cr__scope_fail(s, scope, task->handle, site_function(task->site), result);
	if (s->special & CR__DEBUGGED)
		cr__watch_beat(s->loop.watch);
	leave(s, scope, task);
}

/*
 * The ordinary end: a success, awaited by one task or by none. The rest is a tail call away, as at
 * birth.
 */
static _Noreturn void task_finish(int result)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__task *task = cr__running(s);
	struct cr__scope *scope = cr__task_scope(task);
	struct cr__join *join = task->joiners;

	if (__builtin_expect(result < 0 || task->inner != &task->node ||
	                             (task->flags &
	                              (CR__TASK_EXTRA | CR__TASK_KEEPS | CR__TASK_LOCALS)) ||
	                             (s->special & (CR__UNGUARDED | CR__DEBUGGED)) ||
	                             (join && (join->next != join || join->ended)),
	                     0))
		finish_slowly(s, task, result);
	task->result = result;
	cr__node_unlink(s, &task->node);
	if (join) {
		task->flags |= CR__TASK_DONE | CR__TASK_READ;
		task->joiners = NULL;
		cr__wake(s, join->wait.task, result);
	} else {
		task->flags |= CR__TASK_DONE;
	}
	s->alive--;
	scope->alive--;
	leave(s, scope, task);
}
