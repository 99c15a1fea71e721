/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 needs=pg labels=notsan */
/*
 * PostgreSQL, tortured: whatever is cancelled where, and whichever allocation fails, ours or
 * libpq's, nothing is left over, and the pool's connections are usable or gone.
 */
#include <corail/corail.h>
#include <corail/pg.h>

#include "scarce.h"

/* Lives on whatever happens: the answers are its own. */
static int is_whole(cr_pg *db)
{
	cr_pg_stats stats;
	cr_pg_rows *rows;
	cr_pg_conn *conn;

	for (int i = 0; i < 2; i++) {
		int r = cr_pg_acquire(db, &conn, NULL);

		if (r < 0)
			return r;
		r = cr_pg_conn_query(conn, "select $1::int", CORAIL_SQL(cr_sql_int(40 + i)), &rows);
		if (r < 0)
			return r;
		CHECK_EQ(cr_pg_rows_int(rows, 0, 0), 40 + i);
		cr_pg_rows_free(rows);
		cr_pg_release(conn);
	}
	cr_pg_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle);
	CHECK_EQ(stats.waiting, 0);
	return 0;
}

/* Runs a script on a database; `prepared`: what it needs is delivered to only once connected. */
static int on_db(struct torture *t, int (*script)(cr_pg *db), int prepared)
{
	const cr_pg_options options = {.conn_count_max = 1, .cancel_grace = cr_seconds(60)};
	cr_pg *db;
	int r;

	if (!prepared)
		torture_begin(t);
	r = cr_pg_open("", &options, &db, NULL);
	if (r < 0) {
		torture_end(t);
		return r;
	}
	if (prepared) {
		r = cr_pg_query(db, "select 1", NULL, 0, NULL);
		torture_begin(t);
	}
	if (r == 0)
		r = script(db);
	torture_end(t);
	TORTURE_CHECK(t, cr_shield(cr_seconds(60), is_whole(db)), 0);
	cr_pg_close(db);
	return r;
}

static int query_once(cr_pg *db)
{
	return cr_pg_query(db, "select 1", NULL, 0, NULL);
}

static int connects(struct torture *t)
{
	return on_db(t, query_once, 0);
}

/* With more parameters and rows than fit into a frame; the second time it is prepared. */
static int query_often(cr_pg *db)
{
	enum { COUNT = 20 };
	cr_sql_value values[COUNT];
	char sql[256] = "select n, n::text from generate_series(1, 3) n where 0 not in ($1::int";
	cr_pg_rows *rows;
	int r = 0;

	for (int i = 0; i < COUNT; i++) {
		values[i] = cr_sql_int(i + 1);
		if (i > 0)
			snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ",$%d", i + 1);
	}
	snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ")");
	for (int i = 0; r == 0 && i < 3; i++) {
		r = cr_pg_query(db, sql, values, COUNT, &rows);
		if (r < 0)
			break;
		CHECK_EQ(cr_pg_rows_count(rows), 3);
		CHECK_STR(cr_pg_rows_text(rows, 2, 1), "3");
		cr_pg_rows_free(rows);
	}
	return r;
}

static int queries(struct torture *t)
{
	return on_db(t, query_often, 1);
}

static int transact_on(cr_pg_conn *conn)
{
	CORAIL_PG_TRANSACTION(tx);
	int r = cr_pg_tx_begin(&tx, conn, NULL);

	if (r == 0)
		r = cr_pg_conn_script(conn, "create temp table if not exists t(a int)");
	if (r == 0) {
		CORAIL_PG_TRANSACTION(inner);

		r = cr_pg_tx_begin(&inner, conn, NULL);
		if (r == 0)
			r = cr_pg_conn_query(conn, "insert into t values ($1)",
			                     CORAIL_SQL(cr_sql_int(1)), NULL);
		if (r == 0)
			r = cr_pg_tx_rollback(&inner);
	}
	return r < 0 ? r : cr_pg_tx_commit(&tx);
}

static int transact(cr_pg *db)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = transact_on(conn);
	cr_pg_release(conn);
	return r;
}

static int transactions(struct torture *t)
{
	return on_db(t, transact, 1);
}

static int stream_on(cr_pg_conn *conn)
{
	const cr_pg_rows *row;
	int r = cr_pg_conn_stream(conn, "select n from generate_series(1, 5) n", NULL, 0);
	int64_t expected = 1;

	while (r == 0 && (r = cr_pg_conn_next(conn, &row)) == 1) {
		CHECK_EQ(cr_pg_rows_int(row, 0, 0), expected++);
		r = 0;
	}
	if (r == 0) {
		CHECK_EQ(expected, 6);
		r = cr_pg_conn_stream(conn, "select n from generate_series(1, 1000) n", NULL, 0);
	}
	if (r == 0)
		r = cr_pg_conn_next(conn, &row);
	if (r == 1)
		r = cr_pg_conn_stream_end(conn);
	return r;
}

static int stream(cr_pg *db)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = stream_on(conn);
	cr_pg_release(conn);
	return r;
}

static int streams(struct torture *t)
{
	return on_db(t, stream, 1);
}

static int send_together(cr_pg *db)
{
	const cr_sql_value value = cr_sql_text_n("some text", 4);
	cr_pg_call calls[6];
	cr_pg_conn *conn;
	int r = cr_pg_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	for (int i = 0; i < 6; i++)
		calls[i] = (cr_pg_call){"select $1::text", &value, 1, 0, NULL};
	r = cr_pg_conn_pipeline(conn, calls, 6);
	for (int i = 0; i < 6; i++) {
		if (calls[i].status == 0)
			CHECK_STR(cr_pg_rows_text(calls[i].rows, 0, 0), "some");
		else
			CHECK(r < 0);
		cr_pg_rows_free(calls[i].rows);
	}
	cr_pg_release(conn);
	return r;
}

static int pipelines(struct torture *t)
{
	return on_db(t, send_together, 1);
}

static int insert_many(cr_pg *db)
{
	const cr_sql_value values[] = {cr_sql_int(1), cr_sql_null(), cr_sql_text_n("33", 1)};
	uint64_t affected;
	int r = cr_pg_query_many(db, "delete from pg_class where oid = 0 and oid = $1::oid", values,
	                         1, 3, &affected);

	if (r == 0)
		CHECK_EQ(affected, 0);
	return r;
}

static int many_sets(struct torture *t)
{
	return on_db(t, insert_many, 1);
}

static int copy_on(cr_pg_conn *conn)
{
	enum { LINE = 2000, COUNT = 200 };
	static char lines[COUNT * LINE];
	const char *piece;
	uint64_t count = 0;
	int r = cr_pg_conn_script(conn, "create temp table if not exists c(a text)");

	memset(lines, 'x', sizeof lines);
	for (int i = 1; i <= COUNT; i++)
		lines[i * LINE - 1] = '\n';
	if (r == 0)
		r = cr_pg_conn_copy_in(conn, "copy c from stdin");
	if (r == 0)
		r = cr_pg_conn_copy_write(conn, lines, sizeof lines);
	if (r == 0)
		r = cr_pg_conn_copy_end(conn, NULL, &count);
	if (r == 0)
		CHECK_EQ(count, COUNT);
	if (r == 0)
		r = cr_pg_conn_copy_out(conn, "copy (select a from c limit 9) to stdout");
	while (r == 0 && (r = (int)cr_pg_conn_copy_read(conn, &piece)) > 0)
		r = 0;
	return r;
}

static int copy(cr_pg *db)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = copy_on(conn);
	cr_pg_release(conn);
	return r;
}

static int copies(struct torture *t)
{
	return on_db(t, copy, 1);
}

static int libraries_fail(void)
{
	return atomic_load(&scarce.everybody);
}

static int listen_on(cr_pg_conn *conn)
{
	cr_pg_notification heard;
	int r = cr_pg_conn_listen(conn, "news");

	if (r == 0)
		r = cr_pg_conn_script(conn, "notify news, 'first'; notify news, 'second'");
	if (r == 0)
		r = cr_pg_conn_notification(conn, &heard);
	if (r < 0)
		return r;
	/* libpq drops one for which it has no memory, and tells nobody. */
	CHECK(strcmp(heard.payload, "first") == 0 || libraries_fail());
	if (strcmp(heard.payload, "first") == 0)
		r = cr_pg_conn_notification(conn, &heard);
	if (r == 0)
		CHECK_STR(heard.payload, "second");
	return r;
}

static int listen_for(cr_pg *db)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = listen_on(conn);
	cr_pg_release(conn);
	return r;
}

static int listens(struct torture *t)
{
	return on_db(t, listen_for, 1);
}

static int query_as_task(cr_pg **db)
{
	return query_once(*db);
}

/* Three tasks and one connection. */
static int share(cr_pg *db)
{
	CORAIL_SCOPE(scope);

	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, query_as_task, &db);
	return cr_scope_wait(&scope);
}

static int waits_for_a_connection(struct torture *t)
{
	return on_db(t, share, 1);
}

#define BOTH(scenario)                                                                             \
	scarce_torture(#scenario, scenario, 0);                                                    \
	scarce_libraries(#scenario, scenario, 10)

int main(void)
{
	BOTH(connects);
	BOTH(queries);
	BOTH(transactions);
	BOTH(streams);
	BOTH(pipelines);
	BOTH(many_sets);
	BOTH(copies);
	BOTH(listens);
	BOTH(waits_for_a_connection);
	return test_done();
}
