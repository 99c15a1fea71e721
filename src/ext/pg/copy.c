/* SPDX-License-Identifier: MIT */
/* COPY in both directions, as a stream of bytes with back-pressure. */

#include "client.h"

#include <stdlib.h>

enum {
	PIECE = 65536,             /* given to libpq at once */
	UNFLUSHED_MAX = 4 * PIECE, /* held by libpq before we wait for the server to take it */
};

static int begin(cr_pg_conn *conn, const char *sql, ExecStatusType wanted)
{
	PGresult *result;
	ExecStatusType status;
	int r = PQsendQuery(conn->link, sql) ? cr__pg_flush(conn) : cr__pg_fail(conn, NULL);

	if (r == 0)
		r = cr__pg_result(conn, &result);
	if (r != 0)
		return r;
	status = PQresultStatus(result);
	if (status == PGRES_FATAL_ERROR)
		r = cr__pg_fail(conn, result);
	else if (status != wanted)
		r = cr__pg_fail_with(conn, -EINVAL, "the statement is no copy of this direction");
	PQclear(result);
	return r;
}

static int copy(cr_pg_conn *conn, const char *sql, ExecStatusType wanted, enum mode mode)
{
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	r = begin(conn, sql, wanted);
	if (r == 0)
		conn->mode = mode;
	return cr__pg_leave(conn, r);
}

int cr_pg_conn_copy_in(cr_pg_conn *conn, const char *sql)
{
	conn->copy_unflushed = 0;
	return copy(conn, sql, PGRES_COPY_IN, COPY_IN);
}

int cr_pg_conn_copy_out(cr_pg_conn *conn, const char *sql)
{
	return copy(conn, sql, PGRES_COPY_OUT, COPY_OUT);
}

int cr_pg_conn_copy_write(cr_pg_conn *conn, const void *data, size_t size)
{
	const char *from = data;
	int r = cr__pg_enter(conn, COPY_IN);

	if (r < 0)
		return r;
	while (r == 0 && size > 0) {
		size_t piece = size < PIECE ? size : PIECE;

		if (PQputCopyData(conn->link, from, (int)piece) <= 0)
			r = cr__pg_fail(conn, NULL);
		from += piece;
		size -= piece;
		conn->copy_unflushed += piece;
		if (r == 0 && conn->copy_unflushed >= UNFLUSHED_MAX) {
			r = cr__pg_flush(conn);
			conn->copy_unflushed = 0;
		}
	}
	return cr__pg_leave(conn, r);
}

/* The end of a copy's statement: its result, and nothing after it. */
static int finish(cr_pg_conn *conn, uint64_t *ret_count)
{
	PGresult *result;
	int failed = 0, r;

	while ((r = cr__pg_result(conn, &result)) == 0 && result) {
		if (PQresultStatus(result) == PGRES_COMMAND_OK)
			*ret_count = strtoull(PQcmdTuples(result), NULL, 10);
		else
			failed = cr__pg_fail(conn, result);
		PQclear(result);
	}
	return r < 0 ? r : failed;
}

int cr_pg_conn_copy_end(cr_pg_conn *conn, const char *error, uint64_t *ret_count)
{
	uint64_t count = 0;
	int r = cr__pg_enter(conn, COPY_IN);

	if (r < 0)
		return r;
	r = PQputCopyEnd(conn->link, error) > 0 ? cr__pg_flush(conn) : cr__pg_fail(conn, NULL);
	if (r == 0)
		r = finish(conn, &count);
	conn->mode = CALM;
	r = cr__pg_leave(conn, r);
	/* query_canceled: what was asked for (PostgreSQL manual, CopyFail). */
	if (error && r == -CORAIL_E_SQL_STATEMENT && strcmp(conn->error.sqlstate, "57014") == 0)
		r = 0;
	if (r == 0 && ret_count)
		*ret_count = count;
	return r;
}

ssize_t cr_pg_conn_copy_read(cr_pg_conn *conn, const char **ret_data)
{
	uint64_t count;
	int size, r = cr__pg_enter(conn, COPY_OUT);

	if (r < 0)
		return r;
	PQfreemem(conn->copied);
	conn->copied = NULL;
	while ((size = PQgetCopyData(conn->link, &conn->copied, 1)) == 0) {
		r = cr__pg_receive(conn);
		if (r == -ECANCELED) {
			conn->busy = false;
			return r;
		}
		if (r < 0)
			return cr__pg_leave(conn, r);
	}
	if (size > 0) {
		conn->busy = false;
		*ret_data = conn->copied;
		return size;
	}
	r = size == -1 ? finish(conn, &count) : cr__pg_fail(conn, NULL);
	if (r == 0)
		conn->mode = CALM;
	return cr__pg_leave(conn, r);
}
