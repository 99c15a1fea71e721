/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=sqlite */
/* One statement with many sets of parameters, and scripts: what is a transaction and what not. */
#include "fixture.h"

enum { COUNT = 1000 };

static const char insert[] = "insert into t values (?, ?)";

/* Pairs of a number and a text. */
static void fill(cr_sql_value *values, int64_t from)
{
	for (int64_t i = 0; i < COUNT; i++) {
		values[2 * i] = cr_sql_int(from + i);
		values[2 * i + 1] = i % 2 ? cr_sql_text("odd") : cr_sql_null();
	}
}

static int all_or_nothing(cr_sqlite *db)
{
	static cr_sql_value values[2 * COUNT];
	uint64_t affected = 7;

	sqlite_do(db, "create table t (a integer primary key, b)");
	fill(values, 0);
	CHECK_EQ(cr_sqlite_query_many(db, insert, values, 2, COUNT, &affected), 0);
	CHECK_EQ(affected, COUNT);
	CHECK_EQ(sqlite_number(db, "select sum(a) from t"), COUNT * (COUNT - 1) / 2);
	CHECK_EQ(sqlite_number(db, "select count(b) from t"), COUNT / 2);
	/* The 501st is there already. */
	fill(values, COUNT);
	values[1000] = cr_sql_int(3);
	affected = 7;
	CHECK_EQ(cr_sqlite_query_many(db, insert, values, 2, COUNT, &affected),
	         -CORAIL_E_SQL_CONSTRAINT);
	CHECK_EQ(affected, 7);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), COUNT);
	/* Each set may touch any number of rows. */
	values[0] = cr_sql_int(10);
	values[1] = cr_sql_int(30);
	CHECK_EQ(cr_sqlite_query_many(db, "delete from t where a < ?", values, 1, 2, &affected), 0);
	CHECK_EQ(affected, 30);
	return 0;
}

static int odd_ones(cr_sqlite *db)
{
	const cr_sql_value values[] = {cr_sql_int(1), cr_sql_int(2), cr_sql_int(3)};
	uint64_t affected = 7;

	sqlite_do(db, "create table t (a integer primary key, b)");
	CHECK_EQ(cr_sqlite_query_many(db, insert, NULL, 2, 0, &affected), 0);
	CHECK_EQ(affected, 0);
	CHECK_EQ(cr_sqlite_query_many(db, "insert into t (b) values (1)", NULL, 0, 5, NULL), 0);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 5);
	CHECK_EQ(cr_sqlite_query_many(db, insert, values, 1, 3, &affected), -EINVAL);
	CHECK_EQ(cr_sqlite_query_many(db, "insert into", values, 1, 3, &affected),
	         -CORAIL_E_SQL_SYNTAX);
	/* Rows are dropped, and are no rows that were changed. */
	CHECK_EQ(cr_sqlite_query_many(db, "select ?", values, 1, 3, &affected), 0);
	CHECK_EQ(affected, 0);
	CHECK_EQ(cr_sqlite_query_many(db, "update t set b = ? returning a", values, 1, 3,
	                              &affected),
	         0);
	CHECK_EQ(affected, 15);
	CHECK_EQ(sqlite_number(db, "select count(*) from t where b = 3"), 5);
	return 0;
}

/* Inside a transaction it is a savepoint: what failed is undone, and the rest goes on. */
static int in_a_transaction(cr_sqlite *db)
{
	static cr_sql_value values[2 * COUNT];
	cr_sqlite_conn *conn;

	sqlite_do(db, "create table t (a integer primary key, b)");
	fill(values, 0);
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	{
		CORAIL_SQLITE_TRANSACTION(tx);

		CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_sqlite_conn_query_many(conn, insert, values, 2, COUNT, NULL), 0);
		CHECK_EQ(cr_sqlite_conn_query_many(conn, insert, values, 2, COUNT, NULL),
		         -CORAIL_E_SQL_CONSTRAINT);
		CHECK(strstr(cr_sqlite_conn_error(conn)->message, "UNIQUE") != NULL);
		CHECK_EQ(cr_sqlite_tx_commit(&tx), 0);
	}
	/* SQLite gives the whole transaction up when it is told to. */
	CHECK_EQ(cr_sqlite_conn_query_many(conn, "insert or rollback into t values (?, ?)", values,
	                                   2, COUNT, NULL),
	         -CORAIL_E_SQL_CONSTRAINT);
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), COUNT);
	CHECK_EQ(cr_sqlite_acquire_reader(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query_many(conn, insert, values, 2, COUNT, NULL),
	         -CORAIL_E_SQL_PERMISSION);
	cr_sqlite_release(conn);
	return 0;
}

static int cancelled(cr_sqlite *db)
{
	static const char endless[] =
		"insert into t select ? from (with recursive n(i) as (select 1 union all select"
		" i + 1 from n) select i from n where i < 0)";
	const cr_sql_value values[] = {cr_sql_int(1), cr_sql_int(2)};

	/* There a statement takes no time, or all of it. */
	if (on_sim())
		return 0;
	sqlite_do(db, "create table t (a)");
	CHECK_EQ(cr_timeout(cr_millis(20), cr_sqlite_query_many(db, endless, values, 1, 2, NULL)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_sqlite_query_many(db, "insert into t values (?)", values, 1, 2, NULL), 0);
	CHECK_EQ(sqlite_number(db, "select sum(a) from t"), 3);
	return 0;
}

/* Unlike one of PostgreSQL's. */
static int a_script_is_no_transaction(cr_sqlite *db)
{
	cr_sqlite_conn *conn;

	sqlite_do(db, "create table t (a integer primary key)");
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_script(conn, "insert into t values (1); insert into t values (1);"
	                                     "insert into t values (2)"),
	         -CORAIL_E_SQL_CONSTRAINT);
	CHECK_EQ(cr_sqlite_conn_script(conn, "begin; insert into t values (3);"
	                                     "insert into t values (3); commit"),
	         -CORAIL_E_SQL_CONSTRAINT);
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 1);
	CHECK_EQ(sqlite_number(db, "select sum(a) from t"), 1);
	return 0;
}

int main(void)
{
	RUN_SQLITE(all_or_nothing);
	RUN_SQLITE(odd_ones);
	RUN_SQLITE(in_a_transaction);
	RUN_SQLITE(cancelled);
	RUN_SQLITE(a_script_is_no_transaction);
	return test_done();
}
