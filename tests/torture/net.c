/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/* Connections and listeners, tortured. */

#include "support/talk.h"
#include "support/torture.h"

#include <corail/net.h>
#include <corail/task.h>

/*
 * Half a pipe's worth over what any backend's socket buffers hold would be slow; this much is
 * enough.
 */
enum { BULK = 1 << 20 };

/* More than is buffered on the way. */
static size_t bulk_size(void)
{
	return on_sim() ? BULK / 4 : BULK;
}

/* ------------------------------------------------------------------------------------ pairs --- */

static int talks_over_a_pair(struct torture *t)
{
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	return r < 0 ? r : talk_lines(t, conns, 3);
}

static int pour(cr_conn *conn)
{
	static const char block[BULK];
	int r = cr_conn_write(conn, block, bulk_size());

	cr_conn_close(conn);
	return r;
}

static int reads_a_bulk(struct torture *t)
{
	cr_conn *conns[2];
	static char buffer[65536];
	size_t total = 0;
	ssize_t n = 0;
	int r = cr_conn_pair(conns);

	if (r < 0)
		return r;
	CORAIL_SCOPE(scope);
	if (cr_task_error(cr_spawn(&scope, pour, conns[0])) < 0)
		cr_conn_close(conns[0]);
	while ((n = cr_conn_read(conns[1], buffer, sizeof buffer)) > 0)
		total += (size_t)n;
	if (!torture_delivered(t))
		CHECK_EQ(total, bulk_size());
	cr_conn_close(conns[1]);
	return (int)n;
}

/* --------------------------------------------------------------------------- TCP, in one go --- */

struct service {
	cr_listener *listener;
	char target[CORAIL_ADDR_TEXT_SIZE];
};

static int service_open(struct service *service)
{
	cr_addr addr;
	int r = cr_listener_open("127.0.0.1:0", NULL, &service->listener);

	if (r < 0)
		return r;
	r = cr_listener_addr(service->listener, &addr);
	if (r == 0)
		r = cr_addr_format(&addr, service->target, sizeof service->target);
	if (r < 0)
		cr_listener_close(service->listener);
	return r < 0 ? r : 0;
}

static int accept_and_echo(struct service *service)
{
	cr_conn *conn;
	int r = cr_listener_accept(service->listener, &conn);

	return r < 0 ? r : talk_echo(conn);
}

static int call(struct service *service)
{
	char answer[5];
	cr_conn *conn;
	int r = cr_conn_open(service->target, &conn);

	if (r < 0)
		return r;
	r = cr_conn_write(conn, "query", 5);
	if (r == 0)
		r = cr_conn_shutdown_write(conn);
	if (r == 0)
		r = cr_conn_read_exactly(conn, answer, sizeof answer);
	if (r == 0)
		CHECK_MEM(answer, "query", 5);
	cr_conn_close(conn);
	return r;
}

static int calls_a_server(struct torture *t)
{
	struct service service;
	int r = service_open(&service);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, accept_and_echo, &service);
		cr_spawn(&scope, call, &service);
		r = cr_scope_wait(&scope);
	}
	cr_listener_close(service.listener);
	return r;
}

static int handle(cr_conn *conn, void *arg)
{
	char buffer[16];
	ssize_t n;
	int r = 0;

	(void)arg;
	while (r == 0 && (n = cr_conn_read(conn, buffer, sizeof buffer)) > 0)
		r = cr_conn_write(conn, buffer, (size_t)n);
	return r;
}

static int serve(struct service *service)
{
	return cr_listener_serve(service->listener, NULL, handle, NULL);
}

static int serves_many(struct torture *t)
{
	struct service services[4], *service = services;
	int r = service_open(service);

	(void)t;
	if (r < 0)
		return r;
	for (int i = 1; i < 4; i++)
		services[i] = services[0];
	{
		CORAIL_SCOPE(scope);
		cr_task server = cr_spawn(&scope, serve, service);

		r = cr_gather(call, services, 4);
		cr_listener_close(service->listener);
		if (cr_task_error(server) == 0 && r == 0)
			r = cr_await(server);
	}
	return r;
}

static int dials_several_addresses(struct torture *t)
{
	struct service service, closed;
	cr_addr addrs[3];
	cr_conn *conn = NULL;
	int r = service_open(&service);

	(void)t;
	if (r < 0)
		return r;
	r = service_open(&closed);
	if (r == 0) {
		cr_listener_close(closed.listener);
		CHECK_EQ(cr_addr_parse(closed.target, &addrs[0]), 0);
		CHECK_EQ(cr_addr_parse(closed.target, &addrs[1]), 0);
		CHECK_EQ(cr_addr_parse(service.target, &addrs[2]), 0);
		r = cr_conn_open_addrs(addrs, 3, &conn);
		if (r == 0)
			cr_conn_close(conn);
	}
	cr_listener_close(service.listener);
	return r;
}

/* Two attempts get through in the same moment: one is the caller's, the other is closed. */
static int dials_two_winners(struct torture *t)
{
	cr_listener *listener;
	cr_addr addrs[2];
	cr_conn *conn;
	int r;

	(void)t;
	if (!on_sim())
		return cr_sleep(1);
	r = cr_listener_open(":80", NULL, &listener);
	if (r < 0)
		return r;
	for (int i = 0; i < 2 && r == 0; i++) {
		CHECK_EQ(cr_addr_parse(i ? "10.0.0.2:80" : "10.0.0.1:80", &addrs[i]), 0);
		r = cr_sim_connect_rule((struct sockaddr *)&addrs[i].storage, addrs[i].length,
		                        cr_millis(i ? 750 : 1000), 0);
	}
	if (r == 0)
		r = cr_conn_open_addrs(addrs, 2, &conn);
	if (r == 0)
		cr_conn_close(conn);
	cr_listener_close(listener);
	return r;
}

/* --------------------------------------------------------------- nothing lost, nothing hung --- */

static int loses_no_byte(struct torture *t)
{
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	return r < 0 ? r : talk_numbers(t, conns, 60);
}

static int connect_only(struct service *service)
{
	cr_conn *conn;
	char byte;
	int r = cr_conn_open(service->target, &conn);

	if (r < 0)
		return r;
	r = (int)cr_conn_read(conn, &byte, 1);
	cr_conn_close(conn);
	return r;
}

/* An accept that is cancelled anywhere loses no client: the next one gets it. */
static int loses_no_client(struct torture *t)
{
	struct service service;
	cr_conn *conn = NULL;
	int r = service_open(&service);

	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(clients);
		cr_scope_collect(&clients);
		cr_task client = cr_spawn(&clients, connect_only, &service);

		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = cr_listener_accept(service.listener, &conn);
			torture_victim(t, NULL);
		}
		if (r == -ECANCELED)
			r = cr_listener_accept(service.listener, &conn);
		if (r == 0)
			cr_conn_close(conn);
		if (!torture_excused(t)) {
			CHECK_EQ(r, 0);
			CHECK_EQ(cr_await(client), 0);
		}
	}
	cr_listener_close(service.listener);
	return r;
}

static int read_for_ever(cr_conn *conn)
{
	char byte;

	return (int)cr_conn_read(conn, &byte, 1);
}

static int closes_under_a_reader(struct torture *t)
{
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	cr_task reader = cr_spawn(&scope, read_for_ever, conns[0]);

	r = cr_sleep(cr_micros(50));
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	if (r == 0 && cr_task_error(reader) == 0) {
		r = cr_await(reader);
		if (r == -ECANCELED)
			r = 0;
	}
	return r;
}

static int gives_up_a_blocked_write(struct torture *t)
{
	static const char block[BULK];
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	r = cr_timeout(cr_millis(1), cr_conn_write(conns[0], block, sizeof block));
	cr_conn_abort(conns[0]);
	cr_conn_close(conns[1]);
	return r == -ETIMEDOUT ? 0 : r;
}

int main(void)
{
	TORTURE(talks_over_a_pair);
	TORTURE(reads_a_bulk);
	TORTURE(calls_a_server);
	TORTURE(serves_many);
	TORTURE(dials_several_addresses);
	TORTURE(dials_two_winners);
	TORTURE(loses_no_byte);
	TORTURE(loses_no_client);
	TORTURE(closes_under_a_reader);
	TORTURE(gives_up_a_blocked_write);
	return test_done();
}
