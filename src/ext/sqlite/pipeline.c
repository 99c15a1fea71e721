/* SPDX-License-Identifier: MIT */
/*
 * Many statements, or one with many sets of parameters, as one transaction in one crossing to the
 * worker.
 */

#include "client.h"

enum stage { BEGIN, CALLS, COMMIT };

struct pipeline {
	cr_sqlite_conn *conn;
	int (*one)(struct pipeline *p); /* runs the next one */
	size_t count, next;
	enum stage stage;
	bool nested;
	int error; /* the first statement's that failed */

	cr_sqlite_call *calls;

	const char *sql;
	const cr_sql_value *params; /* sets of param_count */
	size_t param_count;
	uint64_t affected;
};

/* Rolls back what it did, if SQLite has not done so. */
static int undo(struct pipeline *p)
{
	int r;

	if (sqlite3_get_autocommit(p->conn->link))
		return 0;
	if (!p->nested)
		return cr__sqlite_simple_surely(p->conn, "rollback");
	r = cr__sqlite_simple_surely(p->conn, "rollback to cr_pipeline");
	return r < 0 ? r : cr__sqlite_simple_surely(p->conn, "release cr_pipeline");
}

static int undo_work(void *arg)
{
	return undo(arg);
}

/* After an error, which must stay the connection's last. */
static int undo_after(struct pipeline *p, int error)
{
	cr_sql_error why = p->conn->error;

	p->stage = BEGIN;
	if (undo(p) < 0)
		p->conn->broken = true;
	p->conn->error = why;
	p->conn->may_wait = false;
	return error;
}

static int begin(struct pipeline *p)
{
	cr_sqlite_conn *conn = p->conn;
	int r = cr__sqlite_may_begin(conn);

	if (r < 0)
		return r;
	p->nested = !sqlite3_get_autocommit(conn->link);
	if (p->nested)
		return cr__sqlite_simple(conn, "savepoint cr_pipeline");
	return cr__sqlite_simple(conn, conn->reader ? "begin" : "begin immediate");
}

/* Runs a statement, if none before it has rolled the transaction back. */
static int execute(const struct pipeline *p, const char *sql, const cr_sql_value *params,
                   size_t param_count, cr_sqlite_rows **ret_rows)
{
	if (sqlite3_get_autocommit(p->conn->link))
		return cr__sqlite_fail_with(p->conn, -CORAIL_E_SQL_ABORTED, NULL);
	return cr__sqlite_execute(p->conn, sql, params, param_count, ret_rows);
}

static int call(struct pipeline *p)
{
	cr_sqlite_call *call = &p->calls[p->next];
	cr_sqlite_rows *rows = NULL;
	int r = execute(p, call->sql, call->params, call->param_count, &rows);

	if (r < 0 && p->conn->may_wait)
		return r;
	call->status = r;
	call->rows = rows;
	p->next++;
	return r;
}

static int set(struct pipeline *p)
{
	sqlite3_int64 before = sqlite3_total_changes64(p->conn->link);
	int r = execute(p, p->sql, p->params + p->next * p->param_count, p->param_count, NULL);

	if (r < 0)
		return r;
	if (sqlite3_total_changes64(p->conn->link) != before)
		p->affected += (uint64_t)sqlite3_changes64(p->conn->link);
	p->next++;
	return 0;
}

static int pipeline_work(void *arg)
{
	struct pipeline *p = arg;
	int r = 0;

	if (p->stage == BEGIN) {
		r = begin(p);
		if (r < 0)
			return r;
		p->stage = CALLS;
	}
	while (p->stage == CALLS && p->next < p->count) {
		r = p->one(p);
		if (r < 0 && p->conn->may_wait)
			return r;
		if (r == -ECANCELED)
			return undo_after(p, r);
		if (r < 0) {
			p->error = r;
			undo_after(p, r);
			return 0;
		}
	}
	p->stage = COMMIT;
	r = cr__sqlite_simple(p->conn, p->nested ? "release cr_pipeline" : "commit");
	if (r < 0 && p->conn->may_wait)
		return r;
	if (r < 0)
		return undo_after(p, r);
	p->stage = BEGIN;
	return 0;
}

/* Crosses over. Returns 0, or why none of it has happened; p->error if that is a statement. */
static int run(struct pipeline *p)
{
	cr_sqlite_conn *conn = p->conn;
	int r = p->count > 0 ? cr__sqlite_hop_patient(conn, pipeline_work, p) : 0;

	/* It gave up waiting for a lock half-way. */
	if (r < 0 && p->stage != BEGIN) {
		cr_sql_error why = conn->error;

		if (cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, undo_work, p)) < 0)
			conn->broken = true;
		conn->error = why;
	}
	return r;
}

/* None of it has happened. */
static void fail_all(struct pipeline *p, int error)
{
	for (size_t i = 0; i < p->count; i++) {
		cr_sqlite_rows_free(p->calls[i].rows);
		p->calls[i].rows = NULL;
		p->calls[i].status = error;
	}
}

int cr_sqlite_conn_pipeline(cr_sqlite_conn *conn, cr_sqlite_call *calls, size_t count)
{
	struct pipeline p = {.conn = conn, .one = call, .calls = calls, .count = count};
	int r = cr__sqlite_enter(conn);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		calls[i].status = -CORAIL_E_SQL_ABORTED;
		calls[i].rows = NULL;
	}
	r = run(&p);
	if (r < 0)
		fail_all(&p, r);
	return cr__sqlite_leave(conn, r < 0 ? r : p.error);
}

int cr_sqlite_conn_query_many(cr_sqlite_conn *conn, const char *sql, const cr_sql_value *params,
                              size_t param_count, size_t count, uint64_t *ret_affected)
{
	struct pipeline p = {.conn = conn,
	                     .one = set,
	                     .count = count,
	                     .sql = sql,
	                     .params = params,
	                     .param_count = param_count};
	int r = cr__sqlite_enter(conn);

	if (r < 0)
		return r;
	r = run(&p);
	r = cr__sqlite_leave(conn, r < 0 ? r : p.error);
	if (r == 0 && ret_affected)
		*ret_affected = p.affected;
	return r;
}

int cr_sqlite_query_many(cr_sqlite *db, const char *sql, const cr_sql_value *params,
                         size_t param_count, size_t count, uint64_t *ret_affected)
{
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_sqlite_conn_query_many(conn, sql, params, param_count, count, ret_affected);
	cr_sqlite_release(conn);
	return r;
}
