/* SPDX-License-Identifier: MIT */
#include "task/choice.h"
#include "task/sched.h"

#include <errno.h>
#include <limits.h>

/* One cr_select(): the task's wait, and the record of who was first. */
struct cr__choice {
	struct cr__wait wait;
	cr_case *cases;
	size_t count;
	size_t undoing; /* cases that are still to go */
	int outcome;    /* once decided: the index, or -ECANCELED */
	bool decided;
};

static struct cr__case *case_at(cr_case *cases, size_t index)
{
	return (struct cr__case *)(void *)&cases[index];
}

/* Undoes what is queued. Afterwards only those that are `undoing` hold on to the choice. */
static void undo_all(struct cr__choice *choice)
{
	for (size_t i = 0; i < choice->count; i++) {
		struct cr__case *c = case_at(choice->cases, i);

		if (c->choice != choice)
			continue;
		if (c->ops->dequeue(c)) {
			c->choice = NULL;
		} else {
			c->undoing = 1;
			choice->undoing++;
		}
	}
}

static void decide(struct cr__choice *choice, int outcome)
{
	choice->decided = true;
	choice->outcome = outcome;
	undo_all(choice);
}

void cr__case_take(struct cr__case *c)
{
	struct cr__choice *choice = c->choice;

	CR__ASSERT(choice && !choice->decided);
	c->choice = NULL;
	decide(choice, (int)((cr_case *)(void *)c - choice->cases));
	if (choice->undoing == 0)
		cr__unpark(choice->wait.task, choice->outcome);
}

void cr__case_gone(struct cr__case *c)
{
	struct cr__choice *choice = c->choice;

	CR__ASSERT(c->undoing);
	c->undoing = 0;
	c->choice = NULL;
	if (--choice->undoing == 0)
		cr__unpark(choice->wait.task, choice->outcome);
}

static enum cr__abort choice_abort(struct cr__wait *wait)
{
	struct cr__choice *choice = CR__CONTAINER(wait, struct cr__choice, wait);

	/* Decided and still undoing: the result stands. */
	if (!choice->decided)
		decide(choice, -ECANCELED);
	return choice->undoing ? CR__ABORT_LATER : CR__ABORT_DONE;
}

/*
 * Where to begin looking. Steps of the golden ratio spread evenly over any number of cases, also
 * for a task that only gets every second, or every n-th of them; a counter would not.
 */
static size_t first_case(struct cr__sched *s, size_t count)
{
	size_t first = (size_t)((uint64_t)(++s->choices * UINT32_C(2654435769)) * count >> 32);

	if (!s->loop.backend->shuffle)
		return first;
	if (s->loop.seed)
		first = (size_t)(s->loop.backend->shuffle(&s->loop, count) % count);
	cr__loop_trace(&s->loop, first);
	return first;
}

/* The index of a case that was taken at once, or -EAGAIN. */
static int attempt_all(cr_case *cases, size_t count, size_t first)
{
	for (size_t n = 0, i = first; n < count; n++, i = i + 1 < count ? i + 1 : 0) {
		struct cr__case *c = case_at(cases, i);

		c->choice = NULL;
		c->undoing = 0;
		if (c->ops->attempt(c))
			return (int)i;
	}
	return -EAGAIN;
}

static int wait_for_one(cr_case *cases, size_t count, size_t first)
{
	struct cr__choice choice = {
		.wait = {.abort = choice_abort, .reason = "select", .fd = -1},
		.cases = cases,
		.count = count,
	};

	for (size_t n = 0, i = first; n < count; n++, i = i + 1 < count ? i + 1 : 0) {
		struct cr__case *c = case_at(cases, i);

		c->choice = &choice;
		if (c->ops->enqueue(c)) {
			c->choice = NULL;
			decide(&choice, (int)i);
			break;
		}
	}
	if (choice.decided && choice.undoing == 0)
		return choice.outcome;
	return cr__park(&choice.wait);
}

int cr_select(cr_case *cases, size_t count)
{
	int index, r = cr__park_check("cr_select");
	size_t first;

	if (r < 0)
		return r;
	if (count == 0 || count > INT_MAX)
		return -EINVAL;
	first = first_case(cr__sched_self(), count);
	index = attempt_all(cases, count, first);
	if (index < 0)
		return wait_for_one(cases, count, first);
	cr__budget_spend();
	return index;
}

int cr_select_try(cr_case *cases, size_t count)
{
	struct cr__sched *s = cr__sched_self();

	if (!s)
		cr__panic("cr_select_try() called without a loop; see cr_run()");
	if (count == 0 || count > INT_MAX)
		return -EINVAL;
	return attempt_all(cases, count, first_case(s, count));
}
