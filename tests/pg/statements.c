/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=pg */
/* Statements: values, parameters, rows, errors. */
#include "fixture.h"

#include <inttypes.h>

static int values_both_ways(cr_pg *db)
{
	const unsigned char bytes[] = {0, 1, 0xff, 'x'};
	cr_buf blob = {0};
	cr_pg_rows *rows;

	CHECK_EQ(
		cr_pg_query(
			db,
			"select $1::int8 as a, $2::float8 as b, $3::text as c, $4::bytea as d, "
			"$5::bool as e, $6::text as f, $7::timestamptz at time zone 'utc' as \"G\"",
			CORAIL_SQL(cr_sql_int(INT64_MIN), cr_sql_real(0.1),
	                           cr_sql_text("caf\xc3\xa9"), cr_sql_blob(bytes, sizeof bytes),
	                           cr_sql_bool(1), cr_sql_null(),
	                           cr_sql_text("2024-02-29 12:00:00+00")),
			&rows),
		0);
	CHECK_EQ(cr_pg_rows_count(rows), 1);
	CHECK_EQ(cr_pg_rows_affected(rows), 1);
	CHECK_EQ(cr_pg_rows_column_count(rows), 7);
	CHECK_STR(cr_pg_rows_column_name(rows, 1), "b");
	CHECK(cr_pg_rows_column_name(rows, 7) == NULL);
	CHECK_EQ(cr_pg_rows_column(rows, "G"), 6);
	CHECK_EQ(cr_pg_rows_column(rows, "g"), -ENOENT);
	CHECK_EQ(cr_pg_rows_int(rows, 0, 0), INT64_MIN);
	CHECK(cr_pg_rows_real(rows, 0, 1) == 0.1);
	CHECK_STR(cr_pg_rows_text(rows, 0, 2), "caf\xc3\xa9");
	CHECK_EQ(cr_pg_rows_size(rows, 0, 2), 5);
	CHECK_EQ(cr_pg_rows_blob(rows, 0, 3, &blob), 0);
	CHECK_EQ(blob.size, sizeof bytes);
	CHECK_MEM(blob.data, bytes, sizeof bytes);
	CHECK_EQ(cr_pg_rows_blob(rows, 0, 2, &blob), -CORAIL_E_SQL_DATA);
	CHECK_EQ(cr_pg_rows_bool(rows, 0, 4), 1);
	CHECK_EQ(cr_pg_rows_is_null(rows, 0, 5), 1);
	CHECK_EQ(cr_pg_rows_is_null(rows, 0, 4), 0);
	CHECK_EQ(cr_pg_rows_is_null(rows, 1, 0), 1);
	CHECK_STR(cr_pg_rows_text(rows, 0, 6), "2024-02-29 12:00:00");
	cr_buf_free(&blob);
	cr_pg_rows_free(rows);
	cr_pg_rows_free(NULL);
	return 0;
}

/*
 * A text that is not terminated, more parameters than fit into a frame, and texts that cannot be.
 */
static int parameters(cr_pg *db)
{
	cr_sql_value many[40];
	cr_pg_rows *rows;
	cr_buf sql = {0};

	CHECK_EQ(cr_buf_printf(&sql, "select $1::text || $2::text"), 0);
	many[0] = cr_sql_text_n("abcdef", 3);
	many[1] = cr_sql_text_n("", 0);
	for (int i = 2; i < 40; i++) {
		CHECK_EQ(cr_buf_printf(&sql, " || $%d::int8", i + 1), 0);
		many[i] = cr_sql_int(i % 10);
	}
	CHECK_EQ(cr_pg_query(db, sql.data, many, 40, &rows), 0);
	CHECK_STR(cr_pg_rows_text(rows, 0, 0), "abc23456789012345678901234567890123456789");
	cr_pg_rows_free(rows);
	CHECK_EQ(cr_pg_query(db, "select $1::text", CORAIL_SQL(cr_sql_text_n("a\0b", 3)), NULL),
	         -CORAIL_E_SQL_DATA);
	CHECK_EQ(cr_pg_query(db, "select 1", many, 70000, NULL), -EINVAL);
	/* An injection is a text like any other. */
	CHECK_EQ(cr_pg_query(db, "select $1::text", CORAIL_SQL(cr_sql_text("'; drop table x; --")),
	                     &rows),
	         0);
	CHECK_STR(cr_pg_rows_text(rows, 0, 0), "'; drop table x; --");
	cr_pg_rows_free(rows);
	cr_buf_free(&sql);
	return 0;
}

static int many_rows(cr_pg *db)
{
	cr_pg_rows *rows;

	CHECK_EQ(cr_pg_query(db,
	                     "select n, case when n % 3 > 0 then repeat('x', n % 50) end "
	                     "from generate_series(1, 5000) n",
	                     NULL, 0, &rows),
	         0);
	CHECK_EQ(cr_pg_rows_count(rows), 5000);
	CHECK_EQ(cr_pg_rows_affected(rows), 5000);
	for (size_t i = 0; i < 5000; i++) {
		CHECK_EQ(cr_pg_rows_int(rows, i, 0), i + 1);
		CHECK_EQ(cr_pg_rows_is_null(rows, i, 1), (i + 1) % 3 == 0);
		CHECK_EQ(cr_pg_rows_size(rows, i, 1), (i + 1) % 3 ? (i + 1) % 50 : 0);
	}
	cr_pg_rows_free(rows);
	CHECK_EQ(cr_pg_query(db, "select 1 where false", NULL, 0, &rows), 0);
	CHECK_EQ(cr_pg_rows_count(rows), 0);
	CHECK_EQ(cr_pg_rows_column_count(rows), 1);
	cr_pg_rows_free(rows);
	return 0;
}

/* Texts that are met again are prepared, and no more of them are kept than allowed. */
static int prepared(cr_pg *db)
{
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	for (int i = 0; i < 200; i++) {
		cr_pg_rows *rows;

		CHECK_EQ(cr_pg_conn_query(conn, "select $1::int8 + 1", CORAIL_SQL(cr_sql_int(i)),
		                          &rows),
		         0);
		CHECK_EQ(cr_pg_rows_int(rows, 0, 0), i + 1);
		cr_pg_rows_free(rows);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 20; i++) {
			char sql[64];

			snprintf(sql, sizeof sql, "select %d", i);
			CHECK_EQ(cr_pg_conn_query(conn, sql, NULL, 0, NULL), 0);
		}
	cr_pg_release(conn);
	CHECK_LE(pg_number(db, "select count(*) from pg_prepared_statements"), 4);
	CHECK_GE(pg_number(db, "select count(*) from pg_prepared_statements"), 1);
	return 0;
}

/* A prepared statement whose table has changed, or that somebody has dropped, runs all the same. */
static int outdated(cr_pg *db)
{
	cr_pg_conn *conn;
	cr_pg_rows *rows;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "create temp table t(a int); insert into t values (1)"),
	         0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_pg_conn_query(conn, "select * from t", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "alter table t add b int"), 0);
	CHECK_EQ(cr_pg_conn_query(conn, "select * from t", NULL, 0, &rows), 0);
	CHECK_EQ(cr_pg_rows_column_count(rows), 2);
	cr_pg_rows_free(rows);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_pg_conn_query(conn, "select * from t", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "deallocate all"), 0);
	CHECK_EQ(cr_pg_conn_query(conn, "select * from t", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "drop table t"), 0);
	cr_pg_release(conn);
	return 0;
}

static int errors(cr_pg *db)
{
	static const struct {
		const char *sql;
		int error;
		const char *sqlstate;
	} cases[] = {
		{"selec 1", CORAIL_E_SQL_SYNTAX, "42601"},
		{"select * from nowhere", CORAIL_E_SQL_SYNTAX, "42P01"},
		{"insert into e values (1)", CORAIL_E_SQL_CONSTRAINT, "23505"},
		{"insert into e values (null)", CORAIL_E_SQL_CONSTRAINT, "23502"},
		{"select 1 / 0", CORAIL_E_SQL_DATA, "22012"},
		{"select 'x'::int", CORAIL_E_SQL_DATA, "22P02"},
		{"do $$ begin raise exception 'no'; end $$", CORAIL_E_SQL_STATEMENT, "P0001"},
		{"select 1; select 2", CORAIL_E_SQL_SYNTAX, "42601"},
	};
	const cr_sql_error *error;
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "create temp table e(a int primary key); "
	                                 "insert into e values (1)"),
	         0);
	error = cr_pg_conn_error(conn);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int again = 0; again < 3; again++) {
			CHECK_EQ(cr_pg_conn_query(conn, cases[i].sql, NULL, 0, NULL),
			         -cases[i].error);
			CHECK_EQ(error->error, -cases[i].error);
			CHECK_STR(error->sqlstate, cases[i].sqlstate);
			CHECK_GT(strlen(error->message), 0);
		}
	CHECK_EQ(cr_pg_conn_query(conn, "select a,, b", NULL, 0, NULL), -CORAIL_E_SQL_SYNTAX);
	CHECK_EQ(error->position, 10);
	CHECK_EQ(cr_pg_conn_query(conn, "insert into e values (1)", NULL, 0, NULL),
	         -CORAIL_E_SQL_CONSTRAINT);
	CHECK_STR(error->table, "e");
	CHECK_STR(error->constraint, "e_pkey");
	CHECK(strstr(error->detail, "(1)") != NULL);
	/* A copy is not a query, and the connection stays usable. */
	CHECK_EQ(cr_pg_conn_query(conn, "copy e to stdout", NULL, 0, NULL), -EINVAL);
	CHECK_EQ(cr_pg_conn_query(conn, "copy e from stdin", NULL, 0, NULL), -EINVAL);
	CHECK_EQ(cr_pg_conn_copy_in(conn, "select 1"), -EINVAL);
	CHECK_EQ(cr_pg_conn_copy_in(conn, "copy e to stdout"), -EINVAL);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "drop table e"), 0);
	CHECK_GT(cr_pg_conn_backend_pid(conn), 0);
	cr_pg_release(conn);
	return 0;
}

static int too_large(cr_pg *db)
{
	CHECK_EQ(cr_pg_query(db, "select repeat('x', 1000) from generate_series(1, 100000)", NULL,
	                     0, NULL),
	         -EMSGSIZE);
	CHECK_EQ(cr_pg_query(db, "select repeat('x', 300000)", NULL, 0, NULL), -EMSGSIZE);
	CHECK_EQ(pg_number(db, "select 42"), 42);
	return 0;
}

int main(void)
{
	static const cr_pg_options small = {PG_PATIENCE, .result_size_max = 200000};
	static const cr_pg_options few = {PG_PATIENCE, .statement_count_max = 4};

	RUN_PG(values_both_ways);
	RUN_PG(parameters);
	RUN_PG(many_rows);
	RUN_PG_WITH(prepared, &few);
	RUN_PG(outdated);
	RUN_PG(errors);
	RUN_PG_WITH(too_large, &small);
	return test_done();
}
