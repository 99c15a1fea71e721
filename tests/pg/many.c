/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=pg */
/* One statement with many sets of parameters, and scripts as transactions. */
#include "fixture.h"

enum { COUNT = 3000 };

static const char insert[] = "insert into many values ($1, $2)";

static void fill(cr_sql_value *values, int64_t from)
{
	for (int64_t i = 0; i < COUNT; i++) {
		values[2 * i] = cr_sql_int(from + i);
		values[2 * i + 1] = i % 2 ? cr_sql_text("odd") : cr_sql_null();
	}
}

static void table_make(cr_pg *db)
{
	CHECK_EQ(cr_pg_query(db, "drop table if exists many", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_query(db, "create table many (a int primary key, b text)", NULL, 0, NULL),
	         0);
}

static int all_or_nothing(cr_pg *db)
{
	static cr_sql_value values[2 * COUNT];
	uint64_t affected = 7;

	table_make(db);
	fill(values, 0);
	CHECK_EQ(cr_pg_query_many(db, insert, values, 2, COUNT, &affected), 0);
	CHECK_EQ(affected, COUNT);
	CHECK_EQ(pg_number(db, "select sum(a) from many"), COUNT * (COUNT - 1) / 2);
	CHECK_EQ(pg_number(db, "select count(b) from many"), COUNT / 2);
	/* The 501st is there already. */
	fill(values, COUNT);
	values[1000] = cr_sql_int(3);
	affected = 7;
	CHECK_EQ(cr_pg_query_many(db, insert, values, 2, COUNT, &affected),
	         -CORAIL_E_SQL_CONSTRAINT);
	CHECK_EQ(affected, 7);
	CHECK_EQ(pg_number(db, "select count(*) from many"), COUNT);
	/* Each set may touch any number of rows. */
	values[0] = cr_sql_int(10);
	values[1] = cr_sql_int(30);
	CHECK_EQ(cr_pg_query_many(db, "delete from many where a < $1", values, 1, 2, &affected), 0);
	CHECK_EQ(affected, 30);
	return 0;
}

static int odd_ones(cr_pg *db)
{
	const cr_sql_value values[] = {cr_sql_int(1), cr_sql_int(2), cr_sql_int(3)};
	uint64_t affected = 7;
	cr_pg_conn *conn;

	table_make(db);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_query_many(conn, insert, NULL, 2, 0, &affected), 0);
	CHECK_EQ(affected, 0);
	CHECK_EQ(cr_pg_conn_query_many(conn, "insert into many(a) values ($1)", values, 1, 1, NULL),
	         0);
	CHECK_EQ(cr_pg_conn_query_many(conn, insert, values, 1, 3, &affected), -EINVAL);
	CHECK_EQ(cr_pg_conn_query(conn, "select $1::int", NULL, 0, NULL), -EINVAL);
	CHECK_EQ(cr_pg_conn_query_many(conn, "insert into", values, 1, 3, &affected),
	         -CORAIL_E_SQL_SYNTAX);
	CHECK_EQ(affected, 0);
	/* Rows are dropped, and are no rows that were changed. */
	CHECK_EQ(cr_pg_conn_query_many(conn, "select $1::int", values, 1, 3, &affected), 0);
	CHECK_EQ(affected, 0);
	CHECK_EQ(cr_pg_conn_query_many(conn, "update many set b = $1::int returning a", values, 1,
	                               3, &affected),
	         0);
	CHECK_EQ(affected, 3);
	/* What the server has forgotten fails once, and is prepared anew. */
	CHECK_EQ(cr_pg_conn_script(conn, "deallocate all"), 0);
	CHECK_LT(cr_pg_conn_query_many(conn, "select $1::int", values, 1, 3, NULL), 0);
	CHECK_STR(cr_pg_conn_error(conn)->sqlstate, "26000");
	CHECK_EQ(cr_pg_conn_query_many(conn, "select $1::int", values, 1, 3, NULL), 0);
	cr_pg_release(conn);
	return 0;
}

static int in_a_transaction(cr_pg *db)
{
	static cr_sql_value values[2 * COUNT];
	cr_pg_conn *conn;

	table_make(db);
	fill(values, 0);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	{
		CORAIL_PG_TRANSACTION(tx);
		CORAIL_PG_TRANSACTION(inner);

		CHECK_EQ(cr_pg_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_pg_conn_query_many(conn, insert, values, 2, COUNT, NULL), 0);
		CHECK_EQ(cr_pg_tx_begin(&inner, conn, NULL), 0);
		CHECK_EQ(cr_pg_conn_query_many(conn, insert, values, 2, COUNT, NULL),
		         -CORAIL_E_SQL_CONSTRAINT);
		CHECK_EQ(cr_pg_conn_query_many(conn, insert, values, 2, COUNT, NULL),
		         -CORAIL_E_SQL_ABORTED);
		CHECK_EQ(cr_pg_tx_rollback(&inner), 0);
		CHECK_EQ(cr_pg_tx_commit(&tx), 0);
	}
	cr_pg_release(conn);
	CHECK_EQ(pg_number(db, "select count(*) from many"), COUNT);
	return 0;
}

static int cancelled(cr_pg *db)
{
	const cr_sql_value values[] = {cr_sql_int(1), cr_sql_int(300)};

	table_make(db);
	CHECK_EQ(cr_timeout(cr_millis(50), cr_pg_query_many(db,
	                                                    "insert into many select $1::int from"
	                                                    " (select pg_sleep($1::int - 1)) s",
	                                                    values, 1, 2, NULL)),
	         -ETIMEDOUT);
	CHECK_EQ(pg_number(db, "select count(*) from many"), 0);
	return 0;
}

/* Unlike one of SQLite's. */
static int a_script_is_a_transaction(cr_pg *db)
{
	cr_pg_conn *conn;

	table_make(db);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "insert into many values (1); insert into many values (1);"
	                                 "insert into many values (2)"),
	         -CORAIL_E_SQL_CONSTRAINT);
	CHECK_EQ(pg_number(db, "select count(*) from many"), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "begin; insert into many values (1); commit;"
	                                 "insert into many values (1)"),
	         -CORAIL_E_SQL_CONSTRAINT);
	cr_pg_release(conn);
	CHECK_EQ(pg_number(db, "select count(*) from many"), 1);
	CHECK_EQ(cr_pg_query(db, "drop table many", NULL, 0, NULL), 0);
	return 0;
}

int main(void)
{
	static const cr_pg_options unprepared = {PG_PATIENCE, .no_prepare = 1};

	RUN_PG(all_or_nothing);
	RUN_PG_WITH(all_or_nothing, &unprepared);
	RUN_PG(odd_ones);
	RUN_PG(in_a_transaction);
	RUN_PG(cancelled);
	RUN_PG(a_script_is_a_transaction);
	return test_done();
}
