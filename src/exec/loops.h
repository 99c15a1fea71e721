/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_LOOPS_H
#define CR__EXEC_LOOPS_H

/*
 * What loops owe to each other.
 *
 *	loops.c       cr_loops(): threads, their birth and their end
 *	loops_call.c  cr_call_loop(), cr_spawn_loop()
 *	exchange.c    the end of a loop that others wait for, or that waits for others
 *
 * As a rule a loop ends when nothing of all that is left, because its tasks have ended. Only when
 * tasks had to be abandoned is there something for its exchange to do.
 */

#include "base/list.h"
#include "loop/loop.h"
#include "task/park.h"

#include <corail/loops.h>

struct cr__exchange {
	struct cr__closer closer;
	struct cr__list calls_in;  /* of others, whose tasks live here */
	struct cr__list calls_out; /* of tasks that live here */
	struct cr__list groups;    /* cr_loops() whose callers live here */
};

/* The exchange of the loop that runs on this thread; made if need be. NULL: no memory. */
struct cr__exchange *cr__exchange_self(void);

/*
 * A call from one loop to another, in its caller's frame. It stays there until all posts that
 * belong to it have been run or dropped.
 */
struct cr__loop_call {
	struct cr__wait wait;
	struct cr__post begin, cancel; /* to the loop that is called */
	struct cr__post ended;         /* back */
	struct cr__list in, out;
	cr_loop target, home;
	cr__fn fn;
	const void *arg;
	cr__site site;
	struct cr__locals *locals; /* the caller's; NULL: none */
	int result;
	_Atomic uint32_t owed; /* by the target's thread */
	_Atomic uint32_t gone; /* raised when its home has ended and nobody uses it any more */

	cr_task task; /* for the target's thread only */
	bool cancelled;
};

/* On the target's thread: a call whose task will never end. */
void cr__loop_call_fail(struct cr__loop_call *call);

/* On the home's thread, as its loop ends: cancels the call; waits until it is over. */
void cr__loop_call_cancel(struct cr__loop_call *call);
void cr__loop_call_outlive(struct cr__loop_call *call);

/* On the home's thread, as its loop ends: the same for the loops of a cr_loops(). */
struct cr__loops;
struct cr__loops *cr__loops_of_link(struct cr__list *link);
void cr__loops_cancel(struct cr__loops *loops);
void cr__loops_outlive(struct cr__loops *loops);

#endif
