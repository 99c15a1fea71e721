/* SPDX-License-Identifier: MIT */
/*
 * Rows one by one. The worker reads them in batches, the first a small one so that it comes soon;
 * the statement rests at its row in between.
 */

#include "client.h"

enum { BATCH_FIRST = 16, BATCH_ROWS = 4096, BATCH_BYTES = 64 * 1024 };

struct start {
	cr_sqlite_conn *conn;
	const char *sql;
	const cr_sql_value *params;
	size_t param_count;
};

/*
 * Worker: reads a batch. Returns 0, or the error that it met before the first row: one that comes
 * after a row is kept for the call that has given the rows away.
 */
static int fetch(cr_sqlite_conn *conn, size_t rows_max)
{
	struct stream *stream = &conn->stream;
	cr_sqlite_rows *batch = stream->batch;
	int code = SQLITE_ROW, r = 0;

	cr__sqlite_rows_clear(batch);
	while (r == 0 && batch->count < rows_max && cr__sqlite_rows_bytes(batch) < BATCH_BYTES &&
	       (code = sqlite3_step(stream->statement->stmt)) == SQLITE_ROW)
		r = cr__sqlite_rows_append(batch, stream->statement->stmt, SIZE_MAX);
	stream->batch_count = batch->count;
	stream->next = 0;
	if (r == 0 && code == SQLITE_ROW)
		return 0;
	if (r < 0)
		cr__sqlite_fail_with(conn, r, NULL);
	if (r < 0 || code == SQLITE_DONE)
		cr__sqlite_rest(stream->statement);
	else
		r = cr__sqlite_step_failed(conn, stream->statement, code);
	stream->statement = NULL;
	stream->status = r;
	return batch->count > 0 ? 0 : r;
}

static int fetch_work(void *arg)
{
	cr_sqlite_conn *conn = arg;

	return fetch(conn, BATCH_ROWS);
}

static int start_work(void *arg)
{
	struct start *s = arg;
	struct stream *stream = &s->conn->stream;
	struct statement *statement;
	int r = cr__sqlite_may_begin(s->conn);

	if (r == 0)
		r = cr__sqlite_prepare(s->conn, s->sql, &statement);
	if (r == 0)
		r = cr__sqlite_bind(s->conn, statement, s->params, s->param_count, true);
	if (r != 0)
		return r;
	*stream = (struct stream){.statement = statement};
	stream->batch = cr__sqlite_rows_new(statement->stmt);
	if (!stream->batch) {
		cr__sqlite_rest(statement);
		return cr__sqlite_fail_with(s->conn, -ENOMEM, NULL);
	}
	if (statement->stmt)
		r = fetch(s->conn, BATCH_FIRST);
	else
		stream->statement = NULL;
	if (r < 0) {
		cr_sqlite_rows_free(stream->batch);
		stream->batch = NULL;
	}
	return r;
}

int cr_sqlite_conn_stream(cr_sqlite_conn *conn, const char *sql, const cr_sql_value *params,
                          size_t param_count)
{
	struct start s = {conn, sql, params, param_count};
	int r = cr__sqlite_enter(conn);

	if (r < 0)
		return r;
	r = cr__sqlite_hop_patient(conn, start_work, &s);
	conn->stream.open = r == 0;
	return cr__sqlite_leave(conn, r);
}

static void forget(cr_sqlite_conn *conn)
{
	cr_sqlite_rows_free(conn->stream.batch);
	conn->stream = (struct stream){.open = false};
}

/* Makes sure that the batch has a row to give. 1, 0 at the end, or a negative error. */
static int fill(cr_sqlite_conn *conn)
{
	struct stream *stream = &conn->stream;
	int r;

	if (stream->next < stream->batch_count)
		return 1;
	if (!stream->statement)
		return stream->status;
	conn->busy = true;
	r = cr__sqlite_hop(conn, fetch_work, conn);
	conn->busy = false;
	return r < 0 ? r : stream->batch_count > 0;
}

int cr_sqlite_conn_next(cr_sqlite_conn *conn, const cr_sqlite_rows **ret_row)
{
	struct stream *stream = &conn->stream;
	int r;

	if (conn->busy)
		return -EBUSY;
	if (!stream->open)
		return -ENOENT;
	if (cr_cancelled())
		return -ECANCELED;
	r = fill(conn);
	if (r == 1) {
		stream->batch->first = stream->next++;
		stream->batch->count = 1;
		*ret_row = stream->batch;
	} else if (!stream->statement) {
		forget(conn);
	}
	return r;
}

static int rest_work(void *arg)
{
	cr_sqlite_conn *conn = arg;

	cr__sqlite_rest(conn->stream.statement);
	return 0;
}

int cr_sqlite_conn_stream_end(cr_sqlite_conn *conn)
{
	int r = 0;

	if (conn->busy)
		return -EBUSY;
	conn->busy = true;
	if (conn->stream.statement)
		r = cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, rest_work, conn));
	conn->busy = false;
	conn->broken |= r < 0;
	forget(conn);
	return 0;
}
