/* SPDX-License-Identifier: MIT */

/* Which database a text names. See table.h. */

#include "table.h"

#include <errno.h>
#include <stdio.h>
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

int table_find(struct table *table, const char *const *urls, size_t count, bool *ret_found)
{
	table->error.message[0] = '\0';
	return fail(table, table->kind->find(table->handle, urls, count, ret_found, &table->error));
}

int table_write(struct table *table, const struct table_row *rows, size_t count)
{
	table->error.message[0] = '\0';
	return fail(table, table->kind->write(table->handle, rows, count, &table->error));
}

void table_close(struct table *table)
{
	if (table->handle)
		table->kind->close(table->handle);
	table->handle = NULL;
}
