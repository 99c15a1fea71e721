/* SPDX-License-Identifier: MIT */
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

struct birth {
	cr__fn fn;
	const void *arg;
	size_t copy_size;
	cr__site site;
	unsigned class;
};

/* Takes a block and a stack and sets the context up. NULL, and why, when there is no room. */
static inline struct cr__task *create(struct cr__sched *s, struct cr__scope *scope,
                                      const struct birth *birth, int *ret_error)
{
	struct cr__task *task = cr__block_take(s, ret_error);
	struct cr__stack stack;
	const void *arg = birth->arg;
	char *top;

	if (__builtin_expect(!task, 0))
		return NULL;
	*ret_error = cr__stack_take(&s->stacks, birth->class, &stack);
	if (__builtin_expect(*ret_error < 0, 0)) {
		cr__block_give(s, task);
		return NULL;
	}
	/* Word by word: they stay in registers. */
	task->stack.base = stack.base;
	task->stack.number = stack.number;
	task->stack.class = stack.class;
	task->stack.guard = stack.guard;
	if (__builtin_expect(stack.guard == CR__GUARD_CHECK, 0))
		s->special |= CR__UNGUARDED;
	task->extra = (struct cr__extra *)(void *)(stack.base + cr__stack_size(stack.class) -
	                                           sizeof(struct cr__extra));
	top = cr__stack_top(&stack) - rounded(sizeof(struct cr__extra));
#if CR__SANITIZED
	cr__fiber_init(&task->fiber, stack.base, cr__stack_size(stack.class));
#endif
	if (birth->copy_size) {
		top -= rounded(birth->copy_size);
		arg = memcpy(top, birth->arg, birth->copy_size);
	}
	task->sp = cr__ctx_make(top, birth->fn, arg, task_finish, cr__sched_arrive);
	task->inner = &task->node;
	task->wait = NULL;
	task->flags = 0;
	task->joiners = NULL;
	task->site = birth->site;
	cr__node_link(s, &task->node, &scope->node, 0);
	s->spawned++;
	s->alive++;
	scope->alive++;
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

cr_task cr__spawn(cr_scope *opaque, const cr_spawn_options *options, cr__fn fn, const void *arg,
                  size_t copy_size, cr__site site)
{
	struct cr__scope *scope = cr__scope_of(opaque);
	struct cr__sched *s = sched_for(scope);
	struct birth birth = {fn, arg, copy_size, site, s->stack_class_default};
	struct cr__task *task;
	int error;

	if (__builtin_expect(options && options->stack_size_bytes, 0)) {
		int class = cr__stack_class_for(options->stack_size_bytes);

		if (class < 0)
			return refuse(s, scope, options, site, -EINVAL);
		birth.class = (unsigned)class;
	}
	if (__builtin_expect(copy_size > COPY_MAX, 0))
		return refuse(s, scope, options, site, -E2BIG);
	if (__builtin_expect(scope->state & CR__SCOPE_CLOSING, 0))
		return refuse(s, scope, options, site, -ESHUTDOWN);
	task = create(s, scope, &birth, &error);
	if (__builtin_expect(!task, 0))
		return refuse(s, scope, options, site, error);
	if (options && options->name)
		name_set(task, options->name);
	/* Block 0 stands for the loop, which has none: a callback may spawn too. */
	if (__builtin_expect(s->blocks[s->current].flags & CR__TASK_LOCALS, 0))
		cr__locals_inherit(task, &s->blocks[s->current]);
	cr__ready(s, task, 0);
	return cr__task_handle(s, task);
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

static _Noreturn void task_finish(int result)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__task *task = cr__running(s);
	struct cr__scope *scope = cr__task_scope(task);
	bool handled = false;

	if (__builtin_expect(task->inner != &task->node, 0))
		cr__panic("task '%s' returned from inside a scope that it did not leave",
		          cr__task_name(task));
	if (__builtin_expect(!cr__stack_intact(&task->stack), 0))
		cr__overflow_report(s, task);
	task->result = result;
	if (task->flags & (CR__TASK_EXTRA | CR__TASK_KEEPS | CR__TASK_LOCALS))
		handled = settle(scope, task);
	task->flags |= task->joiners ? CR__TASK_DONE | CR__TASK_READ : CR__TASK_DONE;
	cr__node_unlink(s, &task->node);
	if (task->joiners) {
		struct cr__join *join = task->joiners;

		if (__builtin_expect(join->next == join && !join->ended, 1)) {
			task->joiners = NULL;
			cr__wake(s, join->wait.task, result);
		} else {
			cr__joiners_wake(s, task);
		}
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
	if (__builtin_expect(result == -ECANCELED, 0))
		scope->cancelled++;
	else if (__builtin_expect(result < 0 && !handled, 0))
		cr__scope_fail(s, scope, cr__task_handle(s, task), site_function(task->site),
		               result);
	if (__builtin_expect(s->special & CR__DEBUGGED, 0))
		cr__watch_beat(s->loop.watch);
	fiber_bury(s, task);
	/* The block may be given back here; what it says stands until the next birth takes it. */
	cr__ended_remember(s, scope, task);
	cr__ended_wake_owner(s, scope);
	cr__stack_give(&s->stacks, &task->stack);
	cr__leave(s, task);
}
