/* SPDX-License-Identifier: MIT */

/* Pages in PostgreSQL: a pipeline for each batch, which is one round trip and one transaction. */

#include "table.h"

#if CORAIL_WITH_PG

#include <corail/pg.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char look[] = "select url, status, bytes, body, fetched_at, digest, error "
			   "from corail_pages where false";

static const char create[] = "create table if not exists corail_pages ("
			     " url text primary key,"
			     " status integer,"
			     " bytes bigint not null,"
			     " body bytea,"
			     " fetched_at timestamptz not null,"
			     " digest text,"
			     " error text)";

static const char find[] = "select 1 from corail_pages where url = $1 and error is null";

static const char insert[] =
	"insert into corail_pages as old (url, status, bytes, body, fetched_at, digest, error)"
	" values ($1, $2, $3, $4, $5::text::timestamptz, $6, $7)"
	" on conflict (url) do update set status = excluded.status, bytes = excluded.bytes,"
	" body = excluded.body, fetched_at = excluded.fetched_at, digest = excluded.digest,"
	" error = excluded.error"
	" where excluded.error is null or old.error is not null";

/* Remembers what the connection knows of a failure, and gives the connection back. */
static int leave(cr_pg_conn *conn, int r, cr_sql_error *error)
{
	if (r < 0 && cr_pg_conn_error(conn))
		*error = *cr_pg_conn_error(conn);
	cr_pg_release(conn);
	return r;
}

/* Who may write to a table that is there may not always make one. */
static int make_table(cr_pg *pg, cr_sql_error *error)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(pg, &conn, error);

	if (r < 0)
		return r;
	r = cr_pg_conn_query(conn, look, NULL, 0, NULL);
	if (r < 0 && strcmp(cr_pg_conn_error(conn)->sqlstate, "42P01") == 0) {
		r = cr_pg_conn_query(conn, create, NULL, 0, NULL);
		/* Two may make it at the same moment; one of them fails, by then it is there. */
		if (r == -CORAIL_E_SQL_CONSTRAINT)
			r = cr_pg_conn_query(conn, look, NULL, 0, NULL);
	}
	return leave(conn, r, error);
}

static int open_table(const char *target, void **ret_handle, cr_sql_error *error)
{
	cr_pg_options options = {.conn_count_max = 1};
	cr_pg *pg;
	int r = cr_pg_open(target, &options, &pg, error);

	if (r < 0)
		return r;
	r = make_table(pg, error);
	if (r < 0) {
		cr_pg_close(pg);
		return r;
	}
	*ret_handle = pg;
	return 0;
}

static void close_table(void *handle)
{
	cr_pg_close(handle);
}

static int run(void *handle, const struct table_batch *batch, cr_sql_error *error)
{
	cr_pg_call *calls = calloc(batch->count, sizeof *calls);
	cr_pg_conn *conn;
	int r;

	if (!calls)
		return -ENOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		calls[i].sql = batch->sql;
		calls[i].params = batch->values + i * batch->param_count;
		calls[i].param_count = batch->param_count;
	}
	r = cr_pg_acquire(handle, &conn, error);
	if (r == 0)
		r = leave(conn, cr_pg_conn_pipeline(conn, calls, batch->count), error);
	for (size_t i = 0; i < batch->count; i++) {
		if (r == 0 && batch->found)
			batch->found[i] = cr_pg_rows_count(calls[i].rows) > 0;
		cr_pg_rows_free(calls[i].rows);
	}
	free(calls);
	return r;
}

static const struct table_kind kind = {
	.find = find,
	.insert = insert,
	.open = open_table,
	.close = close_table,
	.run = run,
};

const struct table_kind *const table_pg = &kind;

#else

const struct table_kind *const table_pg;

#endif
