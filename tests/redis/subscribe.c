/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* Publish and subscribe: channels, patterns, limits, reconnection. */
#include "fixture.h"

static cr_redis_message next_message(cr_redis_sub *sub)
{
	cr_redis_message message;

	CHECK_EQ(cr_redis_sub_next(sub, &message), 0);
	return message;
}

static int publish_and_subscribe(cr_redis *db)
{
	static const char odd[] = "a\0b\r\n";
	cr_redis_arg odd_arg = cr_redis_blob(odd, sizeof odd);
	cr_redis_message message;
	cr_redis_sub *sub;

	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("news")), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("news")), 0);
	CHECK_EQ(cr_redis_subscribe(sub, odd_arg), 0);
	CHECK_EQ(cr_redis_psubscribe(sub, cr_redis_text("w*r")), 0);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "news", "one"), 1);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "weather", ""), 1);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS_ARGS(cr_redis_text("PUBLISH"), odd_arg, odd_arg),
	                          NULL),
	         0);
	message = next_message(sub);
	CHECK_EQ(message.kind, CORAIL_REDIS_MESSAGE);
	CHECK_STR(message.channel, "news");
	CHECK_STR(message.data, "one");
	CHECK(!message.pattern);
	message = next_message(sub);
	CHECK_STR(message.channel, "weather");
	CHECK_STR(message.pattern, "w*r");
	CHECK_EQ(message.pattern_size, 3);
	CHECK_EQ(message.size, 0);
	message = next_message(sub);
	CHECK_EQ(message.channel_size, sizeof odd);
	CHECK_EQ(message.size, sizeof odd);
	CHECK_MEM(message.data, odd, sizeof odd);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_redis_sub_next(sub, &message)), -ETIMEDOUT);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "news", "two"), 1);
	CHECK_STR(next_message(sub).data, "two");
	CHECK_EQ(cr_redis_unsubscribe(sub, cr_redis_text("w*r")), -ENOENT);
	CHECK_EQ(cr_redis_punsubscribe(sub, cr_redis_text("w*r")), 0);
	CHECK_EQ(cr_redis_unsubscribe(sub, cr_redis_text("news")), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("last")), 0);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "news", "three"), 0);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "weather", "fair"), 0);
	cr_redis_sub_close(sub);
	cr_redis_sub_close(NULL);
	return 0;
}

static int wait_for_message(cr_redis_sub **sub)
{
	cr_redis_message message;

	return cr_redis_sub_next(*sub, &message);
}

static int one_reader(cr_redis *db)
{
	cr_redis_message message;
	cr_redis_sub *sub;
	cr_task task;

	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		task = cr_spawn(&scope, wait_for_message, &sub);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_redis_sub_next(sub, &message), -EBUSY);
		/* Closing sends whoever waits away. */
		cr_redis_sub_close(sub);
		CHECK_EQ(cr_await(task), -ESHUTDOWN);
	}
	return 0;
}

/* Far more than is kept: the sender's server buffers, and nothing is missed. */
static int slow_reader(cr_redis *db)
{
	enum { MESSAGES = 500 };
	cr_redis_sub *sub;

	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	for (int i = 0; i < MESSAGES; i++)
		CHECK_EQ(cr_redis_command(db,
		                          CORAIL_REDIS_ARGS(cr_redis_text("PUBLISH"),
		                                            cr_redis_text("c"), cr_redis_int(i)),
		                          NULL),
		         0);
	for (int i = 0; i < MESSAGES; i++) {
		cr_redis_message message = next_message(sub);

		CHECK_EQ(message.kind, CORAIL_REDIS_MESSAGE);
		CHECK_EQ(strtol(message.data, NULL, 10), i);
	}
	/* Closed while the connection waits for room. */
	for (int i = 0; i < 10; i++)
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("PUBLISH", "c", "x"), NULL), 0);
	next_message(sub);
	cr_redis_sub_close(sub);
	return 0;
}

/* Cut off by the server, it comes back by itself, subscribed as before. */
static int cut_off(cr_redis *db)
{
	cr_redis_message message;
	cr_redis_sub *sub;

	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("a")), 0);
	CHECK_EQ(cr_redis_psubscribe(sub, cr_redis_text("b*")), 0);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "a", "before"), 1);
	CHECK_STR(next_message(sub).data, "before");
	CHECK_EQ(REDIS_NUMBER(db, "CLIENT", "KILL", "TYPE", "pubsub"), 1);
	CHECK_EQ(next_message(sub).kind, CORAIL_REDIS_MISSED);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("a")), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "a", "1"), 1);
	CHECK_EQ(REDIS_NUMBER(db, "PUBLISH", "bb", "2"), 1);
	message = next_message(sub);
	CHECK_EQ(message.kind, CORAIL_REDIS_MESSAGE);
	CHECK_STR(message.data, "1");
	CHECK_STR(next_message(sub).pattern, "b*");
	cr_redis_sub_close(sub);
	return 0;
}

static int not_permitted(cr_redis *unused)
{
	cr_redis_message message;
	char url[256];
	cr_redis *db;
	cr_redis_sub *sub;

	(void)unused;
	snprintf(url, sizeof url, "redis://reader:secret@127.0.0.1:%s",
	         redis_setting("REDIS_PORT"));
	CHECK_EQ(cr_redis_open(url, NULL, &db), 0);
	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("open")), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("shut")), -CORAIL_E_REDIS_LOGIN);
	CHECK(strncmp(cr_redis_error(db), "NOPERM", 6) == 0);
	CHECK_EQ(cr_redis_unsubscribe(sub, cr_redis_text("shut")), -ENOENT);
	CHECK_EQ(cr_redis_unsubscribe(sub, cr_redis_text("open")), 0);
	cr_redis_sub_close(sub);
	cr_redis_close(db);

	/* Nobody there: told, and tried again by the next call. */
	CHECK_EQ(cr_redis_open("redis://127.0.0.1:1", &(cr_redis_options){.pause_min = 1}, &db), 0);
	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), -ECONNREFUSED);
		CHECK_EQ(cr_redis_sub_next(sub, &message), -ECONNREFUSED);
	}
	cr_redis_sub_close(sub);
	cr_redis_close(db);
	return 0;
}

int main(void)
{
	static const cr_redis_options few = {.message_count_max = 4};

	RUN_REDIS(publish_and_subscribe);
	RUN_REDIS(one_reader);
	RUN_REDIS_WITH(slow_reader, &few);
	RUN_REDIS(cut_off);
	RUN_REDIS(not_permitted);
	return test_done();
}
