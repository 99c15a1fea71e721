/* SPDX-License-Identifier: MIT */
/*
 * Subscriptions. The list of topics is the truth; whenever the link comes up, all of it is sent.
 * Confirmations come in the order of the list, so a refusal belongs to the first topic that is not
 * confirmed.
 */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>

struct topic {
	struct topic *next;
	size_t size;
	bool pattern;
	bool confirmed;
	char name[];
};

struct cr_redis_sub {
	struct link link;
	cr_redis_sub *sibling; /* in the client's list */
	struct topic *topics;
	struct turns settling; /* for a topic to be confirmed or refused */
	int refusal;           /* the last one */
	bool stood;            /* it was connected before */
	bool busy;             /* a task waits for a message */
	bool closed;
	size_t users; /* tasks inside */
	struct turns left;
	struct turns arrival, room;
	cr_redis_reply *messages; /* a ring: [first, next); of kind NIL: some were missed */
	size_t capacity;
	uint64_t first, next;
	cr_redis_reply current; /* the message that the caller looks at */
};

static struct topic **find(cr_redis_sub *sub, const cr_redis_arg *name, bool pattern)
{
	struct topic **place = &sub->topics;

	while (*place) {
		struct topic *topic = *place;

		if (topic->pattern == pattern && topic->size == name->size &&
		    memcmp(topic->name, name->data, name->size) == 0)
			break;
		place = &topic->next;
	}
	return place;
}

static void drop(struct topic **place)
{
	struct topic *topic = *place;

	*place = topic->next;
	free(topic);
}

/* Queues a command that is answered by what looks like a message. Returns 0 or -ENOMEM. */
static int tell(cr_redis_sub *sub, const char *verb, const struct topic *topic)
{
	const cr_redis_arg words[] = {cr_redis_text(verb), cr_redis_blob(topic->name, topic->size)};
	const cr_redis_call call = {.args = words, .arg_count = 2};
	int r = cr__redis_words_append(&sub->link.out, &call, 1);

	if (r == 0)
		cr_event_set(&sub->link.queued);
	return r;
}

static int tell_all(cr_redis_sub *sub)
{
	int r = 0;

	for (struct topic *topic = sub->topics; r == 0 && topic; topic = topic->next) {
		topic->confirmed = false;
		r = tell(sub, topic->pattern ? "PSUBSCRIBE" : "SUBSCRIBE", topic);
	}
	return r;
}

/* Keeps a message. While there is no room nothing is read: this is the link's driver. */
static void keep(cr_redis_sub *sub, cr_redis_reply *reply)
{
	int r = 0;

	while (r == 0 && sub->next - sub->first >= sub->capacity)
		r = cr__turns_wait(&sub->room);
	if (r < 0) {
		cr_redis_reply_free(reply);
		return;
	}
	sub->messages[sub->next++ % sub->capacity] = *reply;
	cr__turns_wake(&sub->arrival, 0);
}

/* One mark is enough for several gaps without a message in between. */
static void keep_missed(cr_redis_sub *sub)
{
	cr_redis_reply mark = {.kind = CORAIL_REDIS_NIL};

	if (sub->next == sub->first ||
	    sub->messages[(sub->next - 1) % sub->capacity].kind != CORAIL_REDIS_NIL)
		keep(sub, &mark);
}

static int on_up(struct link *link)
{
	cr_redis_sub *sub = (cr_redis_sub *)link;

	if (sub->stood && sub->topics)
		keep_missed(sub);
	sub->stood = true;
	return tell_all(sub);
}

static void on_end(struct link *link, int error)
{
	cr_redis_sub *sub = (cr_redis_sub *)link;

	cr__turns_wake(&sub->arrival, error);
	cr__turns_wake(&sub->settling, error);
}

static bool word_is(const cr_redis_reply *reply, const char *word)
{
	return reply->text && strcmp(reply->text, word) == 0;
}

static void confirm(cr_redis_sub *sub, const cr_redis_reply *name, bool pattern)
{
	const cr_redis_arg arg = cr_redis_blob(name->text, name->size);
	struct topic *topic = *find(sub, &arg, pattern);

	if (topic)
		topic->confirmed = true;
	cr__turns_wake(&sub->settling, 0);
}

static void refuse(cr_redis_sub *sub, const cr_redis_reply *reply)
{
	struct topic **place = &sub->topics;

	while (*place && (*place)->confirmed)
		place = &(*place)->next;
	if (!*place)
		return;
	drop(place);
	sub->refusal = cr__redis_error_of(reply->text);
	snprintf(sub->link.said, sizeof sub->link.said, "%s", reply->text);
	cr__turns_wake(&sub->settling, 0);
}

static void on_reply(struct link *link, cr_redis_reply *reply)
{
	cr_redis_sub *sub = (cr_redis_sub *)link;
	const cr_redis_reply *first = reply->elements;

	if (reply->kind == CORAIL_REDIS_ERROR)
		refuse(sub, reply);
	else if (reply->kind != CORAIL_REDIS_ARRAY || reply->count < 3)
		;
	else if (word_is(first, "subscribe"))
		confirm(sub, &first[1], false);
	else if (word_is(first, "psubscribe"))
		confirm(sub, &first[1], true);
	else if ((word_is(first, "message") && reply->count == 3) ||
	         (word_is(first, "pmessage") && reply->count == 4)) {
		keep(sub, reply);
		return;
	}
	cr_redis_reply_free(reply);
}

int cr_redis_sub_open(cr_redis *redis, cr_redis_sub **ret_sub)
{
	cr_redis_sub *sub;
	int r;

	if (redis->closed)
		return -ESHUTDOWN;
	sub = calloc(1, sizeof *sub);
	if (!sub)
		return -ENOMEM;
	sub->capacity = redis->options.message_count_max;
	sub->messages = calloc(sub->capacity, sizeof *sub->messages);
	r = sub->messages ? cr__redis_link_init(&sub->link, redis, 1) : -ENOMEM;
	if (r < 0) {
		free(sub->messages);
		free(sub);
		return r;
	}
	sub->link.keep = true;
	sub->link.on_up = on_up;
	sub->link.on_reply = on_reply;
	sub->link.on_end = on_end;
	sub->sibling = redis->subs;
	redis->subs = sub;
	cr__redis_enter(redis);
	*ret_sub = sub;
	return 0;
}

void cr__redis_subs_stop(cr_redis *redis)
{
	for (cr_redis_sub *sub = redis->subs; sub; sub = sub->sibling) {
		cr__turns_wake(&sub->arrival, -ESHUTDOWN);
		cr__turns_wake(&sub->settling, -ESHUTDOWN);
	}
}

static int wait_for_users(cr_redis_sub *sub)
{
	while (sub->users > 0)
		cr__turns_wait(&sub->left);
	return 0;
}

void cr_redis_sub_close(cr_redis_sub *sub)
{
	cr_redis_sub **place;
	cr_redis *redis;

	if (!sub)
		return;
	redis = sub->link.redis;
	for (place = &redis->subs; *place != sub;)
		place = &(*place)->sibling;
	*place = sub->sibling;
	sub->closed = true;
	cr__turns_wake(&sub->arrival, -ESHUTDOWN);
	cr__turns_wake(&sub->settling, -ESHUTDOWN);
	cr_shield(CORAIL_NEVER, wait_for_users(sub));
	cr__redis_link_close(&sub->link);
	while (sub->topics)
		drop(&sub->topics);
	for (; sub->first != sub->next; sub->first++)
		cr_redis_reply_free(&sub->messages[sub->first % sub->capacity]);
	cr_redis_reply_free(&sub->current);
	free(sub->messages);
	free(sub);
	cr__redis_leave(redis, 0);
}

/* Begins a call that may wait. Returns 0, -ECANCELED or -ESHUTDOWN. */
static int enter(cr_redis_sub *sub)
{
	if (cr_cancelled())
		return -ECANCELED;
	if (sub->closed || sub->link.redis->closed)
		return -ESHUTDOWN;
	sub->users++;
	*sub->link.redis->error = '\0';
	return 0;
}

static int leave(cr_redis_sub *sub, int result)
{
	if (--sub->users == 0)
		cr__turns_wake(&sub->left, 0);
	return result;
}

/* An error, with the server's words. Returns it. */
static int fail(cr_redis_sub *sub, int error)
{
	memcpy(sub->link.redis->error, sub->link.said, sizeof sub->link.said);
	return error;
}

/* Waits, with the link alive, for what the driver tells by `turns`. */
static int wait_for(cr_redis_sub *sub, struct turns *turns)
{
	int r = 0;

	if (!sub->link.driven) {
		*sub->link.said = '\0';
		r = cr__redis_link_drive(&sub->link);
	}
	if (r == 0)
		r = cr__turns_wait(turns);
	return r < 0 ? fail(sub, r) : 0;
}

/* Adds a topic to the end of the list, and asks for it if the link is up. */
static int add(cr_redis_sub *sub, const cr_redis_arg *name, bool pattern)
{
	struct topic *topic = malloc(sizeof *topic + name->size);
	int r = 0;

	if (!topic)
		return -ENOMEM;
	*topic = (struct topic){.size = name->size, .pattern = pattern};
	memcpy(topic->name, name->data, name->size);
	if (sub->link.up)
		r = tell(sub, pattern ? "PSUBSCRIBE" : "SUBSCRIBE", topic);
	if (r < 0)
		free(topic);
	else
		*find(sub, name, pattern) = topic;
	return r;
}

static int subscribe(cr_redis_sub *sub, const cr_redis_arg *name, bool pattern)
{
	int r = name->data ? enter(sub) : -EINVAL;

	if (r < 0)
		return r;
	if (!*find(sub, name, pattern))
		r = add(sub, name, pattern);
	while (r == 0) {
		struct topic *topic = *find(sub, name, pattern);

		if (!topic)
			r = fail(sub, sub->refusal);
		else if (topic->confirmed)
			break;
		else
			r = wait_for(sub, &sub->settling);
	}
	return leave(sub, r);
}

int cr_redis_subscribe(cr_redis_sub *sub, cr_redis_arg channel)
{
	return subscribe(sub, &channel, false);
}

int cr_redis_psubscribe(cr_redis_sub *sub, cr_redis_arg pattern)
{
	return subscribe(sub, &pattern, true);
}

static int unsubscribe(cr_redis_sub *sub, const cr_redis_arg *name, bool pattern)
{
	struct topic **place;
	int r = 0;

	if (!name->data)
		return -ENOENT;
	place = find(sub, name, pattern);
	if (!*place)
		return -ENOENT;
	if (sub->link.up)
		r = tell(sub, pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE", *place);
	if (r < 0)
		return r;
	drop(place);
	sub->refusal = -ENOENT;
	cr__turns_wake(&sub->settling, 0);
	return 0;
}

int cr_redis_unsubscribe(cr_redis_sub *sub, cr_redis_arg channel)
{
	return unsubscribe(sub, &channel, false);
}

int cr_redis_punsubscribe(cr_redis_sub *sub, cr_redis_arg pattern)
{
	return unsubscribe(sub, &pattern, true);
}

/* "message", channel, data; "pmessage", pattern, channel, data; or the mark of a gap. */
static void describe(const cr_redis_reply *reply, cr_redis_message *message)
{
	const cr_redis_reply *last;

	*message = (cr_redis_message){.kind = CORAIL_REDIS_MISSED};
	if (reply->kind == CORAIL_REDIS_NIL)
		return;
	last = &reply->elements[reply->count - 1];
	message->kind = CORAIL_REDIS_MESSAGE;
	message->data = last->text;
	message->size = last->size;
	message->channel = last[-1].text;
	message->channel_size = last[-1].size;
	if (reply->count == 4) {
		message->pattern = reply->elements[1].text;
		message->pattern_size = reply->elements[1].size;
	}
}

int cr_redis_sub_next(cr_redis_sub *sub, cr_redis_message *ret_message)
{
	int r = sub->busy ? -EBUSY : enter(sub);

	if (r < 0)
		return r;
	sub->busy = true;
	while (r == 0 && sub->first == sub->next)
		r = wait_for(sub, &sub->arrival);
	sub->busy = false;
	/* What has come is given before the error. */
	if (sub->first != sub->next) {
		cr_redis_reply_free(&sub->current);
		sub->current = sub->messages[sub->first++ % sub->capacity];
		cr__turns_wake(&sub->room, 0);
		describe(&sub->current, ret_message);
		r = 0;
	}
	return leave(sub, r);
}
