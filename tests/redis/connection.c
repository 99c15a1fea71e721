/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* URLs, logins, TLS, limits, servers that are none, slow networks. */
#include "fixture.h"
#include "slow_proxy.h"

/* --------------------------------------------------------------------- addresses and logins --- */

static int urls(cr_redis *unused)
{
	static const char *const bad[] = {
		"",
		"localhost",
		"http://a",
		"redis://",
		"redis://a:x",
		"redis://a:",
		"redis://a:70000",
		"redis://a/x",
		"redis://u@a",
		"redis://[::1",
		"unix:",
		"unix:/a?x=1",
		"redis://:%zz@a",
		"redis://a/1000001",
		"redis://a?x",
	};
	static const char *const good[] = {
		"redis://localhost:%s",
		"REDIS://127.0.0.1:%s/",
		"redis://127.0.0.1:%s/3",
		"redis://guest:secret@127.0.0.1:%s/3",
		"redis://gu%%65st:%%73ecret@127.0.0.1:%s",
	};
	char url[256];
	cr_redis *db;

	(void)unused;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_EQ(cr_redis_open(bad[i], NULL, &db), -EINVAL);
	CHECK_EQ(cr_redis_open("redis://localhost", &(cr_redis_options){.in_flight_max = SIZE_MAX},
	                       &db),
	         -ENOMEM);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cr_redis_reply reply;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(url, sizeof url, good[i], redis_setting("REDIS_PORT"));
#pragma GCC diagnostic pop
		CHECK_EQ(cr_redis_open(url, &(cr_redis_options){.name = "test"}, &db), 0);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("CLIENT", "INFO"), &reply), 0);
		CHECK(strstr(reply.text, "name=test ") != NULL);
		CHECK((strstr(reply.text, "db=3 ") != NULL) == (strstr(url, "/3") != NULL));
		CHECK((strstr(reply.text, "user=guest ") != NULL) == (strstr(url, "@") != NULL));
		cr_redis_reply_free(&reply);
		cr_redis_close(db);
	}
	return 0;
}

static int logins(cr_redis *unused)
{
	static const struct {
		const char *user, *password;
		int error;
	} cases[] = {
		{"guest", "secret", 0},
		{"guest", "wrong", -CORAIL_E_REDIS_LOGIN},
		{"nobody", "secret", -CORAIL_E_REDIS_LOGIN},
		{NULL, "no password is set", -CORAIL_E_REDIS_LOGIN},
		{"reader", "secret", -CORAIL_E_REDIS_LOGIN},
	};
	cr_redis_conn *conn;
	char url[256];
	cr_redis *db;

	(void)unused;
	snprintf(url, sizeof url, "unix:%s", redis_setting("REDIS_SOCKET"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_redis_options options = {.user = cases[i].user, .password = cases[i].password};

		CHECK_EQ(cr_redis_open(url, &options, &db), 0);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SET", "a", "1"), NULL), cases[i].error);
		CHECK_EQ(strlen(cr_redis_error(db)) > 0, cases[i].error < 0);
		/* A reader may connect, and not write. */
		if (cases[i].user && strcmp(cases[i].user, "reader") == 0)
			CHECK(strncmp(cr_redis_error(db), "NOPERM", 6) == 0);
		else
			CHECK_EQ(cr_redis_acquire(db, &conn), cases[i].error);
		if (cases[i].error == 0)
			cr_redis_release(conn);
		cr_redis_close(db);
	}
	snprintf(url, sizeof url, "unix:%s?db=99", redis_setting("REDIS_SOCKET"));
	CHECK_EQ(cr_redis_open(url, NULL, &db), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("PING"), NULL), -CORAIL_E_REDIS_ERROR);
	CHECK(strstr(cr_redis_error(db), "index") != NULL);
	cr_redis_close(db);
	return 0;
}

static int over_tls(cr_redis *unused)
{
	cr_tls_options tls = {.ca_file = NULL};
	cr_redis_options options = {.name = NULL};
	char url[256], ca[256];
	cr_redis_reply reply;
	cr_redis_sub *sub;
	cr_redis *db;

	(void)unused;
	snprintf(url, sizeof url, "rediss://localhost:%s/1", redis_setting("REDIS_TLS_PORT"));
	snprintf(ca, sizeof ca, "%s/ca.pem", redis_setting("REDIS_FOLDER"));
	tls.ca_file = ca;
	CHECK_EQ(cr_tls_config_open(&tls, &options.tls), 0);
	CHECK_EQ(cr_redis_open(url, &options, &db), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(REDIS_NUMBER(db, "INCR", "tls"), i + 1);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("FLUSHDB"), &reply), 0);
	cr_redis_reply_free(&reply);
	CHECK_EQ(cr_redis_sub_open(db, &sub), 0);
	CHECK_EQ(cr_redis_subscribe(sub, cr_redis_text("c")), 0);
	cr_redis_sub_close(sub);
	cr_redis_close(db);
	cr_tls_config_close(options.tls);
	/* The system's authorities do not know it, and without TLS it does not answer. */
	CHECK_EQ(cr_redis_open(url, NULL, &db), 0);
	CHECK_LT(cr_redis_command(db, CORAIL_REDIS("PING"), NULL), -11000);
	cr_redis_close(db);
	return 0;
}

/* ----------------------------------------------------------------------------------- limits --- */

/* An answer that is too large breaks the connection, and the next command has another one. */
static int reply_limit(cr_redis *db)
{
	static char data[200000];
	cr_redis_reply reply;

	memset(data, 'x', sizeof data - 1);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("SET", "l", data), NULL), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("GET", "l"), &reply), -EMSGSIZE);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("EVAL", "return {{{{{{{{{1}}}}}}}}}", "0"),
	                          &reply),
	         -EMSGSIZE);
	CHECK_EQ(cr_redis_command(
			 db,
			 CORAIL_REDIS("EVAL",
	                              "local t = {} for i = 1, 20000 do t[i] = i end return t",
	                              "0"),
			 &reply),
	         -EMSGSIZE);
	CHECK_EQ(REDIS_NUMBER(db, "STRLEN", "l"), sizeof data - 1);
	return 0;
}

/* More than the server takes: those that it refuses are told so, the others work. */
static int server_full(cr_redis *db)
{
	enum { MANY = 110 };
	cr_redis_conn *conns[MANY];
	int served = 0, r = 0;

	while (served < MANY && (r = cr_redis_acquire(db, &conns[served])) == 0)
		served++;
	CHECK(r == -CORAIL_E_REDIS_LIMIT || r == -ECONNRESET || r == -EPIPE);
	CHECK_GT(served, 50);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("PING"), NULL), 0);
	while (served > 0)
		cr_redis_release(conns[--served]);
	return 0;
}

static int serve_garbage(cr_conn *conn, void *text)
{
	cr_conn_write(conn, text, strlen(text));
	cr_conn_shutdown_write(conn);
	while (cr_conn_read(conn, (char[256]){0}, 256) > 0)
		continue;
	return 0;
}

struct server {
	cr_listener *listener;
	int (*serve)(cr_conn *conn, void *arg);
	void *arg;
};

static int serve(struct server *s)
{
	cr_listener_serve(s->listener, NULL, s->serve, s->arg);
	return 0;
}

static int no_redis(cr_redis *unused)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", -CORAIL_E_REDIS_PROTOCOL},
		{"$-7\r\n", -CORAIL_E_REDIS_PROTOCOL},
		{"*2147483647\r\n", -EMSGSIZE},
		{"-LOADING soon\r\n", -CORAIL_E_REDIS_STATE},
		{"-ERR max number of clients reached\r\n", -CORAIL_E_REDIS_LIMIT},
		{"+OK\r\n", -ECONNRESET},
		/* A number of the connection, then answers to what nobody has asked. */
		{"+OK\r\n:1\r\n+OK\r\n+1\r\n+2\r\n", -CORAIL_E_REDIS_PROTOCOL},
	};
	cr_redis_options once = {.attempt_max = 1};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct server s = {.serve = serve_garbage, .arg = (void *)(uintptr_t)cases[i].text};
		CORAIL_SCOPE(scope);
		char url[64];
		cr_redis *db;

		CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &s.listener), 0);
		cr_spawn(&scope, serve, &s);
		snprintf(url, sizeof url, "redis://127.0.0.1:%d", cr_listener_port(s.listener));
		CHECK_EQ(cr_redis_open(url, &once, &db), 0);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("PING"), NULL), cases[i].error);
		cr_redis_close(db);
		cr_scope_cancel(&scope);
		cr_scope_wait(&scope);
		cr_listener_close(s.listener);
	}
	return 0;
}

/* ----------------------------------------------------------------------------- slow network --- */

struct asker {
	cr_redis *db;
	int number;
};

static int ask(struct asker *a)
{
	for (int i = 0; i < 10; i++) {
		char text[1000];
		cr_redis_reply reply;
		int r;

		memset(text, 'a' + a->number, sizeof text);
		snprintf(text + 990, sizeof text - 990, "%d", i);
		r = cr_timeout(cr_millis(3 + i * 3),
		               cr_redis_command(a->db, CORAIL_REDIS("ECHO", text), &reply));
		if (r == 0) {
			CHECK_STR(reply.text, text);
			cr_redis_reply_free(&reply);
		} else {
			CHECK_EQ(r, -ETIMEDOUT);
		}
	}
	return 0;
}

static int slow_network(cr_redis *unused)
{
	struct server s = {.serve = slow_proxy};
	CORAIL_SCOPE(scope);
	struct asker askers[10];
	char url[64], target[256];
	cr_redis *db;

	(void)unused;
	snprintf(target, sizeof target, "unix:%s", redis_setting("REDIS_SOCKET"));
	s.arg = target;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &s.listener), 0);
	cr_spawn(&scope, serve, &s);
	snprintf(url, sizeof url, "redis://127.0.0.1:%d", cr_listener_port(s.listener));
	CHECK_EQ(cr_redis_open(url, NULL, &db), 0);
	for (int i = 0; i < 10; i++)
		askers[i] = (struct asker){db, i};
	CHECK_EQ(cr_gather(ask, askers, 10), 0);
	CHECK_EQ(REDIS_NUMBER(db, "INCR", "slow"), 1);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("DEL", "slow"), NULL), 0);
	cr_redis_close(db);
	cr_scope_cancel(&scope);
	cr_scope_wait(&scope);
	cr_listener_close(s.listener);
	return 0;
}

int main(void)
{
	static const cr_redis_options small = {.reply_size_max = 100000};
	static const cr_redis_options many = {.conn_count_max = 200, .attempt_max = 1};

	RUN_REDIS(urls);
	RUN_REDIS(logins);
	RUN_REDIS(over_tls);
	RUN_REDIS_WITH(reply_limit, &small);
	RUN_REDIS_WITH(server_full, &many);
	RUN_REDIS(no_redis);
	RUN_REDIS(slow_network);
	return test_done();
}
