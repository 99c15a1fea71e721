/* SPDX-License-Identifier: MIT */
/* ctest: timeout=180 needs=pg */
/* Statements under cancellation and deadlines, on slow networks too. */
#include "fixture.h"
#include "slow_proxy.h"

static int count_queries(cr_pg *db, const char *like)
{
	cr_pg_rows *rows;
	int count;

	CHECK_EQ(cr_pg_query(
			 db,
			 "select count(*) from pg_stat_activity where state = 'active' and query "
			 "like $1 and pid <> pg_backend_pid()",
			 CORAIL_SQL(cr_sql_text(like)), &rows),
	         0);
	count = (int)cr_pg_rows_int(rows, 0, 0);
	cr_pg_rows_free(rows);
	return count;
}

/* What was cancelled stops on the server too, and its connection stays. */
static int a_cancelled_query_stops(cr_pg *db)
{
	cr_pg_stats stats;
	cr_pg_conn *conn;
	int pid;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	pid = cr_pg_conn_backend_pid(conn);
	CHECK_EQ(cr_timeout(cr_millis(50),
	                    cr_pg_conn_query(conn, "select pg_sleep(300)", NULL, 0, NULL)),
	         -ETIMEDOUT);
	CHECK_EQ(count_queries(db, "%pg_sleep(300)%"), 0);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_backend_pid(conn), pid);
	cr_pg_release(conn);
	CHECK_EQ(cr_timeout(cr_millis(50), cr_pg_query(db, "select pg_sleep(300)", NULL, 0, NULL)),
	         -ETIMEDOUT);
	CHECK_EQ(count_queries(db, "%pg_sleep(300)%"), 0);
	cr_pg_stats_get(db, &stats);
	CHECK_GE(stats.cancelled, 2); /* again where the server is slow to obey */
	CHECK_EQ(stats.discarded, 0);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle);
	return 0;
}

struct asker {
	cr_pg *db;
	unsigned seed;
	int rounds, answers;
};

/* Each answer is the asker's own, however many were given up before. */
static int ask(struct asker *a)
{
	for (int i = 0; i < a->rounds; i++) {
		int64_t secret = (int64_t)rand_r(&a->seed) << 20 | i;
		cr_nsec patience = cr_micros(rand_r(&a->seed) % 40000);
		cr_pg_rows *rows = NULL;
		int r = cr_timeout(
			patience,
			cr_pg_query(a->db, "select $1::int8, pg_sleep($2)",
		                    CORAIL_SQL(cr_sql_int(secret),
		                               cr_sql_real((rand_r(&a->seed) % 4) * 0.001)),
		                    &rows));

		if (r != -ETIMEDOUT)
			CHECK_EQ(r, 0);
		if (r < 0)
			continue;
		CHECK_EQ(cr_pg_rows_int(rows, 0, 0), secret);
		cr_pg_rows_free(rows);
		a->answers++;
	}
	return 0;
}

static int random_cancellation(cr_pg *db)
{
	enum { ASKERS = 50 };
	struct asker askers[ASKERS];
	cr_pg_conn *conns[5];
	cr_pg_stats stats;
	int answers = 0;

	for (int i = 0; i < ASKERS; i++)
		askers[i] = (struct asker){db, (unsigned)i + 1, 20, 0};
	CHECK_EQ(cr_gather(ask, askers, ASKERS), 0);
	for (int i = 0; i < ASKERS; i++)
		answers += askers[i].answers;
	printf("  (%d of %d in time)\n", answers, ASKERS * 20);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(cr_pg_acquire(db, &conns[i], NULL), 0);
		CHECK_EQ(cr_pg_conn_query(conns[i], "select 1", NULL, 0, NULL), 0);
	}
	for (int i = 0; i < 5; i++)
		cr_pg_release(conns[i]);
	cr_pg_stats_get(db, &stats);
	CHECK_LE(stats.conn_count, 5);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle);
	CHECK_EQ(stats.waiting, 0);
	return 0;
}

static int sleep_on(cr_pg_conn **conn)
{
	return cr_pg_conn_query(*conn, "select pg_sleep(300)", NULL, 0, NULL);
}

static int one_task_at_a_time(cr_pg *db)
{
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, sleep_on, &conn);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), -EBUSY);
		CHECK_EQ(cr_pg_conn_stream_end(conn), -EBUSY);
	}
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	cr_pg_release(conn);
	return 0;
}

static int pay(cr_pg_conn *conn)
{
	CORAIL_PG_TRANSACTION(tx);
	int r = cr_pg_tx_begin(&tx, conn, NULL);

	if (r == 0)
		r = cr_pg_conn_script(conn, "insert into paid values (1)");
	if (r == 0)
		r = cr_pg_conn_query(conn, "select pg_sleep(300)", NULL, 0, NULL);
	return r < 0 ? r : cr_pg_tx_commit(&tx);
}

static int a_deadline_rolls_back(cr_pg *db)
{
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_query(db, "create table paid(a int)", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_timeout(cr_millis(100), pay(conn)), -ETIMEDOUT);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
	/* Left open by whoever had it: rolled back when it comes back. */
	CHECK_EQ(cr_pg_conn_script(conn, "begin; insert into paid values (2)"), 0);
	cr_pg_release(conn);
	CHECK_EQ(pg_number(db, "select count(*) from paid"), 0);
	CHECK_EQ(cr_pg_query(db, "drop table paid", NULL, 0, NULL), 0);
	return 0;
}

/* All that can be cancelled in a connection, at about any moment; the pool is whole after it. */
static int busy_life(cr_pg *db)
{
	static char large[300000];
	const cr_pg_rows *row;
	const char *piece;
	cr_pg_conn *conn;
	int r;

	r = cr_pg_acquire(db, &conn, NULL);
	if (r < 0)
		return r;
	r = cr_pg_conn_stream(conn, "select n from generate_series(1, 1000) n", NULL, 0);
	while (r == 0 && (r = cr_pg_conn_next(conn, &row)) == 1)
		r = 0;
	if (r == 0)
		r = cr_pg_conn_script(conn,
		                      "create temp table if not exists c(a text); truncate c");
	memset(large, 'x', sizeof large);
	if (r == 0)
		r = cr_pg_conn_copy_in(conn, "copy c from stdin");
	for (int i = 0; r == 0 && i < 4; i++)
		r = cr_pg_conn_copy_write(conn, large, sizeof large);
	if (r == 0)
		r = cr_pg_conn_copy_end(conn, NULL, NULL);
	if (r == 0)
		r = cr_pg_conn_copy_out(conn, "copy c to stdout");
	while (r == 0 && (r = (int)cr_pg_conn_copy_read(conn, &piece)) > 0)
		r = 0;
	if (r == 0) {
		cr_pg_call calls[50];

		for (int i = 0; i < 50; i++)
			calls[i] = (cr_pg_call){"select pg_sleep(0.0001)", NULL, 0, 0, NULL};
		r = cr_pg_conn_pipeline(conn, calls, 50);
		for (int i = 0; i < 50; i++)
			cr_pg_rows_free(calls[i].rows);
	}
	cr_pg_release(conn);
	return r;
}

static int cancelled_anywhere(cr_pg *db)
{
	enum { ROUNDS = 20 };
	cr_nsec start = cr_now(), whole;
	int done = 0;

	CHECK_EQ(busy_life(db), 0);
	whole = cr_now() - start;
	for (int i = 0; i < ROUNDS; i++) {
		int r = cr_timeout(whole / ROUNDS * i, busy_life(db));

		CHECK(r == 0 || r == -ETIMEDOUT);
		done += r == 0;
		CHECK_EQ(pg_number(db, "select 42"), 42);
	}
	printf("  (%d of %d in time)\n", done, ROUNDS);
	return 0;
}

/* ---------------------------------------------------------------------------- slow network --- */

struct proxy_server {
	cr_listener *listener;
	char target[64];
};

static int serve_proxy(struct proxy_server *p)
{
	cr_listener_serve(p->listener, NULL, slow_proxy, p->target);
	return 0;
}

static int slow_network(cr_pg *unused)
{
	struct proxy_server p;
	struct asker askers[10];
	char target[64];
	cr_pg *db;

	(void)unused;
	snprintf(p.target, sizeof p.target, "127.0.0.1:%s", getenv("PG_PORT"));
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &p.listener), 0);
	snprintf(target, sizeof target, "host=127.0.0.1 port=%d", cr_listener_port(p.listener));
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, serve_proxy, &p);
		CHECK_EQ(cr_pg_open(target, &(cr_pg_options){PG_PATIENCE, .conn_count_max = 3}, &db,
		                    NULL),
		         0);
		for (int i = 0; i < 10; i++)
			askers[i] = (struct asker){db, (unsigned)i + 100, 10, 0};
		CHECK_EQ(cr_gather(ask, askers, 10), 0);
		CHECK_EQ(pg_number(db, "select sum(length(repeat('x', 1000))) from "
		                       "generate_series(1, 100)"),
		         100000);
		cr_pg_close(db);
		cr_scope_cancel(&scope);
	}
	cr_listener_close(p.listener);
	return 0;
}

int main(void)
{
	static const cr_pg_options five = {PG_PATIENCE, .conn_count_max = 5};

	RUN_PG(a_cancelled_query_stops);
	RUN_PG_WITH(random_cancellation, &five);
	RUN_PG(one_task_at_a_time);
	RUN_PG(a_deadline_rolls_back);
	RUN_PG(cancelled_anywhere);
	RUN_PG(slow_network);
	return test_done();
}
