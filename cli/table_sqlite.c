/* SPDX-License-Identifier: MIT */

/* Pages in a file of SQLite: a pipeline for each batch, which is one transaction. */

#include "table.h"

#if CORAIL_WITH_SQLITE

#include <corail/sqlite.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char create[] = "create table if not exists corail_pages ("
			     " url text primary key,"
			     " status integer,"
			     " bytes integer not null,"
			     " body blob,"
			     " fetched_at text not null,"
			     " digest text,"
			     " error text)";

static const char find[] = "select 1 from corail_pages where url = ?1 and error is null";

static const char insert[] =
	"insert into corail_pages as old (url, status, bytes, body, fetched_at, digest, error)"
	" values (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
	" on conflict (url) do update set status = excluded.status, bytes = excluded.bytes,"
	" body = excluded.body, fetched_at = excluded.fetched_at, digest = excluded.digest,"
	" error = excluded.error"
	" where excluded.error is null or old.error is not null";

/* Remembers what the connection knows of a failure, and gives the connection back. */
static int leave(cr_sqlite_conn *conn, int r, cr_sql_error *error)
{
	if (r < 0 && cr_sqlite_conn_error(conn))
		*error = *cr_sqlite_conn_error(conn);
	cr_sqlite_release(conn);
	return r;
}

static int open_table(const char *target, void **ret_handle, cr_sql_error *error)
{
	cr_sqlite *db;
	cr_sqlite_conn *conn;
	int r = cr_sqlite_open(target + strlen("sqlite:"), NULL, &db, error);

	if (r < 0)
		return r;
	r = cr_sqlite_acquire(db, &conn, error);
	if (r == 0)
		r = leave(conn, cr_sqlite_conn_query(conn, create, NULL, 0, NULL), error);
	if (r < 0) {
		cr_sqlite_close(db);
		return r;
	}
	*ret_handle = db;
	return 0;
}

static void close_table(void *handle)
{
	cr_sqlite_close(handle);
}

static int run(void *handle, const struct table_batch *batch, cr_sql_error *error)
{
	cr_sqlite_call *calls = calloc(batch->count, sizeof *calls);
	cr_sqlite_conn *conn;
	int r;

	if (!calls)
		return -ENOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		calls[i].sql = batch->sql;
		calls[i].params = batch->values + i * batch->param_count;
		calls[i].param_count = batch->param_count;
	}
	r = cr_sqlite_acquire(handle, &conn, error);
	if (r == 0)
		r = leave(conn, cr_sqlite_conn_pipeline(conn, calls, batch->count), error);
	for (size_t i = 0; i < batch->count; i++) {
		if (r == 0 && batch->found)
			batch->found[i] = cr_sqlite_rows_count(calls[i].rows) > 0;
		cr_sqlite_rows_free(calls[i].rows);
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

const struct table_kind *const table_sqlite = &kind;

#else

const struct table_kind *const table_sqlite;

#endif
