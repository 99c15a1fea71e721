/* SPDX-License-Identifier: MIT */
/* One statement, or a script of them: first what the worker does, then the calls. */

#include "client.h"

#include <string.h>
#include <strings.h>

int cr__sqlite_may_begin(cr_sqlite_conn *conn)
{
	if (atomic_load(&conn->stop))
		return cr__sqlite_fail_with(conn, -ECANCELED, NULL);
	if (conn->tx_level > 0 && sqlite3_get_autocommit(conn->link))
		return cr__sqlite_fail_with(conn, -CORAIL_E_SQL_ABORTED,
		                            "the transaction was rolled back");
	return 0;
}

/*
 * Whether to try again is of use. Not in a transaction that has read and now wants to write,
 * without a write-ahead log: the one that has the lock may be waiting for this one to end.
 */
static bool worth_waiting(const cr_sqlite_conn *conn, int code)
{
	if ((code & 0xff) != SQLITE_BUSY || code == SQLITE_BUSY_SNAPSHOT)
		return false;
	return conn->wal || sqlite3_get_autocommit(conn->link) ||
	       sqlite3_txn_state(conn->link, NULL) != SQLITE_TXN_READ;
}

int cr__sqlite_step_failed(cr_sqlite_conn *conn, struct statement *statement, int code)
{
	int r = cr__sqlite_fail(conn, code, statement->sql, false);

	cr__sqlite_rest(statement);
	conn->may_wait = worth_waiting(conn, code);
	if (r == -CORAIL_E_SQL_LOCKED && (code & 0xff) == SQLITE_BUSY && !conn->may_wait)
		r = conn->error.error = -CORAIL_E_SQL_CONFLICT;
	return r;
}

/* Steps to the end. Rows are kept if there is somewhere to. */
static int step(cr_sqlite_conn *conn, struct statement *statement, cr_sqlite_rows *rows)
{
	size_t size_max = conn->db->options.result_size_max;
	int code;

	while ((code = sqlite3_step(statement->stmt)) == SQLITE_ROW) {
		int r = rows ? cr__sqlite_rows_append(rows, statement->stmt, size_max) : 0;

		if (r < 0) {
			cr__sqlite_rest(statement);
			return cr__sqlite_fail_with(conn, r, NULL);
		}
	}
	if (code != SQLITE_DONE)
		return cr__sqlite_step_failed(conn, statement, code);
	cr__sqlite_rest(statement);
	return 0;
}

/* Runs a statement that is prepared and bound. */
static int run(cr_sqlite_conn *conn, struct statement *statement, cr_sqlite_rows **ret_rows)
{
	sqlite3_int64 before = sqlite3_total_changes64(conn->link);
	cr_sqlite_rows *rows = NULL;
	int r;

	if (ret_rows) {
		rows = cr__sqlite_rows_new(statement->stmt);
		if (!rows) {
			cr__sqlite_rest(statement);
			return cr__sqlite_fail_with(conn, -ENOMEM, NULL);
		}
	}
	r = statement->stmt ? step(conn, statement, rows) : 0;
	if (r < 0 || !rows) {
		cr_sqlite_rows_free(rows);
		return r;
	}
	rows->affected = sqlite3_total_changes64(conn->link) != before
	                         ? (uint64_t)sqlite3_changes64(conn->link)
	                         : rows->count;
	rows->inserted_id = sqlite3_last_insert_rowid(conn->link);
	*ret_rows = rows;
	return 0;
}

int cr__sqlite_execute(cr_sqlite_conn *conn, const char *sql, const cr_sql_value *values,
                       size_t count, cr_sqlite_rows **ret_rows)
{
	struct statement *statement;
	int r = cr__sqlite_may_begin(conn);

	if (r == 0)
		r = cr__sqlite_prepare(conn, sql, &statement);
	if (r == 0)
		r = cr__sqlite_bind(conn, statement, values, count, false);
	if (r == 0 && sqlite3_column_count(statement->stmt) == 0)
		ret_rows = NULL;
	if (r == 0)
		r = run(conn, statement, ret_rows);
	return r;
}

int cr__sqlite_simple(cr_sqlite_conn *conn, const char *sql)
{
	return cr__sqlite_execute(conn, sql, NULL, 0, NULL);
}

int cr__sqlite_simple_surely(cr_sqlite_conn *conn, const char *sql)
{
	int r;

	/* An interrupt that was meant for an earlier one may hit preparing or running this one. */
	do {
		struct statement *statement;

		r = cr__sqlite_prepare(conn, sql, &statement);
		if (r == 0)
			r = step(conn, statement, NULL);
	} while (r == -ECANCELED);
	return r;
}

int cr__sqlite_script(cr_sqlite_conn *conn, const char **sql)
{
	while (**sql) {
		struct statement one = {0};
		const char *tail = *sql;
		int r = cr__sqlite_may_begin(conn), code;

		if (r < 0)
			return r;
		code = sqlite3_prepare_v2(conn->link, *sql, -1, &one.stmt, &tail);
		if (code != SQLITE_OK) {
			r = cr__sqlite_fail(conn, code, *sql, true);
			conn->may_wait = (code & 0xff) == SQLITE_BUSY;
			return r;
		}
		r = one.stmt ? step(conn, &one, NULL) : 0;
		sqlite3_finalize(one.stmt);
		if (r < 0)
			return r;
		*sql = tail;
	}
	return 0;
}

/* ---- what tasks call ---- */

struct query {
	cr_sqlite_conn *conn;
	const char *sql;
	const cr_sql_value *params;
	size_t param_count;
	cr_sqlite_rows **ret_rows;
	bool reads; /* only if it does not write */
};

/* What a query that should only read gives instead. */
enum { WRITES = 1 };

static int query_work(void *arg)
{
	struct query *q = arg;
	struct statement *statement;
	int r = cr__sqlite_may_begin(q->conn);

	if (r == 0)
		r = cr__sqlite_prepare(q->conn, q->sql, &statement);
	if (r == 0 && q->reads && statement->stmt && !sqlite3_stmt_readonly(statement->stmt))
		return WRITES;
	if (r == 0)
		r = cr__sqlite_bind(q->conn, statement, q->params, q->param_count, false);
	if (r == 0)
		r = run(q->conn, statement, q->ret_rows);
	return r;
}

static int query(struct query *q)
{
	int r = cr__sqlite_enter(q->conn);

	if (r < 0)
		return r;
	return cr__sqlite_leave(q->conn, cr__sqlite_hop_patient(q->conn, query_work, q));
}

int cr_sqlite_conn_query(cr_sqlite_conn *conn, const char *sql, const cr_sql_value *params,
                         size_t param_count, cr_sqlite_rows **ret_rows)
{
	struct query q = {conn, sql, params, param_count, ret_rows, false};

	return query(&q);
}

/* A guess that saves asking SQLite: what it says wrongly to read goes to the writer after all. */
static bool seems_to_read(const char *sql)
{
	static const char *const words[] = {"select", "with", "values", "explain", "pragma"};

	sql += strspn(sql, " \t\r\n(");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strncasecmp(sql, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

int cr_sqlite_query(cr_sqlite *db, const char *sql, const cr_sql_value *params, size_t param_count,
                    cr_sqlite_rows **ret_rows)
{
	struct query q = {NULL, sql, params, param_count, ret_rows, true};
	int r;

	if (seems_to_read(sql)) {
		r = cr_sqlite_acquire_reader(db, &q.conn, NULL);
		if (r < 0)
			return r;
		r = query(&q);
		cr_sqlite_release(q.conn);
		if (r != WRITES)
			return r;
	}
	q.reads = false;
	q.conn = NULL;
	r = cr_sqlite_acquire(db, &q.conn, NULL);
	if (r == 0)
		r = query(&q);
	cr_sqlite_release(q.conn);
	return r;
}

struct script {
	cr_sqlite_conn *conn;
	const char *sql;
};

static int script_work(void *arg)
{
	struct script *s = arg;

	return cr__sqlite_script(s->conn, &s->sql);
}

int cr_sqlite_conn_script(cr_sqlite_conn *conn, const char *sql)
{
	struct script s = {conn, sql};
	int r = cr__sqlite_enter(conn);

	if (r < 0)
		return r;
	return cr__sqlite_leave(conn, cr__sqlite_hop_patient(conn, script_work, &s));
}
