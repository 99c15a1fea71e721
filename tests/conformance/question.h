/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_QUESTION_H
#define CORAIL_TESTS_QUESTION_H

/* What one loop asks another, or itself: a task that suspends, and notes where it ran. */

#include <corail/loop.h>
#include <corail/task.h>

struct question {
	int64_t loop; /* where it was answered */
	int input, answer, result;
};

static inline int answer(struct question *q)
{
	int r = q->input % 3 ? cr_yield() : cr_sleep(cr_micros(1));

	q->loop = cr_loop_current().id;
	q->answer = 2 * q->input;
	return r < 0 ? r : q->result;
}

#endif
