/* SPDX-License-Identifier: MIT */
/* Dialling, TLS, and the commands that every connection begins with. */

#include "client.h"

#include <stdio.h>

static int dial(struct link *link)
{
	cr_redis *redis = link->redis;
	const struct target *target = &redis->target;
	cr_tls_client_options options = {.host = target->host};
	int r;

	if (target->tls)
		r = cr_tls_connect_with(target->address,
		                        redis->own_tls ? redis->own_tls : redis->options.tls,
		                        &options, &link->conn);
	else
		r = cr_conn_open(target->address, &link->conn);
	if (r < 0)
		return r;
	/* A Unix socket has none. */
	cr_conn_keepalive_set(link->conn, redis->options.keepalive);
	link->reader = cr__redis_reader_new(link);
	return link->reader ? 0 : -ENOMEM;
}

enum { CALLS_MAX = 5, WORDS_MAX = 3 };

struct greeting {
	cr_redis_arg words[CALLS_MAX][WORDS_MAX];
	cr_redis_call calls[CALLS_MAX];
	bool vital[CALLS_MAX]; /* the connection is of no use without it */
	size_t count;
};

static void say(struct greeting *greeting, bool vital, const cr_redis_arg *words, size_t count)
{
	size_t i = greeting->count++;

	memcpy(greeting->words[i], words, count * sizeof *words);
	greeting->calls[i] = (cr_redis_call){.args = greeting->words[i], .arg_count = count};
	greeting->vital[i] = vital;
}

static void compose(const struct link *link, struct greeting *greeting)
{
	const cr_redis *redis = link->redis;
	const struct target *target = &redis->target;

	if (target->password && target->user)
		say(greeting, true, CORAIL_REDIS("AUTH", target->user, target->password));
	else if (target->password)
		say(greeting, true, CORAIL_REDIS("AUTH", target->password));
	/* Messages come as news in RESP3, as answers before; one way is enough. */
	if (redis->options.resp3 && !link->on_reply)
		say(greeting, true, CORAIL_REDIS("HELLO", "3"));
	say(greeting, false, CORAIL_REDIS("CLIENT", "SETNAME", redis->name));
	say(greeting, false, CORAIL_REDIS("CLIENT", "ID"));
	say(greeting, target->database != 0,
	    CORAIL_REDIS_ARGS(cr_redis_text("SELECT"), cr_redis_int(target->database)));
}

/* A user may lack the right to some of these commands, which then does not matter. */
static int judge(struct link *link, const struct greeting *greeting)
{
	for (size_t i = 0; i < greeting->count; i++) {
		const cr_redis_call *call = &greeting->calls[i];
		bool refused = call->status == -CORAIL_E_REDIS_LIMIT ||
		               call->status == -CORAIL_E_REDIS_STATE ||
		               (call->status < 0 && strncmp(call->reply.text, "NOAUTH", 6) == 0);

		if (call->status == 0 || !(refused || greeting->vital[i]))
			continue;
		snprintf(link->said, sizeof link->said, "%s", call->reply.text);
		if (strncmp(call->args[0].data, "AUTH", 4) == 0 && !refused)
			return -CORAIL_E_REDIS_LOGIN;
		return call->status;
	}
	return 0;
}

int cr__redis_login(struct link *link)
{
	struct greeting greeting = {.count = 0};
	struct batch batch;
	int r = dial(link);

	if (r < 0)
		return r;
	compose(link, &greeting);
	batch = (struct batch){.calls = greeting.calls, .count = greeting.count};
	r = cr__redis_exchange(link, &batch);
	/* A server that is full says so once, and hangs up. */
	for (size_t i = batch.answered; i < batch.count; i++)
		greeting.calls[i].status = 0;
	if (batch.answered > 0) {
		int error = judge(link, &greeting);

		r = error < 0 ? error : r;
	}
	if (r == 0 && greeting.calls[greeting.count - 2].status == 0)
		link->id = greeting.calls[greeting.count - 2].reply.integer;
	if (!cr_event_is_set(&batch.done))
		cr__redis_abandon(link, &batch);
	cr_redis_calls_free(greeting.calls, greeting.count);
	return r;
}
