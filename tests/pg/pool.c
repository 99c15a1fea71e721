/* SPDX-License-Identifier: MIT */
/* ctest: timeout=180 needs=pg */
/* The pool: restarts of the server, limits, options, closing. */
#include "fixture.h"
#include "full.h"

#include "load.h"
#include <signal.h>

/* ------------------------------------------------------------------------------ the server --- */

static int sleep_there(void *db)
{
	int r = cr_pg_query(db, "select pg_sleep(0.001)", NULL, 0, NULL);

	CHECK(r == 0 || r == -CORAIL_E_SQL_CONNECTION || r == -ECONNREFUSED || r == -ENOENT);
	return r;
}

/* Killed and started again under load: errors of those in flight, and then all is well. */
static int restarted(cr_pg *db)
{
	const char *server = getenv("PG_CTL");
	struct load load;
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	{
		CORAIL_SCOPE(scope);
		load_begin(&load, &scope, sleep_there, db);
		load_until(&load, LOAD_ANSWERED);
		load_control(server, "stop -m immediate");
		CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL),
		         -CORAIL_E_SQL_CONNECTION);
		CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL),
		         -CORAIL_E_SQL_CONNECTION);
		cr_pg_release(conn);
		load_until(&load, LOAD_FAILED);
		load_control(server, "start");
		load_until(&load, LOAD_ANSWERED);
		load_end(&load);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	/* Idle ones that the server has closed are found out before they are lent. */
	load_control(server, "restart -m fast");
	for (int i = 0; i < 10; i++)
		CHECK_EQ(pg_number(db, "select 42"), 42);
	return 0;
}

static int terminated(cr_pg *db)
{
	cr_pg_conn *conn;
	cr_pg_stats stats;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_query(db, "select pg_terminate_backend($1::int)",
	                     CORAIL_SQL(cr_sql_int(cr_pg_conn_backend_pid(conn))), NULL),
	         0);
	CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), -CORAIL_E_SQL_CONNECTION);
	CHECK(strstr(cr_pg_conn_error(conn)->message, "terminating connection") != NULL);
	cr_pg_release(conn);
	cr_pg_stats_get(db, &stats);
	CHECK_EQ(stats.discarded, 1);
	CHECK_EQ(stats.opened, 2);
	CHECK_EQ(stats.conn_count, 1);
	return 0;
}

struct holder {
	cr_pg *db;
	int served;
};

static int hold(struct holder *h)
{
	cr_pg_conn *conn;
	cr_sql_error error;
	int r = cr_pg_acquire(h->db, &conn, &error);

	if (r < 0) {
		CHECK_EQ(r, -CORAIL_E_SQL_LIMIT);
		CHECK_EQ(error.error, r);
		CHECK(strstr(error.message, "connection") || strstr(error.message, "clients"));
		return r;
	}
	h->served = 1;
	r = cr_pg_conn_query(conn, "select pg_sleep(0.3)", NULL, 0, NULL);
	cr_pg_release(conn);
	return r;
}

/* More than the server takes: those that it refuses are told so, the others work. */
static int server_full(cr_pg *db)
{
	struct holder holders[60];
	int statuses[60], served = 0;

	for (int i = 0; i < 60; i++)
		holders[i] = (struct holder){.db = db};
	CHECK_GT(cr_gather_collect(hold, holders, 60, statuses), 0);
	for (int i = 0; i < 60; i++)
		served += holders[i].served;
	CHECK_GT(served, 20);
	CHECK_EQ(pg_number(db, "select 42"), 42);
	return 0;
}

/* --------------------------------------------------------------------------------- options --- */

static int notices;
static char notice_arg[] = "arg";

static void on_notice(void *arg, const char *text)
{
	CHECK_STR(arg, "arg");
	CHECK(strstr(text, "hear this") != NULL);
	notices++;
}

static int options(cr_pg *db)
{
	cr_pg_conn *conn, *same;
	cr_pg_stats stats;
	cr_pg_rows *rows;
	int before = notices;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_pg_conn_query(conn, "show application_name", NULL, 0, &rows), 0);
	CHECK_STR(cr_pg_rows_text(rows, 0, 0), "from init");
	cr_pg_rows_free(rows);
	CHECK_EQ(cr_pg_conn_script(conn, "set work_mem = '3MB'; create temp table gone(a int)"), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_pg_conn_query(conn, "select 7", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_script(conn, "do $$ begin raise notice 'hear this'; end $$"), 0);
	CHECK_EQ(notices, before + 1);
	cr_pg_release(conn);
	CHECK_EQ(cr_pg_acquire(db, &same, NULL), 0);
	cr_pg_stats_get(db, &stats);
	CHECK_EQ(stats.discarded, 0);
	CHECK(same == conn);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_pg_conn_query(same, "select 7", NULL, 0, NULL), 0);
	CHECK_EQ(cr_pg_conn_query(same, "select * from gone", NULL, 0, NULL), -CORAIL_E_SQL_SYNTAX);
	cr_pg_release(same);
	/* Unused for long enough, it is closed. */
	do {
		CHECK_EQ(cr_sleep(cr_millis(10)), 0);
		cr_pg_stats_get(db, &stats);
	} while (stats.conn_count > 0);
	CHECK_EQ(cr_pg_query(db, "select 1", NULL, 0, NULL), 0);
	cr_pg_stats_get(db, &stats);
	CHECK_GE(stats.opened, 2);
	CHECK_EQ(stats.discarded, 0);
	return 0;
}

static int without_a_limit_it_stays(cr_pg *db)
{
	cr_pg_stats stats;

	CHECK_EQ(cr_pg_query(db, "select 1", NULL, 0, NULL), 0);
	CHECK_EQ(cr_sleep(cr_millis(20)), 0);
	cr_pg_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count_idle, 1);
	return 0;
}

static int ask_once(cr_pg **db)
{
	return cr_pg_query(*db, "select 1", NULL, 0, NULL);
}

/* However short a life a connection has, it serves who waits for it, once. */
static int too_old_at_once(cr_pg *db)
{
	cr_pg_stats stats;

	CHECK_EQ(ask_once(&db), 0);
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < 8; i++)
			cr_spawn(&scope, ask_once, &db);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_pg_stats_get(db, &stats);
	CHECK_EQ(stats.opened, 9);
	CHECK_EQ(stats.conn_count, 0);
	CHECK_EQ(stats.discarded, 0);
	return 0;
}

static int borrow(cr_pg **db)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(*db, &conn, NULL);

	if (r == 0)
		cr_pg_release(conn);
	return r;
}

/* Who gives up while a connection is asked for a sign of life does not cost it, or the others. */
static int cancelled_checks(cr_pg *db)
{
	cr_pg_conn *conns[3];
	cr_pg_stats stats;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_pg_acquire(db, &conns[i], NULL), 0);
	for (int i = 0; i < 3; i++)
		cr_pg_release(conns[i]);
	for (int i = 0; i < 5; i++) {
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		cr_spawn(&scope, borrow, &db);
		CHECK_EQ(cr_yield(), 0);
		cr_scope_cancel(&scope);
	}
	cr_pg_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count_idle, 3);
	CHECK_EQ(stats.opened, 3);
	CHECK_EQ(stats.discarded, 0);
	return 0;
}

struct waiter {
	cr_pg *db;
	int error;
};

static int wait_for_one(struct waiter *w)
{
	cr_pg_conn *conn;

	w->error = cr_pg_acquire(w->db, &conn, NULL);
	CHECK(w->error < 0);
	return 0;
}

static int close_it(cr_pg **db)
{
	cr_pg_close(*db);
	return 0;
}

/* Closing turns those away who wait, and waits for what is lent. */
static int closing(cr_pg *unused)
{
	cr_pg_options one = {PG_PATIENCE, .conn_count_max = 1};
	struct waiter w = {0};
	cr_pg_conn *conn;
	cr_pg *db;

	(void)unused;
	CHECK_EQ(cr_pg_open("", &one, &db, NULL), 0);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	w.db = db;
	{
		CORAIL_SCOPE(scope);
		cr_task closer;

		cr_spawn(&scope, wait_for_one, &w);
		CHECK_EQ(cr_yield(), 0);
		closer = cr_spawn(&scope, close_it, &db);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(w.error, -ESHUTDOWN);
		CHECK_EQ(cr_pg_conn_query(conn, "select 1", NULL, 0, NULL), 0);
		cr_pg_release(conn);
		CHECK_EQ(cr_await(closer), 0);
	}
	cr_pg_close(NULL);
	cr_pg_release(NULL);
	return 0;
}

/* Closed while the server is asked for a sign of life, and then there is none. */
static int closing_during_a_check(cr_pg *unused)
{
	static const cr_pg_options options = {PG_PATIENCE, .check_after = 1};
	cr_pg_conn *conn;
	cr_pg *db;
	pid_t pid;

	(void)unused;
	CHECK_EQ(cr_pg_open("", &options, &db, NULL), 0);
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	pid = cr_pg_conn_backend_pid(conn);
	cr_pg_release(conn);
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	{
		CORAIL_SCOPE(scope);
		cr_task borrower, closer;

		cr_scope_collect(&scope);
		borrower = cr_spawn(&scope, borrow, &db);
		CHECK_EQ(cr_yield(), 0);
		closer = cr_spawn(&scope, close_it, &db);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(kill(pid, SIGTERM), 0);
		CHECK_EQ(kill(pid, SIGCONT), 0);
		CHECK_EQ(cr_await(borrower), -ESHUTDOWN);
		CHECK_EQ(cr_await(closer), 0);
	}
	return 0;
}

static int targets(cr_pg *unused)
{
	/* The server's port goes in between. */
	static const struct {
		const char *before, *after;
		int error;
	} cases[] = {
		{"host=localhost port=", "", 0},
		{"postgresql://127.0.0.1:", "/postgres?connect_timeout=5", 0},
		{"postgresql://localhost:1,localhost:", "/postgres", 0},
		{"host=no-such-host.invalid,127.0.0.1 port=1,", "", 0},
		{"user=nobody-known host=127.0.0.1 port=", "", -CORAIL_E_SQL_LOGIN},
		{"dbname=nowhere host=127.0.0.1 port=", "", -CORAIL_E_SQL_SYNTAX},
		{"host=127.0.0.1 port=1 application_name=", "", -ECONNREFUSED},
		{"host=/nowhere port=", "", -ENOENT},
	};
	cr_sql_error error;
	cr_pg *db;

	(void)unused;
	CHECK_EQ(cr_dns_host_set("no-such-host.invalid", "127.0.0.2"), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char target[128];
		cr_pg_conn *conn;

		snprintf(target, sizeof target, "%s%s%s", cases[i].before, getenv("PG_PORT"),
		         cases[i].after);
		CHECK_EQ(cr_pg_open(target, NULL, &db, &error), 0);
		CHECK_EQ(cr_pg_acquire(db, &conn, &error), cases[i].error);
		if (cases[i].error == 0)
			cr_pg_release(conn);
		else
			CHECK_GT(strlen(error.message), 0);
		cr_pg_close(db);
	}
	CHECK_EQ(cr_pg_open("hots=x", NULL, &db, &error), -EINVAL);
	CHECK(strstr(error.message, "hots") != NULL);
	return 0;
}

static int ask_for_one(cr_pg **handle)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(*handle, &conn, NULL);

	if (r == 0)
		cr_pg_release(conn);
	return r;
}

/* Borrows a connection that will not come back. */
static cr_pg_conn *acquire_broken(cr_pg *db)
{
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CHECK_LT(cr_pg_conn_query(conn, "select pg_terminate_backend(pg_backend_pid())", NULL, 0,
	                          NULL),
	         0);
	return conn;
}

/* No further task can be started, and no connection is there: those who wait hear of it. */
static int without_room_to_connect(cr_pg *db)
{
	cr_task tasks[3];
	cr_pg_conn *conn;

	cr_pg_release(acquire_broken(db));
	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	for (int i = 0; i < 3; i++)
		tasks[i] = cr_spawn_copy(&scope, ask_for_one, &db);
	full_begin();
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_await(tasks[i]), -EAGAIN);
	full_end();
	/* One who is there and goes leaves nothing to wait for, either. */
	conn = acquire_broken(db);
	for (int i = 0; i < 3; i++)
		tasks[i] = cr_spawn_copy(&scope, ask_for_one, &db);
	full_begin();
	CHECK_EQ(cr_yield(), 0);
	cr_pg_release(conn);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_await(tasks[i]), -EAGAIN);
	full_end();
	return 0;
}

/* The same beside one that is lent: they get it, and for now nobody tends the pool. */
static int without_room_they_share(cr_pg *db)
{
	cr_task tasks[3];
	cr_pg_conn *conn;

	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		tasks[i] = cr_spawn_copy(&scope, ask_for_one, &db);
	full_begin();
	CHECK_EQ(cr_yield(), 0);
	cr_pg_release(conn);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_await(tasks[i]), 0);
	full_end();
	CHECK_EQ(cr_pg_acquire(db, &conn, NULL), 0);
	cr_pg_release(conn);
	return 0;
}

int main(void)
{
	static const cr_pg_options hundred = {PG_PATIENCE, .conn_count_max = 100};
	static const cr_pg_options lasting = {PG_PATIENCE, .idle_max = CORAIL_NEVER,
	                                      .lifetime_max = CORAIL_NEVER};
	static const cr_pg_options fleeting = {PG_PATIENCE, .conn_count_max = 2, .lifetime_max = 1,
	                                       .idle_max = 1, .check_after = 1};
	static const cr_pg_options wary = {PG_PATIENCE, .check_after = 1};
	static const cr_pg_options busy = {PG_PATIENCE, .conn_count_max = 8};
	static const cr_pg_options tuned = {
		PG_PATIENCE,
		.idle_max = 50000000,
		.init = "set application_name = 'from init'",
		.reset = "discard all",
		.notice = on_notice,
		.notice_arg = notice_arg,
	};

	RUN_PG(terminated);
	RUN_PG_WITH(server_full, &hundred);
	RUN_PG_WITH(options, &tuned);
	RUN_PG_WITH(without_a_limit_it_stays, &lasting);
	RUN_PG_WITH(too_old_at_once, &fleeting);
	RUN_PG_WITH(cancelled_checks, &wary);
	RUN_PG(without_room_to_connect);
	RUN_PG(without_room_they_share);
	RUN_PG(closing);
	RUN_PG(closing_during_a_check);
	RUN_PG(targets);
	RUN_PG_WITH(restarted, &busy);
	return test_done();
}
