/* SPDX-License-Identifier: MIT */
/* Statements whose rows are held in memory. */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>

int cr__pg_send(cr_pg_conn *conn, const char *sql, const cr_sql_value *values, size_t count)
{
	struct statement *statement = cr__pg_statement(conn, sql);
	struct params_room room;
	struct params params;
	int sent, r = statement ? cr__pg_statement_prepare(conn, statement) : 0;

	if (r == 0)
		r = cr__pg_params(values, count, &room, &params);
	if (r != 0)
		return conn->error.error == r ? r : cr__pg_fail_with(conn, r, NULL);
	if (statement && cr__pg_statement_name(statement)[0])
		sent = PQsendQueryPrepared(conn->link, cr__pg_statement_name(statement),
		                           params.count, params.values, params.lengths,
		                           params.formats, 0);
	else
		sent = PQsendQueryParams(conn->link, sql, params.count, NULL, params.values,
		                         params.lengths, params.formats, 0);
	free(params.memory);
	return sent ? 0 : cr__pg_fail(conn, NULL);
}

/* A copy is begun by functions of its own. */
static bool is_copy(ExecStatusType status)
{
	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static int copy_refused(cr_pg_conn *conn, ExecStatusType status)
{
	/* To be ended as one, not cancelled. */
	if (status == PGRES_COPY_IN)
		conn->mode = COPY_IN;
	return cr__pg_fail_with(conn, -EINVAL,
	                        "a copy: cr_pg_conn_copy_in() and cr_pg_conn_copy_out() do that");
}

/* Reads a statement's answer to its end, or to the first thing that makes the rest not matter. */
static int collect(cr_pg_conn *conn, cr_pg_rows *rows)
{
	size_t size_max = conn->pg->options.result_size_max;
	PGresult *result;
	int failed = 0, r;

	while ((r = cr__pg_result(conn, &result)) == 0 && result) {
		ExecStatusType status = PQresultStatus(result);

		if (status == PGRES_SINGLE_TUPLE) {
			r = cr__pg_rows_append(rows, result, size_max);
			if (r < 0)
				return cr__pg_fail_with(conn, r, NULL);
			continue;
		}
		if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		    status == PGRES_EMPTY_QUERY) {
			cr__pg_rows_finish(rows, result);
			continue;
		}
		failed = is_copy(status) ? copy_refused(conn, status) : cr__pg_fail(conn, result);
		PQclear(result);
		if (is_copy(status))
			return failed;
	}
	return r < 0 ? r : failed;
}

/*
 * The server refuses to run a prepared statement whose tables have changed, or that it no longer
 * has, before it does anything: so it may be sent again, if no transaction was spoilt by that.
 */
static bool outdated(const cr_pg_conn *conn, const char *sqlstate)
{
	return (strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0) &&
	       PQtransactionStatus(conn->link) == PQTRANS_IDLE;
}

static int run(cr_pg_conn *conn, const char *sql, const cr_sql_value *params, size_t count,
               cr_pg_rows *rows)
{
	int r = cr__pg_send(conn, sql, params, count);

	if (r == 0 && !PQsetSingleRowMode(conn->link))
		r = cr__pg_fail(conn, NULL);
	if (r == 0)
		r = cr__pg_flush(conn);
	return r < 0 ? r : collect(conn, rows);
}

int cr_pg_conn_query(cr_pg_conn *conn, const char *sql, const cr_sql_value *params,
                     size_t param_count, cr_pg_rows **ret_rows)
{
	cr_pg_rows rows = {0}, *kept = NULL;
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	if (ret_rows && !(kept = malloc(sizeof *kept)))
		return cr__pg_leave(conn, -ENOMEM);
	r = run(conn, sql, params, param_count, &rows);
	if (r < 0 && !conn->broken && outdated(conn, conn->error.sqlstate)) {
		struct statement *statement = cr__pg_statement(conn, sql);

		if (statement && cr__pg_statement_name(statement)[0]) {
			cr__pg_statement_drop(conn, statement);
			cr__pg_rows_clear(&rows);
			r = run(conn, sql, params, param_count, &rows);
		}
	}
	if (r < 0 || !kept) {
		cr__pg_rows_clear(&rows);
		free(kept);
	} else {
		*kept = rows;
		*ret_rows = kept;
	}
	return cr__pg_leave(conn, r);
}

int cr_pg_query(cr_pg *pg, const char *sql, const cr_sql_value *params, size_t param_count,
                cr_pg_rows **ret_rows)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(pg, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_pg_conn_query(conn, sql, params, param_count, ret_rows);
	cr_pg_release(conn);
	return r;
}

int cr__pg_simple(cr_pg_conn *conn, const char *sql, char *ret_tag, size_t size)
{
	PGresult *result;
	int failed = 0, r = PQsendQuery(conn->link, sql) ? 0 : cr__pg_fail(conn, NULL);

	if (r == 0)
		r = cr__pg_flush(conn);
	while (r == 0 && (r = cr__pg_result(conn, &result)) == 0 && result) {
		ExecStatusType status = PQresultStatus(result);

		if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
			failed = cr__pg_fail(conn, result);
		else if (ret_tag)
			snprintf(ret_tag, size, "%s", PQcmdStatus(result));
		PQclear(result);
		if (is_copy(status))
			return copy_refused(conn, status);
	}
	return r < 0 ? r : failed;
}

int cr_pg_conn_script(cr_pg_conn *conn, const char *sql)
{
	int r = cr__pg_enter(conn, CALM);

	return r < 0 ? r : cr__pg_leave(conn, cr__pg_simple(conn, sql, NULL, 0));
}
