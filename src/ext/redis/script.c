/* SPDX-License-Identifier: MIT */
/* Scripts, by the name that the server gave them. */

#include "client.h"

#include <stdlib.h>

static int load(cr_redis *redis, cr_redis_script *script)
{
	cr_redis_reply reply;
	int r = cr_redis_command(redis, CORAIL_REDIS("SCRIPT", "LOAD", script->text), &reply);

	if (r < 0)
		return r;
	if (reply.kind == CORAIL_REDIS_TEXT && reply.size < sizeof script->cr__sha)
		memcpy(script->cr__sha, reply.text, reply.size + 1);
	else
		r = -CORAIL_E_REDIS_PROTOCOL;
	cr_redis_reply_free(&reply);
	return r;
}

/* A server that was restarted, or told to forget its scripts, is given the text again. */
static int evaluate(cr_redis *redis, cr_redis_script *script, cr_redis_arg *words, size_t count,
                    cr_redis_reply *ret_reply)
{
	int r = 0;

	for (int i = 0; i < 2; i++) {
		if (i > 0 || !*script->cr__sha)
			r = load(redis, script);
		if (r < 0)
			return r;
		words[1] = cr_redis_text(script->cr__sha);
		r = cr_redis_command(redis, words, count, ret_reply);
		if (r != -CORAIL_E_REDIS_ERROR || strncmp(redis->error, "NOSCRIPT", 8) != 0)
			return r;
	}
	return r;
}

int cr_redis_script_run(cr_redis *redis, cr_redis_script *script, const cr_redis_arg *keys,
                        size_t key_count, const cr_redis_arg *args, size_t arg_count,
                        cr_redis_reply *ret_reply)
{
	size_t count = 3 + key_count + arg_count;
	cr_redis_arg *words = calloc(count, sizeof *words);
	int r;

	if (!words)
		return -ENOMEM;
	words[0] = cr_redis_text("EVALSHA");
	words[2] = cr_redis_int((int64_t)key_count);
	if (key_count > 0)
		memcpy(words + 3, keys, key_count * sizeof *keys);
	if (arg_count > 0)
		memcpy(words + 3 + key_count, args, arg_count * sizeof *args);
	r = evaluate(redis, script, words, count, ret_reply);
	free(words);
	return r;
}
