/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* Peers that mean no good: cut off anywhere, and records that are none. */
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

int main(void)
{
	pki_open();
	RUN_TASK(server_cut_off);
	RUN_TASK(client_cut_off);
	RUN_TASK(ends_cut_off_anywhere);
	RUN_TASK(strange_records);
	RUN_TASK(strange_beginnings);
	return test_done();
}
