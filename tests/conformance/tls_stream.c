/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* A TLS connection in use: both directions at once, its ends, and what cancellation leaves. */
#include "in_task.h"

#include "tls/raw.h"

static void standard(struct tls_pair *pair)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);

	tls_meet(pair, client, "localhost", server);
	CHECK_EQ(pair->client.result, 0);
	CHECK_EQ(pair->server.result, 0);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
}

/* --------------------------------------------------------------------------------- the ends --- */

static int goodbye(int *unused)
{
	struct tls_pair pair;
	char word[8];

	(void)unused;
	standard(&pair);
	CHECK_EQ(cr_conn_write(pair.client.conn, "bye", 3), 0);
	CHECK_EQ(cr_conn_close(pair.client.conn), 0);
	CHECK_EQ(cr_conn_read(pair.server.conn, word, sizeof word), 3);
	CHECK_EQ(cr_conn_read(pair.server.conn, word, sizeof word), 0);
	CHECK_EQ(cr_conn_read(pair.server.conn, word, sizeof word), 0);
	CHECK_EQ(cr_conn_close(pair.server.conn), 0);
	return 0;
}

static int half_close(int *unused)
{
	struct tls_pair pair;
	char word[8];

	(void)unused;
	standard(&pair);
	CHECK_EQ(cr_conn_write(pair.client.conn, "question", 8), 0);
	CHECK_EQ(cr_conn_shutdown_write(pair.client.conn), 0);
	CHECK_EQ(cr_conn_shutdown_write(pair.client.conn), 0);
	CHECK_EQ(cr_conn_write(pair.client.conn, "more", 4), -EPIPE);
	CHECK_EQ(cr_conn_read_exactly(pair.server.conn, word, 8), 0);
	CHECK_EQ(cr_conn_read(pair.server.conn, word, sizeof word), 0);
	CHECK_EQ(cr_conn_write(pair.server.conn, "answer", 6), 0);
	CHECK_EQ(cr_conn_close(pair.server.conn), 0);
	CHECK_EQ(cr_conn_read_exactly(pair.client.conn, word, 6), 0);
	CHECK_MEM(word, "answer", 6);
	CHECK_EQ(cr_conn_read(pair.client.conn, word, sizeof word), 0);
	CHECK_EQ(cr_conn_close(pair.client.conn), 0);
	return 0;
}

/* Cut off: what came is there, and then an error, not an end. */
static int truncated(int *unused)
{
	struct raw raw;
	cr_conn *conn;
	char word[8];

	(void)unused;
	raw_standard(&raw, 0, 0, &conn);
	CHECK_EQ(raw_write(&raw, "half of", 7), 0);
	raw_close(&raw);
	CHECK_EQ(cr_conn_read_exactly(conn, word, 8), -CORAIL_E_TLS_TRUNCATED);
	CHECK_EQ(cr_conn_buffered(conn), 7);
	CHECK_EQ(cr_conn_read(conn, word, sizeof word), 7);
	CHECK_EQ(cr_conn_read(conn, word, sizeof word), -CORAIL_E_TLS_TRUNCATED);
	CHECK_EQ(cr_conn_read(conn, word, sizeof word), -CORAIL_E_TLS_TRUNCATED);
	CHECK_EQ(cr_conn_close(conn), 0);
	return 0;
}

static int garbage(int *unused)
{
	struct raw raw;
	cr_conn *conn;
	char word[8];
	char *data;

	(void)unused;
	raw_standard(&raw, 0, 0, &conn);
	CHECK_EQ(cr_conn_write(raw.conn, "this is not TLS at all", 22), 0);
	CHECK_EQ(cr_conn_read(conn, word, sizeof word), -CORAIL_E_TLS_NOT_TLS);
	CHECK_EQ(cr_conn_read(conn, word, sizeof word), -CORAIL_E_TLS_NOT_TLS);
	CHECK(cr_tls_error_text(conn)[0]);
	CHECK_LT(cr_conn_write(conn, "x", 1), 0);
	cr_conn_close(conn);
	raw_close(&raw);

	/* A record that somebody changed on the way. */
	raw_standard(&raw, 0, 0, &conn);
	CHECK_EQ(SSL_write(raw.ssl, "precious", 8), 8);
	CHECK_GT(BIO_get_mem_data(raw.out, &data), 10);
	data[8] ^= 1;
	CHECK_EQ(raw_send(&raw, 0), 0);
	CHECK_EQ(cr_conn_read(conn, word, sizeof word), -CORAIL_E_TLS_PROTOCOL);
	CHECK(strstr(cr_tls_error_text(conn), "bad record mac"));
	cr_conn_close(conn);
	/* The peer was told. */
	CHECK_EQ(raw_read(&raw, word, 1), -EPROTO);
	raw_close(&raw);
	return 0;
}

static int byte_by_byte(int *unused)
{
	struct raw raw;
	cr_conn *conn;
	char word[8];

	(void)unused;
	raw_standard(&raw, 0, 1, &conn);
	CHECK_EQ(SSL_write(raw.ssl, "slowly", 6), 6);
	CHECK_EQ(raw_send(&raw, 1), 0);
	CHECK_EQ(cr_conn_read_exactly(conn, word, 6), 0);
	CHECK_MEM(word, "slowly", 6);
	raw_close(&raw);
	cr_conn_close(conn);
	return 0;
}

/* ------------------------------------------------------------------------ both ways at once --- */

enum { BULK = 1500000 };

struct flow {
	cr_conn *conn;
	unsigned seed;
};

static unsigned char pattern(size_t at, unsigned seed)
{
	return (unsigned char)(at * 7 + at / 251 + seed);
}

static int send_bulk(struct flow *flow)
{
	static const size_t sizes[] = {1, 100, 5000, 16384, 16385, 70000, 300000};
	unsigned char *data = malloc(300000);
	size_t at = 0;
	int r = 0;

	CHECK(data);
	for (int turn = 0; r == 0 && at < BULK; turn++) {
		size_t size = sizes[turn % 7] < BULK - at ? sizes[turn % 7] : BULK - at;

		for (size_t i = 0; i < size; i++)
			data[i] = pattern(at + i, flow->seed);
		r = cr_conn_write(flow->conn, data, size);
		at += size;
	}
	free(data);
	return r == 0 ? cr_conn_shutdown_write(flow->conn) : r;
}

static int receive_bulk(struct flow *flow)
{
	static const size_t sizes[] = {1, 50, 20000, 100000};
	unsigned char *data = malloc(100000);
	size_t at = 0;
	ssize_t n;

	CHECK(data);
	for (int turn = 0; (n = cr_conn_read(flow->conn, data, sizes[turn % 4])) > 0; turn++) {
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(data[i], pattern(at + (size_t)i, flow->seed));
		at += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, BULK);
	free(data);
	return 0;
}

static int bulk_both_ways(int *unused)
{
	struct tls_pair pair;

	(void)unused;
	standard(&pair);
	{
		struct flow up = {pair.client.conn, 1}, up_end = {pair.server.conn, 1};
		struct flow down = {pair.server.conn, 2}, down_end = {pair.client.conn, 2};
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, send_bulk, &up);
		cr_spawn(&scope, send_bulk, &down);
		cr_spawn(&scope, receive_bulk, &up_end);
		cr_spawn(&scope, receive_bulk, &down_end);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	tls_part(&pair);
	return 0;
}

/* Small pieces go together, large ones by themselves, and nothing is out of order. */
static int vectors(int *unused)
{
	static char large[40000], back[40013];
	struct tls_pair pair;
	static char head[] = "head", tail[] = "tail-end!";
	struct iovec vector[] = {{head, 4},     {head, 0}, {large, sizeof large}, {tail, 4},
	                         {tail + 4, 1}, {tail, 0}, {tail + 5, 4}};

	(void)unused;
	standard(&pair);
	memset(large, 'x', sizeof large);
	CHECK_EQ(cr_conn_writev(pair.client.conn, vector, 7), 0);
	CHECK_EQ(cr_conn_read_exactly(pair.server.conn, back, sizeof back), 0);
	CHECK_MEM(back, "headxxxx", 8);
	CHECK_MEM(back + 4, large, sizeof large);
	CHECK_MEM(back + 40004, "tail-end!", 9);
	CHECK_EQ(cr_conn_write(pair.client.conn, "", 0), 0);
	CHECK_EQ(cr_conn_write_some(pair.client.conn, "ab", 2), 2);
	CHECK_EQ(cr_conn_read_exactly(pair.server.conn, back, 2), 0);
	tls_part(&pair);
	return 0;
}

/* --------------------------------------------------- when reading wants to write, and so on --- */

static int key_updates(int *unused)
{
	struct raw raw;
	cr_conn *conn;
	char word[8];

	(void)unused;
	raw_standard(&raw, 0, 0, &conn);
	for (int i = 0; i < 50; i++) {
		CHECK(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED));
		CHECK_EQ(SSL_do_handshake(raw.ssl), 1);
		CHECK_EQ(raw_write(&raw, "new key", 7), 0);
		CHECK_EQ(cr_conn_read_exactly(conn, word, 7), 0);
		if (i % 5 == 0) {
			CHECK_EQ(cr_conn_write(conn, "so be it", 8), 0);
			CHECK_EQ(raw_read(&raw, word, 8), 0);
		}
	}
	raw_close(&raw);
	cr_conn_close(conn);
	return 0;
}

struct half {
	struct raw *raw;
	cr_conn *conn;
	int result;
};

static int write_word(struct half *half)
{
	half->result = cr_conn_write(half->conn, "word", 4);
	return half->result;
}

static int read_word(struct half *half)
{
	char word[4];

	half->result = cr_conn_read_exactly(half->conn, word, sizeof word);
	return half->result;
}

/* Of a session ticket of two records the first has come: nobody may hang or go wrong. */
static void half_a_ticket(bool with_reader)
{
	struct raw raw;
	cr_conn *conn;
	char word[4];
	size_t first = raw_large_ticket(&raw, &conn);
	struct half reader = {&raw, conn, 1}, writer = {&raw, conn, 1};
	CORAIL_SCOPE(scope);

	raw_send_some(&raw, first);
	if (with_reader)
		cr_spawn(&scope, read_word, &reader);
	else
		raw_take_in(conn);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_yield(), 0);
	cr_spawn(&scope, write_word, &writer);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(writer.result, 1);
	CHECK_EQ(raw_send(&raw, 0), 0);
	CHECK_EQ(raw_read(&raw, word, 4), 0);
	CHECK_MEM(word, "word", 4);
	CHECK_EQ(raw_write(&raw, "back", 4), 0);
	if (!with_reader)
		cr_spawn(&scope, read_word, &reader);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(reader.result, 0);
	CHECK_EQ(writer.result, 0);
	raw_close(&raw);
	cr_conn_close(conn);
}

static int half_tickets(int *unused)
{
	(void)unused;
	half_a_ticket(true);
	half_a_ticket(false);
	return 0;
}

/* A client of TLS 1.2 that wants to begin anew: refused, and what stands goes on. */
static int renegotiation(int *unused)
{
	cr_tls_config *server = tls_server_config(&pki_local);
	cr_conn *plain[2], *conn;
	struct raw raw;
	char word[4];

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	raw_open(&raw, plain[1], false);
	SSL_set_max_proto_version(raw.ssl, TLS1_2_VERSION);
	raw_meet(&raw, false, server, 0, plain, &conn);
	CHECK(SSL_renegotiate(raw.ssl));
	CHECK_EQ(SSL_do_handshake(raw.ssl), -1);
	CHECK_EQ(raw_send(&raw, 0), 0);
	raw_take_in(conn);
	CHECK_EQ(cr_conn_write(conn, "on", 2), 0);
	CHECK_EQ(raw_read(&raw, word, 2), -EPROTO);
	CHECK_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	raw_close(&raw);
	cr_conn_close(conn);
	cr_tls_config_close(server);
	return 0;
}

/* ----------------------------------------------------------------------------- cancellation --- */

static int cancelled_read(int *unused)
{
	struct tls_pair pair;
	char word[8];

	(void)unused;
	standard(&pair);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(cr_conn_write(pair.server.conn, "abc", 3), 0);
		CHECK_EQ(cr_timeout(cr_millis(1), cr_conn_read_exactly(pair.client.conn, word, 6)),
		         -ETIMEDOUT);
		CHECK_EQ(cr_conn_write(pair.server.conn, "def", 3), 0);
		CHECK_EQ(cr_conn_read_exactly(pair.client.conn, word, 6), 0);
		CHECK_MEM(word, "abcdef", 6);
	}
	tls_part(&pair);
	return 0;
}

/* Closing after a write that came to nothing: the peer must not take the part for the whole. */
static int cancelled_write(int *unused)
{
	static char data[8 << 20];
	struct tls_pair pair;
	size_t total = 0;
	ssize_t n;

	(void)unused;
	standard(&pair);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_conn_write(pair.client.conn, data, sizeof data)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_conn_shutdown_write(pair.client.conn), -EPIPE);
	cr_conn_close(pair.client.conn);
	while ((n = cr_conn_read(pair.server.conn, data, sizeof data)) > 0)
		total += (size_t)n;
	CHECK_LT(total, sizeof data);
	CHECK(n == -CORAIL_E_TLS_TRUNCATED || n == -ECONNRESET);
	cr_conn_close(pair.server.conn);
	return 0;
}

static int read_on(struct half *half)
{
	char byte;

	half->result = (int)cr_conn_read(half->conn, &byte, 1);
	return 0;
}

static int write_on(struct half *half)
{
	static char data[8 << 20];

	half->result = cr_conn_write(half->conn, data, sizeof data);
	return 0;
}

static int close_under_users(int *unused)
{
	struct tls_pair pair;

	(void)unused;
	standard(&pair);
	{
		struct half reader = {NULL, pair.client.conn, 1}, second = reader;
		struct half writer = {NULL, pair.client.conn, 1};
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, read_on, &reader);
		cr_spawn(&scope, write_on, &writer);
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
		cr_spawn(&scope, read_on, &second);
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
		CHECK_EQ(second.result, -EBUSY);
		cr_conn_cancel(pair.client.conn);
		CHECK_EQ(cr_conn_close(pair.client.conn), 0);
		CHECK_EQ(reader.result, -ECANCELED);
		CHECK_EQ(writer.result, -ECANCELED);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_conn_abort(pair.server.conn);
	return 0;
}

int main(void)
{
	pki_open();
	RUN_TASK(goodbye);
	RUN_TASK(half_close);
	RUN_TASK(truncated);
	RUN_TASK(garbage);
	RUN_TASK(byte_by_byte);
	RUN_TASK(bulk_both_ways);
	RUN_TASK(vectors);
	RUN_TASK(key_updates);
	RUN_TASK(half_tickets);
	RUN_TASK(renegotiation);
	RUN_TASK(cancelled_read);
	RUN_TASK(cancelled_write);
	RUN_TASK(close_under_users);
	return test_done();
}
