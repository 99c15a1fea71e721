/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 needs=redis labels=notsan */
/*
 * Redis, tortured: whatever is cancelled where, and whichever allocation fails, ours or hiredis's,
 * nothing is left over, and the client lives on.
 */
#include <corail/corail.h>
#include <corail/redis.h>

#include "scarce.h"

static const char *url(void)
{
	static char text[256];
	const char *socket = getenv("REDIS_SOCKET");

	if (!socket)
		FAIL("run this by server.bash");
	snprintf(text, sizeof text, "unix:%s", socket);
	return text;
}

/* Lives on whatever happens: the answers are its own. */
static int is_whole(cr_redis *db)
{
	cr_redis_stats stats;
	cr_redis_reply reply;
	cr_redis_conn *conn;
	int r = cr_redis_command(db, CORAIL_REDIS("ECHO", "shared"), &reply);

	if (r < 0)
		return r;
	CHECK_STR(reply.text, "shared");
	cr_redis_reply_free(&reply);
	r = cr_redis_acquire(db, &conn);
	if (r < 0)
		return r;
	r = cr_redis_conn_command(conn, CORAIL_REDIS("ECHO", "own"), &reply);
	if (r == 0) {
		CHECK_STR(reply.text, "own");
		cr_redis_reply_free(&reply);
	}
	cr_redis_release(conn);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.in_flight, 0);
	CHECK_EQ(stats.conn_count_lent, 0);
	return r;
}

static int on_db(struct torture *t, int (*script)(cr_redis *db), int prepared)
{
	const cr_redis_options options = {.conn_count_max = 1,
	                                  .pause_min = 1000,
	                                  .pause_max = 1000,
	                                  .cancel_grace = cr_seconds(60)};
	cr_redis *db;
	int r;

	if (!prepared)
		torture_begin(t);
	r = cr_redis_open(url(), &options, &db);
	if (r < 0) {
		torture_end(t);
		return r;
	}
	if (prepared) {
		r = cr_redis_command(db, CORAIL_REDIS("FLUSHALL"), NULL);
		torture_begin(t);
	}
	if (r == 0)
		r = script(db);
	torture_end(t);
	TORTURE_CHECK(t, cr_shield(cr_seconds(60), is_whole(db)), 0);
	cr_redis_close(db);
	return r;
}

static int command_once(cr_redis *db)
{
	return cr_redis_command(db, CORAIL_REDIS("SET", "key", "value"), NULL);
}

static int connects(struct torture *t)
{
	return on_db(t, command_once, 0);
}

static int command_often(cr_redis *db)
{
	cr_redis_reply reply;
	int r = cr_redis_command(db, CORAIL_REDIS("RPUSH", "list", "one", "two", "three"), NULL);

	if (r == 0)
		r = cr_redis_command_idempotent(db, CORAIL_REDIS("LRANGE", "list", "0", "-1"),
		                                &reply);
	if (r < 0)
		return r;
	CHECK_EQ(reply.count, 3);
	CHECK_STR(reply.elements[2].text, "three");
	cr_redis_reply_free(&reply);
	return 0;
}

static int commands(struct torture *t)
{
	return on_db(t, command_often, 1);
}

static int send_together(cr_redis *db)
{
	cr_redis_call calls[3] = {{.arg_count = 2}, {.arg_count = 2}, {.arg_count = 2}};
	const cr_redis_arg words[] = {cr_redis_text("INCR"), cr_redis_text("n")};
	int r;

	for (int i = 0; i < 3; i++)
		calls[i].args = words;
	r = cr_redis_pipeline(db, calls, 3);
	if (r == 0)
		CHECK_EQ(calls[2].reply.integer, 3);
	cr_redis_calls_free(calls, 3);
	if (r < 0)
		return r;
	r = cr_redis_transaction(db, calls, 3);
	if (r == 0)
		CHECK_EQ(calls[2].reply.integer, 6);
	cr_redis_calls_free(calls, 3);
	return r;
}

static int pipelines(struct torture *t)
{
	return on_db(t, send_together, 1);
}

static int run_script(cr_redis *db)
{
	cr_redis_script script = {.text = "return {KEYS[1], ARGV[1], {1, 2}}"};
	const cr_redis_arg key = cr_redis_text("key"), arg = cr_redis_text("arg");
	cr_redis_reply reply;
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		r = cr_redis_script_run(db, &script, &key, 1, &arg, 1, &reply);
		if (r < 0)
			break;
		CHECK_EQ(reply.elements[2].count, 2);
		cr_redis_reply_free(&reply);
	}
	return r;
}

static int scripts(struct torture *t)
{
	return on_db(t, run_script, 1);
}

static int transact_on(cr_redis_conn *conn)
{
	const cr_redis_arg words[] = {cr_redis_text("INCR"), cr_redis_text("n")};
	cr_redis_call calls[2] = {{.args = words, .arg_count = 2}, {.args = words, .arg_count = 2}};
	int r = cr_redis_conn_command(conn, CORAIL_REDIS("WATCH", "n"), NULL);

	if (r < 0)
		return r;
	r = cr_redis_conn_transaction(conn, calls, 2);
	if (r == 0)
		CHECK_EQ(calls[1].reply.integer, 2);
	cr_redis_calls_free(calls, 2);
	if (r == 0)
		r = cr_redis_conn_pipeline(conn, calls, 2);
	cr_redis_calls_free(calls, 2);
	if (r == 0)
		r = cr_redis_conn_command(conn, CORAIL_REDIS("MULTI"), NULL);
	return r;
}

static int transact(cr_redis *db)
{
	cr_redis_conn *conn;
	int r = cr_redis_acquire(db, &conn);

	if (r < 0)
		return r;
	r = transact_on(conn);
	cr_redis_release(conn);
	return r;
}

static int transactions(struct torture *t)
{
	return on_db(t, transact, 1);
}

static int pop(cr_redis *db)
{
	cr_redis_reply reply;
	cr_redis_conn *conn;
	int r = cr_redis_acquire(db, &conn);

	if (r < 0)
		return r;
	r = cr_redis_conn_command(conn, CORAIL_REDIS("BLPOP", "list", "0"), &reply);
	if (r == 0) {
		CHECK_STR(reply.elements[1].text, "element");
		cr_redis_reply_free(&reply);
	}
	cr_redis_release(conn);
	return r;
}

static int pop_as_task(cr_redis **db)
{
	return pop(*db);
}

/* Two want the one connection, and an element each. */
static int share(cr_redis *db)
{
	CORAIL_SCOPE(scope);
	int r;

	for (int i = 0; i < 2; i++)
		cr_spawn(&scope, pop_as_task, &db);
	r = cr_redis_command(db, CORAIL_REDIS("RPUSH", "list", "element", "element"), NULL);
	return r < 0 ? r : cr_scope_wait(&scope);
}

static int waits_for_a_connection(struct torture *t)
{
	return on_db(t, share, 1);
}

static int listen_on(cr_redis *db, cr_redis_sub *sub)
{
	cr_redis_message message;
	int r = cr_redis_subscribe(sub, cr_redis_text("news"));

	if (r == 0)
		r = cr_redis_psubscribe(sub, cr_redis_text("w*r"));
	if (r == 0)
		r = cr_redis_command(db, CORAIL_REDIS("PUBLISH", "news", "first"), NULL);
	if (r == 0)
		r = cr_redis_command(db, CORAIL_REDIS("PUBLISH", "weather", "fair"), NULL);
	for (int i = 0; r == 0 && i < 2; i++) {
		r = cr_redis_sub_next(sub, &message);
		/* Without memory for an answer the connection was lost, and perhaps both. */
		if (r == 0 && message.kind == CORAIL_REDIS_MISSED)
			break;
		if (r == 0)
			CHECK_STR(message.data, i == 0 ? "first" : "fair");
	}
	return r < 0 ? r : cr_redis_unsubscribe(sub, cr_redis_text("news"));
}

static int listen_for(cr_redis *db)
{
	cr_redis_sub *sub;
	int r = cr_redis_sub_open(db, &sub);

	if (r < 0)
		return r;
	r = listen_on(db, sub);
	cr_redis_sub_close(sub);
	return r;
}

static int subscriptions(struct torture *t)
{
	return on_db(t, listen_for, 1);
}

#define BOTH(scenario)                                                                             \
	scarce_torture(#scenario, scenario, 0);                                                    \
	scarce_libraries(#scenario, scenario, 20)

int main(void)
{
	BOTH(connects);
	BOTH(commands);
	BOTH(pipelines);
	BOTH(scripts);
	BOTH(transactions);
	BOTH(waits_for_a_connection);
	BOTH(subscriptions);
	return test_done();
}
