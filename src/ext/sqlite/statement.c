/* SPDX-License-Identifier: MIT */
/* Prepared statements, kept by their text, and their parameters. */

#include "client.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const char *text, size_t size)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

static void age_unlink(struct statements *all, struct statement *statement)
{
	*(statement->newer ? &statement->newer->older : &all->newest) = statement->older;
	*(statement->older ? &statement->older->newer : &all->oldest) = statement->newer;
}

static void age_push(struct statements *all, struct statement *statement)
{
	statement->newer = NULL;
	statement->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = statement;
	all->newest = statement;
}

static void drop(struct statements *all, struct statement *statement)
{
	struct statement **place = &all->buckets[statement->hash % BUCKET_COUNT];

	while (*place != statement)
		place = &(*place)->chain;
	*place = statement->chain;
	age_unlink(all, statement);
	all->count--;
	sqlite3_finalize(statement->stmt);
	free(statement->sql);
	free(statement);
}

void cr__sqlite_statements_free(struct statements *statements)
{
	while (statements->newest)
		drop(statements, statements->newest);
}

static bool same(const struct statement *statement, const char *sql, size_t size)
{
	return statement->size == size && memcmp(statement->sql, sql, size) == 0;
}

static struct statement *find(struct statements *all, const char *sql, size_t size, uint64_t hash)
{
	struct statement *statement = all->buckets[hash % BUCKET_COUNT];

	while (statement && !(statement->hash == hash && same(statement, sql, size)))
		statement = statement->chain;
	return statement;
}

/* Whether something other than space and comments follows a statement. */
static bool more_follows(sqlite3 *link, const char *tail)
{
	while (*tail) {
		sqlite3_stmt *stmt = NULL;
		const char *next = tail;
		int code = sqlite3_prepare_v2(link, tail, -1, &stmt, &next);

		sqlite3_finalize(stmt);
		if (code != SQLITE_OK || stmt || next == tail)
			return true;
		tail = next;
	}
	return false;
}

static int prepare(cr_sqlite_conn *conn, const char *sql, size_t size, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt = NULL;
	const char *tail = "";
	int code;

	if (size > INT32_MAX - 1)
		return cr__sqlite_fail_with(conn, -CORAIL_E_SQL_DATA, "the text is too long");
	code = sqlite3_prepare_v3(conn->link, sql, (int)size + 1, SQLITE_PREPARE_PERSISTENT, &stmt,
	                          &tail);
	if (code != SQLITE_OK) {
		int r = cr__sqlite_fail(conn, code, sql, true);

		/* Another process may be changing the schema. */
		conn->may_wait = (code & 0xff) == SQLITE_BUSY;
		return r;
	}
	if (more_follows(conn->link, tail)) {
		sqlite3_finalize(stmt);
		return cr__sqlite_fail_with(conn, -CORAIL_E_SQL_SYNTAX,
		                            "more than one statement: that is a script");
	}
	*ret_stmt = stmt;
	return 0;
}

static int statement_new(cr_sqlite_conn *conn, const char *sql, size_t size, uint64_t hash,
                         struct statement **ret_statement)
{
	struct statements *all = &conn->statements;
	struct statement *statement = calloc(1, sizeof *statement);
	struct statement **bucket = &all->buckets[hash % BUCKET_COUNT];
	int r;

	if (statement)
		statement->sql = malloc(size + 1);
	if (!statement || !statement->sql) {
		free(statement);
		return cr__sqlite_fail_with(conn, -ENOMEM, NULL);
	}
	r = prepare(conn, sql, size, &statement->stmt);
	if (r < 0) {
		free(statement->sql);
		free(statement);
		return r;
	}
	if (all->count >= all->count_max)
		drop(all, all->oldest);
	memcpy(statement->sql, sql, size + 1);
	statement->size = size;
	statement->hash = hash;
	statement->chain = *bucket;
	*bucket = statement;
	all->count++;
	age_push(all, statement);
	*ret_statement = statement;
	return 0;
}

int cr__sqlite_prepare(cr_sqlite_conn *conn, const char *sql, struct statement **ret_statement)
{
	struct statements *all = &conn->statements;
	size_t size = strlen(sql);
	struct statement *statement;
	uint64_t hash;

	/* Many calls with one text come one after the other. */
	if (all->newest && same(all->newest, sql, size)) {
		*ret_statement = all->newest;
		return 0;
	}
	hash = hash_of(sql, size);
	statement = find(all, sql, size, hash);
	if (!statement)
		return statement_new(conn, sql, size, hash, ret_statement);
	age_unlink(all, statement);
	age_push(all, statement);
	*ret_statement = statement;
	return 0;
}

void cr__sqlite_rest(const struct statement *statement)
{
	sqlite3_reset(statement->stmt);
	sqlite3_clear_bindings(statement->stmt);
}

static int bind_one(sqlite3_stmt *stmt, int index, const cr_sql_value *value, bool copy)
{
	sqlite3_destructor_type owner = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
	/* A NULL pointer would be the value NULL. */
	const void *data = value->u.data ? value->u.data : "";

	switch (value->kind) {
	case CORAIL_SQL_NULL:
		return sqlite3_bind_null(stmt, index);
	case CORAIL_SQL_BOOL:
	case CORAIL_SQL_INT:
		return sqlite3_bind_int64(stmt, index, value->u.integer);
	case CORAIL_SQL_REAL:
		return sqlite3_bind_double(stmt, index, value->u.real);
	case CORAIL_SQL_TEXT:
		return sqlite3_bind_text64(stmt, index, value->size ? data : "", value->size, owner,
		                           SQLITE_UTF8);
	case CORAIL_SQL_BLOB:
		return sqlite3_bind_blob64(stmt, index, value->size ? data : "", value->size,
		                           owner);
	}
	return SQLITE_MISUSE;
}

int cr__sqlite_bind(cr_sqlite_conn *conn, const struct statement *statement,
                    const cr_sql_value *values, size_t count, bool copy)
{
	size_t wanted = statement->stmt ? (size_t)sqlite3_bind_parameter_count(statement->stmt) : 0;

	if (count != wanted)
		return cr__sqlite_fail_with(conn, -EINVAL,
		                            "not as many parameters as the statement has");
	for (size_t i = 0; i < count; i++) {
		int code = bind_one(statement->stmt, (int)i + 1, &values[i], copy);

		if (code != SQLITE_OK) {
			int r = cr__sqlite_fail(conn, code, NULL, false);

			cr__sqlite_rest(statement);
			return r;
		}
	}
	return 0;
}
