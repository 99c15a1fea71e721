/* SPDX-License-Identifier: MIT */
/*
 * Commands on their way out. They are written straight into the buffer that is sent: hiredis's
 * formatter would give each a memory block of its own first.
 */

#include "client.h"

#include <stdio.h>
#include <strings.h>

/* By first letter, so that most commands are known to be harmless after a look or two. */
static const struct {
	const char *name;
	unsigned class;
} commands[] = {
	{"ASKING", WORDS_OWN | WORDS_CHANGE},
	{"AUTH", WORDS_OWN | WORDS_CHANGE},
	{"BLMOVE", WORDS_OWN | WORDS_BLOCK},
	{"BLMPOP", WORDS_OWN | WORDS_BLOCK},
	{"BLPOP", WORDS_OWN | WORDS_BLOCK},
	{"BRPOP", WORDS_OWN | WORDS_BLOCK},
	{"BRPOPLPUSH", WORDS_OWN | WORDS_BLOCK},
	{"BZMPOP", WORDS_OWN | WORDS_BLOCK},
	{"BZPOPMAX", WORDS_OWN | WORDS_BLOCK},
	{"BZPOPMIN", WORDS_OWN | WORDS_BLOCK},
	{"DISCARD", WORDS_OWN | WORDS_END},
	{"EXEC", WORDS_OWN | WORDS_END},
	{"HELLO", WORDS_NEVER},
	{"MONITOR", WORDS_NEVER},
	{"MULTI", WORDS_OWN | WORDS_MULTI},
	{"PSUBSCRIBE", WORDS_NEVER},
	{"PSYNC", WORDS_NEVER},
	{"PUNSUBSCRIBE", WORDS_NEVER},
	{"QUIT", WORDS_NEVER},
	{"READONLY", WORDS_OWN | WORDS_CHANGE},
	{"READWRITE", WORDS_OWN | WORDS_CHANGE},
	{"REPLCONF", WORDS_NEVER},
	{"RESET", WORDS_NEVER},
	{"SELECT", WORDS_OWN | WORDS_CHANGE},
	{"SSUBSCRIBE", WORDS_NEVER},
	{"SUBSCRIBE", WORDS_NEVER},
	{"SUNSUBSCRIBE", WORDS_NEVER},
	{"SYNC", WORDS_NEVER},
	{"UNSUBSCRIBE", WORDS_NEVER},
	{"UNWATCH", WORDS_OWN},
	{"WAIT", WORDS_OWN | WORDS_BLOCK},
	{"WAITAOF", WORDS_OWN | WORDS_BLOCK},
	{"WATCH", WORDS_OWN | WORDS_WATCH},
};

static bool is(const cr_redis_arg *arg, const char *name)
{
	return arg->data && strlen(name) == arg->size &&
	       strncasecmp(arg->data, name, arg->size) == 0;
}

static unsigned client_class(const cr_redis_arg *args, size_t count)
{
	static const char *const changing[] = {"TRACKING", "CACHING", "NO-EVICT", "NO-TOUCH",
	                                       "SETNAME"};

	if (count < 2)
		return 0;
	if (is(&args[1], "REPLY"))
		return WORDS_NEVER;
	for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
		if (is(&args[1], changing[i]))
			return WORDS_OWN | WORDS_CHANGE;
	return 0;
}

unsigned cr__redis_words_class(const cr_redis_arg *args, size_t count)
{
	char first;

	if (count == 0 || !args[0].data || args[0].size == 0)
		return WORDS_NEVER;
	first = (char)(*(const char *)args[0].data & ~0x20);
	if (first == 'C' && is(&args[0], "CLIENT"))
		return client_class(args, count);
	if (first == 'X' && (is(&args[0], "XREAD") || is(&args[0], "XREADGROUP")))
		for (size_t i = 1; i < count && !is(&args[i], "STREAMS"); i++)
			if (is(&args[i], "BLOCK"))
				return WORDS_OWN | WORDS_BLOCK;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (*commands[i].name == first && is(&args[0], commands[i].name))
			return commands[i].class;
	return 0;
}

/* Decimal digits. Returns the end. */
static char *put_number(char *to, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

static char *put_head(char *to, char sign, size_t number)
{
	*to++ = sign;
	to = put_number(to, number);
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

static char *put_word(char *to, const cr_redis_arg *arg)
{
	char number[32];
	const char *data = arg->data;
	size_t size = arg->size;

	if (!data) {
		size = (size_t)snprintf(number, sizeof number, "%lld", (long long)arg->integer);
		data = number;
	}
	to = put_head(to, '$', size);
	memcpy(to, data, size);
	to += size;
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

int cr__redis_words_append(cr_buf *out, const cr_redis_call *calls, size_t count)
{
	/* A sign, 20 digits and the ends of two lines; a number's own digits. */
	const size_t head = 32, number = 32;
	size_t room = 0;
	char *to;
	int r;

	for (size_t i = 0; i < count; i++) {
		room += head + calls[i].arg_count * (head + number);
		for (size_t j = 0; j < calls[i].arg_count; j++)
			if (__builtin_add_overflow(room, calls[i].args[j].size, &room))
				return -ENOMEM;
	}
	r = cr_buf_reserve(out, room);
	if (r < 0)
		return r;
	to = out->data + out->size;
	for (size_t i = 0; i < count; i++) {
		to = put_head(to, '*', calls[i].arg_count);
		for (size_t j = 0; j < calls[i].arg_count; j++)
			to = put_word(to, &calls[i].args[j]);
	}
	out->size = (size_t)(to - out->data);
	*to = '\0';
	return 0;
}
