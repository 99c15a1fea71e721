/* SPDX-License-Identifier: MIT */
/*
 * Values as libpq's parameters. Numbers and texts go as text, whose type the server infers from
 * where it stands; blobs go in binary, which is bytea and cheaper than its text.
 */

#include "client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARAMS_MAX = 65535 }; /* the protocol counts them in 16 bits */

/* How many bytes of copies a value needs: libpq's texts end with a zero, which ours need not. */
static size_t copy_size(const cr_sql_value *value)
{
	return value->kind == CORAIL_SQL_TEXT && !value->terminated ? value->size + 1 : 0;
}

/* Returns the bytes that the copies need in all, or a negative error. */
static ssize_t check(const cr_sql_value *values, size_t count)
{
	size_t total = 0;

	if (count > PARAMS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (values[i].size > INT_MAX - 1)
			return -EINVAL;
		/* PostgreSQL's texts cannot hold a zero byte; cut short it must not be stored. */
		if (values[i].kind == CORAIL_SQL_TEXT && values[i].size > 0 &&
		    memchr(values[i].u.data, 0, values[i].size))
			return -CORAIL_E_SQL_DATA;
		total += copy_size(&values[i]);
	}
	return (ssize_t)total;
}

/* Fills one in; returns where the next copy goes. */
static char *encode(const cr_sql_value *value, struct params *params, size_t i, char *number,
                    char *copy)
{
	const char *text = number;

	params->lengths[i] = 0;
	params->formats[i] = 0;
	switch (value->kind) {
	case CORAIL_SQL_NULL:
		text = NULL;
		break;
	case CORAIL_SQL_BOOL:
		text = value->u.integer ? "t" : "f";
		break;
	case CORAIL_SQL_INT:
		snprintf(number, NUMBER_SIZE, "%lld", (long long)value->u.integer);
		break;
	case CORAIL_SQL_REAL:
		snprintf(number, NUMBER_SIZE, "%.17g", value->u.real);
		break;
	case CORAIL_SQL_TEXT:
		text = value->u.data;
		if (value->terminated)
			break;
		if (value->size > 0)
			memcpy(copy, value->u.data, value->size);
		copy[value->size] = '\0';
		text = copy;
		copy += value->size + 1;
		break;
	case CORAIL_SQL_BLOB:
		text = value->size > 0 ? value->u.data : "";
		params->lengths[i] = (int)value->size;
		params->formats[i] = 1;
		break;
	}
	params->values[i] = text;
	return copy;
}

int cr__pg_params(const cr_sql_value *values, size_t count, struct params_room *room,
                  struct params *params)
{
	ssize_t copies = check(values, count);
	size_t each = sizeof *params->values + 2 * sizeof(int) + NUMBER_SIZE;
	char *numbers = &room->numbers[0][0], *copy = NULL;

	if (copies < 0)
		return (int)copies;
	*params = (struct params){
		.count = (int)count,
		.values = room->values,
		.lengths = room->lengths,
		.formats = room->formats,
	};
	if (count > PARAMS_FEW || copies > 0) {
		params->memory = malloc(count * each + (size_t)copies);
		if (!params->memory)
			return -ENOMEM;
		params->values = params->memory;
		params->lengths = (int *)(void *)(params->values + count);
		params->formats = params->lengths + count;
		numbers = (char *)(params->formats + count);
		copy = numbers + count * NUMBER_SIZE;
	}
	for (size_t i = 0; i < count; i++)
		copy = encode(&values[i], params, i, numbers + i * NUMBER_SIZE, copy);
	return 0;
}
