/* SPDX-License-Identifier: MIT */
/*
 * Replies. hiredis's reader takes the stream apart and calls these functions, which build the reply
 * in place: the root in the link, elements in their parent's array.
 */

#include "client.h"

#include <stdlib.h>

#ifdef REDIS_REPLY_MAP
typedef size_t element_count;
#else
typedef int element_count;
#endif

/* Where the value of a task goes. `size` is what it will take, and NULL the answer if too much. */
static cr_redis_reply *place(const redisReadTask *task, size_t size)
{
	struct link *link = task->privdata;

	if (size > link->redis->options.reply_size_max - link->reply_size) {
		link->refused = -EMSGSIZE;
		return NULL;
	}
	link->reply_size += size;
	if (!task->parent)
		return &link->reply;
	return &((cr_redis_reply *)task->parent->obj)->elements[task->idx];
}

static enum cr_redis_kind kind_of(int type)
{
	switch (type) {
	case REDIS_REPLY_STATUS:
		return CORAIL_REDIS_STATUS;
	case REDIS_REPLY_ERROR:
		return CORAIL_REDIS_ERROR;
#ifdef REDIS_REPLY_MAP
	case REDIS_REPLY_MAP:
	case REDIS_REPLY_ATTR:
		return CORAIL_REDIS_MAP;
	case REDIS_REPLY_SET:
		return CORAIL_REDIS_SET;
	case REDIS_REPLY_DOUBLE:
		return CORAIL_REDIS_REAL;
	case REDIS_REPLY_BOOL:
		return CORAIL_REDIS_BOOL;
	case REDIS_REPLY_PUSH:
#endif
	case REDIS_REPLY_ARRAY:
		return CORAIL_REDIS_ARRAY;
	case REDIS_REPLY_INTEGER:
		return CORAIL_REDIS_INTEGER;
	default:
		return CORAIL_REDIS_TEXT;
	}
}

static void *create_text(const redisReadTask *task, char *text, size_t size)
{
	cr_redis_reply *reply = place(task, size + 1);
	char *copy = reply ? malloc(size + 1) : NULL;

	if (!copy)
		return NULL;
#ifdef REDIS_REPLY_VERB
	/* "txt:" or "mkd:" goes before what RESP3 calls a verbatim string. */
	if (task->type == REDIS_REPLY_VERB && size >= 4) {
		text += 4;
		size -= 4;
	}
#endif
	memcpy(copy, text, size);
	copy[size] = '\0';
	*reply = (cr_redis_reply){.kind = kind_of(task->type), .text = copy, .size = size};
	return reply;
}

static void *create_array(const redisReadTask *task, element_count count)
{
	const size_t most = SIZE_MAX / sizeof(cr_redis_reply);
	size_t size = (size_t)count > most ? SIZE_MAX : (size_t)count * sizeof(cr_redis_reply);
	cr_redis_reply *reply = place(task, size);
	cr_redis_reply *elements = NULL;

	if (!reply)
		return NULL;
	if (count > 0) {
		elements = calloc((size_t)count, sizeof *elements);
		if (!elements)
			return NULL;
	}
	*reply = (cr_redis_reply){.kind = kind_of(task->type),
	                          .elements = elements,
	                          .count = (size_t)count};
	return reply;
}

static void *create_integer(const redisReadTask *task, long long number)
{
	cr_redis_reply *reply = place(task, 0);

	*reply = (cr_redis_reply){.kind = CORAIL_REDIS_INTEGER, .integer = number};
	return reply;
}

static void *create_nil(const redisReadTask *task)
{
	cr_redis_reply *reply = place(task, 0);

	*reply = (cr_redis_reply){.kind = CORAIL_REDIS_NIL};
	return reply;
}

#ifdef REDIS_REPLY_MAP
static void *create_real(const redisReadTask *task, double number, char *text, size_t size)
{
	cr_redis_reply *reply = create_text(task, text, size);

	if (reply)
		reply->real = number;
	return reply;
}

static void *create_bool(const redisReadTask *task, int truth)
{
	cr_redis_reply *reply = place(task, 0);

	*reply = (cr_redis_reply){.kind = CORAIL_REDIS_BOOL, .integer = truth};
	return reply;
}
#endif

static void free_in_place(void *reply)
{
	cr_redis_reply_free(reply);
}

redisReader *cr__redis_reader_new(struct link *link)
{
	static redisReplyObjectFunctions functions = {
		.createString = create_text,
		.createArray = create_array,
		.createInteger = create_integer,
		.createNil = create_nil,
#ifdef REDIS_REPLY_MAP
		.createDouble = create_real,
		.createBool = create_bool,
#endif
		.freeObject = free_in_place,
	};
	redisReader *reader = redisReaderCreateWithFunctions(&functions);

	if (reader)
		reader->privdata = link;
	return reader;
}

int cr__redis_reader_error(const struct link *link)
{
	if (link->refused < 0)
		return link->refused;
	if (link->reader->err == REDIS_ERR_OOM)
		return -ENOMEM;
	/* hiredis before 1.0 knows seven levels. */
	if (strstr(link->reader->errstr, "nested"))
		return -EMSGSIZE;
	return -CORAIL_E_REDIS_PROTOCOL;
}

/* Redis's errors begin with a word in capitals that programs may rely on. */
int cr__redis_error_of(const char *text)
{
	static const struct {
		const char *start;
		int error;
	} errors[] = {
		{"WRONGTYPE", CORAIL_E_REDIS_TYPE},
		{"NOAUTH", CORAIL_E_REDIS_LOGIN},
		{"WRONGPASS", CORAIL_E_REDIS_LOGIN},
		{"NOPERM", CORAIL_E_REDIS_LOGIN},
		{"ERR invalid password", CORAIL_E_REDIS_LOGIN},
		{"OOM", CORAIL_E_REDIS_LIMIT},
		{"ERR max number of clients", CORAIL_E_REDIS_LIMIT},
		{"EXECABORT", CORAIL_E_REDIS_ABORTED},
		{"LOADING", CORAIL_E_REDIS_STATE},
		{"READONLY", CORAIL_E_REDIS_STATE},
		{"MOVED", CORAIL_E_REDIS_STATE},
		{"ASK ", CORAIL_E_REDIS_STATE},
		{"TRYAGAIN", CORAIL_E_REDIS_STATE},
		{"CLUSTERDOWN", CORAIL_E_REDIS_STATE},
		{"MASTERDOWN", CORAIL_E_REDIS_STATE},
		{"MISCONF", CORAIL_E_REDIS_STATE},
		{"NOREPLICAS", CORAIL_E_REDIS_STATE},
		{"BUSY ", CORAIL_E_REDIS_STATE},
		{"UNBLOCKED", CORAIL_E_REDIS_STATE},
	};

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strncmp(text, errors[i].start, strlen(errors[i].start)) == 0)
			return -errors[i].error;
	return -CORAIL_E_REDIS_ERROR;
}

void cr_redis_reply_free(cr_redis_reply *reply)
{
	if (!reply)
		return;
	for (size_t i = 0; i < reply->count; i++)
		cr_redis_reply_free(&reply->elements[i]);
	free(reply->elements);
	free(reply->text);
	*reply = (cr_redis_reply){0};
}

int cr_redis_reply_int(const cr_redis_reply *reply, int64_t *ret_number)
{
	long long number;
	char *end;

	if (reply->kind == CORAIL_REDIS_INTEGER || reply->kind == CORAIL_REDIS_BOOL) {
		*ret_number = reply->integer;
		return 0;
	}
	if ((reply->kind != CORAIL_REDIS_TEXT && reply->kind != CORAIL_REDIS_STATUS) ||
	    reply->size == 0 || strchr(" \t\n\v\f\r", *reply->text))
		return -CORAIL_E_REDIS_TYPE;
	errno = 0;
	number = strtoll(reply->text, &end, 10);
	if (end != reply->text + reply->size)
		return -CORAIL_E_REDIS_TYPE;
	if (errno == ERANGE)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

const cr_redis_reply *cr_redis_reply_field(const cr_redis_reply *reply, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i + 1 < reply->count; i += 2) {
		const cr_redis_reply *key = &reply->elements[i];

		if (key->text && key->size == size && memcmp(key->text, name, size) == 0)
			return &reply->elements[i + 1];
	}
	return NULL;
}
