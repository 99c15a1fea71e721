/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* Dialling, serving, STARTTLS; peers that do not speak TLS, or stop in the middle. */
#include "in_task.h"

#include "tls/raw.h"

#include <corail/sync.h>

/* ------------------------------------------------------------------------ a server, dialled --- */

struct site {
	cr_listener *listener;
	cr_tls_config *config;
	cr_tls_serve_options options;
	char target[64];
	int served, failed;
	cr_tls_failure failure;
	cr_event told;
};

static int greet(cr_conn *conn, void *arg)
{
	struct site *site = arg;
	char line[64];
	ssize_t n = cr_conn_read_line(conn, line, sizeof line);

	site->served++;
	return n < 0 ? (int)n : cr_conn_write(conn, line, (size_t)n);
}

static void note_failure(void *arg, const cr_tls_failure *failure)
{
	struct site *site = arg;

	site->failed++;
	site->failure = *failure;
	cr_event_set(&site->told);
}

static int site_serve(struct site *site)
{
	return cr_tls_serve(site->listener, site->config, &site->options, greet, site);
}

static void site_open(struct site *site)
{
	*site = (struct site){.config = tls_server_config(&pki_local),
	                      .options = {.failed = note_failure}};
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &site->listener), 0);
	snprintf(site->target, sizeof site->target, "127.0.0.1:%d",
	         cr_listener_port(site->listener));
}

static void site_close(struct site *site)
{
	cr_listener_close(site->listener);
	cr_tls_config_close(site->config);
}

static void ask(const char *target, cr_tls_config *config, const cr_tls_client_options *options)
{
	cr_conn *conn;
	char line[16];
	cr_addr addr;

	CHECK_EQ(cr_tls_connect_with(target, config, options, &conn), 0);
	CHECK_EQ(cr_conn_nodelay_set(conn, 1), 0);
	CHECK_EQ(cr_conn_local(conn, &addr), 0);
	CHECK_EQ(cr_conn_peer(conn, &addr), 0);
	CHECK_GE(cr_conn_fd(conn), 0);
	CHECK_EQ(cr_conn_write(conn, "hello\n", 6), 0);
	CHECK_EQ(cr_conn_read_exactly(conn, line, 5), 0);
	CHECK_MEM(line, "hello", 5);
	CHECK_EQ(cr_conn_read(conn, line, sizeof line), 0);
	CHECK_EQ(cr_conn_close(conn), 0);
}

static int serve_and_dial(int *unused)
{
	cr_tls_config *client = tls_client_config();
	struct site site;
	cr_tls_failure failure;
	cr_tls_client_options other = {.host = "other.example", .failure = &failure};
	cr_tls_client_options local = {.host = "localhost"};
	cr_tls_stats stats;
	cr_conn *conn;

	(void)unused;
	site_open(&site);
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, site_serve, &site);
		ask(site.target, client, NULL); /* by its address, which the certificate has */
		ask(site.target, client, NULL);
		ask(site.target, client, &local);
		CHECK_EQ(cr_tls_connect_with(site.target, client, &other, &conn),
		         -CORAIL_E_TLS_WRONG_HOST);
		CHECK_EQ(failure.error, -CORAIL_E_TLS_WRONG_HOST);
		CHECK_EQ(cr_event_wait(&site.told), 0);
		CHECK_EQ(site.failure.error, -CORAIL_E_TLS_REFUSED);
		CHECK_EQ(site.failure.alert, 42);
		cr_tls_config_stats(client, &stats);
		CHECK_EQ(stats.handshakes, 3);
		CHECK_EQ(stats.resumed, 1);
		CHECK_EQ(stats.failed, 1);
		cr_scope_cancel(&scope);
	}
	CHECK_EQ(site.served, 3);
	CHECK_EQ(site.failed, 1);
	/* Nobody listens any more; a target that is none; a name nobody can verify. */
	cr_listener_close(site.listener);
	site.listener = NULL;
	CHECK_EQ(cr_tls_connect(site.target, client, &conn), -ECONNREFUSED);
	CHECK_EQ(cr_tls_connect_with(site.target, client, &other, &conn), -ECONNREFUSED);
	CHECK_EQ(failure.error, -ECONNREFUSED);
	CHECK(failure.text[0]);
	CHECK_EQ(cr_tls_connect("nonsense", client, &conn), -EINVAL);
	site_close(&site);
	cr_tls_config_close(client);
	return 0;
}

static int unix_socket(int *unused)
{
	cr_tls_config *client = tls_client_config();
	cr_tls_client_options options = {.host = "localhost"};
	struct site site;
	cr_conn *conn;

	(void)unused;
	site_open(&site);
	cr_listener_close(site.listener);
	snprintf(site.target, sizeof site.target, "unix:@corail-tls-%d", (int)getpid());
	CHECK_EQ(cr_listener_open(site.target, NULL, &site.listener), 0);
	{
		CORAIL_SCOPE(scope);
		char line[8];

		cr_spawn(&scope, site_serve, &site);
		CHECK_EQ(cr_tls_connect(site.target, client, &conn), -EINVAL);
		CHECK_EQ(cr_tls_connect_with(site.target, client, &options, &conn), 0);
		CHECK_EQ(cr_conn_write(conn, "ok\n", 3), 0);
		CHECK_EQ(cr_conn_read_exactly(conn, line, 2), 0);
		cr_conn_close(conn);
		cr_scope_cancel(&scope);
	}
	site_close(&site);
	cr_tls_config_close(client);
	return 0;
}

/* Someone who connects and says nothing is sent away; the server goes on. */
static int silent_client(int *unused)
{
	struct site site;
	cr_conn *conn;
	char byte;

	(void)unused;
	site_open(&site);
	site.options.handshake_max = cr_millis(20);
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, site_serve, &site);
		CHECK_EQ(cr_conn_open(site.target, &conn), 0);
		CHECK_EQ(cr_conn_read(conn, &byte, 1), 0);
		cr_conn_close(conn);
		CHECK_EQ(cr_event_wait(&site.told), 0);
		CHECK_EQ(site.failure.error, -ETIMEDOUT);
		cr_scope_cancel(&scope);
	}
	site_close(&site);
	return 0;
}

/* --------------------------------------------------------------------------------- STARTTLS --- */

struct mail {
	cr_conn *plain;
	cr_tls_config *config;
	int result;
};

static int mail_serve(struct mail *mail)
{
	char line[64];
	cr_conn *conn;

	CHECK_EQ(cr_conn_read_line(mail->plain, line, sizeof line), 8);
	CHECK_STR(line, "STARTTLS");
	CHECK_EQ(cr_conn_write(mail->plain, "220 go ahead\r\n", 14), 0);
	mail->result = cr_tls_server(mail->plain, mail->config, NULL, &conn);
	if (mail->result < 0) {
		cr_conn_close(mail->plain);
		return 0;
	}
	CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 9);
	CHECK_STR(line, "MAIL FROM");
	CHECK_EQ(cr_conn_write(conn, "250 ok\r\n", 8), 0);
	CHECK_EQ(cr_conn_close(conn), 0);
	return 0;
}

static int starttls(int *unused)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	cr_conn *plain[2], *conn;
	char line[64];

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	{
		struct mail mail = {plain[1], server, 1};
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, mail_serve, &mail);
		CHECK_EQ(cr_conn_write(plain[0], "STARTTLS\r\n", 10), 0);
		CHECK_EQ(cr_conn_read_line(plain[0], line, sizeof line), 12);
		CHECK_EQ(cr_tls_client(plain[0], client, "localhost", &conn), 0);
		CHECK_EQ(cr_conn_write(conn, "MAIL FROM\r\n", 11), 0);
		CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 6);
		CHECK_STR(line, "250 ok");
		cr_conn_close(conn);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(mail.result, 0);
	}
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* A command slipped in behind STARTTLS, on either side: refused, never taken for TLS's own. */
static int starttls_injection(int *unused)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	cr_conn *plain[2], *conn;
	char line[64];

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	{
		struct mail mail = {plain[1], server, 1};
		CORAIL_SCOPE(scope);

		CHECK_EQ(cr_conn_write(plain[0], "STARTTLS\r\nMAIL FROM\r\n", 21), 0);
		cr_spawn(&scope, mail_serve, &mail);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(mail.result, -CORAIL_E_TLS_NOT_TLS);
	}
	cr_conn_close(plain[0]);
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_conn_write(plain[1], "220 go\r\n250 forged\r\n", 20), 0);
	CHECK_EQ(cr_conn_read_line(plain[0], line, sizeof line), 6);
	CHECK_GT(cr_conn_buffered(plain[0]), 0);
	CHECK_EQ(cr_tls_client(plain[0], client, "localhost", &conn), -CORAIL_E_TLS_NOT_TLS);
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* What has been read ahead and is TLS: a server that looked at the first byte to see what it is. */
static int after_a_peek(int *unused)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	struct tls_end end = {.config = client, .host = "localhost"};
	cr_conn *plain[2], *conn;
	const void *data;

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	end.plain = plain[0];
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, tls_end_client, &end);
		CHECK_GT(cr_conn_peek(plain[1], &data), 0);
		CHECK_EQ(*(const char *)data, 22);
		CHECK_EQ(cr_tls_server(plain[1], server, NULL, &conn), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(end.result, 0);
	}
	cr_conn_close(conn);
	cr_conn_close(end.conn);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* TLS over TLS: a layer like any other. */
static int nested(int *unused)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	struct tls_pair outer;
	char word[5];

	(void)unused;
	tls_meet(&outer, client, "localhost", server);
	CHECK_EQ(outer.client.result, 0);
	outer.client.plain = outer.client.conn;
	outer.server.plain = outer.server.conn;
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, tls_end_client, &outer.client);
		cr_spawn(&scope, tls_end_server, &outer.server);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(outer.client.result, 0);
	CHECK_EQ(cr_conn_write(outer.client.conn, "inner", 5), 0);
	CHECK_EQ(cr_conn_read_exactly(outer.server.conn, word, 5), 0);
	CHECK_MEM(word, "inner", 5);
	CHECK_EQ(cr_conn_close(outer.client.conn), 0);
	CHECK_EQ(cr_conn_read(outer.server.conn, word, 1), 0);
	CHECK_EQ(cr_conn_close(outer.server.conn), 0);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* ---------------------------------------------------------------------------- strange peers --- */

static int not_tls(int *unused)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	cr_tls_failure failure;
	cr_conn *plain[2], *conn;

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_conn_write(plain[0], "GET / HTTP/1.1\r\n\r\n", 18), 0);
	CHECK_EQ(cr_tls_server(plain[1], server, &failure, &conn), -CORAIL_E_TLS_NOT_TLS);
	CHECK_EQ(failure.error, -CORAIL_E_TLS_NOT_TLS);
	CHECK_STR(failure.text, cr_strerror(-CORAIL_E_TLS_NOT_TLS));
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);

	/* A record of nonsense, then nothing but its header. */
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_conn_write(plain[0], "\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", 10), 0);
	CHECK_EQ(cr_tls_server(plain[1], server, &failure, &conn), -CORAIL_E_TLS_HANDSHAKE);
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_conn_write(plain[0], "\x16\x03\x01", 3), 0);
	CHECK_EQ(cr_conn_shutdown_write(plain[0]), 0);
	CHECK_EQ(cr_tls_server(plain[1], server, &failure, &conn), -CORAIL_E_TLS_HANGUP);
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);

	/* A client of both sides' kind. */
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_conn_write(plain[0], "SSH-2.0-OpenSSH\r\n", 17), 0);
	CHECK_EQ(cr_tls_client(plain[1], client, "localhost", &conn), -CORAIL_E_TLS_NOT_TLS);
	cr_conn_close(plain[1]);
	cr_conn_close(plain[0]);

	/* A configuration without a certificate serves nobody. */
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_tls_server(plain[1], client, &failure, &conn), -EINVAL);
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* A handshake that nobody answers is given up cleanly: the connection is still there to close. */
static int cancelled_handshake(int *unused)
{
	cr_tls_config *client = tls_client_config();
	cr_conn *plain[2], *conn;
	cr_tls_stats stats;
	char data[16];

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_tls_client(plain[0], client, "localhost", &conn)),
	         -ETIMEDOUT);
	CHECK_EQ(cr_conn_read_exactly(plain[1], data, sizeof data), 0);
	CHECK_EQ(data[0], 22);
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);
	cr_tls_config_stats(client, &stats);
	CHECK_EQ(stats.failed, 1);
	cr_tls_config_close(client);
	return 0;
}

static int read_plain(cr_conn **conn)
{
	char byte;

	return cr_conn_read(*conn, &byte, 1) == -ECANCELED ? 0 : -EPROTO;
}

/* Somebody is reading the plain connection: the handshake does not join in. */
static int busy(int *unused)
{
	cr_tls_config *client = tls_client_config();
	cr_conn *plain[2], *conn;

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, read_plain, &plain[0]);
		CHECK_EQ(cr_sleep(cr_millis(1)), 0); /* in sim, one turn may not be enough */
		CHECK_EQ(cr_tls_client(plain[0], client, "localhost", &conn), -EBUSY);
		cr_conn_close(plain[0]);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_conn_close(plain[1]);
	cr_tls_config_close(client);
	return 0;
}

/* A plain connection is no TLS connection. */
static int plain_has_no_details(int *unused)
{
	cr_conn *plain[2];
	cr_tls_info info;
	cr_buf pem = {0};
	char text[8];

	(void)unused;
	CHECK_EQ(cr_conn_pair(plain), 0);
	CHECK_EQ(cr_tls_info_get(plain[0], &info), -EINVAL);
	CHECK_EQ(cr_tls_peer_subject(plain[0], text, sizeof text), -EINVAL);
	CHECK_EQ(cr_tls_peer_pem(plain[0], &pem), -EINVAL);
	CHECK_STR(cr_tls_error_text(plain[0]), "");
	cr_conn_close(plain[0]);
	cr_conn_close(plain[1]);
	return 0;
}

int main(void)
{
	pki_open();
	RUN_TASK(serve_and_dial);
	RUN_TASK(unix_socket);
	RUN_TASK(silent_client);
	RUN_TASK(starttls);
	RUN_TASK(starttls_injection);
	RUN_TASK(after_a_peek);
	RUN_TASK(nested);
	RUN_TASK(not_tls);
	RUN_TASK(cancelled_handshake);
	RUN_TASK(busy);
	RUN_TASK(plain_has_no_details);
	return test_done();
}
