/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* Servers that go away and come back. */
#include "fixture.h"

#include <corail/exec.h>

struct control {
	const char *verb;
};

static int control(struct control *c)
{
	char command[512];

	snprintf(command, sizeof command, "%s %s", redis_setting("REDIS_CTL"), c->verb);
	return system(command) == 0 ? 0 : -EIO;
}

struct worker {
	cr_redis *db;
	const int *stop;
	int answers, failures;
};

static int keep_asking(struct worker *w)
{
	while (!*w->stop) {
		int r = cr_redis_command(w->db, CORAIL_REDIS("INCR", "n"), NULL);

		if (r == 0) {
			w->answers++;
			continue;
		}
		CHECK(r == -ECONNRESET || r == -ECONNREFUSED || r == -ENOENT ||
		      r == -CORAIL_E_REDIS_STATE);
		w->failures++;
		CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	}
	return 0;
}

/* Killed and started again under load: errors of those in flight, and then all is well. */
static int restarted(cr_redis *db)
{
	struct control stop = {"stop"}, start = {"start"};
	struct worker workers[8];
	int over = 0, failures = 0;
	cr_redis_message message;
	cr_redis_conn *conn;
	cr_redis_stats stats;
	cr_redis_sub *sub;

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < 8; i++) {
			workers[i] = (struct worker){db, &over, 0, 0};
			cr_spawn(&scope, keep_asking, &workers[i]);
		}
		for (int i = 0; i < 8; i++)
			while (workers[i].answers == 0)
				CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_offload(control, &stop), 0);
		CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), -ECONNRESET);
		CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), -ECONNRESET);
		cr_redis_release(conn);
		for (int i = 0; i < 8; i++)
			while (workers[i].failures == 0)
				CHECK_EQ(cr_sleep(cr_millis(1)), 0);
		CHECK_EQ(cr_offload(control, &start), 0);
		for (int i = 0; i < 8; i++) {
			int before = workers[i].answers;

			while (workers[i].answers == before)
				CHECK_EQ(cr_sleep(cr_millis(1)), 0);
			failures += workers[i].failures;
		}
		over = 1;
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_GE(failures, 8);
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
