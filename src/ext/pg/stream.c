/* SPDX-License-Identifier: MIT */
/* Rows one by one: as many as there are, in the memory of one. */

#include "client.h"

int cr_pg_conn_stream(cr_pg_conn *conn, const char *sql, const cr_sql_value *params,
                      size_t param_count)
{
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	r = cr__pg_send(conn, sql, params, param_count);
	if (r == 0 && !PQsetSingleRowMode(conn->link))
		r = cr__pg_fail(conn, NULL);
	if (r == 0)
		r = cr__pg_flush(conn);
	if (r == 0)
		conn->mode = STREAM;
	return cr__pg_leave(conn, r);
}

/* 1 with a row, 0 at the end, or a negative error. */
static int next(cr_pg_conn *conn)
{
	PGresult *result;
	int failed = 0, r;

	while ((r = cr__pg_result(conn, &result)) == 0 && result) {
		switch (PQresultStatus(result)) {
		case PGRES_SINGLE_TUPLE:
			return cr__pg_rows_append(&conn->row, result, SIZE_MAX) < 0 ? -ENOMEM : 1;
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
		case PGRES_EMPTY_QUERY:
			break;
		case PGRES_COPY_IN:
			conn->mode = COPY_IN; /* to be ended as one, not cancelled */
			__attribute__((fallthrough));
		case PGRES_COPY_OUT:
		case PGRES_COPY_BOTH:
			PQclear(result);
			return cr__pg_fail_with(conn, -EINVAL, "a copy gives no rows");
		default:
			failed = cr__pg_fail(conn, result);
		}
		PQclear(result);
	}
	return r < 0 ? r : failed;
}

/* A wait that was cancelled has read nothing away: the stream goes on where it was. */
int cr_pg_conn_next(cr_pg_conn *conn, const cr_pg_rows **ret_row)
{
	int r = cr__pg_enter(conn, STREAM);

	if (r < 0)
		return r;
	cr__pg_rows_clear(&conn->row);
	r = next(conn);
	if (r == 1) {
		*ret_row = &conn->row;
	} else if (r == 0) {
		conn->mode = CALM;
	} else if (r == -ECANCELED) {
		conn->busy = false;
		return r;
	}
	return cr__pg_leave(conn, r);
}

int cr_pg_conn_stream_end(cr_pg_conn *conn)
{
	if (conn->busy)
		return -EBUSY;
	cr__pg_rows_clear(&conn->row);
	if (conn->mode == CALM)
		return conn->broken ? -CORAIL_E_SQL_CONNECTION : 0;
	conn->busy = true;
	cr__pg_calm(conn);
	conn->busy = false;
	return conn->broken ? -CORAIL_E_SQL_CONNECTION : 0;
}
