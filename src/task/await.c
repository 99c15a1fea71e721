/* SPDX-License-Identifier: MIT */
#include "task/block.h"
#include "task/choice.h"
#include "task/ended.h"
#include "task/handover.h"

#include "base/alloc.h"

#include <errno.h>

/* Waiting for tasks, and asking about them. */

static void join_link(struct cr__join *join, struct cr__task *target)
{
	struct cr__join *first = target->joiners;

	join->target = target;
	if (!first) {
		join->next = join->prev = join;
		target->joiners = join;
		return;
	}
	join->next = first;
	join->prev = first->prev;
	first->prev->next = join;
	first->prev = join;
}

static void join_unlink(struct cr__join *join)
{
	struct cr__task *target = join->target;

	if (join->next == join) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): only a linked join */
		target->joiners = NULL;
	} else {
		join->prev->next = join->next;
		join->next->prev = join->prev;
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): has a target, as here */
		if (target->joiners == join)
			target->joiners = join->next;
	}
	join->target = NULL;
}

static enum cr__abort join_abort(struct cr__wait *wait)
{
	join_unlink(CR__CONTAINER(wait, struct cr__join, wait));
	return CR__ABORT_DONE;
}

/* Whoever awaits a task is held up by it. */
static cr_task join_holder(const struct cr__wait *wait)
{
	const struct cr__join *join = CR__CONTAINER(wait, const struct cr__join, wait);

	return join->target->handle;
}

/* What a task's own record says in all of its waits: written at the first. */
static void join_prepare(struct cr__task *self)
{
	cr__task_extra(self)->join = (struct cr__join){
		.wait = {.abort = join_abort, .reason = "await", .fd = -1, .holder = join_holder},
	};
	self->flags |= CR__TASK_AWAITS;
}

/*
 * The record of the wait lies at the high end of the caller's stack, not in this frame: so the
 * switch can be a tail call here too, and the processor never predicts a return from another
 * stack's calls.
 */
int cr_await(cr_task handle)
{
	struct cr__sched *s = cr__sched_in_task("cr_await");
	struct cr__task *self = cr__running(s), *task;
	struct cr__join *join;

	if (__builtin_expect(s->special && cr__node_cancelled(self->inner), 0))
		return cr__park_refuse();
	task = cr__task_lookup(s, handle);
	if (__builtin_expect(!task, 0))
		return handle.id < 0 ? (int)handle.id : -ESRCH;
	if (task->flags & CR__TASK_DONE) {
		cr__ended_read(s, task);
		return task->result;
	}
	if (__builtin_expect(task == self, 0))
		return -EDEADLK;
	join = &cr__task_extra(self)->join;
	if (__builtin_expect(!(self->flags & CR__TASK_AWAITS), 0))
		join_prepare(self);
	join_link(join, task);
	return cr__park_in(s, self, &join->wait);
}

/* A cr_task_wait_first(): one wait, joined to many tasks. */
struct first {
	struct cr__wait wait;
	struct first_join *joins;
	size_t count, winner;
	bool woken;
};

struct first_join {
	struct cr__join join;
	struct first *first;
};

static void first_unlink(struct first *first)
{
	for (size_t i = 0; i < first->count; i++)
		if (first->joins[i].join.target)
			join_unlink(&first->joins[i].join);
}

static enum cr__abort first_abort(struct cr__wait *wait)
{
	first_unlink(CR__CONTAINER(wait, struct first, wait));
	return CR__ABORT_DONE;
}

static void first_ended(struct cr__join *join, int result)
{
	struct first_join *own = CR__CONTAINER(join, struct first_join, join);
	struct first *first = own->first;

	first->winner = (size_t)(own - first->joins);
	/* At once, so that a second one that ends in this turn finds nobody waiting. */
	first_unlink(first);
	first->woken = true;
	cr__unpark(first->wait.task, result);
}

void cr__joiners_wake(struct cr__sched *s, struct cr__task *task)
{
	struct cr__join *join;

	while ((join = task->joiners) != NULL) {
		join_unlink(join);
		if (join->ended)
			join->ended(join, task->result);
		else
			cr__wake(s, join->wait.task, task->result);
	}
}

/*
 * Whether one of them has ended already: 1 and the first such in the array, 0, or a negative error.
 */
static int first_of_ended(struct cr__sched *s, const cr_task *tasks, size_t count,
                          size_t *ret_index, int *ret_result)
{
	for (size_t i = 0; i < count; i++) {
		int error;
		struct cr__task *task = cr__task_find(s, tasks[i], &error);

		if (!task)
			return error;
		if (task == cr__running(s))
			return -EDEADLK;
		if (!(task->flags & CR__TASK_DONE))
			continue;
		cr__ended_read(s, task);
		*ret_index = i;
		*ret_result = task->result;
		return 1;
	}
	return 0;
}

int cr_task_wait_first(const cr_task *tasks, size_t count, size_t *ret_index)
{
	enum { ON_STACK = 16 };
	struct first_join few[ON_STACK];
	struct first first = {
		.wait = {.abort = first_abort, .reason = "await first", .fd = -1},
		.joins = few,
		.count = count,
	};
	struct cr__sched *s = cr__sched_self();
	int result = 0, r = cr__park_check("cr_task_wait_first");

	if (r < 0)
		return r;
	if (count == 0)
		return -EINVAL;
	r = first_of_ended(s, tasks, count, ret_index, &result);
	if (r != 0)
		return r < 0 ? r : result;
	if (count > ON_STACK) {
		first.joins = cr__alloc(count * sizeof *first.joins);
		if (!first.joins)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		first.joins[i].first = &first;
		first.joins[i].join.ended = first_ended;
		join_link(&first.joins[i].join, cr__task_find(s, tasks[i], &r));
	}
	r = cr__park(&first.wait);
	if (first.woken)
		*ret_index = first.winner;
	if (first.joins != few)
		cr__free(first.joins);
	return r;
}

/* ------------------------------------------------------------- as a case of cr_select() --- */

struct task_case {
	struct cr__case head;
	cr_task task;
	struct cr__join join;
};

static bool task_case_attempt(struct cr__case *c)
{
	struct task_case *own = CR__CONTAINER(c, struct task_case, head);
	struct cr__sched *s = cr__sched_self();
	int error;
	struct cr__task *task = cr__task_find(s, own->task, &error);

	if (!task)
		c->result = error;
	else if (task == cr__running(s))
		c->result = -EDEADLK;
	else if (task->flags & CR__TASK_DONE) {
		cr__ended_read(s, task);
		c->result = task->result;
	} else {
		return false;
	}
	return true;
}

static void task_case_ended(struct cr__join *join, int result)
{
	struct task_case *own = CR__CONTAINER(join, struct task_case, join);

	own->head.result = result;
	cr__case_take(&own->head);
}

/* The engine has just attempted it, and no task has run since. */
static bool task_case_enqueue(struct cr__case *c)
{
	struct task_case *own = CR__CONTAINER(c, struct task_case, head);

	own->join.ended = task_case_ended;
	join_link(&own->join, cr__task_lookup(cr__sched_self(), own->task));
	return false;
}

static bool task_case_dequeue(struct cr__case *c)
{
	join_unlink(&CR__CONTAINER(c, struct task_case, head)->join);
	return true;
}

cr_case cr_case_task(cr_task task)
{
	static const struct cr__case_ops ops = {task_case_attempt, task_case_enqueue,
	                                        task_case_dequeue};
	union {
		cr_case whole;
		struct task_case own;
	} u;

	_Static_assert(sizeof(struct task_case) <= sizeof(cr_case), "cr_case has too few words");
	u.own.head.ops = &ops;
	u.own.task = task;
	return u.whole;
}

/* -------------------------------------------------------------------------- asking about it --- */

int cr_task_result(cr_task handle, int *ret_result)
{
	struct cr__sched *s = cr__sched_self();
	int error;
	struct cr__task *task = cr__task_find(s, handle, &error);

	if (!task)
		return error;
	if (!(task->flags & CR__TASK_DONE))
		return -EINPROGRESS;
	cr__ended_read(s, task);
	*ret_result = task->result;
	return 0;
}

int cr_task_cancel(cr_task handle)
{
	struct cr__sched *s = cr__sched_self();
	int error;
	struct cr__task *task = cr__task_find(s, handle, &error);

	if (!task)
		return error;
	if (task->flags & CR__TASK_DONE)
		return -ESRCH;
	cr__node_cancel(s, &task->node);
	return 0;
}

cr_task cr_task_self(void)
{
	struct cr__sched *s = cr__sched_self();

	if (!s || !s->current)
		return (cr_task){0};
	return cr__running(s)->handle;
}

const char *cr_task_name(cr_task handle)
{
	int error;
	struct cr__task *task = cr__task_find(cr__sched_self(), handle, &error);

	return task && !(task->flags & CR__TASK_DONE) ? cr__task_name(task) : NULL;
}
