/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* Servers that go away and come back. */
#include "fixture.h"
#include "load.h"

static int increment(void *db)
{
	int r = cr_redis_command(db, CORAIL_REDIS("INCR", "n"), NULL);

	CHECK(r == 0 || r == -ECONNRESET || r == -ECONNREFUSED || r == -ENOENT ||
	      r == -CORAIL_E_REDIS_STATE);
	return r;
}

/* Killed and started again under load: errors of those in flight, and then all is well. */
static int restarted(cr_redis *db)
{
	const char *server = redis_setting("REDIS_CTL");
	struct load load;
	cr_redis_message message;
	cr_redis_conn *conn;
	cr_redis_stats stats;
	cr_redis_sub *sub;

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	{
		CORAIL_SCOPE(scope);
		load_begin(&load, &scope, increment, db);
		load_until(&load, LOAD_ANSWERED);
		load_control(server, "stop");
		CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), -ECONNRESET);
		CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), -ECONNRESET);
		cr_redis_release(conn);
		load_until(&load, LOAD_FAILED);
		load_control(server, "start");
		load_until(&load, LOAD_ANSWERED);
		load_end(&load);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	do {
		message.kind = CORAIL_REDIS_MESSAGE;
	} while (cr_redis_sub_next(sub, &message) < 0);
	CHECK_EQ(message.kind, CORAIL_REDIS_MISSED);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "c", "again"), 1);
	cr_redis_sub_close(sub);
	cr_redis_stats_get(db, &stats);
	CHECK_GE(stats.broken, 3);
	CHECK_EQ(stats.conn_count_lent, 0);
	return 0;
}

/* Kills the connection of whoever waits for a paused server, and lets that go on. */
static int interrupt(cr_redis **db)
{
	CHECK_EQ(cr_redis_command(*db,
	                          CORAIL_REDIS("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
	                          NULL),
	         0);
	return cr_redis_command(*db, CORAIL_REDIS("CLIENT", "UNPAUSE"), NULL);
}

/* A command is only sent twice if it may be. */
static int sent_again(cr_redis *db)
{
	cr_redis_stats stats;
	char url[256];
	cr_redis *other;

	snprintf(url, sizeof url, "unix:%s", redis_setting("REDIS_SOCKET"));
	CHECK_EQ(cr_redis_open(url, NULL, &other), 0);
	CHECK_EQ(cr_redis_command(other, CORAIL_REDIS("PING"), NULL), 0);
	for (int i = 0; i < 2; i++) {
		CORAIL_SCOPE(scope);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("CLIENT", "PAUSE", "100000", "WRITE"),
		                          NULL),
		         0);
		cr_spawn(&scope, interrupt, &other);
		if (i == 0)
			CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SET", "again", "1"), NULL),
			         -ECONNRESET);
		else
			CHECK_EQ(cr_redis_command_idempotent(db, CORAIL_REDIS("SET", "again", "2"),
			                                     NULL),
			         0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		cr_redis_stats_get(db, &stats);
		CHECK_EQ(stats.broken, i + 1);
		CHECK_EQ(REDIS_NUMBER(db, "EXISTS", "again"), i);
	}
	cr_redis_close(other);
	return 0;
}

int main(void)
{
	static const cr_redis_options patient = {.pause_min = 1000000, .pause_max = 4000000};

	RUN_REDIS_WITH(restarted, &patient);
	RUN_REDIS_WITH(sent_again, &patient);
	return test_done();
}
