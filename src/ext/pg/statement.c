/* SPDX-License-Identifier: MIT */
/*
 * Prepared statements. A text is prepared when it is met for the second time: what runs once costs
 * one round trip, what runs often is parsed and planned once. The least recently used statement
 * makes room for a new one.
 */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>

struct statement {
	struct statement *in_bucket;
	struct statement *newer, *older;
	uint64_t hash;
	char name[24]; /* "" until it is prepared */
	char sql[];
};

enum { TEXT_MAX = 65536 }; /* longer texts are hardly ever met twice */

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * UINT64_C(1099511628211);
	return hash;
}

static struct statement **bucket_of(struct statements *all, uint64_t hash)
{
	return &all->buckets[hash & (all->bucket_count - 1)];
}

static void unlink_used(struct statements *all, struct statement *statement)
{
	*(statement->newer ? &statement->newer->older : &all->newest) = statement->older;
	*(statement->older ? &statement->older->newer : &all->oldest) = statement->newer;
}

static void link_newest(struct statements *all, struct statement *statement)
{
	statement->newer = NULL;
	statement->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = statement;
	all->newest = statement;
}

static void drop(struct statements *all, struct statement *statement)
{
	struct statement **place = bucket_of(all, statement->hash);

	while (*place != statement)
		place = &(*place)->in_bucket;
	*place = statement->in_bucket;
	unlink_used(all, statement);
	all->count--;
	free(statement);
}

static bool buckets_ready(struct statements *all)
{
	size_t count = 16;

	if (all->buckets)
		return true;
	while (count < all->count_max)
		count *= 2;
	all->buckets = calloc(count, sizeof *all->buckets);
	all->bucket_count = count;
	return all->buckets != NULL;
}

/* Takes the least recently used one out that the server need not be told of. */
static void make_room(struct statements *all)
{
	struct statement *statement = all->oldest;

	while (statement && statement->name[0])
		statement = statement->newer;
	if (statement && all->count > all->count_max)
		drop(all, statement);
}

static void remember(struct statements *all, const char *sql, uint64_t hash)
{
	size_t size = strlen(sql) + 1;
	struct statement *statement = malloc(sizeof *statement + size);
	struct statement **bucket = bucket_of(all, hash);

	if (!statement)
		return;
	make_room(all);
	*statement = (struct statement){.in_bucket = *bucket, .hash = hash};
	memcpy(statement->sql, sql, size);
	*bucket = statement;
	link_newest(all, statement);
	all->count++;
}

struct statement *cr__pg_statement(cr_pg_conn *conn, const char *sql)
{
	struct statements *all = &conn->statements;
	uint64_t hash = hash_of(sql);
	struct statement *statement;

	if (all->count_max == 0 || !buckets_ready(all))
		return NULL;
	statement = *bucket_of(all, hash);
	while (statement && (statement->hash != hash || strcmp(statement->sql, sql) != 0))
		statement = statement->in_bucket;
	if (statement) {
		unlink_used(all, statement);
		link_newest(all, statement);
		return statement;
	}
	if (strnlen(sql, TEXT_MAX) < TEXT_MAX)
		remember(all, sql, hash);
	return NULL;
}

const char *cr__pg_statement_name(const struct statement *statement)
{
	return statement->name;
}

/* Takes the least recently used one out, on the server too. */
static int evict(cr_pg_conn *conn)
{
	struct statement *oldest = conn->statements.oldest;
	char sql[64];

	snprintf(sql, sizeof sql, "deallocate %s", oldest->name);
	if (oldest->name[0]) {
		int r = cr__pg_simple(conn, sql, NULL, 0);

		if (r < 0)
			return r;
	}
	drop(&conn->statements, oldest);
	return 0;
}

static int prepare(cr_pg_conn *conn, struct statement *statement, const char *name)
{
	PGresult *result;
	int r = PQsendPrepare(conn->link, name, statement->sql, 0, NULL) ? 0
	                                                                 : cr__pg_fail(conn, NULL);

	if (r == 0)
		r = cr__pg_flush(conn);
	while (r == 0 && (r = cr__pg_result(conn, &result)) == 0 && result) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			r = cr__pg_fail(conn, result);
		PQclear(result);
	}
	return r;
}

int cr__pg_statement_prepare(cr_pg_conn *conn, struct statement *statement)
{
	struct statements *all = &conn->statements;
	char name[sizeof statement->name];
	int r = 0;

	/*
	 * In a transaction that has failed the server does nothing: the statement itself will tell.
	 */
	if (statement->name[0] || PQtransactionStatus(conn->link) == PQTRANS_INERROR)
		return 0;
	while (r == 0 && all->count > all->count_max)
		r = evict(conn);
	snprintf(name, sizeof name, "cr_%llu", (unsigned long long)++all->number_next);
	if (r == 0)
		r = prepare(conn, statement, name);
	if (r == 0)
		memcpy(statement->name, name, sizeof name);
	return r;
}

void cr__pg_statement_drop(cr_pg_conn *conn, struct statement *statement)
{
	drop(&conn->statements, statement);
}

void cr__pg_statements_free(struct statements *statements)
{
	struct statement *older;

	for (struct statement *each = statements->newest; each; each = older) {
		older = each->older;
		free(each);
	}
	free(statements->buckets);
}
