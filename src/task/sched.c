/* SPDX-License-Identifier: MIT */
#include "task/handover.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "task/debug.h"

#include <errno.h>

void (*cr__park_hook)(struct cr__wait *wait);

void cr__park_hook_set(void (*hook)(struct cr__wait *wait))
{
	struct cr__sched *s = cr__sched_self();

	cr__park_hook = hook;
	if (s && hook)
		s->special |= CR__HOOKED;
	else if (s)
		s->special &= ~CR__HOOKED;
}

#if CR__SANITIZED

void cr__sched_arrive(void)
{
	struct cr__sched *s = cr__sched_self();

	/*
	 * Only the loop's own bounds are unknown, and only at the first switch, which comes from
	 * it.
	 */
	cr__fiber_arrive(&cr__running(s)->fiber, &s->loop_task.fiber);
}

#endif

__attribute__((cold)) void cr__sched_outside(const char *caller)
{
	cr__panic("%s() called outside a task: it suspends, so it needs one; see cr_run()", caller);
}

/*
 * A suspension that is no ordinary one. A stack without a guard: is the word at its low end still
 * what it was?
 */
static void look_closer(struct cr__sched *s, struct cr__task *self)
{
	if ((s->special & CR__UNGUARDED) && !cr__stack_intact(&self->stack))
		cr__overflow_report(s, self);
	if (s->special & CR__DEBUGGED)
		cr__debug_suspend(s, self);
}

/* Queues the running task behind the others and gives the processor away. */
static inline int yield(struct cr__sched *s)
{
	struct cr__slot *slot = cr__queue_push(s);

	slot->resume = s->current;
	return cr__hand_over(s, &slot->sp, true);
}

/*
 * Whether the running task is in a handler of a C++ exception, or in what runs on the way to one:
 * such as the end of a scope.
 */
static inline bool has_exceptions(const struct cr__sched *s)
{
	return s->exceptions && (s->exceptions->caught || s->exceptions->uncaught);
}

/*
 * A suspension that takes the task's exceptions along: the runtime's list of them is one for each
 * thread, and other tasks would add theirs to it and take away whichever comes first. `save_sp` is
 * NULL to yield.
 */
static __attribute__((noinline)) int suspend_with_exceptions(struct cr__sched *s, void **save_sp)
{
	struct cr__exceptions kept = *s->exceptions;
	int value;

	*s->exceptions = (struct cr__exceptions){0};
	value = save_sp ? cr__hand_over(s, save_sp, false) : yield(s);
	*s->exceptions = kept;
	return value;
}

/* What is rare, kept out of the hot functions so that they need no frame. */
static __attribute__((noinline)) int yield_slowly(struct cr__sched *s)
{
	if (cr__node_cancelled(cr__running(s)->inner))
		return cr__park_refuse();
	look_closer(s, cr__running(s));
	return has_exceptions(s) ? suspend_with_exceptions(s, NULL) : yield(s);
}

int cr_yield(void)
{
	struct cr__sched *s = cr__sched_in_task("cr_yield");

	if (__builtin_expect(s->special, 0))
		return yield_slowly(s);
	return yield(s);
}

int cr__park_slowly(struct cr__sched *s, struct cr__task *self)
{
	look_closer(s, self);
	if (cr__park_hook) {
		s->hooked = self->wait;
		s->loop.poll_at = s->loop.handed;
	}
	if (has_exceptions(s))
		return suspend_with_exceptions(s, &self->sp);
	return cr__hand_over(s, &self->sp, false);
}

int cr__park(struct cr__wait *wait)
{
	struct cr__sched *s = cr__sched_self();

	return cr__park_in(s, cr__running(s), wait);
}

void cr__unpark(struct cr__task *task, int status)
{
	cr__wake(cr__sched_self(), task, status);
}

int cr__queue_reserve(struct cr__sched *s, uint32_t count)
{
	const uint32_t present = s->queue ? s->mask / (uint32_t)sizeof *s->queue + 1 : 0;
	const uint32_t size = cr__queue_count(s);
	uint32_t capacity = present ? present : 1024;
	struct cr__slot *queue;
	uint32_t first;

	while (capacity <= count)
		capacity *= 2;
	if (capacity == present)
		return 0;
	/* Zero: what is fetched ahead may be a slot that nobody has used yet. */
	queue = cr__alloc_zero(capacity, sizeof *queue);
	if (!queue)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		queue[i] = *cr__slot_at(s, cr__slot_behind(s->loop.handed, i));
	cr__free(s->queue);
	s->queue = queue;
	/* Positions begin one round before they wrap, so that every program sees it happen. */
	first = 0 - cr__slot_behind(0, capacity);
	s->loop.poll_at += first - s->loop.handed;
	s->loop.handed = first;
	s->tail = cr__slot_behind(first, size);
	s->mask = cr__slot_behind(0, capacity - 1);
	return 0;
}

int cr__park_check(const char *caller)
{
	struct cr__sched *s = cr__sched_in_task(caller);

	return s->special && cr__node_cancelled(cr__running(s)->inner) ? cr__park_refuse() : 0;
}

struct cr__task *cr__task_current(const char *caller)
{
	return cr__running(cr__sched_in_task(caller));
}

struct cr__loop *cr__task_loop(void)
{
	struct cr__sched *s = cr__sched_self();

	return s && s->current ? &s->loop : NULL;
}

int cr__budget_yield(struct cr__sched *s)
{
	s->budget_task = NULL;
	/* The others and the kernel: the loop polls before this task goes on. */
	s->loop.poll_at = s->loop.handed;
	if (s->special & CR__DEBUGGED)
		cr__debug_suspend(s, cr__running(s));
	if (has_exceptions(s))
		suspend_with_exceptions(s, NULL);
	else
		yield(s);
	return 0;
}

void cr__budget_spend(void)
{
	struct cr__sched *s = cr__sched_in_task("cr__budget_spend");

	if (cr__budget_used_up(s))
		cr__budget_yield(s);
}

__attribute__((cold)) int cr__park_refuse(void)
{
	struct cr__sched *s = cr__sched_in_task("cr__park_refuse");

	if (s->special & CR__DEBUGGED)
		cr__debug_refuse(s, cr__running(s));
	cr__budget_spend();
	return -ECANCELED;
}

void cr__sched_batch(struct cr__sched *s, int32_t count)
{
	struct cr__slot *slot;

	s->loop.poll_at = cr__slot_behind(s->loop.handed, (uint32_t)count);
	slot = cr__queue_pop(s);
	s->current = slot->index;
	cr__switch_to(s, &s->loop_task, &s->loop_slot.sp, slot);
	if (s->hooked) {
		struct cr__wait *wait = s->hooked;

		s->hooked = NULL;
		cr__park_hook(wait);
	}
}
