/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* Connections that nobody uses go by themselves when their time has come. */
#include "fixture.h"
#include "full.h"

static size_t idle_count(cr_redis *db)
{
	cr_redis_stats stats;

	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle + stats.conn_count_lent);
	return stats.conn_count_idle;
}

/* Takes two and gives them back. */
static void use_two(cr_redis *db)
{
	cr_redis_conn *conns[2];

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(cr_redis_acquire(db, &conns[i]), 0);
		CHECK_EQ(cr_redis_conn_command(conns[i], CORAIL_REDIS("PING"), NULL), 0);
	}
	for (int i = 0; i < 2; i++)
		cr_redis_release(conns[i]);
}

static int idle_ones_go(cr_redis *db)
{
	for (int i = 0; i < 2; i++) {
		cr_nsec begun = cr_now();

		use_two(db);
		while (idle_count(db) > 0)
			CHECK_EQ(cr_sleep(cr_millis(5)), 0);
		CHECK_GE(cr_now() - begun, cr_millis(50));
	}
	/* The server has seen them go, and one is left: the one that all share. */
	for (;;) {
		cr_redis_reply reply;
		char *line;
		int count = 0;

		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("CLIENT", "LIST"), &reply), 0);
		for (line = reply.text; (line = strstr(line, "name=idle-test")); line++)
			count++;
		cr_redis_reply_free(&reply);
		if (count == 1)
			break;
		CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	}
	use_two(db);
	return 0;
}

static int others_stay(cr_redis *db)
{
	use_two(db);
	CHECK_EQ(cr_sleep(cr_millis(60)), 0);
	CHECK_EQ(idle_count(db), 2);
	return 0;
}

/* With nobody to tend them for now they stay; whoever rests next sees to it. */
static int without_room_for_who_tends(cr_redis *db)
{
	cr_redis_conn *conns[3];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_redis_acquire(db, &conns[i]), 0);
	full_begin();
	/* Who wants a connection that cannot be driven hears of it. */
	CHECK_EQ(cr_redis_acquire(db, &conns[2]), -EAGAIN);
	for (int i = 0; i < 2; i++)
		cr_redis_release(conns[i]);
	full_end();
	CHECK_EQ(cr_sleep(cr_millis(60)), 0);
	CHECK_EQ(idle_count(db), 2);
	return idle_ones_go(db);
}

int main(void)
{
	static const cr_redis_options brief = {.idle_max = 50000000, .name = "idle-test"};
	static const cr_redis_options lasting = {.idle_max = CORAIL_NEVER};

	RUN_REDIS_WITH(idle_ones_go, &brief);
	RUN_REDIS_WITH(without_room_for_who_tends, &brief);
	RUN_REDIS(others_stay);
	RUN_REDIS_WITH(others_stay, &lasting);
	return test_done();
}
