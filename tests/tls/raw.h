/* SPDX-License-Identifier: MIT */
#ifndef TEST_TLS_RAW_H
#define TEST_TLS_RAW_H

/* A peer that speaks TLS by OpenSSL itself, and can be told to do what no good peer does. */

#include "pair.h"

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	cr_conn *conn;
};

/* Owns the connection. */
static inline void raw_open(struct raw *raw, cr_conn *conn, bool server)
{
	*raw = (struct raw){.ctx = SSL_CTX_new(TLS_method()),
	                    .in = BIO_new(BIO_s_mem()),
	                    .out = BIO_new(BIO_s_mem()),
	                    .conn = conn};
	CHECK(raw->ctx && raw->in && raw->out);
	CHECK(SSL_CTX_use_certificate(raw->ctx, pki_local.cert));
	CHECK(SSL_CTX_use_PrivateKey(raw->ctx, pki_local.key));
	raw->ssl = SSL_new(raw->ctx);
	CHECK(raw->ssl);
	SSL_set_bio(raw->ssl, raw->in, raw->out);
	if (server)
		SSL_set_accept_state(raw->ssl);
	else
		SSL_set_connect_state(raw->ssl);
}

static inline void raw_close(struct raw *raw)
{
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->ctx);
	cr_conn_close(raw->conn);
}

/* Sends what OpenSSL has to send, in pieces of so many bytes (0: at once). */
static inline int raw_send(struct raw *raw, size_t piece)
{
	char *data;
	size_t size = (size_t)BIO_get_mem_data(raw->out, &data), at = 0;
	int r = 0;

	while (r == 0 && at < size) {
		size_t n = piece && piece < size - at ? piece : size - at;

		r = cr_conn_write(raw->conn, data + at, n);
		at += n;
		if (r == 0 && piece)
			r = cr_yield();
	}
	BIO_reset(raw->out);
	return r;
}

/* Receives something. Returns 1, 0 at the end, or an error. */
static inline int raw_receive(struct raw *raw)
{
	char data[4096];
	ssize_t n = cr_conn_read(raw->conn, data, sizeof data);

	if (n > 0)
		CHECK_EQ(BIO_write(raw->in, data, (int)n), n);
	return n > 0 ? 1 : (int)n;
}

/* Shakes hands, sending in pieces. Returns 0 or an error. */
static inline int raw_join(struct raw *raw, size_t piece)
{
	for (;;) {
		int done = SSL_do_handshake(raw->ssl), r = raw_send(raw, piece);

		if (r < 0 || done == 1)
			return r;
		r = raw_receive(raw);
		if (r <= 0)
			return r < 0 ? r : -ENODATA;
	}
}

/* Reads exactly so many bytes. Returns 0 or an error. */
static inline int raw_read(struct raw *raw, void *data, size_t size)
{
	size_t got = 0, n;

	while (got < size) {
		int r;

		if (SSL_read_ex(raw->ssl, (char *)data + got, size - got, &n)) {
			got += n;
			continue;
		}
		if (SSL_get_error(raw->ssl, 0) != SSL_ERROR_WANT_READ)
			return -EPROTO;
		r = raw_receive(raw);
		if (r <= 0)
			return r < 0 ? r : -ENODATA;
	}
	return 0;
}

static inline int raw_write(struct raw *raw, const void *data, size_t size)
{
	size_t n;

	CHECK(SSL_write_ex(raw->ssl, data, size, &n));
	return raw_send(raw, 0);
}

struct raw_side {
	struct raw *raw;
	size_t piece;
};

static inline int raw_join_task(struct raw_side *side)
{
	return raw_join(side->raw, side->piece);
}

/* A client of ours with a raw server, or the other way round, after the handshake. */
static inline void raw_meet(struct raw *raw, bool raw_server, cr_tls_config *config, size_t piece,
                            cr_conn *plain[2], cr_conn **ret_conn)
{
	struct tls_end end = {.plain = plain[0], .config = config, .host = "localhost"};
	struct raw_side side = {raw, piece};
	CORAIL_SCOPE(scope);

	/* Nobody reads the tickets yet, and so many pieces fill a socket's buffer. */
	if (piece)
		SSL_set_num_tickets(raw->ssl, 0);
	cr_spawn(&scope, raw_join_task, &side);
	if (raw_server)
		cr_spawn(&scope, tls_end_client, &end);
	else
		cr_spawn(&scope, tls_end_server, &end);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(end.result, 0);
	*ret_conn = end.conn;
}

/* A raw server and a client of ours, over plain connections. `version_max` 0: the newest. */
static inline void raw_standard(struct raw *raw, int version_max, size_t piece, cr_conn **ret_conn)
{
	cr_tls_config *client = tls_client_config();
	cr_conn *plain[2];

	CHECK_EQ(cr_conn_pair(plain), 0);
	raw_open(raw, plain[1], true);
	SSL_set_max_proto_version(raw->ssl, version_max);
	raw_meet(raw, true, client, piece, plain, ret_conn);
	cr_tls_config_close(client);
}

static inline int raw_accept_all(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

/*
 * The same, and a session ticket waits to be sent that takes more than one record: the server asked
 * for a certificate, and puts it into its tickets. How many bytes the first record has.
 */
static inline size_t raw_large_ticket(struct raw *raw, cr_conn **ret_conn)
{
	cr_tls_identity own = {.chain_pem = pki_client.chain_pem, .key_pem = pki_client.key_pem};
	cr_tls_config *client = tls_config((cr_tls_options){
		.ca_pem = pki_root.cert_pem, .identities = &own, .identity_count = 1});
	cr_conn *plain[2];
	unsigned char *data;
	size_t first;

	CHECK_EQ(cr_conn_pair(plain), 0);
	raw_open(raw, plain[1], true);
	SSL_set_verify(raw->ssl, SSL_VERIFY_PEER, raw_accept_all);
	raw_meet(raw, true, client, 0, plain, ret_conn);
	cr_tls_config_close(client);
	SSL_set_max_send_fragment(raw->ssl, 512);
	CHECK(SSL_new_session_ticket(raw->ssl));
	CHECK_EQ(SSL_do_handshake(raw->ssl), 1);
	CHECK_GT(BIO_get_mem_data(raw->out, &data), 5);
	first = 5 + (size_t)data[3] * 256 + data[4];
	CHECK_GT(BIO_get_mem_data(raw->out, &data), first);
	return first;
}

/* Sends so many bytes of what waits; raw_send() sends the rest. */
static inline void raw_send_some(struct raw *raw, size_t size)
{
	char data[1024];

	CHECK_LE(size, sizeof data);
	CHECK_EQ(BIO_read(raw->out, data, (int)size), size);
	CHECK_EQ(cr_conn_write(raw->conn, data, size), 0);
}

static inline int raw_take_task(cr_conn *conn)
{
	char byte;

	CHECK_EQ(cr_conn_read(conn, &byte, 1), -ECANCELED);
	return 0;
}

/* Has a connection of ours take in what was sent to it, which is no data. */
static inline void raw_take_in(cr_conn *conn)
{
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, raw_take_task, conn);
	CHECK_EQ(cr_sleep(cr_millis(1)), 0); /* in sim, it is on its way */
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_yield(), 0);
	cr_scope_cancel(&scope);
}

#endif
