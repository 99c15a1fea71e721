/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/alloc.h"
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
 * How far ahead blocks and frames are fetched: with a hundred thousand tasks each of them is a miss of a
 * hundred nanoseconds, and a switch takes ten. A queue as short as that is in the caches anyway.
 */
enum { BLOCK_AHEAD = 24, FRAME_AHEAD = 12 };

/* always_inline: gcc 12 finds a function that only prefetches to have no effect, and drops its calls. */
static inline __attribute__((always_inline)) void fetch_ahead(struct cr__sched *s)
{
	const char *frame;

	if (s->tail - s->head <= BLOCK_AHEAD)
		return;
	__builtin_prefetch(s->queue[(s->head + BLOCK_AHEAD) & s->mask], 1);
	frame = s->queue[(s->head + FRAME_AHEAD) & s->mask]->ctx.sp;
	__builtin_prefetch(frame, 1);
	__builtin_prefetch(frame + 64, 1);
}

/* Who gets the processor next: the first task in the queue, or the loop. */
static inline struct cr__task *take_next(struct cr__sched *s)
{
	if (__builtin_expect(--s->loop.left <= 0, 0) || cr__queue_empty(s))
		return &s->loop_task;
	fetch_ahead(s);
	return s->queue[s->head++ & s->mask];
}

__attribute__((cold)) void cr__sched_outside(const char *caller)
{
	cr__panic("%s() called outside a task: it suspends, so it needs one; see cr_run()", caller);
}

/* A stack without a guard: is the word at its low end still what it was? */
static void check_stack(struct cr__sched *s, struct cr__task *self)
{
	struct cr__stack stack = {self->stack_base, self->stack_number, self->stack_class,
	                          self->stack_guard};

	if (s->unguarded && !cr__stack_intact(&stack))
		cr__overflow_report(s, self);
}

/* What is rare on the way out of a task, kept out of the hot functions so that they need no frame. */
static __attribute__((noinline)) int suspend_slowly(struct cr__sched *s, struct cr__task *self)
{
	check_stack(s, self);
	return transfer(s, self, take_next(s));
}

/* Gives the processor to the next task. The last thing a suspending function does: see above. */
static inline int suspend(struct cr__sched *s, struct cr__task *self)
{
	if (__builtin_expect(s->unguarded, 0))
		return suspend_slowly(s, self);
	return transfer(s, self, take_next(s));
}

int cr_yield(void)
{
	struct cr__sched *s = cr__sched_in_task("cr_yield");
	struct cr__task *self = s->current;

	if (__builtin_expect(cr__node_cancelled(self->inner), 0))
		return -ECANCELED;
	self->ctx.value = 0;
	cr__ready(s, self);
	return suspend(s, self);
}

static __attribute__((noinline)) int park_with_hook(struct cr__sched *s, struct cr__task *self,
                                                    struct cr__wait *wait)
{
	/* It may cancel: then the task is woken before it slept, and is in the queue already. */
	cr__park_hook(wait);
	return suspend_slowly(s, self);
}

int cr__park(struct cr__wait *wait)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__task *self = s->current;

	wait->task = self;
	self->wait = wait;
	if (__builtin_expect(cr__park_hook != NULL, 0))
		return park_with_hook(s, self, wait);
	return suspend(s, self);
}

void cr__unpark(struct cr__task *task, int status)
{
	cr__wake(cr__sched_self(), task, status);
}

int cr__queue_reserve(struct cr__sched *s, uint32_t count)
{
	uint32_t capacity = s->queue ? s->mask + 1 : 1024, size = s->tail - s->head;
	struct cr__task **queue;

	while (capacity <= count)
		capacity *= 2;
	if (s->queue && capacity == s->mask + 1)
		return 0;
	queue = cr__alloc(capacity * sizeof(struct cr__task *));
	if (!queue)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		queue[i] = s->queue[(s->head + i) & s->mask];
	for (uint32_t i = size; i < capacity; i++)
		queue[i] = &s->loop_task;
	cr__free(s->queue);
	s->queue = queue;
	s->head = 0;
	s->tail = size;
	s->mask = capacity - 1;
	return 0;
}

int cr__park_check(const char *caller)
{
	struct cr__sched *s = cr__sched_in_task(caller);

	return cr__node_cancelled(s->current->inner) ? -ECANCELED : 0;
}

struct cr__task *cr__task_current(const char *caller)
{
	return cr__sched_in_task(caller)->current;
}

struct cr__loop *cr__task_loop(void)
{
	struct cr__sched *s = cr__sched_self();

	return s && s->current != &s->loop_task ? &s->loop : NULL;
}

void cr__budget_spend(void)
{
	struct cr__sched *s = cr__sched_in_task("cr__budget_spend");
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
	s->loop.left = 0;
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

void cr__sched_batch(struct cr__sched *s, int32_t count)
{
	s->loop.left = count;
	transfer(s, &s->loop_task, s->queue[s->head++ & s->mask]);
}
