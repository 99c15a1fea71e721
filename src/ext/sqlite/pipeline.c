/* SPDX-License-Identifier: MIT */
/* Many statements as one transaction in one crossing to the worker. */

#include "client.h"

enum stage { BEGIN, CALLS, COMMIT };

struct pipeline {
	cr_sqlite_conn *conn;
	cr_sqlite_call *calls;
	size_t count, next;
	enum stage stage;
	bool nested;
	int error; /* the first statement's that failed */
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

static int call(struct pipeline *p)
{
	cr_sqlite_call *call = &p->calls[p->next];
	cr_sqlite_rows *rows = NULL;
	int r = sqlite3_get_autocommit(p->conn->link)
	                ? cr__sqlite_fail_with(p->conn, -CORAIL_E_SQL_ABORTED, NULL)
	                : cr__sqlite_execute(p->conn, call->sql, call->params, call->param_count,
	                                     &rows);

	if (r < 0 && p->conn->may_wait)
		return r;
	call->status = r;
	call->rows = rows;
	p->next++;
	return r;
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
		r = call(p);
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
	struct pipeline p = {.conn = conn, .calls = calls, .count = count};
	int r = cr__sqlite_enter(conn);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		calls[i].status = -CORAIL_E_SQL_ABORTED;
		calls[i].rows = NULL;
	}
	if (count > 0)
		r = cr__sqlite_hop_patient(conn, pipeline_work, &p);
	/* It gave up waiting for a lock half-way. */
	if (r < 0 && p.stage != BEGIN) {
		cr_sql_error why = conn->error;

		if (cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, undo_work, &p)) < 0)
			conn->broken = true;
		conn->error = why;
	}
	if (r < 0)
		fail_all(&p, r);
	return cr__sqlite_leave(conn, r < 0 ? r : p.error);
}
