/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 needs=sqlite */
/* Values, rows, errors, scripts, streams, pipelines, transactions. */
#include "fixture.h"

#include <math.h>

static int values_keep_their_types(cr_sqlite *db)
{
	static const char bytes[] = {'a', '\0', 'b'};
	cr_buf buf = {0};
	cr_sqlite_rows *rows;

	CHECK_EQ(cr_sqlite_query(db, "select ?, ?, ?, ?, ? as five, ?, ?, ?",
	                         CORAIL_SQL(cr_sql_null(), cr_sql_int(INT64_MIN), cr_sql_real(0.1),
	                                    cr_sql_text("it's 2"), cr_sql_blob(bytes, 3),
	                                    cr_sql_bool(7), cr_sql_text_n(NULL, 0),
	                                    cr_sql_blob(NULL, 0)),
	                         &rows),
	         0);
	CHECK_EQ(cr_sqlite_rows_count(rows), 1);
	CHECK_EQ(cr_sqlite_rows_affected(rows), 1);
	CHECK_EQ(cr_sqlite_rows_column_count(rows), 8);
	CHECK_STR(cr_sqlite_rows_column_name(rows, 4), "five");
	CHECK_STR(cr_sqlite_rows_column_name(rows, 8), NULL);
	CHECK_EQ(cr_sqlite_rows_column(rows, "five"), 4);
	CHECK_EQ(cr_sqlite_rows_column(rows, "Five"), -ENOENT);

	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 0), CORAIL_SQL_NULL);
	CHECK_EQ(cr_sqlite_rows_is_null(rows, 0, 0), 1);
	CHECK_EQ(cr_sqlite_rows_int(rows, 0, 0), 0);
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 0), NULL);
	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 1), CORAIL_SQL_INT);
	CHECK_EQ(cr_sqlite_rows_int(rows, 0, 1), INT64_MIN);
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 1), "-9223372036854775808");
	CHECK_EQ(cr_sqlite_rows_size(rows, 0, 1), 20);
	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 2), CORAIL_SQL_REAL);
	CHECK(cr_sqlite_rows_real(rows, 0, 2) == 0.1);
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 2), "0.1");
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 3), "it's 2");
	CHECK_EQ(cr_sqlite_rows_blob(rows, 0, 3, &buf), 0);
	CHECK_STR(buf.data, "it's 2");
	cr_buf_clear(&buf);
	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 4), CORAIL_SQL_BLOB);
	CHECK_EQ(cr_sqlite_rows_size(rows, 0, 4), 3);
	CHECK_MEM(cr_sqlite_rows_text(rows, 0, 4), bytes, 3);
	CHECK_EQ(cr_sqlite_rows_blob(rows, 0, 4, &buf), 0);
	CHECK_EQ(buf.size, 3);
	CHECK_EQ(cr_sqlite_rows_blob(rows, 0, 1, &buf), -CORAIL_E_SQL_DATA);
	CHECK_EQ(cr_sqlite_rows_bool(rows, 0, 5), 1);
	CHECK_EQ(cr_sqlite_rows_int(rows, 0, 5), 1);
	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 6), CORAIL_SQL_TEXT);
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 6), "");
	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 7), CORAIL_SQL_BLOB);
	CHECK_EQ(cr_sqlite_rows_kind(rows, 0, 8), CORAIL_SQL_NULL);
	CHECK_EQ(cr_sqlite_rows_is_null(rows, 1, 0), 1);
	cr_buf_free(&buf);
	cr_sqlite_rows_free(rows);
	cr_sqlite_rows_free(NULL);

	CHECK_EQ(cr_sqlite_query(db, "values (1e300), (-1e300), ('12 apples'), ('1.5')", NULL, 0,
	                         &rows),
	         0);
	CHECK_EQ(cr_sqlite_rows_int(rows, 0, 0), INT64_MAX);
	CHECK_EQ(cr_sqlite_rows_int(rows, 1, 0), INT64_MIN);
	CHECK_EQ(cr_sqlite_rows_int(rows, 2, 0), 12);
	CHECK(fabs(cr_sqlite_rows_real(rows, 3, 0) - 1.5) < 1e-9);
	cr_sqlite_rows_free(rows);
	return 0;
}

static int changes_are_counted(cr_sqlite *db)
{
	cr_sqlite_rows *rows;

	sqlite_do(db, "create table t (id integer primary key, v)");
	CHECK_EQ(cr_sqlite_query(db, "insert into t (v) values (1), (2), (3)", NULL, 0, &rows), 0);
	CHECK_EQ(cr_sqlite_rows_affected(rows), 3);
	CHECK_EQ(cr_sqlite_rows_inserted_id(rows), 3);
	CHECK_EQ(cr_sqlite_rows_column_count(rows), 0);
	cr_sqlite_rows_free(rows);
	CHECK_EQ(cr_sqlite_query(db, "  update t set v = v + 1 where v > 1 returning v", NULL, 0,
	                         &rows),
	         0);
	CHECK_EQ(cr_sqlite_rows_affected(rows), 2);
	CHECK_EQ(cr_sqlite_rows_count(rows), 2);
	cr_sqlite_rows_free(rows);
	/* Seems to read, and writes. */
	CHECK_EQ(cr_sqlite_query(db, "with w as (select 9) insert into t (v) select * from w", NULL,
	                         0, &rows),
	         0);
	CHECK_EQ(cr_sqlite_rows_affected(rows), 1);
	cr_sqlite_rows_free(rows);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 4);
	CHECK_EQ(cr_sqlite_query(db, "", NULL, 0, &rows), 0);
	CHECK_EQ(cr_sqlite_rows_count(rows), 0);
	cr_sqlite_rows_free(rows);
	CHECK_EQ(cr_sqlite_query(db, "-- nothing\n", NULL, 0, NULL), 0);
	CHECK_EQ(cr_sqlite_query(db, "select 1; -- and a comment", NULL, 0, NULL), 0);
	return 0;
}

static void refused(cr_sqlite_conn *conn, const char *sql, int error, int native)
{
	CHECK_EQ(cr_sqlite_conn_query(conn, sql, NULL, 0, NULL), error);
	CHECK_EQ(cr_sqlite_conn_error(conn)->error, error);
	if (native)
		CHECK_EQ(cr_sqlite_conn_error(conn)->native_code, native);
	CHECK(cr_sqlite_conn_error(conn)->message[0] != '\0');
}

static int errors_say_what(cr_sqlite *db)
{
	cr_sqlite_conn *conn, *reader;
	const cr_sql_error *error;

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	error = cr_sqlite_conn_error(conn);
	CHECK_EQ(cr_sqlite_conn_script(
			 conn, "create table u (name text unique not null, age check (age > 0),"
			       " constraint adult check (age > 17));"
			       "create table c (u references u (name));"
			       "create table s (n int) strict;"
			       "insert into u values ('a', 20);"),
	         0);
	refused(conn, "selec 1", -CORAIL_E_SQL_SYNTAX, 1);
	CHECK_EQ(error->position, 1);
	refused(conn, "select 'é', nosuch from u", -CORAIL_E_SQL_SYNTAX, 1);
	CHECK_EQ(error->position, 13);
	CHECK_STR(error->message, "no such column: nosuch");
	refused(conn, "select 1; select 2", -CORAIL_E_SQL_SYNTAX, 0);
	refused(conn, "insert into u values ('a', 30)", -CORAIL_E_SQL_CONSTRAINT, 2067);
	CHECK_STR(error->table, "u");
	CHECK_STR(error->column, "name");
	refused(conn, "insert into u values (null, 30)", -CORAIL_E_SQL_CONSTRAINT, 1299);
	refused(conn, "insert into u values ('b', 3)", -CORAIL_E_SQL_CONSTRAINT, 275);
	CHECK_STR(error->constraint, "adult");
	refused(conn, "insert into c values ('x')", -CORAIL_E_SQL_CONSTRAINT, 787);
	refused(conn, "insert into s values ('x')", -CORAIL_E_SQL_DATA, 3091);
	refused(conn, "commit", -CORAIL_E_SQL_STATEMENT, 1);
	refused(conn, "select ?", -EINVAL, 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select 1", CORAIL_SQL(cr_sql_int(1)), NULL), -EINVAL);
	CHECK_EQ(cr_sqlite_conn_script(conn, "insert into u values ('c', 30); insert into u"),
	         -CORAIL_E_SQL_SYNTAX);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	cr_sqlite_release(conn);

	CHECK_EQ(cr_sqlite_acquire_reader(db, &reader, NULL), 0);
	refused(reader, "insert into u values ('d', 30)", -CORAIL_E_SQL_PERMISSION, 8);
	cr_sqlite_release(reader);
	CHECK_EQ(sqlite_number(db, "select count(*) from u"), 2);
	return 0;
}

static int answers_have_a_limit(cr_sqlite *db)
{
	cr_sqlite_conn *conn;
	cr_sqlite_rows *rows;

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select zeroblob(100000)", NULL, 0, &rows), -EMSGSIZE);
	CHECK_EQ(cr_sqlite_conn_query(
			 conn,
			 "with recursive n(i) as (select 1 union all select i + 1 from n)"
			 " select i from n",
			 NULL, 0, &rows),
	         -EMSGSIZE);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select zeroblob(10000)", NULL, 0, &rows), 0);
	cr_sqlite_rows_free(rows);
	cr_sqlite_release(conn);
	return 0;
}

static int rows_stream(cr_sqlite *db)
{
	static const char count[] = "with recursive n(i) as (select 1 union all select i + 1 from n"
				    " where i < ?) select i, 'row ' || i from n";
	const cr_sqlite_rows *row;
	cr_sqlite_conn *conn;
	int64_t sum = 0;
	int r;

	CHECK_EQ(cr_sqlite_acquire_reader(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), -ENOENT);
	CHECK_EQ(cr_sqlite_conn_stream(conn, count, CORAIL_SQL(cr_sql_int(30000))), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select 1", NULL, 0, NULL), -EBUSY);
	while ((r = cr_sqlite_conn_next(conn, &row)) == 1) {
		char text[32];

		sum += cr_sqlite_rows_int(row, 0, 0);
		CHECK_EQ(cr_sqlite_rows_count(row), 1);
		snprintf(text, sizeof text, "row %lld", (long long)cr_sqlite_rows_int(row, 0, 0));
		CHECK_STR(cr_sqlite_rows_text(row, 0, 1), text);
		CHECK_STR(cr_sqlite_rows_text(row, 0, 0), text + 4);
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(sum, 30000LL * 30001 / 2);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), -ENOENT);
	/* Left before its end. */
	CHECK_EQ(cr_sqlite_conn_stream(conn, count, CORAIL_SQL(cr_sql_int(1LL << 60))), 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(cr_sqlite_conn_next(conn, &row), 1);
	CHECK_EQ(cr_sqlite_conn_stream_end(conn), 0);
	CHECK_EQ(cr_sqlite_conn_stream_end(conn), 0);
	/* No rows; an error at the start, and one in the middle. */
	CHECK_EQ(cr_sqlite_conn_stream(conn, "select 1 where 0", NULL, 0), 0);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), 0);
	CHECK_EQ(cr_sqlite_conn_stream(conn, "select", NULL, 0), -CORAIL_E_SQL_SYNTAX);
	CHECK_EQ(cr_sqlite_conn_stream(conn,
	                               "select abs(column1) from (values (5),"
	                               " (-9223372036854775808))",
	                               NULL, 0),
	         0);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), 1);
	CHECK_EQ(cr_sqlite_rows_int(row, 0, 0), 5);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), -CORAIL_E_SQL_STATEMENT);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), -ENOENT);
	/* Given back with a stream open. */
	CHECK_EQ(cr_sqlite_conn_stream(conn, count, CORAIL_SQL(cr_sql_int(1000))), 0);
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select 7"), 7);
	return 0;
}

static int pipelines_are_transactions(cr_sqlite *db)
{
	enum { COUNT = 1000, BAD = 500 };
	static cr_sqlite_call calls[COUNT];
	static cr_sql_value values[COUNT];
	cr_sqlite_conn *conn;

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_script(conn, "create table p (id integer primary key)"), 0);
	for (int i = 0; i < COUNT; i++) {
		values[i] = cr_sql_int(i == BAD ? 1 : i + 1);
		calls[i] = (cr_sqlite_call){.sql = "insert into p values (?)",
		                            .params = &values[i],
		                            .param_count = 1};
	}
	CHECK_EQ(cr_sqlite_conn_pipeline(conn, calls, COUNT), -CORAIL_E_SQL_CONSTRAINT);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(calls[i].status, i < BAD    ? 0
		                          : i == BAD ? -CORAIL_E_SQL_CONSTRAINT
		                                     : -CORAIL_E_SQL_ABORTED);
	CHECK_EQ(cr_sqlite_conn_error(conn)->native_code, 1555);
	CHECK_EQ(sqlite_number(db, "select count(*) from p"), 0);
	values[BAD] = cr_sql_int(BAD + 1);
	calls[COUNT - 1] = (cr_sqlite_call){.sql = "select count(*) from p"};
	CHECK_EQ(cr_sqlite_conn_pipeline(conn, calls, COUNT), 0);
	CHECK(calls[0].rows == NULL);
	CHECK_EQ(cr_sqlite_rows_int(calls[COUNT - 1].rows, 0, 0), COUNT - 1);
	cr_sqlite_rows_free(calls[COUNT - 1].rows);
	CHECK_EQ(cr_sqlite_conn_pipeline(conn, NULL, 0), 0);
	{
		/* Inside a transaction it is a savepoint. */
		CORAIL_SQLITE_TRANSACTION(tx);

		CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_sqlite_conn_query(conn, "delete from p where id > 10", NULL, 0, NULL),
		         0);
		CHECK_EQ(cr_sqlite_conn_pipeline(conn, calls, 10), -CORAIL_E_SQL_CONSTRAINT);
		CHECK_EQ(cr_sqlite_conn_pipeline(conn, &calls[10], 10), 0);
		CHECK_EQ(cr_sqlite_tx_commit(&tx), 0);
	}
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select count(*) from p"), 20);
	return 0;
}

/* Returns with a transaction open. */
static int leave_early(cr_sqlite_conn *conn)
{
	CORAIL_SQLITE_TRANSACTION(tx);
	CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), 0);
	CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), -EALREADY);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (100)", NULL, 0, NULL), 0);
	return 0;
}

static int transactions_nest(cr_sqlite *db)
{
	cr_sqlite_conn *conn;
	cr_sqlite_tx by_hand = {0};

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_script(conn, "create table t (v)"), 0);
	CHECK_EQ(leave_early(conn), 0);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	{
		CORAIL_SQLITE_TRANSACTION(outer);
		CORAIL_SQLITE_TRANSACTION(inner);

		CHECK_EQ(cr_sqlite_tx_commit(&outer), -EINVAL);
		CHECK_EQ(cr_sqlite_tx_rollback(&outer), -EINVAL);
		CHECK_EQ(cr_sqlite_tx_begin(&outer, conn, "exclusive"), 0);
		CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (1)", NULL, 0, NULL), 0);
		CHECK_EQ(cr_sqlite_tx_begin(&inner, conn, NULL), 0);
		CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (2)", NULL, 0, NULL), 0);
		CHECK_EQ(cr_sqlite_tx_commit(&outer), -EINVAL);
		CHECK_EQ(cr_sqlite_tx_rollback(&inner), 0);
		CHECK_EQ(cr_sqlite_tx_begin(&inner, conn, NULL), 0);
		CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (3)", NULL, 0, NULL), 0);
		CHECK_EQ(cr_sqlite_tx_commit(&inner), 0);
		CHECK_EQ(cr_sqlite_tx_commit(&outer), 0);
	}
	CHECK_EQ(sqlite_number(db, "select sum(v) from t"), 4);
	/* SQLite itself rolls back: what follows must not run outside the transaction. */
	CHECK_EQ(cr_sqlite_tx_begin(&by_hand, conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (10)", NULL, 0, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_script(conn, "create unique index i on t (v);"
	                                     "insert or rollback into t values (10)"),
	         -CORAIL_E_SQL_CONSTRAINT);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (11)", NULL, 0, NULL),
	         -CORAIL_E_SQL_ABORTED);
	CHECK_EQ(cr_sqlite_tx_commit(&by_hand), -CORAIL_E_SQL_ABORTED);
	CHECK_EQ(sqlite_number(db, "select sum(v) from t"), 4);
	cr_sqlite_tx_leave(&by_hand);
	/* A deadline inside rolls back, and the connection goes on. */
	CHECK_EQ(cr_sqlite_tx_begin(&by_hand, conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (12)", NULL, 0, NULL), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_sqlite_tx_commit(&by_hand), -ECANCELED);
		cr_sqlite_tx_leave(&by_hand);
	}
	CHECK_EQ(sqlite_number(db, "select sum(v) from t"), 4);
	/* A commit that fails has rolled back. */
	CHECK_EQ(cr_sqlite_conn_script(conn, "create table k (id integer primary key);"
	                                     "create table l (k references k"
	                                     " deferrable initially deferred)"),
	         0);
	CHECK_EQ(cr_sqlite_tx_begin(&by_hand, conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into l values (1)", NULL, 0, NULL), 0);
	CHECK_EQ(cr_sqlite_tx_commit(&by_hand), -CORAIL_E_SQL_CONSTRAINT);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into k values (1)", NULL, 0, NULL), 0);
	/* A transaction of the user's own words, given back open. */
	CHECK_EQ(cr_sqlite_conn_script(conn, "begin; delete from t"), 0);
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select sum(v) from t"), 4);
	CHECK_EQ(sqlite_number(db, "select count(*) from k"), 1);
	CHECK_EQ(sqlite_number(db, "select count(*) from l"), 0);
	return 0;
}

/* More texts than are kept. */
static int statements_are_kept(cr_sqlite *db)
{
	char sql[64];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++) {
			snprintf(sql, sizeof sql, "select %d", i);
			CHECK_EQ(sqlite_number(db, sql), i);
		}
	}
	sqlite_do(db, "create table s (a)");
	sqlite_do(db, "insert into s values (1)");
	CHECK_EQ(sqlite_number(db, "select * from s"), 1);
	sqlite_do(db, "alter table s rename column a to b");
	sqlite_do(db, "alter table s add column c default 5");
	CHECK_EQ(sqlite_number(db, "select * from s"), 1);
	CHECK_EQ(sqlite_number(db, "select c from s"), 5);
	return 0;
}

int main(void)
{
	static const cr_sqlite_options small = {.result_size_max = 64 * 1024};
	static const cr_sqlite_options few = {.statement_count_max = 4, .reader_count_max = 1};

	RUN_SQLITE(values_keep_their_types);
	RUN_SQLITE(changes_are_counted);
	RUN_SQLITE(errors_say_what);
	RUN_SQLITE_WITH(answers_have_a_limit, &small);
	RUN_SQLITE(rows_stream);
	RUN_SQLITE(pipelines_are_transactions);
	RUN_SQLITE(transactions_nest);
	RUN_SQLITE_WITH(statements_are_kept, &few);
	return test_done();
}
