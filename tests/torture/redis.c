/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* Torture of the Redis client, against a server that says OK to everything. */
#include "support/torture.h"

#include <corail/net.h>
#include <corail/redis.h>

/* Every command begins with the only asterisk that it has. */
static int serve_one(cr_conn *conn, void *unused)
{
	char piece[512];
	ssize_t size;

	(void)unused;
	while ((size = cr_conn_read(conn, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < size; i++)
			if (piece[i] == '*' && cr_conn_write(conn, "+OK\r\n", 5) < 0)
				return 0;
	return 0;
}

static int serve(cr_listener **listener)
{
	cr_listener_serve(*listener, NULL, serve_one, NULL);
	return 0;
}

static int ask(cr_redis **db)
{
	const cr_redis_arg words[] = {cr_redis_text("SET"), cr_redis_text("key"), cr_redis_int(12)};
	cr_redis_call calls[] = {{.args = words, .arg_count = 3}, {.args = words, .arg_count = 3}};
	cr_redis_reply reply;
	int r = cr_redis_command(*db, words, 3, &reply);

	if (r < 0)
		return r;
	CHECK_STR(reply.text, "OK");
	cr_redis_reply_free(&reply);
	r = cr_redis_pipeline(*db, calls, 2);
	cr_redis_calls_free(calls, 2);
	return r;
}

static int borrow(cr_redis **db)
{
	cr_redis_conn *conn;
	int r = cr_redis_acquire(*db, &conn);

	if (r < 0)
		return r;
	r = cr_redis_conn_command(conn, CORAIL_REDIS("BLPOP", "q", "0"), NULL);
	cr_redis_release(conn);
	return r;
}

static int use(cr_redis *db)
{
	CORAIL_SCOPE(scope);

	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, ask, &db);
	cr_spawn(&scope, borrow, &db);
	return cr_scope_wait(&scope);
}

static int many_askers(struct torture *t)
{
	cr_redis_options options = {.conn_count_max = 1, .attempt_max = 2};
	CORAIL_SCOPE(scope);
	cr_listener *listener;
	cr_redis *db;
	char url[64];
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	(void)t;
	if (r < 0)
		return r;
	cr_spawn(&scope, serve, &listener);
	snprintf(url, sizeof url, "redis://127.0.0.1:%d", cr_listener_port(listener));
	r = cr_redis_open(url, &options, &db);
	if (r == 0) {
		r = use(db);
		cr_redis_close(db);
	}
	cr_scope_cancel(&scope);
	cr_scope_wait(&scope);
	cr_listener_close(listener);
	return r;
}

int main(void)
{
	TORTURE(many_askers);
	return test_done();
}
