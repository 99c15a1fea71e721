/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_REDIS_FIXTURE_H
#define CORAIL_TESTS_REDIS_FIXTURE_H

/*
 * Tests against a real Redis server, which server.bash has started: int test(cr_redis *db), once on
 * each backend, over its Unix socket and an empty database, with a check that no descriptor is left
 * over.
 */

#include <corail/corail.h>
#include <corail/redis.h>

#include "backends.h"

struct redis_test {
	int (*run)(cr_redis *db);
	const cr_redis_options *options;
};

/* A variable that server.bash has set. */
static const char *redis_setting(const char *variable)
{
	const char *value = getenv(variable);

	if (!value)
		FAIL("run this by server.bash");
	return value;
}

static int redis_test_main(struct redis_test *test)
{
	char url[256];
	cr_redis *db;

	snprintf(url, sizeof url, "unix:%s", redis_setting("REDIS_SOCKET"));
	CHECK_EQ(cr_redis_open(url, test->options, &db), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("FLUSHALL"), NULL), 0);
	CHECK_EQ(test->run(db), 0);
	cr_redis_close(db);
	return 0;
}

#define RUN_REDIS(fn) RUN_REDIS_WITH(fn, NULL)
#define RUN_REDIS_WITH(fn, options) redis_run(#fn, fn, options)

static void redis_once(void *arg)
{
	struct redis_test *test = arg;

	CHECK_EQ(cr_run(redis_test_main, test), 0);
}

static void redis_run(const char *name, int (*run)(cr_redis *db), const cr_redis_options *options)
{
	static const char *const backends[] = {"uring", "epoll"};
	struct redis_test test = {run, options};

	backends_run(name, backends, 2, redis_once, &test);
}

/* Runs a command that must give a number. */
#define REDIS_NUMBER(db, ...) redis_number(db, CORAIL_REDIS(__VA_ARGS__))

__attribute__((unused)) static int64_t redis_number(cr_redis *db, const cr_redis_arg *args,
                                                    size_t count)
{
	cr_redis_reply reply;
	int64_t number;

	CHECK_EQ(cr_redis_command(db, args, count, &reply), 0);
	CHECK_EQ(cr_redis_reply_int(&reply, &number), 0);
	cr_redis_reply_free(&reply);
	return number;
}

#endif
