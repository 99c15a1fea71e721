/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 needs=sqlite */
/* The pool: cancellation, fairness, closing. */
#include "fixture.h"

static const char endless[] = "with recursive n(i) as (select 1 union all select i + 1 from n)"
			      " select count(*) from n";

/*
 * SQLite gives up the whole transaction of a write that is interrupted; on a slow day it has not
 * begun when it is cancelled, and then nothing has happened.
 */
static void interrupt_in_transaction(cr_sqlite_conn *conn)
{
	int r = 0;

	for (int patience = 20; r == 0; patience *= 2) {
		CORAIL_SQLITE_TRANSACTION(tx);

		CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), 0);
		CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (2)", NULL, 0, NULL), 0);
		r = cr_timeout(cr_millis(patience),
		               cr_sqlite_conn_query(
				       conn,
				       "insert into t with recursive n(i) as (select 1 union all"
				       " select i + 1 from n) select i from n where i < 0",
				       NULL, 0, NULL));
		CHECK_EQ(r, -ETIMEDOUT);
		r = cr_sqlite_conn_query(conn, "insert into t values (3)", NULL, 0, NULL);
		CHECK_EQ(cr_sqlite_tx_rollback(&tx), 0);
	}
	CHECK_EQ(r, -CORAIL_E_SQL_ABORTED);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (4)", NULL, 0, NULL), 0);
}

static int long_queries_are_interrupted(cr_sqlite *db)
{
	cr_sqlite_conn *conn;
	cr_sqlite_stats stats;
	const cr_sqlite_rows *row;

	/* There a statement takes no time, or all of it. */
	if (on_sim())
		return 0;
	CHECK_EQ(cr_timeout(cr_millis(20), cr_sqlite_query(db, endless, NULL, 0, NULL)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_sqlite_conn_query(conn, endless, NULL, 0, NULL)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_sqlite_conn_stream(conn, endless, NULL, 0)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), -ENOENT);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_sqlite_conn_script(conn, endless)), -ETIMEDOUT);
	CHECK_EQ(cr_sqlite_conn_query(conn, "create table t as select 1 as v", NULL, 0, NULL), 0);
	interrupt_in_transaction(conn);
	{
		cr_sqlite_call calls[] = {{.sql = "insert into t values (5)"}, {.sql = endless}};

		CHECK_EQ(cr_timeout(cr_millis(20), cr_sqlite_conn_pipeline(conn, calls, 2)),
		         -ETIMEDOUT);
		CHECK_EQ(calls[0].status, -ECANCELED);
		CHECK_EQ(calls[1].status, -ECANCELED);
	}
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select sum(v) from t"), 5);
	cr_sqlite_stats_get(db, &stats);
	CHECK_GE(stats.interrupted, 1);
	CHECK_EQ(stats.discarded, 0);
	return 0;
}

struct asker {
	cr_sqlite *db;
	unsigned seed;
	int64_t id;
	int rounds, answers, inserts;
};

static int read_some(struct asker *a, int64_t secret)
{
	cr_sqlite_rows *rows;
	int r = cr_sqlite_query(a->db, "select ?, (select count(*) from t)",
	                        CORAIL_SQL(cr_sql_int(secret)), &rows);

	if (r < 0)
		return r;
	CHECK_EQ(cr_sqlite_rows_int(rows, 0, 0), secret);
	cr_sqlite_rows_free(rows);
	a->answers++;
	return 0;
}

static int write_some(struct asker *a)
{
	int r = cr_sqlite_query(a->db, "insert into t values (?)", CORAIL_SQL(cr_sql_int(a->id)),
	                        NULL);

	a->inserts += r == 0;
	return r;
}

static int write_together(struct asker *a)
{
	cr_sql_value id = cr_sql_int(a->id);
	cr_sqlite_call call = {"insert into t values (?)", &id, 1, 0, NULL};
	cr_sqlite_call calls[] = {call, call, call};
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(a->db, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_sqlite_conn_pipeline(conn, calls, 3);
	a->inserts += r == 0 ? 3 : 0;
	cr_sqlite_release(conn);
	return r;
}

static int write_in_transaction(struct asker *a)
{
	CORAIL_SQLITE_TRANSACTION(tx);
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(a->db, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_sqlite_tx_begin(&tx, conn, NULL);
	for (int i = 0; r == 0 && i < 2; i++)
		r = cr_sqlite_conn_query(conn, "insert into t values (?)",
		                         CORAIL_SQL(cr_sql_int(a->id)), NULL);
	if (r == 0)
		r = cr_sqlite_tx_commit(&tx);
	a->inserts += r == 0 ? 2 : 0;
	cr_sqlite_tx_leave(&tx);
	cr_sqlite_release(conn);
	return r;
}

static int stream_some(struct asker *a)
{
	const cr_sqlite_rows *row;
	cr_sqlite_conn *conn;
	int64_t expected = 1;
	int r = cr_sqlite_acquire_reader(a->db, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_sqlite_conn_stream(conn,
	                          "with recursive n(i) as (select 1 union all"
	                          " select i + 1 from n where i < 500) select i from n",
	                          NULL, 0);
	while (r == 0 && (r = cr_sqlite_conn_next(conn, &row)) == 1) {
		CHECK_EQ(cr_sqlite_rows_int(row, 0, 0), expected++);
		r = 0;
		if (expected == 501)
			break;
	}
	cr_sqlite_release(conn);
	return r;
}

static int do_something(struct asker *a, int64_t secret)
{
	switch (rand_r(&a->seed) % 5) {
	case 0:
		return read_some(a, secret);
	case 1:
		return write_some(a);
	case 2:
		return write_together(a);
	case 3:
		return write_in_transaction(a);
	default:
		return stream_some(a);
	}
}

static int ask(struct asker *a)
{
	for (int i = 0; i < a->rounds; i++) {
		int64_t secret = (int64_t)rand_r(&a->seed) << 20 | i;
		int r = cr_timeout(cr_micros(rand_r(&a->seed) % 4000), do_something(a, secret));

		if (r != -ETIMEDOUT)
			CHECK_EQ(r, 0);
	}
	return 0;
}

/* Whatever is cancelled: an answer is the asker's own, and what was not refused was done, once. */
static int random_cancellation(cr_sqlite *db)
{
	enum { ASKERS = 12, ROUNDS = 25 };
	struct asker askers[ASKERS];
	cr_sqlite_stats stats;
	int inserts = 0;

	sqlite_do(db, "create table t (v)");
	for (int i = 0; i < ASKERS; i++)
		askers[i] = (struct asker){db, (unsigned)i + 1, i, ROUNDS, 0, 0};
	CHECK_EQ(cr_gather(ask, askers, ASKERS), 0);
	for (int i = 0; i < ASKERS; i++) {
		cr_sqlite_rows *rows;

		CHECK_EQ(cr_sqlite_query(db, "select count(*) from t where v = ?",
		                         CORAIL_SQL(cr_sql_int(i)), &rows),
		         0);
		CHECK_EQ(cr_sqlite_rows_int(rows, 0, 0), askers[i].inserts);
		cr_sqlite_rows_free(rows);
		inserts += askers[i].inserts;
	}
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), inserts);
	cr_sqlite_stats_get(db, &stats);
	printf("  (%d inserts, %llu interrupted)\n", inserts,
	       (unsigned long long)stats.interrupted);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle);
	CHECK_LE(stats.conn_count, 5);
	CHECK_EQ(stats.waiting, 0);
	CHECK_EQ(stats.discarded, 0);
	return 0;
}

struct turn {
	cr_sqlite *db;
	int *order, *next;
	int number;
};

static int take_turn(struct turn *t)
{
	cr_sqlite_conn *conn;

	CHECK_EQ(cr_sqlite_acquire(t->db, &conn, NULL), 0);
	t->order[(*t->next)++] = t->number;
	CHECK_EQ(cr_sqlite_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	cr_sqlite_release(conn);
	return 0;
}

static int first_come_first_served(cr_sqlite *db)
{
	enum { COUNT = 10 };
	struct turn turns[COUNT];
	int order[COUNT], next = 0;
	cr_sqlite_conn *conn, *readers[2];
	cr_sqlite_stats stats;

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	{
		CORAIL_SCOPE(scope);

		for (int i = 0; i < COUNT; i++) {
			cr_task task;

			turns[i] = (struct turn){db, order, &next, i};
			task = cr_spawn(&scope, take_turn, &turns[i]);
			CHECK_EQ(cr_task_error(task), 0);
		}
		do
			CHECK_EQ(cr_yield(), 0);
		while (cr_sqlite_stats_get(db, &stats), stats.waiting < COUNT);
		/* Readers have their own lane, of two. */
		CHECK_EQ(cr_sqlite_acquire_reader(db, &readers[0], NULL), 0);
		CHECK_EQ(cr_sqlite_acquire_reader(db, &readers[1], NULL), 0);
		{
			cr_sqlite_conn *third;

			CHECK_EQ(cr_timeout(cr_millis(1),
			                    cr_sqlite_acquire_reader(db, &third, NULL)),
			         -ETIMEDOUT);
		}
		cr_sqlite_release(readers[1]);
		cr_sqlite_release(readers[0]);
		cr_sqlite_release(conn);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(order[i], i);
	cr_sqlite_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, 3);
	CHECK_EQ(stats.opened, 3);
	cr_sqlite_release(NULL);
	return 0;
}

static int acquire_in_vain(cr_sqlite **db)
{
	cr_sqlite_conn *conn;
	cr_sql_error error = {0};

	CHECK_EQ(cr_sqlite_acquire(*db, &conn, &error), -ESHUTDOWN);
	CHECK_EQ(error.error, -ESHUTDOWN);
	return 0;
}

static int close_it(cr_sqlite **db)
{
	cr_sqlite_close(*db);
	return 0;
}

static int closing_waits_for_what_is_lent(cr_sqlite *unused)
{
	cr_sqlite *db;
	cr_sqlite_conn *conn;
	cr_sqlite_stats stats;
	cr_task waiting, closing;
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_sqlite_open(":memory:", NULL, &db, NULL), 0);
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	waiting = cr_spawn(&scope, acquire_in_vain, &db);
	do
		CHECK_EQ(cr_yield(), 0);
	while (cr_sqlite_stats_get(db, &stats), stats.waiting == 0);
	closing = cr_spawn(&scope, close_it, &db);
	CHECK_EQ(cr_await(waiting), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	cr_sqlite_release(conn);
	CHECK_EQ(cr_await(closing), 0);
	cr_sqlite_close(NULL);
	return 0;
}

int main(void)
{
	static const cr_sqlite_options two = {.reader_count_max = 2};
	static const cr_sqlite_options quick = {.synchronous = "off"};

	RUN_SQLITE(long_queries_are_interrupted);
	RUN_SQLITE_WITH(random_cancellation, &quick);
	RUN_SQLITE_WITH(first_come_first_served, &two);
	RUN_SQLITE(closing_waits_for_what_is_lent);
	return test_done();
}
