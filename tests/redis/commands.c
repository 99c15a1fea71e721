/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 needs=redis */
/* Commands and replies, pipelines, transactions, scripts. */
#include "fixture.h"

static int kinds(cr_redis *db)
{
	cr_redis_reply reply;
	int64_t number;

	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SET", "name", "coral"), &reply), 0);
	CHECK_EQ(reply.kind, CORAIL_REDIS_STATUS);
	CHECK_STR(reply.text, "OK");
	cr_redis_reply_free(&reply);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("GET", "name"), &reply), 0);
	CHECK_EQ(reply.kind, CORAIL_REDIS_TEXT);
	CHECK_STR(reply.text, "coral");
	CHECK_EQ(reply.size, 5);
	CHECK_EQ(cr_redis_reply_int(&reply, &number), -CORAIL_E_REDIS_TYPE);
	cr_redis_reply_free(&reply);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("GET", "nothing"), &reply), 0);
	CHECK_EQ(reply.kind, CORAIL_REDIS_NIL);
	CHECK_EQ(cr_redis_reply_int(&reply, &number), -CORAIL_E_REDIS_TYPE);
	CHECK_EQ(cr_redis_command(db,
	                          CORAIL_REDIS_ARGS(cr_redis_text("INCRBY"), cr_redis_text("n"),
	                                            cr_redis_int(INT64_MIN)),
	                          &reply),
	         0);
	CHECK_EQ(reply.kind, CORAIL_REDIS_INTEGER);
	CHECK_EQ(reply.integer, INT64_MIN);
	CHECK_EQ(REDIS_NUMBER(db, "GET", "n"), INT64_MIN);
	CHECK_EQ(REDIS_NUMBER(db, "HSET", "h", "a", "1", "b", "2"), 2);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("HGETALL", "h"), &reply), 0);
	CHECK_EQ(reply.kind, CORAIL_REDIS_ARRAY);
	CHECK_EQ(reply.count, 4);
	CHECK_STR(cr_redis_reply_field(&reply, "b")->text, "2");
	CHECK(!cr_redis_reply_field(&reply, "c"));
	cr_redis_reply_free(&reply);
	cr_redis_reply_free(&reply);
	cr_redis_reply_free(NULL);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SET", "big", "9223372036854775808"), NULL), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("GET", "big"), &reply), 0);
	CHECK_EQ(cr_redis_reply_int(&reply, &number), -ERANGE);
	cr_redis_reply_free(&reply);
	CHECK_EQ(cr_redis_command(db,
	                          CORAIL_REDIS("EVAL", "return {1, {2, {'x', false}}, {}}", "0"),
	                          &reply),
	         0);
	CHECK_EQ(reply.count, 3);
	CHECK_STR(reply.elements[1].elements[1].elements[0].text, "x");
	CHECK_EQ(reply.elements[1].elements[1].elements[1].kind, CORAIL_REDIS_NIL);
	CHECK_EQ(reply.elements[2].count, 0);
	cr_redis_reply_free(&reply);
	return 0;
}

static int binary(cr_redis *db)
{
	static const char key[] = "\0\r\n$5\r\n\xff*", value[] = "a\0b\r\n";
	cr_redis_reply reply;

	CHECK_EQ(cr_redis_command(db,
	                          CORAIL_REDIS_ARGS(cr_redis_text("SET"),
	                                            cr_redis_blob(key, sizeof key),
	                                            cr_redis_blob(value, sizeof value)),
	                          NULL),
	         0);
	CHECK_EQ(cr_redis_command(db,
	                          CORAIL_REDIS_ARGS(cr_redis_text("GET"),
	                                            cr_redis_blob(key, sizeof key)),
	                          &reply),
	         0);
	CHECK_EQ(reply.size, sizeof value);
	CHECK_MEM(reply.text, value, sizeof value);
	cr_redis_reply_free(&reply);
	CHECK_EQ(cr_redis_command(db,
	                          CORAIL_REDIS_ARGS(cr_redis_text("ECHO"), cr_redis_blob(NULL, 0)),
	                          &reply),
	         0);
	CHECK_EQ(reply.size, 0);
	CHECK_STR(reply.text, "");
	cr_redis_reply_free(&reply);
	return 0;
}

static int large(cr_redis *db)
{
	const size_t size = 5 * 1000 * 1000;
	char *data = malloc(size);
	cr_redis_reply reply;

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 >> 3);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(cr_redis_command(db,
		                          CORAIL_REDIS_ARGS(cr_redis_text("SET"),
		                                            cr_redis_text("l"),
		                                            cr_redis_blob(data, size)),
		                          NULL),
		         0);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("GET", "l"), &reply), 0);
		CHECK_EQ(reply.size, size);
		CHECK_MEM(reply.text, data, size);
		cr_redis_reply_free(&reply);
	}
	free(data);
	return 0;
}

static int errors(cr_redis *db)
{
	static const char *const refused[] = {"BLPOP", "brpop",   "MULTI",     "Exec", "WATCH",
	                                      "WAIT",  "SELECT",  "subscribe", "QUIT", "MONITOR",
	                                      "HELLO", "DISCARD", "AUTH",      ""};
	cr_redis_reply reply;

	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("LPUSH", "list", "1"), NULL), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("GET", "list"), &reply), -CORAIL_E_REDIS_TYPE);
	CHECK(strstr(cr_redis_error(db), "wrong kind of value") != NULL);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("NOSUCH"), NULL), -CORAIL_E_REDIS_ERROR);
	CHECK(strstr(cr_redis_error(db), "NOSUCH") != NULL);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS(refused[i], "a"), NULL), -EINVAL);
	CHECK_STR(cr_redis_error(db), "");
	CHECK_EQ(cr_redis_command(db, NULL, 0, NULL), -EINVAL);
	CHECK_EQ(cr_redis_command(
			 db, CORAIL_REDIS("XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", "s", "0"),
			 NULL),
	         -EINVAL);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("XREAD", "STREAMS", "BLOCK", "0"), NULL), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("CLIENT", "REPLY", "OFF"), NULL), -EINVAL);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("CLIENT", "GETNAME"), &reply), 0);
	CHECK_STR(reply.text, "corail");
	cr_redis_reply_free(&reply);
	return 0;
}

struct asker {
	cr_redis *db;
	int number, rounds;
};

static int ask(struct asker *a)
{
	for (int i = 0; i < a->rounds; i++) {
		char text[64];
		cr_redis_reply reply;

		snprintf(text, sizeof text, "%d of %d", i, a->number);
		CHECK_EQ(cr_redis_command(a->db, CORAIL_REDIS("ECHO", text), &reply), 0);
		CHECK_STR(reply.text, text);
		cr_redis_reply_free(&reply);
	}
	return 0;
}

/* Many tasks on one connection, few in flight: everybody gets a turn, and what is one's own. */
static int many_tasks(cr_redis *db)
{
	struct asker askers[200];
	cr_redis_stats stats;

	for (int i = 0; i < 200; i++)
		askers[i] = (struct asker){db, i, 10};
	CHECK_EQ(cr_gather(ask, askers, 200), 0);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.opened, 1);
	CHECK_EQ(stats.in_flight, 0);
	CHECK_EQ(stats.commands, 2001);
	return 0;
}

#define CALL(...)                                                                                  \
	(cr_redis_call)                                                                            \
	{                                                                                          \
		CORAIL_REDIS(__VA_ARGS__), .status = 1                                             \
	}

static int pipelines(cr_redis *db)
{
	enum { MANY = 1000 };
	const cr_redis_arg incr[] = {cr_redis_text("INCR"), cr_redis_text("many")};
	static cr_redis_call many[MANY];
	cr_redis_call calls[] = {CALL("SET", "a", "1"), CALL("LPUSH", "a", "2"), CALL("INCR", "a")};
	cr_redis_call bad[] = {CALL("SET", "a", "7"), CALL("BLPOP", "l", "0")};

	CHECK_EQ(cr_redis_pipeline(db, calls, 3), -CORAIL_E_REDIS_TYPE);
	CHECK(strncmp(cr_redis_error(db), "WRONGTYPE", 9) == 0);
	CHECK_EQ(calls[0].status, 0);
	CHECK_EQ(calls[1].status, -CORAIL_E_REDIS_TYPE);
	CHECK_EQ(calls[1].reply.kind, CORAIL_REDIS_ERROR);
	CHECK_EQ(calls[2].status, 0);
	CHECK_EQ(calls[2].reply.integer, 2);
	cr_redis_calls_free(calls, 3);
	CHECK_EQ(cr_redis_pipeline(db, bad, 2), -EINVAL);
	CHECK_EQ(bad[0].status, -EINVAL);
	CHECK_EQ(REDIS_NUMBER(db, "GET", "a"), 2);
	for (int i = 0; i < MANY; i++)
		many[i] = (cr_redis_call){.args = incr, .arg_count = 2};
	CHECK_EQ(cr_redis_pipeline(db, many, MANY), 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(many[i].reply.integer, i + 1);
	cr_redis_calls_free(many, MANY);
	CHECK_EQ(cr_redis_pipeline(db, many, 0), 0);
	return 0;
}

static int transactions(cr_redis *db)
{
	cr_redis_call good[] = {CALL("SET", "t", "1"), CALL("INCR", "t"), CALL("GET", "t")};
	cr_redis_call fails[] = {CALL("LPUSH", "t", "1"), CALL("INCR", "t")};
	cr_redis_call bad[] = {CALL("INCR", "t"), CALL("NOSUCH"), CALL("INCR", "t")};
	cr_redis_call watched[] = {CALL("INCR", "t")};
	cr_redis_conn *conn;

	CHECK_EQ(cr_redis_transaction(db, good, 3), 0);
	CHECK_EQ(good[1].reply.integer, 2);
	CHECK_STR(good[2].reply.text, "2");
	cr_redis_calls_free(good, 3);
	CHECK_EQ(cr_redis_transaction(db, fails, 2), -CORAIL_E_REDIS_TYPE);
	CHECK_EQ(fails[1].reply.integer, 3);
	cr_redis_calls_free(fails, 2);
	CHECK_EQ(cr_redis_transaction(db, bad, 3), -CORAIL_E_REDIS_ERROR);
	CHECK_EQ(bad[0].status, -CORAIL_E_REDIS_ABORTED);
	CHECK_EQ(bad[1].status, -CORAIL_E_REDIS_ERROR);
	CHECK(strstr(bad[1].reply.text, "NOSUCH") != NULL);
	CHECK_EQ(bad[2].status, -CORAIL_E_REDIS_ABORTED);
	cr_redis_calls_free(bad, 3);
	CHECK_EQ(REDIS_NUMBER(db, "GET", "t"), 3);
	CHECK_EQ(cr_redis_transaction(db, good, 0), 0);

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("WATCH", "t"), NULL), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SET", "t", "10"), NULL), 0);
	CHECK_EQ(cr_redis_conn_transaction(conn, watched, 1), -CORAIL_E_REDIS_ABORTED);
	CHECK_EQ(watched[0].status, -CORAIL_E_REDIS_ABORTED);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("WATCH", "t"), NULL), 0);
	CHECK_EQ(cr_redis_conn_transaction(conn, watched, 1), 0);
	CHECK_EQ(watched[0].reply.integer, 11);
	cr_redis_release(conn);
	return 0;
}

static int scripts(cr_redis *db)
{
	cr_redis_script add = {.text = "return redis.call('incrby', KEYS[1], ARGV[1])"};
	cr_redis_script wrong = {.text = "return redis.call('lpush', KEYS[1], 'x')"};
	cr_redis_script invalid = {.text = "return return"};
	cr_redis_reply reply;

	for (int i = 1; i <= 3; i++) {
		CHECK_EQ(cr_redis_script_run(db, &add, CORAIL_REDIS("sum"),
		                             CORAIL_REDIS_ARGS(cr_redis_int(5)), &reply),
		         0);
		CHECK_EQ(reply.integer, 5 * i);
		/* Forgotten by the server, it is loaded again. */
		if (i == 2)
			CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SCRIPT", "FLUSH"), NULL), 0);
	}
	CHECK(cr_redis_script_run(db, &wrong, CORAIL_REDIS("sum"), NULL, 0, NULL) < 0);
	CHECK(strstr(cr_redis_error(db), "WRONGTYPE") != NULL);
	CHECK_EQ(cr_redis_script_run(db, &invalid, NULL, 0, NULL, 0, NULL), -CORAIL_E_REDIS_ERROR);
	CHECK(strstr(cr_redis_error(db), "compiling") != NULL);
	return 0;
}

int main(void)
{
	static const cr_redis_options narrow = {.in_flight_max = 3, .unsent_size_max = 1};

	RUN_REDIS(kinds);
	RUN_REDIS(binary);
	RUN_REDIS(large);
	RUN_REDIS(errors);
	RUN_REDIS(many_tasks);
	RUN_REDIS_WITH(many_tasks, &narrow);
	RUN_REDIS(pipelines);
	RUN_REDIS_WITH(pipelines, &narrow);
	RUN_REDIS(transactions);
	RUN_REDIS(scripts);
	return test_done();
}
