/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* Peers that mean no good: cut off anywhere, records that are none, floods, and those who stall. */
#include "in_task.h"

#include "tls/raw.h"

/* ---------------------------------------------------------------------------------- cut off --- */

/* What a client of ours does with so many of the server's bytes, and no more. */
static int client_given(cr_tls_config *config, size_t size, size_t *ret_all)
{
	struct tls_end end = {.config = config, .host = "localhost"};
	cr_conn *plain[2];
	struct raw raw;
	char *data;

	CHECK_EQ(cr_conn_pair(plain), 0);
	end.plain = plain[0];
	raw_open(&raw, plain[1], true);
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, tls_end_client, &end);
		CHECK_EQ(raw_receive(&raw), 1);
		CHECK_EQ(SSL_do_handshake(raw.ssl), -1);
		*ret_all = (size_t)BIO_get_mem_data(raw.out, &data);
		CHECK_EQ(cr_conn_write(plain[1], data, size < *ret_all ? size : *ret_all), 0);
		CHECK_EQ(cr_conn_shutdown_write(plain[1]), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_conn_close(end.conn);
	raw_close(&raw);
	return end.result;
}

static int server_cut_off(int *unused)
{
	cr_tls_config *client = tls_client_config();
	size_t all = 1;

	(void)unused;
	/* A signature is now a byte longer, now a byte shorter. */
	for (size_t size = 0; size < all; size += size < 10 ? 1 : 60) {
		int r = client_given(client, size, &all);

		CHECK_EQ(r, size < all ? -CORAIL_E_TLS_HANGUP : 0);
	}
	CHECK_GT(all, 300);
	cr_tls_config_close(client);
	return 0;
}

static int client_cut_off(int *unused)
{
	cr_tls_config *server = tls_server_config(&pki_local);
	cr_conn *plain[2], *conn;
	cr_tls_failure failure;
	struct raw raw;
	size_t all;
	char *data;

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	raw_open(&raw, plain[0], false);
	cr_conn_close(plain[1]);
	CHECK_EQ(SSL_do_handshake(raw.ssl), -1);
	all = (size_t)BIO_get_mem_data(raw.out, &data);
	CHECK_GT(all, 100);
	for (size_t size = 0; size <= all; size++) {
		CHECK_EQ(cr_conn_pair(plain), 0);
		CHECK_EQ(cr_conn_write(plain[0], data, size), 0);
		CHECK_EQ(cr_conn_shutdown_write(plain[0]), 0);
		CHECK_EQ(cr_tls_server(plain[1], server, &failure, &conn), -CORAIL_E_TLS_HANGUP);
		cr_conn_close(plain[0]);
		cr_conn_close(plain[1]);
	}
	raw_close(&raw);
	cr_tls_config_close(server);
	return 0;
}

/* A word and a goodbye, cut at every byte: only the whole goodbye is an end. */
static void ends_cut_off(int version_max)
{
	size_t word_size, all = 1;

	for (size_t size = 0; size <= all; size++) {
		struct raw raw;
		cr_conn *conn;
		char *data, word[8];
		bool whole;

		raw_standard(&raw, version_max, 0, &conn);
		CHECK_EQ(SSL_write(raw.ssl, "word", 4), 4);
		word_size = (size_t)BIO_get_mem_data(raw.out, &data);
		CHECK_EQ(SSL_shutdown(raw.ssl), 0);
		all = (size_t)BIO_get_mem_data(raw.out, &data);
		CHECK_EQ(cr_conn_write(raw.conn, data, size), 0);
		BIO_reset(raw.out);
		whole = size >= word_size;
		raw_close(&raw);
		if (whole)
			CHECK_EQ(cr_conn_read(conn, word, sizeof word), 4);
		CHECK_EQ(cr_conn_read(conn, word, sizeof word),
		         size == all ? 0 : -CORAIL_E_TLS_TRUNCATED);
		cr_conn_close(conn);
	}
}

static int ends_cut_off_anywhere(int *unused)
{
	(void)unused;
	ends_cut_off(TLS1_3_VERSION);
	ends_cut_off(TLS1_2_VERSION);
	return 0;
}

/* ------------------------------------------------------------------- records that are none --- */

/* After the handshake, a record that nobody enciphered: refused, whatever it says it is. */
static void refuses(int version_max, int type, unsigned size, int r)
{
	static const char content[256];
	unsigned char header[5] = {(unsigned char)type, 3, 3, (unsigned char)(size >> 8),
	                           (unsigned char)size};
	struct raw raw;
	cr_conn *conn;
	char byte;

	raw_standard(&raw, version_max, 0, &conn);
	CHECK_EQ(cr_conn_write(raw.conn, header, sizeof header), 0);
	CHECK_EQ(cr_conn_write(raw.conn, content, size < sizeof content ? size : sizeof content),
	         0);
	CHECK_EQ(cr_conn_read(conn, &byte, 1), r);
	CHECK_EQ(cr_conn_read(conn, &byte, 1), r);
	CHECK(cr_tls_error_text(conn)[0]);
	cr_conn_close(conn);
	raw_close(&raw);
}

static int strange_records(int *unused)
{
	(void)unused;
	for (int type = 20; type <= 24; type++) {
		refuses(TLS1_3_VERSION, type, 64, -CORAIL_E_TLS_PROTOCOL);
		refuses(TLS1_2_VERSION, type, 64, -CORAIL_E_TLS_PROTOCOL);
	}
	refuses(TLS1_3_VERSION, 23, 0, -CORAIL_E_TLS_PROTOCOL);
	/* Larger than any may be: refused by its header. */
	refuses(TLS1_3_VERSION, 23, 0xffff, -CORAIL_E_TLS_PROTOCOL);
	refuses(TLS1_2_VERSION, 23, 0x4801, -CORAIL_E_TLS_PROTOCOL);
	return 0;
}

static int strange_beginnings(int *unused)
{
	static const struct {
		const char *bytes;
		size_t size;
		int r;
	} cases[] = {
		{"\x16\x03\x01\xff\xff", 5, -CORAIL_E_TLS_HANDSHAKE},
		{"\x16\x03\x01\x00\x00", 5, -CORAIL_E_TLS_HANGUP},
		{"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9, -CORAIL_E_TLS_HANDSHAKE},
		{"\x16\x03\x01\x00\x04\x14\x00\x00\x00", 9, -CORAIL_E_TLS_HANDSHAKE},
		{"\x16\x00\x00\x00\x04\x01\x00\x00\x00", 9, -CORAIL_E_TLS_NOT_TLS},
		{"\x15\x03\x01\x00\x02\x02\x28", 7, -CORAIL_E_TLS_HANDSHAKE},
		{"\x15\x03\x01\x00\x02\x01\x00", 7, -CORAIL_E_TLS_HANDSHAKE},
		{"\x17\x03\x03\x00\x01x", 6, -CORAIL_E_TLS_NOT_TLS},
		{"\x80\x2e\x01\x03\x01", 5, -CORAIL_E_TLS_NOT_TLS},
	};
	cr_tls_config *server = tls_server_config(&pki_local);

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_tls_failure failure;
		cr_conn *plain[2], *conn;

		CHECK_EQ(cr_conn_pair(plain), 0);
		CHECK_EQ(cr_conn_write(plain[0], cases[i].bytes, cases[i].size), 0);
		CHECK_EQ(cr_conn_shutdown_write(plain[0]), 0);
		CHECK_EQ(cr_tls_server(plain[1], server, &failure, &conn), cases[i].r);
		CHECK_EQ(failure.error, cases[i].r);
		CHECK(failure.text[0]);
		cr_conn_close(plain[0]);
		cr_conn_close(plain[1]);
	}
	cr_tls_config_close(server);
	return 0;
}

/* --------------------------------------------------------------------------------- stalling --- */

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
	char byte;

	(void)unused;
	raw_send_some(&raw, raw_large_ticket(&raw, &conn));
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
	RUN_TASK(server_cut_off);
	RUN_TASK(client_cut_off);
	RUN_TASK(ends_cut_off_anywhere);
	RUN_TASK(strange_records);
	RUN_TASK(strange_beginnings);
	RUN_TASK(renegotiation_flood);
	RUN_TASK(goodbye_behind_half_a_ticket);
	RUN_TASK(no_write_after_a_cut);
	RUN_TASK(crowd_of_silent_clients);
	return test_done();
}
