/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* Peers who stall, or want more than is good: half messages, floods, handshakes without an end. */
#include "in_task.h"

#include "tls/raw.h"

#include <corail/sync.h>

struct half {
	cr_conn *conn;
	int result;
};

static int read_on(struct half *half)
{
	char byte;

	half->result = (int)cr_conn_read(half->conn, &byte, 1);
	return 0;
}

/*
 * A server of TLS 1.2 that wants to begin anew, again and again. Each time is worth an answer,
 * which a reader does not send: they must not pile up.
 */
static int renegotiation_flood(int *unused)
{
	struct raw raw;
	cr_conn *conn;

	(void)unused;
	raw_standard(&raw, TLS1_2_VERSION, 0, &conn);
	struct half reader = {conn, 1};
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, read_on, &reader);
	for (int i = 0; i < 5000 && reader.result == 1; i++) {
		CHECK(SSL_renegotiate(raw.ssl));
		CHECK_EQ(SSL_do_handshake(raw.ssl), 1);
		CHECK_EQ(raw_send(&raw, 0), 0);
		CHECK_EQ(cr_yield(), 0);
	}
	CHECK_EQ(reader.result, -CORAIL_E_TLS_PROTOCOL);
	CHECK_STR(cr_tls_error_text(conn), "too many messages to be answered");
	CHECK_EQ(cr_scope_wait(&scope), 0);
	cr_conn_close(conn);
	raw_close(&raw);
	return 0;
}

static int shut_down(struct half *half)
{
	half->result = cr_conn_shutdown_write(half->conn);
	return 0;
}

/* Half of a session ticket has been read: the goodbye comes after the rest, and is no error. */
static int goodbye_behind_half_a_ticket(int *unused)
{
	struct raw raw;
	cr_conn *conn;
	size_t first;
	char byte;

	(void)unused;
	first = raw_large_ticket(&raw, &conn);
	raw_send_some(&raw, first);
	raw_take_in(conn);
	{
		struct half half = {conn, 1};
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, shut_down, &half);
		for (int i = 0; i < 5; i++)
			CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(half.result, 1);
		CHECK_EQ(raw_send(&raw, 0), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(half.result, 0);
	}
	CHECK_EQ(raw_receive(&raw), 1);
	CHECK_EQ(SSL_read(raw.ssl, &byte, 1), 0);
	CHECK_EQ(SSL_get_error(raw.ssl, 0), SSL_ERROR_ZERO_RETURN);
	/* Half of another one: the goodbye has been said. */
	CHECK(SSL_new_session_ticket(raw.ssl));
	CHECK_EQ(SSL_do_handshake(raw.ssl), 1);
	raw_send_some(&raw, first);
	raw_take_in(conn);
	CHECK_EQ(cr_conn_shutdown_write(conn), 0);
	raw_close(&raw);
	cr_conn_close(conn);
	return 0;
}

/* After a write that was cut short nothing more is sent, and the peer sees no end. */
static int no_write_after_a_cut(int *unused)
{
	static char data[4 << 20];
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	struct tls_pair pair;
	ssize_t n;

	(void)unused;
	tls_meet(&pair, client, "localhost", server);
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_conn_write(pair.client.conn, data, sizeof data)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_conn_write(pair.client.conn, "more", 4), -EPIPE);
	CHECK_EQ(cr_conn_shutdown_write(pair.client.conn), -EPIPE);
	/* The other direction goes on. */
	CHECK_EQ(cr_conn_write(pair.server.conn, "x", 1), 0);
	CHECK_EQ(cr_conn_read(pair.client.conn, data, 1), 1);
	cr_conn_close(pair.client.conn);
	while ((n = cr_conn_read(pair.server.conn, data, sizeof data)) > 0)
		continue;
	CHECK(n == -CORAIL_E_TLS_TRUNCATED || n == -ECONNRESET);
	cr_conn_close(pair.server.conn);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* A connection whose peer may stop reading: then nothing that is written goes anywhere. */
struct stuffed {
	cr_conn *conn;
	bool full;
	cr_event never;
};

static ssize_t stuffed_read(void *state, void *buffer, size_t size)
{
	return cr_conn_read(((struct stuffed *)state)->conn, buffer, size);
}

static ssize_t stuffed_write(void *state, const struct iovec *vector, int count)
{
	struct stuffed *stuffed = state;

	(void)count;
	if (stuffed->full)
		return cr_event_wait(&stuffed->never);
	return cr_conn_write_some(stuffed->conn, vector->iov_base, vector->iov_len);
}

static int stuffed_shutdown_write(void *state)
{
	return cr_conn_shutdown_write(((struct stuffed *)state)->conn);
}

static void stuffed_cancel(void *state)
{
	cr_conn_cancel(((struct stuffed *)state)->conn);
}

static int stuffed_close(void *state, int reset)
{
	(void)reset;
	return cr_conn_close(((struct stuffed *)state)->conn);
}

static const cr_transport stuffed_transport = {
	.read = stuffed_read,
	.write = stuffed_write,
	.shutdown_write = stuffed_shutdown_write,
	.cancel = stuffed_cancel,
	.close = stuffed_close,
};

static void stuffed_standard(struct stuffed *stuffed, struct raw *raw, cr_conn **ret_conn)
{
	cr_tls_config *client = tls_client_config();
	cr_conn *plain[2];

	CHECK_EQ(cr_conn_pair(plain), 0);
	*stuffed = (struct stuffed){.conn = plain[0]};
	CHECK_EQ(cr_conn_from_transport(&stuffed_transport, stuffed, &plain[0]), 0);
	raw_open(raw, plain[1], true);
	raw_meet(raw, true, client, 0, plain, ret_conn);
	cr_tls_config_close(client);
	stuffed->full = true;
}

/*
 * A goodbye that nobody reads can be given up, and is not an end then; what the peer says is read
 * all the same, even if OpenSSL would have an answer to it.
 */
static int goodbye_that_nobody_reads(int *unused)
{
	struct stuffed stuffed;
	struct raw raw;
	cr_conn *conn;
	char word[8];

	(void)unused;
	stuffed_standard(&stuffed, &raw, &conn);
	CHECK(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED));
	CHECK_EQ(SSL_do_handshake(raw.ssl), 1);
	CHECK_EQ(raw_write(&raw, "hello", 5), 0);
	CHECK_EQ(cr_conn_read_exactly(conn, word, 5), 0);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_conn_shutdown_write(conn)), -ETIMEDOUT);
	CHECK_EQ(cr_conn_shutdown_write(conn), -EPIPE);
	CHECK_EQ(raw_write(&raw, "still", 5), 0);
	CHECK_EQ(cr_conn_read_exactly(conn, word, 5), 0);
	stuffed.full = false;
	cr_conn_close(conn);
	CHECK_EQ(raw_read(&raw, word, 1), -ENODATA);
	raw_close(&raw);
	return 0;
}

/* A close waits for the goodbye to leave for so long, and no longer. */
static int close_that_nobody_reads(int *unused)
{
	struct stuffed stuffed;
	cr_nsec before;
	struct raw raw;
	cr_conn *conn;

	(void)unused;
	if (!on_sim())
		return 0; /* it takes seconds */
	stuffed_standard(&stuffed, &raw, &conn);
	before = cr_now();
	CHECK_EQ(cr_conn_close(conn), 0);
	CHECK_GE(cr_now() - before, cr_seconds(4));
	CHECK_LE(cr_now() - before, cr_seconds(6));
	raw_close(&raw);
	return 0;
}

/* ---------------------------------------------------------------- handshakes without an end --- */

struct site {
	cr_listener *listener;
	cr_tls_config *config;
	cr_tls_serve_options options;
	int failed;
};

static int greet(cr_conn *conn, void *arg)
{
	(void)arg;
	return cr_conn_write(conn, "hello", 5);
}

static void note_failure(void *arg, const cr_tls_failure *failure)
{
	struct site *site = arg;

	CHECK_EQ(failure->error, -ETIMEDOUT);
	site->failed++;
}

static int site_serve(struct site *site)
{
	return cr_tls_serve(site->listener, site->config, &site->options, greet, site);
}

/*
 * As many as the server takes at once, each of which stops somewhere in the handshake: they are
 * sent away in time, and who waits behind them is served.
 */
static int crowd_of_silent_clients(int *unused)
{
	enum { PLACES = 4, CROWD = 12 };
	cr_tls_config *client = tls_client_config();
	cr_tls_client_options local = {.host = "localhost"};
	struct site site = {
		.config = tls_server_config(&pki_local),
		.options = {.serve = {.conn_count_max = PLACES},
	                    .handshake_max = cr_millis(10),
	                    .failed = note_failure},
	};
	cr_conn *crowd[CROWD], *conn;
	char target[32], word[5];

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &site.listener), 0);
	snprintf(target, sizeof target, "127.0.0.1:%d", cr_listener_port(site.listener));
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, site_serve, &site);
		for (int i = 0; i < CROWD; i++) {
			CHECK_EQ(cr_conn_open(target, &crowd[i]), 0);
			CHECK_EQ(cr_conn_write(crowd[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
			                       (size_t)i % 10),
			         0);
		}
		/* A place whose client does not hang up is free a second after its time. */
		for (int i = 0; i < CROWD; i++) {
			CHECK_EQ(cr_conn_read(crowd[i], word, 1), 0);
			cr_conn_close(crowd[i]);
		}
		CHECK_EQ(site.failed, CROWD);
		site.options.handshake_max = cr_seconds(60);
		CHECK_EQ(cr_tls_connect_with(target, client, &local, &conn), 0);
		CHECK_EQ(cr_conn_read_exactly(conn, word, 5), 0);
		cr_conn_close(conn);
		cr_scope_cancel(&scope);
	}
	cr_listener_close(site.listener);
	cr_tls_config_close(site.config);
	cr_tls_config_close(client);
	return 0;
}

int main(void)
{
	pki_open();
	RUN_TASK(renegotiation_flood);
	RUN_TASK(goodbye_behind_half_a_ticket);
	RUN_TASK(no_write_after_a_cut);
	RUN_TASK(goodbye_that_nobody_reads);
	RUN_TASK(close_that_nobody_reads);
	RUN_TASK(crowd_of_silent_clients);
	return test_done();
}
