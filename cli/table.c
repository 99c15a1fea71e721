/* SPDX-License-Identifier: MIT */

/* Which database a text names, and rows as values. See table.h. */

#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kind of a target, NULL for none of them; and what its library is for. */
static const struct table_kind *const *find_kind(const char *target, const char **ret_name)
{
	static const struct {
		const char *prefix, *name;
		const struct table_kind *const *kind;
	} kinds[] = {
		{"sqlite:", "SQLite", &table_sqlite},
		{"postgres://", "PostgreSQL", &table_pg},
		{"postgresql://", "PostgreSQL", &table_pg},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strncmp(target, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		*ret_name = kinds[i].name;
		return kinds[i].kind;
	}
	return NULL;
}

int table_check(const char *target, const char **ret_name)
{
	const struct table_kind *const *kind = find_kind(target, ret_name);

	if (!kind || strcmp(target, "sqlite:") == 0)
		return -EINVAL;
	return *kind ? 0 : -EOPNOTSUPP;
}

/* Every failure has a sentence, whether or not the database said one. */
static int fail(struct table *table, int r)
{
	if (r < 0 && !table->error.message[0])
		snprintf(table->error.message, sizeof table->error.message, "%s", cr_strerror(r));
	return r;
}

int table_open(struct table *table, const char *target)
{
	const char *name;
	const struct table_kind *const *kind = find_kind(target, &name);

	*table = (struct table){.kind = kind ? *kind : NULL};
	if (!table->kind)
		return fail(table, -EINVAL);
	return fail(table, table->kind->open(target, &table->handle, &table->error));
}

/* Begins a call: nothing has failed yet, and there is room for parameters. */
static cr_sql_value *begin(struct table *table, size_t value_count)
{
	table->error.message[0] = '\0';
	return calloc(value_count, sizeof(cr_sql_value));
}

static int run(struct table *table, const struct table_batch *batch)
{
	return fail(table, table->kind->run(table->handle, batch, &table->error));
}

int table_find(struct table *table, const char *const *urls, size_t count, bool *ret_found)
{
	cr_sql_value *values = begin(table, count);
	int r;

	if (!values)
		return fail(table, -ENOMEM);
	for (size_t i = 0; i < count; i++)
		values[i] = cr_sql_text(urls[i]);
	r = run(table, &(struct table_batch){table->kind->find, values, 1, count, ret_found});
	free(values);
	return r;
}

int table_write(struct table *table, const struct table_row *rows, size_t count)
{
	enum { COLUMNS = 7 };
	cr_sql_value *values = begin(table, count * COLUMNS);
	int r;

	if (!values)
		return fail(table, -ENOMEM);
	for (size_t i = 0; i < count; i++) {
		const struct table_row *row = &rows[i];
		cr_sql_value *v = &values[i * COLUMNS];

		v[0] = cr_sql_text(row->url);
		v[1] = row->status > 0 ? cr_sql_int(row->status) : cr_sql_null();
		v[2] = cr_sql_int((int64_t)row->bytes);
		v[3] = row->body ? cr_sql_blob(row->body, row->bytes) : cr_sql_null();
		v[4] = cr_sql_text(row->fetched_at);
		v[5] = cr_sql_text(row->digest);
		v[6] = cr_sql_text(row->error);
	}
	r = run(table, &(struct table_batch){table->kind->insert, values, COLUMNS, count, NULL});
	free(values);
	return r;
}

void table_close(struct table *table)
{
	if (table->handle)
		table->kind->close(table->handle);
	table->handle = NULL;
}
