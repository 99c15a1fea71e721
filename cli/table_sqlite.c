/* SPDX-License-Identifier: MIT */

/* Pages in a file of SQLite: a pipeline for each batch, which is one transaction. */

#include "table.h"

#if CORAIL_WITH_SQLITE

#include <corail/sqlite.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARAMS 7

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

static int run_calls(cr_sqlite *db, cr_sqlite_call *calls, size_t count, cr_sql_error *error)
{
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(db, &conn, error);

	return r < 0 ? r : leave(conn, cr_sqlite_conn_pipeline(conn, calls, count), error);
}

/* Memory for statements with so many parameters each; the parameters come after the calls. */
static cr_sqlite_call *make_calls(const char *sql, size_t count, size_t params, cr_sql_value **ret)
{
	cr_sqlite_call *calls = calloc(count, sizeof *calls + params * sizeof **ret);

	if (!calls)
		return NULL;
	*ret = (cr_sql_value *)(calls + count);
	for (size_t i = 0; i < count; i++) {
		calls[i].sql = sql;
		calls[i].params = *ret + i * params;
		calls[i].param_count = params;
	}
	return calls;
}

static int find_rows(void *handle, const char *const *urls, size_t count, bool *ret_found,
                     cr_sql_error *error)
{
	cr_sql_value *values;
	cr_sqlite_call *calls = make_calls(find, count, 1, &values);
	int r;

	if (!calls)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		values[i] = cr_sql_text(urls[i]);
	r = run_calls(handle, calls, count, error);
	for (size_t i = 0; i < count; i++) {
		if (r == 0)
			ret_found[i] = cr_sqlite_rows_count(calls[i].rows) > 0;
		cr_sqlite_rows_free(calls[i].rows);
	}
	free(calls);
	return r;
}

static int write_rows(void *handle, const struct table_row *rows, size_t count, cr_sql_error *error)
{
	cr_sql_value *values;
	cr_sqlite_call *calls = make_calls(insert, count, PARAMS, &values);
	int r;

	if (!calls)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct table_row *row = &rows[i];
		cr_sql_value *v = &values[i * PARAMS];

		v[0] = cr_sql_text(row->url);
		v[1] = row->status > 0 ? cr_sql_int(row->status) : cr_sql_null();
		v[2] = cr_sql_int((int64_t)row->bytes);
		v[3] = row->body ? cr_sql_blob(row->body, row->bytes) : cr_sql_null();
		v[4] = cr_sql_text(row->fetched_at);
		v[5] = cr_sql_text(row->digest);
		v[6] = cr_sql_text(row->error);
	}
	r = run_calls(handle, calls, count, error);
	for (size_t i = 0; i < count; i++)
		cr_sqlite_rows_free(calls[i].rows);
	free(calls);
	return r;
}

static const struct table_kind kind = {
	.open = open_table,
	.close = close_table,
	.find = find_rows,
	.write = write_rows,
};

const struct table_kind *const table_sqlite = &kind;

#else

const struct table_kind *const table_sqlite;

#endif
