/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 needs=tls */
/* TLS, tortured: handshakes, both directions, and their ends. */

#include "support/talk.h"
#include "support/torture.h"

#include "tls/pair.h"

enum { MESSAGE = 70000 };

/* Shared by all runs, and by all loops: made before the first. */
static cr_tls_config *client_config, *server_config;

struct side {
	cr_conn *plain, *conn;
};

static int serve_side(struct side *side)
{
	int r = cr_tls_server(side->plain, server_config, NULL, &side->conn);

	if (r < 0)
		cr_conn_close(side->plain);
	return r;
}

static int call_side(struct side *side)
{
	int r = cr_tls_client(side->plain, client_config, "localhost", &side->conn);

	if (r < 0)
		cr_conn_close(side->plain);
	return r;
}

/*
 * Both ends, or none. A handshake is dear, and what it does without memory does not depend on the
 * seed: once is enough.
 */
static int meet(struct torture *t, cr_conn *ret_conns[2])
{
	struct side client = {0}, server = {0};
	cr_conn *plain[2];
	int r;

	if (torture_short_of_memory(t) && t->seed > 1)
		return -ENOMEM;
	r = cr_conn_pair(plain);
	if (r < 0)
		return r;
	client.plain = plain[0];
	server.plain = plain[1];
	{
		CORAIL_SCOPE(scope);

		if (cr_task_error(cr_spawn(&scope, serve_side, &server)) < 0)
			cr_conn_close(plain[1]);
		r = call_side(&client);
		if (r < 0)
			cr_scope_cancel(&scope);
		if (r == 0)
			r = cr_scope_wait(&scope);
	}
	if (r < 0) {
		cr_conn_close(client.conn);
		cr_conn_close(server.conn);
		return r;
	}
	ret_conns[0] = client.conn;
	ret_conns[1] = server.conn;
	return 0;
}

static int shakes_hands_and_talks(struct torture *t)
{
	cr_conn *conns[2];
	int r = meet(t, conns);

	return r < 0 ? r : talk_lines(t, conns, 2);
}

/* ----------------------------------------------------------------------------- nothing lost --- */

static int loses_no_byte(struct torture *t)
{
	cr_conn *conns[2];
	int r;

	torture_victim(t, NULL);
	r = meet(t, conns);
	return r < 0 ? r : talk_numbers(t, conns, 20);
}

struct message {
	cr_conn *conn;
	size_t total;
	int end;
};

static int receive(struct message *message)
{
	static char buffer[40000];
	ssize_t n;

	while ((n = cr_conn_read(message->conn, buffer, sizeof buffer)) > 0)
		message->total += (size_t)n;
	message->end = (int)n;
	return 0;
}

/* Whoever sees an end has the whole: a write that was cut short is no end. */
static int never_ends_a_part(struct torture *t)
{
	static const char data[MESSAGE];
	struct message message = {.end = 1};
	cr_conn *conns[2];
	int r;

	torture_victim(t, NULL);
	r = meet(t, conns);
	if (r < 0)
		return r;
	message.conn = conns[1];
	{
		CORAIL_SCOPE(readers);
		cr_task reader = cr_spawn(&readers, receive, &message);

		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = cr_conn_write(conns[0], data, sizeof data);
			torture_victim(t, NULL);
		}
		cr_conn_close(conns[0]);
		if (cr_task_error(reader) == 0)
			cr_await(reader);
	}
	if (message.end == 0)
		CHECK_EQ(message.total, MESSAGE);
	if (r == 0 && !torture_excused(t))
		CHECK_EQ(message.end, 0);
	cr_conn_close(conns[1]);
	return r;
}

/* ------------------------------------------------------------------------------ all at once --- */

static int send_message(cr_conn *conn)
{
	static const char data[MESSAGE];
	int r = cr_conn_write(conn, data, sizeof data);

	return r < 0 ? r : cr_conn_shutdown_write(conn);
}

static int sends_both_ways(struct torture *t)
{
	cr_conn *conns[2];
	int r = meet(t, conns);

	if (r < 0)
		return r;
	{
		struct message up = {.conn = conns[1]}, down = {.conn = conns[0]};
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, send_message, conns[0]);
		cr_spawn(&scope, send_message, conns[1]);
		cr_spawn(&scope, receive, &up);
		cr_spawn(&scope, receive, &down);
		r = cr_scope_wait(&scope);
		if (!torture_delivered(t)) {
			CHECK_EQ(up.total, MESSAGE);
			CHECK_EQ(down.total, MESSAGE);
		}
	}
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return r;
}

static int closes_under_users(struct torture *t)
{
	struct message message = {.end = 1};
	cr_conn *conns[2];
	int r = meet(t, conns);

	(void)t;
	if (r < 0)
		return r;
	message.conn = conns[0];
	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	cr_spawn(&scope, receive, &message);
	cr_spawn(&scope, send_message, conns[0]);
	r = cr_sleep(cr_micros(50));
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return r;
}

static int greet(cr_conn *conn, void *arg)
{
	char word[5];
	int r = cr_conn_read_exactly(conn, word, sizeof word);

	(void)arg;
	return r < 0 ? r : cr_conn_write(conn, word, sizeof word);
}

static int serve(cr_listener *listener)
{
	return cr_tls_serve(listener, server_config, NULL, greet, NULL);
}

static int call(const char *target)
{
	char word[5];
	cr_conn *conn;
	int r = cr_tls_connect(target, client_config, &conn);

	if (r < 0)
		return r;
	r = cr_conn_write(conn, "query", 5);
	if (r == 0)
		r = cr_conn_read_exactly(conn, word, sizeof word);
	cr_conn_close(conn);
	return r;
}

static int serves_a_client(struct torture *t)
{
	cr_listener *listener;
	char target[32];
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	(void)t;
	if (r < 0)
		return r;
	snprintf(target, sizeof target, "127.0.0.1:%d", cr_listener_port(listener));
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, serve, listener);
		r = call(target);
		cr_scope_cancel(&scope);
	}
	cr_listener_close(listener);
	return r;
}

int main(void)
{
	cr_tls_identity identity;

	pki_open();
	identity = (cr_tls_identity){.chain_pem = pki_local.chain_pem,
	                             .key_pem = pki_local.key_pem};
	/* Without resumption, so that every handshake takes the same steps. */
	client_config =
		tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem, .session_count_max = -1});
	server_config = tls_config((cr_tls_options){.identities = &identity, .identity_count = 1});
	TORTURE(shakes_hands_and_talks);
	TORTURE(loses_no_byte);
	TORTURE(never_ends_a_part);
	TORTURE(sends_both_ways);
	TORTURE(closes_under_users);
	TORTURE(serves_a_client);
	cr_tls_config_close(client_config);
	cr_tls_config_close(server_config);
	return test_done();
}
