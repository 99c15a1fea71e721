/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_HANDOVER_H
#define CR__TASK_HANDOVER_H

/*
 * Handing the processor over: the hot path, inline. Functions that suspend end in a tail call of
 * the switch, so that a resumed task goes straight back to their caller: one call and one indirect
 * jump for a suspension, no `ret` that the processor would predict from another stack's calls. Keep
 * them short and free of other calls.
 */

#include "task/sched.h"

/* The block behind an index; the loop's own stands for the loop. */
static inline struct cr__task *cr__block_or_loop(struct cr__sched *s, uint32_t index)
{
	return index ? &s->blocks[index] : &s->loop_task;
}

/* The switch itself. `self` is only looked at by sanitizers. */
static inline int cr__switch_to(struct cr__sched *s, struct cr__task *self, void **save_sp,
                                const struct cr__slot *slot)
{
#if CR__SANITIZED
	int value;

	cr__fiber_leave(&self->fiber, &cr__block_or_loop(s, slot->index)->fiber, false);
	value = cr__ctx_switch(save_sp, slot, s->errno_at);
	cr__fiber_arrive(&self->fiber, NULL);
	return value;
#else
	(void)self;
	return cr__ctx_switch(save_sp, slot, s->errno_at);
#endif
}

/*
 * How far ahead frames are fetched: with a hundred thousand tasks each is a miss of a hundred
 * nanoseconds or two (its page's translation is one of its own), and a switch takes ten. A queue
 * that is shorter than that is in the caches anyway.
 */
enum { CR__FRAME_AHEAD = 16 };

/* Not a call in any case: gcc 12 finds a function that only prefetches without effect. */
static CR__HOT void cr__fetch_ahead(struct cr__sched *s)
{
	const char *frame;

	if (s->tail - s->loop.handed <= cr__slot_behind(0, CR__FRAME_AHEAD))
		return;
	frame = cr__slot_at(s, cr__slot_behind(s->loop.handed, CR__FRAME_AHEAD))->sp;
	__builtin_prefetch(frame, 1);
	__builtin_prefetch(frame + 64, 1);
}

/*
 * Who is next: the first task in the queue, or the loop, whose slot holds index 0. `queued`: the
 * queue is known to hold somebody, the running task itself.
 */
static CR__HOT struct cr__slot *cr__next_slot(struct cr__sched *s, bool queued)
{
	if (__builtin_expect(s->loop.handed == s->loop.poll_at, 0) ||
	    (!queued && cr__queue_empty(s)))
		return &s->loop_slot;
	cr__fetch_ahead(s);
	return cr__queue_pop(s);
}

/*
 * Gives the processor away; *save_sp gets the context. Returns the value that it is resumed with.
 */
static CR__HOT int cr__hand_over(struct cr__sched *s, void **save_sp, bool queued)
{
	struct cr__task *self = &s->blocks[s->current];
	struct cr__slot *slot = cr__next_slot(s, queued);

	s->current = slot->index;
	return cr__switch_to(s, self, save_sp, slot);
}

/* What a task may complete without suspending before it must let the others run. */
enum { CR__BUDGET = 128 };

/* Counts against the running task's budget. Returns whether that is used up now. */
static inline bool cr__budget_used_up(struct cr__sched *s)
{
	struct cr__task *self = cr__running(s);

	if (s->budget_task != self || s->budget_turn != s->loop.turns) {
		s->budget_task = self;
		s->budget_turn = s->loop.turns;
		s->budget_left = CR__BUDGET;
	}
	return --s->budget_left == 0;
}

/* cr__budget_spend(), once that was so. Returns 0, so that it can be a tail call. */
int cr__budget_yield(struct cr__sched *s);

/* With a hook for tests, stacks without guards, debugging, or C++. */
int cr__park_slowly(struct cr__sched *s, struct cr__task *self);

/* cr__park() for those who have the scheduler at hand. */
static CR__HOT int cr__park_in(struct cr__sched *s, struct cr__task *self, struct cr__wait *wait)
{
	wait->task = self;
	self->wait = wait;
	/* Any of the flags: below them is the number of cancelled nodes. */
	if (__builtin_expect(s->special >= CR__HOOKED, 0))
		return cr__park_slowly(s, self);
	return cr__hand_over(s, &self->sp, false);
}

/* Gives the processor away for good: the running task has ended. */
static CR__HOT _Noreturn void cr__leave(struct cr__sched *s, struct cr__task *task)
{
	struct cr__slot *slot = cr__next_slot(s, false);

	s->current = slot->index;
#if CR__SANITIZED
	cr__fiber_leave(&task->fiber, &cr__block_or_loop(s, slot->index)->fiber, true);
#else
	(void)task;
#endif
	cr__ctx_jump(slot->sp, slot->value, s->errno_at);
}

#endif
