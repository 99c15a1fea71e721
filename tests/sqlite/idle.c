/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=sqlite */
/* Readers that nobody uses go by themselves when their time has come; the writer stays. */
#include "fixture.h"
#include "full.h"

static size_t conn_count(cr_sqlite *db)
{
	cr_sqlite_stats stats;

	cr_sqlite_stats_get(db, &stats);
	return stats.conn_count;
}

/* Takes two readers, and gives them back. */
static void use_two(cr_sqlite *db)
{
	cr_sqlite_conn *conns[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_sqlite_acquire_reader(db, &conns[i], NULL), 0);
	for (int i = 0; i < 2; i++)
		cr_sqlite_release(conns[i]);
}

static int idle_readers_go(cr_sqlite *db)
{
	for (int i = 0; i < 2; i++) {
		cr_nsec begun = cr_now();

		use_two(db);
		while (conn_count(db) > 1)
			CHECK_EQ(cr_sleep(cr_millis(5)), 0);
		CHECK_GE(cr_now() - begun, cr_millis(50));
	}
	sqlite_do(db, "create table t (v)");
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	return 0;
}

/* With nobody to tend them for now they stay; whoever rests next sees to it. */
static int without_room_for_who_tends(cr_sqlite *db)
{
	cr_sqlite_conn *conns[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_sqlite_acquire_reader(db, &conns[i], NULL), 0);
	full_begin();
	for (int i = 0; i < 2; i++)
		cr_sqlite_release(conns[i]);
	full_end();
	CHECK_EQ(cr_sleep(cr_millis(60)), 0);
	CHECK_EQ(conn_count(db), 3);
	return idle_readers_go(db);
}

/* In virtual time: one that is used again in between has its time anew. */
static int used_ones_stay(cr_sqlite *db)
{
	cr_sqlite_stats stats;

	if (!on_sim())
		return 0;
	use_two(db);
	CHECK_EQ(conn_count(db), 3);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(cr_sleep(cr_seconds(400)), 0);
		CHECK_EQ(sqlite_number(db, "select 1"), 1);
		CHECK_EQ(conn_count(db), i == 0 ? 3 : 2);
	}
	cr_sqlite_stats_get(db, &stats);
	CHECK_EQ(stats.discarded, 0);
	CHECK_EQ(cr_sleep(cr_seconds(601)), 0);
	CHECK_EQ(conn_count(db), 1);
	return 0;
}

static int without_a_limit_they_stay(cr_sqlite *db)
{
	use_two(db);
	CHECK_EQ(cr_sleep(cr_millis(20)), 0);
	CHECK_EQ(conn_count(db), 3);
	return 0;
}

/* Its only connection is the database. */
static int in_memory_it_stays(cr_sqlite *unused)
{
	const cr_sqlite_options brief = {.idle_max = 1000000};
	cr_sqlite *db;

	(void)unused;
	CHECK_EQ(cr_sqlite_open(":memory:", &brief, &db, NULL), 0);
	sqlite_do(db, "create table t (v)");
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	CHECK_EQ(cr_sleep(cr_millis(20)), 0);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	cr_sqlite_close(db);
	return 0;
}

int main(void)
{
	static const cr_sqlite_options brief = {.idle_max = 50000000};
	static const cr_sqlite_options lasting = {.idle_max = CORAIL_NEVER};

	RUN_SQLITE_WITH(idle_readers_go, &brief);
	RUN_SQLITE_WITH(without_room_for_who_tends, &brief);
	RUN_SQLITE(used_ones_stay);
	RUN_SQLITE_WITH(without_a_limit_they_stay, &lasting);
	RUN_SQLITE(in_memory_it_stays);
	return test_done();
}
