/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=pg */
/* What is more than a statement and its rows: streams, pipelines, copies, notifications. */
#include "fixture.h"

/* A copy where a query was wanted, again and again: each result stays that of its own statement. */
static int copies_refused(cr_pg *db)
{
	const cr_pg_rows *row;
	cr_pg_conn *conn;
	cr_pg_rows *rows;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "create temp table e(a int)"), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(cr_pg_conn_query(conn, "copy e from stdin", NULL, 0, NULL), -EINVAL);
		CHECK_EQ(cr_pg_conn_stream(conn, "copy e from stdin", NULL, 0), 0);
		CHECK_EQ(cr_pg_conn_next(conn, &row), -EINVAL);
		CHECK_EQ(cr_pg_conn_query(conn, "select 42", NULL, 0, &rows), 0);
		CHECK_EQ(cr_pg_rows_int(rows, 0, 0), 42);
		cr_pg_rows_free(rows);
	}
	/* One that has failed before it was read: the connection is whole, or it is broken. */
	CHECK_EQ(cr_pg_conn_script(conn,
	                           "create function pg_temp.no() returns trigger language plpgsql "
	                           "as $$ begin raise exception 'no'; end $$; create trigger t "
	                           "before insert on e execute function pg_temp.no()"),
	         0);
	for (int i = 0, r = 0; i < 10 && r == 0; i++) {
		CHECK_EQ(cr_pg_conn_query(conn, "copy e from stdin", NULL, 0, NULL), -EINVAL);
		r = cr_pg_conn_query(conn, "select 42", NULL, 0, &rows);
		if (r < 0) {
			CHECK_EQ(r, -CORAIL_E_SQL_CONNECTION);
			continue;
		}
		CHECK_EQ(cr_pg_rows_int(rows, 0, 0), 42);
		cr_pg_rows_free(rows);
	}
	cr_pg_release(conn);
	return 0;
}

static int streamed(cr_pg *db)
{
	const cr_pg_rows *row;
	cr_pg_conn *conn;
	int64_t sum = 0;
	int r;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_next(conn, &row), -ENOENT);
	CHECK_EQ(cr_pg_conn_stream(conn, "select n from generate_series(1, $1::int) n",
	                           CORAIL_SQL(cr_sql_int(5000))),
	         0);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), -EBUSY);
	while ((r = cr_pg_conn_next(conn, &row)) == 1)
		sum += cr_pg_rows_int(row, 0, 0);
	CHECK_EQ(r, 0);
	CHECK_EQ(sum, INT64_C(5000) * 5001 / 2);
	/* One that is left in the middle, on millions more rows. */
	CHECK_EQ(cr_pg_conn_stream(conn, "select generate_series(1, 10000000)", NULL, 0), 0);
	CHECK_EQ(cr_pg_conn_next(conn, &row), 1);
	CHECK_EQ(cr_pg_conn_stream_end(conn), 0);
	CHECK_EQ(cr_pg_conn_stream_end(conn), 0);
	/* One that fails in the middle. */
	CHECK_EQ(cr_pg_conn_stream(conn, "select 10 / (500 - n) from generate_series(1, 1000) n",
	                           NULL, 0),
	         0);
	while ((r = cr_pg_conn_next(conn, &row)) == 1)
		;
	CHECK_EQ(r, -CORAIL_E_SQL_DATA);
	CHECK_EQ(cr_pg_conn_stream_end(conn), 0);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	/* A wait that is cancelled loses no row. */
	CHECK_EQ(cr_pg_conn_stream(conn, "select n, pg_sleep(0.05) from generate_series(1, 3) n",
	                           NULL, 0),
	         0);
	CHECK_EQ(cr_timeout(0, cr_pg_conn_next(conn, &row)), -ETIMEDOUT);
	for (int i = 1; i <= 3; i++) {
		CHECK_EQ(cr_pg_conn_next(conn, &row), 1);
		CHECK_EQ(cr_pg_rows_int(row, 0, 0), i);
	}
	CHECK_EQ(cr_pg_conn_next(conn, &row), 0);
	cr_pg_release(conn);
	return 0;
}

static int pipelined(cr_pg *db)
{
	enum { COUNT = 1000, LARGE = 30 };
	static cr_pg_call calls[COUNT];
	static cr_sql_value params[COUNT];
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "create temp table p(a int unique)"), 0);
	CHECK_EQ(cr_pg_conn_pipeline(conn, NULL, 0), 0);
	/* Rows come whole in the first statement after a query, which reads them one by one. */
	{
		cr_pg_call first = {.sql = "select generate_series(1, 3)"};

		CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
		CHECK_EQ(cr_pg_conn_pipeline(conn, &first, 1), 0);
		CHECK_EQ(cr_pg_rows_count(first.rows), 3);
		cr_pg_rows_free(first.rows);
	}
	for (int i = 0; i < COUNT; i++) {
		params[i] = cr_sql_int(i);
		calls[i] = (cr_pg_call){"insert into p values ($1) returning a * 2", &params[i], 1,
		                        0, NULL};
	}
	CHECK_EQ(cr_pg_conn_pipeline(conn, calls, COUNT), 0);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(calls[i].status, 0);
		CHECK_EQ(cr_pg_rows_int(calls[i].rows, 0, 0), 2 * i);
		CHECK_EQ(cr_pg_rows_affected(calls[i].rows), 1);
		cr_pg_rows_free(calls[i].rows);
	}
	/* Number 500 fails: those before have results, those after were not run. */
	for (int i = 0; i < COUNT; i++)
		params[i] = cr_sql_int(i == 500 ? 7 : 10000 + i);
	CHECK_EQ(cr_pg_conn_pipeline(conn, calls, COUNT), -CORAIL_E_SQL_CONSTRAINT);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(calls[i].status, i < 500    ? 0
		                          : i == 500 ? -CORAIL_E_SQL_CONSTRAINT
		                                     : -CORAIL_E_SQL_ABORTED);
		CHECK_EQ(calls[i].rows != NULL, i < 500);
		cr_pg_rows_free(calls[i].rows);
	}
	/* Large answers, while large parameters go out: neither side waits for the other. */
	static char large[200000];
	memset(large, 'y', sizeof large);
	for (int i = 0; i < LARGE; i++) {
		params[i] = cr_sql_text_n(large, sizeof large);
		calls[i] = (cr_pg_call){"select $1::text", &params[i], 1, 0, NULL};
	}
	CHECK_EQ(cr_pg_conn_pipeline(conn, calls, LARGE), 0);
	for (int i = 0; i < LARGE; i++) {
		CHECK_EQ(cr_pg_rows_size(calls[i].rows, 0, 0), sizeof large);
		cr_pg_rows_free(calls[i].rows);
	}
	CHECK_EQ(cr_pg_conn_script(conn, "drop table p"), 0);
	cr_pg_release(conn);
	return 0;
}

static int copied(cr_pg *db)
{
	const char *piece;
	cr_pg_conn *conn;
	cr_buf text = {0}, back = {0};
	uint64_t count;
	ssize_t size;

	for (int i = 0; i < 5000; i++)
		CHECK_EQ(cr_buf_printf(&text, "%d\trow number %d\n", i, i), 0);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "create temp table c(a int, b text)"), 0);
	CHECK_EQ(cr_pg_conn_copy_write(conn, "x", 1), -ENOENT);
	CHECK_EQ(cr_pg_conn_copy_in(conn, "copy c from stdin"), 0);
	for (size_t at = 0; at < text.size; at += 1013)
		CHECK_EQ(cr_pg_conn_copy_write(conn, text.data + at,
		                               text.size - at < 1013 ? text.size - at : 1013),
		         0);
	CHECK_EQ(cr_pg_conn_copy_end(conn, NULL, &count), 0);
	CHECK_EQ(count, 5000);
	CHECK_EQ(cr_pg_conn_copy_out(conn, "copy (select * from c order by a) to stdout"), 0);
	while ((size = cr_pg_conn_copy_read(conn, &piece)) > 0)
		CHECK_EQ(cr_buf_append(&back, piece, (size_t)size), 0);
	CHECK_EQ(size, 0);
	CHECK_EQ(back.size, text.size);
	CHECK_MEM(back.data, text.data, text.size);
	/* Given up, wrong, and left in the middle. */
	CHECK_EQ(cr_pg_conn_copy_in(conn, "copy c from stdin"), 0);
	CHECK_EQ(cr_pg_conn_copy_write(conn, "1\tx\n", 4), 0);
	CHECK_EQ(cr_pg_conn_copy_end(conn, "changed my mind", NULL), 0);
	CHECK_EQ(cr_pg_conn_copy_in(conn, "copy c from stdin"), 0);
	CHECK_EQ(cr_pg_conn_copy_write(conn, "not a number\tx\n", 15), 0);
	CHECK_EQ(cr_pg_conn_copy_end(conn, NULL, NULL), -CORAIL_E_SQL_DATA);
	CHECK_EQ(cr_pg_conn_copy_in(conn, "copy c from stdin"), 0);
	CHECK_EQ(cr_pg_conn_copy_write(conn, "1\tx\n", 4), 0);
	CHECK_EQ(cr_pg_conn_stream_end(conn), 0);
	CHECK_EQ(cr_pg_conn_copy_out(conn, "copy (select generate_series(1, 10000000)) to stdout"),
	         0);
	CHECK_GT(cr_pg_conn_copy_read(conn, &piece), 0);
	CHECK_EQ(cr_pg_conn_stream_end(conn), 0);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "drop table c"), 0);
	cr_pg_release(conn);
	cr_buf_free(&text);
	cr_buf_free(&back);
	return 0;
}

static int notified(cr_pg *db)
{
	cr_pg_notification got;
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_listen(conn, "A \"channel\""), 0);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_pg_conn_notification(conn, &got)), -ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		char payload[8];

		snprintf(payload, sizeof payload, "n%d", i);
		CHECK_EQ(cr_pg_query(db, "select pg_notify('A \"channel\"', $1)",
		                     CORAIL_SQL(cr_sql_text(payload)), NULL),
		         0);
	}
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	for (int i = 0; i < 3; i++) {
		char payload[8];

		snprintf(payload, sizeof payload, "n%d", i);
		CHECK_EQ(cr_pg_conn_notification(conn, &got), 0);
		CHECK_STR(got.channel, "A \"channel\"");
		CHECK_STR(got.payload, payload);
		CHECK_NE(got.backend_pid, cr_pg_conn_backend_pid(conn));
	}
	cr_pg_release(conn);
	return 0;
}

static int transactions(cr_pg *db)
{
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "create temp table x(a int primary key)"), 0);
	{
		CORAIL_PG_TRANSACTION(tx);
		CHECK_EQ(cr_pg_tx_begin(&tx, conn, "isolation level serializable"), 0);
		CHECK_EQ(cr_pg_tx_begin(&tx, conn, NULL), -EALREADY);
		CHECK_EQ(cr_pg_conn_script(conn, "insert into x values (1)"), 0);
	}
	{
		CORAIL_PG_TRANSACTION(tx);
		CHECK_EQ(cr_pg_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_pg_conn_script(conn, "insert into x values (2)"), 0);
		{
			CORAIL_PG_TRANSACTION(inner);
			CHECK_EQ(cr_pg_tx_begin(&inner, conn, NULL), 0);
			CHECK_EQ(cr_pg_tx_commit(&tx), -EINVAL);
			CHECK_EQ(cr_pg_conn_script(conn, "insert into x values (2)"),
			         -CORAIL_E_SQL_CONSTRAINT);
		}
		{
			CORAIL_PG_TRANSACTION(inner);
			CHECK_EQ(cr_pg_tx_begin(&inner, conn, NULL), 0);
			CHECK_EQ(cr_pg_conn_script(conn, "insert into x values (3)"), 0);
			CHECK_EQ(cr_pg_tx_commit(&inner), 0);
			CHECK_EQ(cr_pg_tx_commit(&inner), -EINVAL);
		}
		CHECK_EQ(cr_pg_tx_commit(&tx), 0);
	}
	{
		CORAIL_PG_TRANSACTION(tx);
		CHECK_EQ(cr_pg_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_pg_conn_script(conn, "insert into x values (2)"),
		         -CORAIL_E_SQL_CONSTRAINT);
		CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), -CORAIL_E_SQL_ABORTED);
		CHECK_EQ(cr_pg_tx_commit(&tx), -CORAIL_E_SQL_ABORTED);
		CHECK_EQ(cr_pg_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_pg_tx_rollback(&tx), 0);
		CHECK_EQ(cr_pg_tx_rollback(&tx), -EINVAL);
		/* Leaving by hand what was begun, and what was not. */
		CHECK_EQ(cr_pg_tx_begin(&tx, conn, NULL), 0);
		cr_pg_tx_leave(&tx);
		cr_pg_tx_leave(&tx);
	}
	cr_pg_rows *rows;
	CHECK_EQ(cr_pg_conn_query(conn, "select sum(a), count(*) from x", NULL, 0, &rows), 0);
	CHECK_EQ(cr_pg_rows_int(rows, 0, 0), 5);
	CHECK_EQ(cr_pg_rows_int(rows, 0, 1), 2);
	cr_pg_rows_free(rows);
	CHECK_EQ(cr_pg_conn_script(conn, "drop table x"), 0);
	cr_pg_release(conn);
	return 0;
}

int main(void)
{
	RUN_PG(copies_refused);
	RUN_PG(streamed);
	RUN_PG(pipelined);
	RUN_PG(copied);
	RUN_PG(notified);
	RUN_PG(transactions);
	return test_done();
}
