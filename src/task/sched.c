/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/panic.h"

#include <errno.h>

/*
 * The hot path. cr_yield() and cr__park() end in a tail call of the switch, so that a resumed task goes
 * straight back to their caller: one call and one indirect jump for a suspension, no `ret` that the
 * processor would predict from another stack's calls. Keep them short and free of other calls.
 */

void (*cr__park_hook)(struct cr__wait *wait);

/* What a task may complete without suspending before it must let the others run. */
enum { BUDGET = 128 };

#if CR__SANITIZED

static struct cr__task *came_from_of(struct cr__sched *s, struct cr__task *task)
{
	/* Only the loop's own bounds are unknown, and only at first. */
	return task == &s->loop_task ? NULL : &s->loop_task;
}

static void arrive(void)
{
	struct cr__sched *s = cr__sched_self();

	cr__fiber_arrive(&s->current->fiber, &came_from_of(s, s->current)->fiber);
}

void (*const cr__sched_arrive)(void) = arrive;

#else

void (*const cr__sched_arrive)(void) = NULL;

#endif

/* Resumes `next`; returns in `self` once somebody resumes it, with self->ctx.value. */
static inline int transfer(struct cr__sched *s, struct cr__task *self, struct cr__task *next)
{
	s->current = next;
	/* errno belongs to the task. Its address is the thread's, and tasks stay on their thread. */
	self->saved_errno = *s->errno_at;
	*s->errno_at = next->saved_errno;
#if CR__SANITIZED
	int value;

	cr__fiber_leave(&self->fiber, &next->fiber, false);
	value = cr__ctx_switch(&self->ctx, &next->ctx);
	cr__fiber_arrive(&self->fiber, NULL);
	return value;
#else
	return cr__ctx_switch(&self->ctx, &next->ctx);
#endif
}

/*
 * The loop's block came up: the batch is over. A busy queue goes round again without the loop while there
 * is credit and nothing that the loop should see to.
 */
static __attribute__((noinline)) struct cr__task *next_batch(struct cr__sched *s)
{
	struct cr__task *loop_task = &s->loop_task, *first = loop_task->next;

	if (!first || --s->credit <= 0 || cr__loop_attention(&s->loop))
		return loop_task;
	s->head = first;
	cr__ready(s, loop_task);
	return first;
}

/* Takes the next runnable task off the queue, which is never empty: the loop is in it. */
static inline struct cr__task *take_next(struct cr__sched *s)
{
	struct cr__task *next = s->head;

	if (__builtin_expect(next == &s->loop_task, 0))
		next = next_batch(s);
	s->head = next->next;
	/* The one after it will be needed a few nanoseconds from now: its frame, on a stack gone cold. */
	if (s->head)
		__builtin_prefetch(s->head->ctx.sp, 1);
	return next;
}

static __attribute__((noinline, noreturn)) void outside(const char *caller)
{
	cr__panic("%s() called outside a task: it suspends, so it needs one; see cr_run()", caller);
}

static inline struct cr__sched *sched_in_task(const char *caller)
{
	struct cr__sched *s = cr__sched_self();

	if (__builtin_expect(!s || s->current == &s->loop_task, 0))
		outside(caller);
	return s;
}

/* A stack without a guard: is the word at its low end still what it was? */
static __attribute__((noinline)) void check_stack(struct cr__sched *s, struct cr__task *self)
{
	struct cr__stack stack = {self->stack_base, self->stack_number, self->stack_class,
	                          self->stack_guard};

	if (!cr__stack_intact(&stack))
		cr__overflow_report(s, self);
}

int cr_yield(void)
{
	struct cr__sched *s = sched_in_task("cr_yield");
	struct cr__task *self = s->current;

	if (__builtin_expect(cr__node_cancelled(self->inner), 0))
		return -ECANCELED;
	if (__builtin_expect(s->unguarded, 0))
		check_stack(s, self);
	self->ctx.value = 0;
	self->next = NULL;
	s->tail->next = self;
	s->tail = self;
	return transfer(s, self, take_next(s));
}

int cr__park(struct cr__wait *wait)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__task *self = s->current;

	if (__builtin_expect(cr__park_hook != NULL, 0)) {
		self->wait = wait;
		wait->task = self;
		cr__park_hook(wait);
		if (!self->wait) { /* the hook woke it: it is in the queue already */
			return transfer(s, self, take_next(s));
		}
	}
	if (__builtin_expect(s->unguarded, 0))
		check_stack(s, self);
	wait->task = self;
	self->wait = wait;
	return transfer(s, self, take_next(s));
}

void cr__unpark(struct cr__task *task, int status)
{
	struct cr__sched *s = cr__sched_self();

	CR__ASSERT(task->wait != NULL);
	task->wait = NULL;
	task->ctx.value = status;
	cr__ready(s, task);
}

int cr__park_check(const char *caller)
{
	struct cr__sched *s = sched_in_task(caller);

	return cr__node_cancelled(s->current->inner) ? -ECANCELED : 0;
}

struct cr__task *cr__task_current(const char *caller)
{
	return sched_in_task(caller)->current;
}

struct cr__loop *cr__task_loop(void)
{
	struct cr__sched *s = cr__sched_self();

	return s && s->current != &s->loop_task ? &s->loop : NULL;
}

void cr__budget_spend(void)
{
	struct cr__sched *s = sched_in_task("cr__budget_spend");
	struct cr__task *self = s->current;

	if (s->budget_task != self || s->budget_turn != s->loop.turns) {
		s->budget_task = self;
		s->budget_turn = s->loop.turns;
		s->budget_left = BUDGET;
	}
	if (--s->budget_left > 0)
		return;
	s->budget_task = NULL;
	/* The others and the kernel: the loop polls before this task goes on. */
	s->credit = 0;
	self->ctx.value = 0;
	cr__ready(s, self);
	transfer(s, self, take_next(s));
}

_Noreturn void cr__sched_leave(struct cr__sched *s, struct cr__task *task)
{
	struct cr__task *next = take_next(s);

	s->current = next;
	*s->errno_at = next->saved_errno;
#if CR__SANITIZED
	cr__fiber_leave(&task->fiber, &next->fiber, true);
#else
	(void)task;
#endif
	cr__ctx_jump(&next->ctx);
}

void cr__sched_batch(struct cr__sched *s)
{
	cr__ready(s, &s->loop_task);
	transfer(s, &s->loop_task, take_next(s));
}
