/* SPDX-License-Identifier: MIT */
/* Phased shutdown: listeners, draining, clean-up, who is late. */

#include <corail/corail.h>

#include "support/core.h"

struct server {
	cr_listener *listener;
	char target[32];
	cr_event arrived, finish; /* a request has come; it may be answered */
	int served, cleaned;
};

static int handle(cr_conn *conn, void *arg)
{
	struct server *server = arg;
	char line[8];
	ssize_t r = cr_conn_read(conn, line, sizeof line);

	if (r < 0)
		return (int)r;
	cr_event_set(&server->arrived);
	r = cr_event_wait(&server->finish);
	if (r < 0) {
		/* Clean-up that suspends. */
		cr_shield(cr_seconds(5), cr_sleep(cr_millis(1)));
		server->cleaned++;
		return (int)r;
	}
	r = cr_conn_write(conn, "done", 4);
	server->served++;
	return r < 0 ? (int)r : 0;
}

static int serve(struct server *server)
{
	return cr_listener_serve(server->listener, NULL, handle, server);
}

static void server_open(struct server *server, cr_scope *scope)
{
	*server = (struct server){.served = 0};
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &server->listener), 0);
	snprintf(server->target, sizeof server->target, "127.0.0.1:%d",
	         cr_listener_port(server->listener));
	cr_spawn(scope, serve, server);
}

/* A client whose request the server has. */
static cr_conn *request(struct server *server)
{
	cr_conn *conn;

	CHECK_EQ(cr_conn_open(server->target, &conn), 0);
	CHECK_EQ(cr_conn_write(conn, "hello", 5), 0);
	CHECK_EQ(cr_event_wait(&server->arrived), 0);
	return conn;
}

static int answer_later(struct server *server)
{
	cr_conn *conn;
	int r = cr_sleep(cr_millis(5));

	/* By now nobody accepts any more. */
	CHECK_EQ(cr_conn_open(server->target, &conn), -ECONNREFUSED);
	cr_event_set(&server->finish);
	return r;
}

static cr_shutdown_options options_for(struct server *server)
{
	return (cr_shutdown_options){
		.listeners = &server->listener,
		.listener_count = 1,
		.cleanup = cr_seconds(60),
	};
}

TEST(drains)
{
	cr_shutdown_report report;
	cr_shutdown_options options;
	struct server server;
	cr_conn *conn, *other;
	char answer[8];

	CORAIL_SCOPE(helpers);
	{
		CORAIL_SCOPE(scope);
		server_open(&server, &scope);
		conn = request(&server);
		cr_spawn(&helpers, answer_later, &server);
		options = options_for(&server);
		options.drain = cr_seconds(60);
		CHECK_EQ(cr_shutdown(&scope, &options, &report), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(report.running, 2);
	CHECK_EQ(report.cancelled, 0);
	CHECK_EQ(report.late, 0);
	CHECK_GE(report.took, cr_millis(5));
	CHECK_EQ(server.served, 1);
	CHECK_EQ(cr_listener_accept(server.listener, &other), -ECANCELED);
	CHECK_EQ(serve(&server), 0);
	cr_listener_stop(server.listener);
	cr_listener_close(server.listener);
	CHECK_EQ(cr_conn_read(conn, answer, sizeof answer), 4);
	CHECK_EQ(cr_conn_read(conn, answer, sizeof answer), 0);
	cr_conn_close(conn);
	return cr_scope_wait(&helpers);
}

/* The request takes too long: it is cancelled, and cleans up. */
TEST(cancels)
{
	cr_shutdown_report report;
	cr_shutdown_options options;
	struct server server;
	cr_conn *conn;
	cr_nsec start;

	CORAIL_SCOPE(scope);
	server_open(&server, &scope);
	conn = request(&server);
	options = options_for(&server);
	options.drain = cr_millis(20);
	start = cr_now();
	CHECK_EQ(cr_shutdown(&scope, &options, &report), 0);
	CHECK_GE(cr_now() - start, cr_millis(20));
	CHECK_EQ(report.running, 2);
	CHECK_EQ(report.cancelled, 2);
	CHECK_EQ(report.late, 0);
	CHECK_EQ(server.cleaned, 1);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	cr_shield(cr_seconds(5), (cr_conn_close(conn), 0));
	cr_listener_close(server.listener);
	return 0;
}

struct stubborn {
	cr_event end;
	int cancelled;
};

/* Somebody whose clean-up takes as long as it takes. */
static int stubborn(struct stubborn *s)
{
	cr_task_name_set("stubborn");
	s->cancelled = cr_event_wait(&s->end) == -ECANCELED;
	return cr_shield(cr_seconds(1000), cr_event_wait(&s->end));
}

static void see_late(const cr_task_info *info, void *arg)
{
	cr_event *end = arg;

	note("%s waits for: %s", info->name, info->wait_reason);
	CHECK(strstr(info->site, "shutdown.c:") != NULL);
	CHECK_EQ(info->cancelled, 0); /* under its shield */
	cr_event_set(end);
}

TEST(reports_who_is_late)
{
	struct stubborn s = {.cancelled = 0};
	struct nap quick = {.duration = cr_seconds(1000)};
	cr_shutdown_report report;
	const cr_shutdown_options options = {
		.drain = -1,
		.cleanup = cr_millis(20),
		.late = see_late,
		.arg = &s.end,
	};

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, stubborn, &s);
	cr_spawn(&scope, nap, &quick);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_shutdown(&scope, &options, &report), -ETIMEDOUT);
	CHECK_STR(core_log, "stubborn waits for: event");
	CHECK_EQ(report.running, 2);
	CHECK_EQ(report.cancelled, 2);
	CHECK_EQ(report.late, 1);
	CHECK_GE(report.took, cr_millis(20));
	CHECK_EQ(s.cancelled, 1);
	CHECK_EQ(quick.seen, -ECANCELED);
	return 0;
}

static void stop(void *arg)
{
	cr_event_set(arg);
}

/* What is no listener is stopped by a function; defaults; a scope with nothing in it. */
TEST(any_scope)
{
	struct stubborn s = {.cancelled = 0};
	const cr_shutdown_options options = {.stop = stop, .arg = &s.end};
	cr_shutdown_report report;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_shutdown(&scope, NULL, NULL), 0);
	cr_spawn(&scope, stubborn, &s);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_shutdown(&scope, &options, &report), 0);
	CHECK_EQ(s.cancelled, 0);
	CHECK_EQ(report.cancelled, 0);
	CHECK_EQ(cr_scope_cancelled(&scope), 0);
	return 0;
}

static int inner(struct stubborn *s)
{
	cr_shutdown_report report;
	struct nap quick = {.duration = cr_seconds(1000)};
	int r;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, stubborn, s);
	cr_spawn(&scope, nap, &quick);
	r = cr_event_wait(&s->end);
	CHECK_EQ(r, -ECANCELED);
	/* No draining now: those inside are cancelled too. The rest is as ever. */
	r = cr_shutdown(&scope, &(cr_shutdown_options){.cleanup = cr_millis(10), .print = 1},
	                &report);
	CHECK_EQ(r, -ETIMEDOUT);
	CHECK_EQ(report.late, 1);
	CHECK_GE(report.cancelled, 1);
	cr_event_set(&s->end);
	return r;
}

TEST(in_a_cancelled_scope)
{
	struct stubborn s = {.cancelled = 0};
	cr_task task;

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	task = cr_spawn(&scope, inner, &s);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ETIMEDOUT);
	return 0;
}

static int fail(int *error)
{
	int r = cr_yield();

	return r < 0 ? r : *error;
}

/* A failure meanwhile is the scope's, as ever. */
TEST(failure_while_draining)
{
	struct nap quick = {.duration = cr_seconds(1000)};
	int error = -EPROTO;
	cr_shutdown_report report;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, nap, &quick);
	cr_spawn(&scope, fail, &error);
	CHECK_EQ(cr_shutdown(&scope, NULL, &report), 0);
	CHECK_EQ(report.running, 2);
	CHECK_EQ(report.late, 0);
	CHECK_EQ(cr_scope_wait(&scope), -EPROTO);
	return 0;
}

int main(void)
{
	RUN_TASK(drains);
	RUN_TASK(cancels);
	RUN_TASK(reports_who_is_late);
	RUN_TASK(any_scope);
	RUN_TASK(in_a_cancelled_scope);
	RUN_TASK(failure_while_draining);
	return test_done();
}
