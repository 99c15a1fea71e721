/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/alloc.h"
#include "base/panic.h"

#include <errno.h>

/*
 * The hot path. cr_yield() and cr__park() end in a tail call of the switch, so that a resumed task
 * goes straight back to their caller: one call and one indirect jump for a suspension, no `ret`
 * that the processor would predict from another stack's calls. Keep them short and free of other
 * calls.
 */

void (*cr__park_hook)(struct cr__wait *wait);

/* What a task may complete without suspending before it must let the others run. */
enum { BUDGET = 128 };

#if CR__SANITIZED

static void arrive(void)
{
	struct cr__sched *s = cr__sched_self();

	/*
	 * Only the loop's own bounds are unknown, and only at the first switch, which comes from
	 * it.
	 */
	cr__fiber_arrive(&s->current->fiber, &s->loop_task.fiber);
}

void (*const cr__sched_arrive)(void) = arrive;

#else

void (*const cr__sched_arrive)(void) = NULL;

#endif

/*
 * The switch itself, from one block's context to another's. The loop's block stands for the loop.
 */
static inline int switch_to(struct cr__sched *s, struct cr__task *self, void **save_sp,
                            struct cr__task *next, void *load_sp, int value)
{
#if CR__SANITIZED
	cr__fiber_leave(&self->fiber, &next->fiber, false);
	value = cr__ctx_switch(save_sp, load_sp, value, s->errno_at);
	cr__fiber_arrive(&self->fiber, NULL);
	return value;
#else
	(void)self;
	(void)next;
	return cr__ctx_switch(save_sp, load_sp, value, s->errno_at);
#endif
}

/*
 * How far ahead frames are fetched: with a hundred thousand tasks each is a miss of a hundred
 * nanoseconds or two (its page's translation is one of its own), and a switch takes ten. A queue
 * that is shorter than that is in the caches anyway.
 */
enum { FRAME_AHEAD = 16 };

/*
 * always_inline: gcc 12 finds a function that only prefetches to have no effect, and drops its
 * calls.
 */
static inline __attribute__((always_inline)) void fetch_ahead(struct cr__sched *s)
{
	const char *frame;

	if (s->tail - s->head <= FRAME_AHEAD)
		return;
	frame = s->queue[(s->head + FRAME_AHEAD) & s->mask].sp;
	__builtin_prefetch(frame, 1);
	__builtin_prefetch(frame + 64, 1);
}

/* Whether the loop gets the processor now, rather than the first task in the queue. */
static inline bool loop_next(struct cr__sched *s)
{
	return __builtin_expect(--s->loop.left <= 0, 0) || cr__queue_empty(s);
}

/*
 * Gives the processor away; *save_sp gets the context. Returns the value that it is resumed with.
 */
static inline int hand_over(struct cr__sched *s, struct cr__task *self, void **save_sp)
{
	struct cr__slot *slot;

	if (loop_next(s)) {
		s->current = NULL;
		return switch_to(s, self, save_sp, &s->loop_task, s->loop_sp, 0);
	}
	fetch_ahead(s);
	slot = &s->queue[s->head++ & s->mask];
	s->current = &s->blocks[slot->index];
	return switch_to(s, self, save_sp, s->current, slot->sp, slot->value);
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

/* Queues the running task behind the others and gives the processor away. */
static inline int yield(struct cr__sched *s, struct cr__task *self)
{
	struct cr__slot *slot = &s->queue[s->tail++ & s->mask];

	slot->index = cr__task_index(s, self);
	slot->value = 0;
	return hand_over(s, self, &slot->sp);
}

/* What is rare, kept out of the hot functions so that they need no frame. */
static __attribute__((noinline)) int yield_slowly(struct cr__sched *s, struct cr__task *self)
{
	if (s->cancelled && cr__node_cancelled(self->inner))
		return cr__park_refuse();
	check_stack(s, self);
	/* Nobody else: a switch to itself would be asked for a context that is not saved yet. */
	if (cr__queue_empty(s) && s->loop.left > 1) {
		s->loop.left--;
		return 0;
	}
	return yield(s, self);
}

int cr_yield(void)
{
	struct cr__sched *s = cr__sched_in_task("cr_yield");
	struct cr__task *self = s->current;

	if (__builtin_expect(s->cancelled || s->unguarded || cr__queue_empty(s), 0))
		return yield_slowly(s, self);
	return yield(s, self);
}

static __attribute__((noinline)) int park_slowly(struct cr__sched *s, struct cr__task *self)
{
	check_stack(s, self);
	if (cr__park_hook) {
		s->hooked = self->wait;
		s->loop.left = 0;
	}
	return hand_over(s, self, &self->sp);
}

int cr__park(struct cr__wait *wait)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__task *self = s->current;

	wait->task = self;
	self->wait = wait;
	if (__builtin_expect(s->unguarded || cr__park_hook != NULL, 0))
		return park_slowly(s, self);
	return hand_over(s, self, &self->sp);
}

void cr__unpark(struct cr__task *task, int status)
{
	cr__wake(cr__sched_self(), task, status);
}

int cr__queue_reserve(struct cr__sched *s, uint32_t count)
{
	uint32_t capacity = s->queue ? s->mask + 1 : 1024, size = s->tail - s->head;
	struct cr__slot *queue;

	while (capacity <= count)
		capacity *= 2;
	if (s->queue && capacity == s->mask + 1)
		return 0;
	/* Zero: what is fetched ahead may be a slot that nobody has used yet. */
	queue = cr__alloc_zero(capacity, sizeof *queue);
	if (!queue)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		queue[i] = s->queue[(s->head + i) & s->mask];
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

	return cr__node_cancelled(s->current->inner) ? cr__park_refuse() : 0;
}

struct cr__task *cr__task_current(const char *caller)
{
	return cr__sched_in_task(caller)->current;
}

struct cr__loop *cr__task_loop(void)
{
	struct cr__sched *s = cr__sched_self();

	return s && s->current ? &s->loop : NULL;
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
	yield(s, self);
}

__attribute__((cold)) int cr__park_refuse(void)
{
	cr__budget_spend();
	return -ECANCELED;
}

_Noreturn void cr__sched_leave(struct cr__sched *s, struct cr__task *task)
{
	struct cr__slot slot = {s->loop_sp, 0, 0};
	bool to_loop = loop_next(s);

	if (!to_loop) {
		fetch_ahead(s);
		slot = s->queue[s->head++ & s->mask];
	}
	s->current = to_loop ? NULL : &s->blocks[slot.index];
#if CR__SANITIZED
	cr__fiber_leave(&task->fiber, to_loop ? &s->loop_task.fiber : &s->current->fiber, true);
#else
	(void)task;
#endif
	cr__ctx_jump(slot.sp, slot.value, s->errno_at);
}

void cr__sched_batch(struct cr__sched *s, int32_t count)
{
	struct cr__slot *slot = &s->queue[s->head++ & s->mask];

	s->loop.left = count;
	s->current = &s->blocks[slot->index];
	switch_to(s, &s->loop_task, &s->loop_sp, s->current, slot->sp, slot->value);
	if (s->hooked) {
		struct cr__wait *wait = s->hooked;

		s->hooked = NULL;
		cr__park_hook(wait);
	}
}
