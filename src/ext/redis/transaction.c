/* SPDX-License-Identifier: MIT */
/*
 * Transactions: MULTI, the commands, EXEC, in one piece. The commands are answered "QUEUED" or
 * refused; EXEC's answer is the array of theirs, or nil when a watched key has changed, or an error
 * when one was refused.
 */

#include "client.h"

#include <stdlib.h>

/* Moves the answers out of EXEC's. Returns the first failure. */
static int deliver(cr_redis_call *calls, size_t count, cr_redis_reply *answers)
{
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		cr_redis_reply *answer = &answers->elements[i];

		calls[i].reply = *answer;
		calls[i].status = answer->kind == CORAIL_REDIS_ERROR
		                          ? cr__redis_error_of(answer->text)
		                          : 0;
		*answer = (cr_redis_reply){.kind = CORAIL_REDIS_NIL};
		r = r < 0 ? r : calls[i].status;
	}
	return r;
}

/* None was run: those that were refused have their errors. Returns the first of these. */
static int refuse(cr_redis_call *calls, size_t count, cr_redis_call *queued, int error)
{
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		calls[i].status = error;
		if (queued[i].status == 0)
			continue;
		calls[i].status = queued[i].status;
		calls[i].reply = queued[i].reply;
		queued[i].reply = (cr_redis_reply){.kind = CORAIL_REDIS_NIL};
		r = r < 0 ? r : calls[i].status;
	}
	return r < 0 ? r : error;
}

int cr__redis_transact(cr_redis_call *calls, size_t count, int (*run)(void *arg, struct batch *),
                       void *arg)
{
	const cr_redis_arg multi = cr_redis_text("MULTI"), exec = cr_redis_text("EXEC");
	cr_redis_call *all = calloc(count + 2, sizeof *all), *last;
	struct batch batch = {.calls = all, .count = count + 2};
	int r;

	if (!all) {
		for (size_t i = 0; i < count; i++)
			calls[i].status = -ENOMEM;
		return -ENOMEM;
	}
	memcpy(all + 1, calls, count * sizeof *calls);
	all[0] = (cr_redis_call){.args = &multi, .arg_count = 1};
	last = &all[count + 1];
	*last = (cr_redis_call){.args = &exec, .arg_count = 1};
	run(arg, &batch);
	if (batch.error < 0)
		r = refuse(calls, count, all + 1, batch.error);
	else if (all[0].status < 0)
		r = refuse(calls, count, all + 1, all[0].status);
	else if (last->status < 0)
		r = refuse(calls, count, all + 1, last->status);
	else if (last->reply.kind == CORAIL_REDIS_NIL)
		r = refuse(calls, count, all + 1, -CORAIL_E_REDIS_ABORTED);
	else if (last->reply.count == count)
		r = deliver(calls, count, &last->reply);
	else
		r = refuse(calls, count, all + 1, -CORAIL_E_REDIS_PROTOCOL);
	/* What the batch's end said of those without an answer is said of the whole. */
	if (batch.error < 0)
		r = batch.error;
	cr_redis_calls_free(all, count + 2);
	free(all);
	return r;
}
