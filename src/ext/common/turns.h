/* SPDX-License-Identifier: MIT */
#ifndef CR__EXT_TURNS_H
#define CR__EXT_TURNS_H

/*
 * A line of tasks that wait to be given something, first come first served. Each stands in it with
 * a record of its own frame. Who is cancelled there leaves no trace in the line; who was given
 * something before that has it.
 *
 * All of it is inline: every library here is one of its own, and has its own copy.
 */

#include <corail/sync.h>

#include <stdbool.h>
#include <stddef.h>

struct turn {
	cr_event come;
	struct turn *next, *prev;
	void *thing; /* what was given; may be NULL */
	int error;   /* ... or why not */
};

struct turns {
	struct turn *first, *last;
	size_t count;
};

static inline void cr__turn_leave(struct turns *turns, struct turn *turn)
{
	*(turn->prev ? &turn->prev->next : &turns->first) = turn->next;
	*(turn->next ? &turn->next->prev : &turns->last) = turn->prev;
	turns->count--;
}

/* Joins the end of the line. cr__turn_wait() comes next, without suspending in between. */
static inline void cr__turn_join(struct turns *turns, struct turn *turn)
{
	*turn = (struct turn){.prev = turns->last};
	*(turns->last ? &turns->last->next : &turns->first) = turn;
	turns->last = turn;
	turns->count++;
}

/* Waits in the line. Returns 0 when turn->thing was given, the giver's error, or -ECANCELED. */
CORAIL_SUSPENDS static inline int cr__turn_wait(struct turns *turns, struct turn *turn)
{
	int r = cr_event_wait(&turn->come);

	if (cr_event_is_set(&turn->come))
		return turn->error;
	cr__turn_leave(turns, turn);
	return r;
}

/* Joins, and waits for a word only. Returns as cr__turn_wait(). */
CORAIL_SUSPENDS static inline int cr__turns_wait(struct turns *turns)
{
	struct turn turn;

	cr__turn_join(turns, &turn);
	return cr__turn_wait(turns, &turn);
}

/* Gives the first in the line something, or an error. Whether somebody stood there. */
static inline bool cr__turns_give(struct turns *turns, void *thing, int error)
{
	struct turn *turn = turns->first;

	if (!turn)
		return false;
	cr__turn_leave(turns, turn);
	turn->thing = thing;
	turn->error = error;
	cr_event_set(&turn->come);
	return true;
}

/* Lets all go, with 0 or an error. */
static inline void cr__turns_wake(struct turns *turns, int error)
{
	while (cr__turns_give(turns, NULL, error))
		continue;
}

#endif
