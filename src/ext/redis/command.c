/* SPDX-License-Identifier: MIT */
/* Commands, one or several, on the connection that all share. */

#include "client.h"

#include <stdio.h>

void cr_redis_calls_free(cr_redis_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cr_redis_reply_free(&calls[i].reply);
}

void cr__redis_note(cr_redis *redis, const cr_redis_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (calls[i].reply.kind != CORAIL_REDIS_ERROR)
			continue;
		snprintf(redis->error, sizeof redis->error, "%s", calls[i].reply.text);
		return;
	}
}

int cr__redis_result(cr_redis *redis, cr_redis_call *call, int result, cr_redis_reply *ret_reply)
{
	if (result == 0 && ret_reply) {
		*ret_reply = call->reply;
		return 0;
	}
	if (result < 0)
		cr__redis_note(redis, call, 1);
	cr_redis_reply_free(&call->reply);
	return result;
}

/* Whether all of them may go over the shared connection. */
static int check(const cr_redis_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (cr__redis_words_class(calls[i].args, calls[i].arg_count) != 0)
			return -EINVAL;
	return 0;
}

static int command(cr_redis *redis, const cr_redis_arg *args, size_t count, size_t attempts,
                   cr_redis_reply *ret_reply)
{
	cr_redis_call call = {.args = args, .arg_count = count};
	int r = check(&call, 1);

	cr__redis_enter(redis);
	while (r == 0) {
		struct batch batch = {.calls = &call, .count = 1};

		redis->commands++;
		r = cr__redis_run(&redis->shared, &batch);
		if (r != -ECONNRESET || --attempts == 0)
			break;
		r = 0;
	}
	return cr__redis_leave(redis, cr__redis_result(redis, &call, r, ret_reply));
}

int cr_redis_command(cr_redis *redis, const cr_redis_arg *args, size_t count,
                     cr_redis_reply *ret_reply)
{
	return command(redis, args, count, 1, ret_reply);
}

int cr_redis_command_idempotent(cr_redis *redis, const cr_redis_arg *args, size_t count,
                                cr_redis_reply *ret_reply)
{
	return command(redis, args, count, redis->options.attempt_max, ret_reply);
}

static int run_shared(void *arg, struct batch *batch)
{
	cr_redis *redis = arg;

	redis->commands += batch->count;
	return cr__redis_run(&redis->shared, batch);
}

static void prepare(cr_redis_call *calls, size_t count, int status)
{
	for (size_t i = 0; i < count; i++) {
		calls[i].status = status;
		calls[i].reply = (cr_redis_reply){.kind = CORAIL_REDIS_NIL};
	}
}

int cr_redis_pipeline(cr_redis *redis, cr_redis_call *calls, size_t count)
{
	struct batch batch = {.calls = calls, .count = count};
	int r = check(calls, count);

	prepare(calls, count, r);
	cr__redis_enter(redis);
	if (r == 0 && count > 0)
		r = run_shared(redis, &batch);
	cr__redis_note(redis, calls, count);
	return cr__redis_leave(redis, r);
}

int cr_redis_transaction(cr_redis *redis, cr_redis_call *calls, size_t count)
{
	int r = check(calls, count);

	prepare(calls, count, r);
	cr__redis_enter(redis);
	if (r == 0)
		r = cr__redis_transact(calls, count, run_shared, redis);
	cr__redis_note(redis, calls, count);
	return cr__redis_leave(redis, r);
}
