/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* Who is believed, and who is not; what both sides agree upon, and what each is told. */
#include "in_task.h"

#include "tls/pair.h"

static int agree(int *unused)
{
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);
	struct tls_pair pair;
	cr_tls_info info;
	char text[64];
	cr_buf pem = {0};

	(void)unused;
	tls_meet(&pair, client, "localhost", server);
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(pair.server.result, 0);
	cr_tls_config_close(client); /* what stands does not mind */
	cr_tls_config_close(server);
	CHECK_EQ(cr_tls_info_get(pair.client.conn, &info), 0);
	CHECK_STR(info.version, "TLSv1.3");
	CHECK(strncmp(info.cipher, "TLS_", 4) == 0);
	CHECK_STR(info.alpn, "");
	CHECK_STR(info.host, "localhost");
	CHECK(info.verified && !info.resumed && !info.server);
	CHECK_EQ(cr_tls_info_get(pair.server.conn, &info), 0);
	CHECK_STR(info.host, "localhost");
	CHECK(!info.verified && info.server);
	CHECK_EQ(cr_tls_peer_subject(pair.client.conn, text, sizeof text), 12);
	CHECK_STR(text, "CN=localhost");
	CHECK_EQ(cr_tls_peer_subject(pair.client.conn, text, 12), -EMSGSIZE);
	CHECK_EQ(cr_tls_peer_subject(pair.server.conn, text, sizeof text), -ENODATA);
	CHECK_EQ(cr_tls_peer_pem(pair.client.conn, &pem), 0);
	CHECK_STR(pem.data, pki_local.cert_pem);
	CHECK_EQ(cr_tls_peer_pem(pair.server.conn, &pem), -ENODATA);
	cr_buf_free(&pem);
	CHECK_STR(cr_tls_error_text(pair.client.conn), "");
	CHECK_EQ(cr_conn_write(pair.client.conn, "ping\n", 5), 0);
	CHECK_EQ(cr_conn_read_line(pair.server.conn, text, sizeof text), 4);
	CHECK_STR(text, "ping");
	CHECK_EQ(cr_conn_write(pair.server.conn, "pong\n", 5), 0);
	CHECK_EQ(cr_conn_read_line(pair.client.conn, text, sizeof text), 4);
	CHECK_STR(text, "pong");
	tls_part(&pair);
	return 0;
}

/* Names and addresses; a dot at the end and brackets do not matter. */
static int hosts(int *unused)
{
	static const struct {
		const char *host;
		int error;
	} cases[] = {
		{"localhost", 0},
		{"localhost.", 0},
		{"LOCALHOST", 0},
		{"127.0.0.1", 0},
		{"::1", 0},
		{"[::1]", 0},
		{"::1%lo", 0},
		{"local", -CORAIL_E_TLS_WRONG_HOST},
		{"localhost.example", -CORAIL_E_TLS_WRONG_HOST},
		{"127.0.0.2", -CORAIL_E_TLS_WRONG_HOST},
		{"::2", -CORAIL_E_TLS_WRONG_HOST},
		{"", -EINVAL},
		{NULL, -EINVAL},
	};
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&pki_local);

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tls_pair pair;

		tls_meet(&pair, client, cases[i].host, server);
		CHECK_EQ(pair.client.result, cases[i].error);
		tls_part(&pair);
	}
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* A client that trusts the test's CA, for all tests: making one takes longer than a handshake. */
static cr_tls_config *trusting;

/* What a bad certificate gives its client, and what the server hears of it. */
static void refuse(const struct pki *pki, const char *host, int error, int alert, const char *text)
{
	cr_tls_config *server = tls_server_config(pki);
	struct tls_pair pair;
	char byte;

	tls_meet(&pair, trusting, host, server);
	CHECK_EQ(pair.client.result, error);
	CHECK_EQ(pair.client.failure.error, error);
	CHECK_EQ(pair.client.failure.depth, 0);
	CHECK_EQ(pair.client.failure.alert, -1);
	CHECK(strncmp(pair.client.failure.subject, "CN=", 3) == 0);
	if (!strstr(pair.client.failure.text, text))
		CHECK_STR(pair.client.failure.text, text);
	if (pair.server.result == 0) {
		CHECK_EQ(cr_conn_read(pair.server.conn, &byte, 1), -CORAIL_E_TLS_REFUSED);
		CHECK(strstr(cr_tls_error_text(pair.server.conn), "the peer's alert"));
	} else {
		CHECK_EQ(pair.server.result, -CORAIL_E_TLS_REFUSED);
		CHECK_EQ(pair.server.failure.alert, alert);
	}
	tls_part(&pair);
	cr_tls_config_close(server);
}

static int bad_certificates(int *unused)
{
	const char *host = "DNS:localhost";
	struct pki other = pki_make(&(struct pki_request){.name = "Other CA", .ca = true});
	struct pki expired = pki_make(&(struct pki_request){
		.name = "localhost", .host = host, .issuer = &pki_root, .until = -10});
	struct pki early = pki_make(&(struct pki_request){
		.name = "localhost", .host = host, .issuer = &pki_root, .from = 10000});
	struct pki own = pki_make(&(struct pki_request){.name = "localhost", .host = host});
	struct pki unknown = pki_make(
		&(struct pki_request){.name = "localhost", .host = host, .issuer = &other});
	struct pki purpose = pki_make(&(struct pki_request){
		.name = "localhost", .host = host, .issuer = &pki_root, .usage = "clientAuth"});

	(void)unused;
	refuse(&expired, "localhost", -CORAIL_E_TLS_EXPIRED, 45, "expired");
	refuse(&early, "localhost", -CORAIL_E_TLS_NOT_YET_VALID, 42, "not yet valid");
	refuse(&own, "localhost", -CORAIL_E_TLS_SELF_SIGNED, 48, "self-signed");
	refuse(&unknown, "localhost", -CORAIL_E_TLS_UNKNOWN_CA, 48, "unable to get");
	refuse(&pki_local, "example.org", -CORAIL_E_TLS_WRONG_HOST, 42, "hostname mismatch");
	refuse(&purpose, "localhost", -CORAIL_E_TLS_CERTIFICATE, 43, "purpose");
	return 0;
}

/* A chain over an intermediate: whole, with a gap, and with the intermediate trusted itself. */
static int chains(int *unused)
{
	struct pki middle = pki_make(
		&(struct pki_request){.name = "Middle CA", .ca = true, .issuer = &pki_root});
	struct pki leaf = pki_make(&(struct pki_request){
		.name = "localhost", .host = "DNS:localhost", .issuer = &middle});
	struct pki bare = leaf;
	cr_tls_config *client = tls_client_config(), *server = tls_server_config(&leaf);
	struct tls_pair pair;

	(void)unused;
	tls_meet(&pair, client, "localhost", server);
	CHECK_EQ(pair.client.result, 0);
	tls_part(&pair);
	cr_tls_config_close(server);
	cr_tls_config_close(client);
	bare.chain_pem = leaf.cert_pem;
	refuse(&bare, "localhost", -CORAIL_E_TLS_UNKNOWN_CA, 48, "unable to get");
	client = tls_config((cr_tls_options){.ca_pem = middle.cert_pem});
	server = tls_server_config(&bare);
	tls_meet(&pair, client, "localhost", server);
	CHECK_EQ(pair.client.result, 0);
	tls_part(&pair);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* Without verification: anything goes, and the program can tell. */
static int insecure(int *unused)
{
	struct pki own = pki_make(&(struct pki_request){.name = "nobody"});
	cr_tls_config *server = tls_server_config(&own);
	cr_tls_config *client = tls_config((cr_tls_options){.insecure = 1});
	cr_tls_config *any_host =
		tls_config((cr_tls_options){.ca_pem = own.cert_pem, .any_host = 1});
	cr_tls_config *by_default;
	struct tls_pair pair;
	cr_tls_info info;

	(void)unused;
	tls_meet(&pair, client, NULL, server);
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(cr_tls_info_get(pair.client.conn, &info), 0);
	CHECK(!info.verified);
	tls_part(&pair);
	tls_meet(&pair, any_host, "example.org", server);
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(cr_tls_info_get(pair.client.conn, &info), 0);
	CHECK(info.verified);
	tls_part(&pair);
	/* The system's authorities do not know it. */
	CHECK_EQ(cr_tls_config_open(NULL, &by_default), 0);
	tls_meet(&pair, by_default, "localhost", server);
	CHECK_EQ(pair.client.result, -CORAIL_E_TLS_SELF_SIGNED);
	cr_tls_config_close(by_default);
	cr_tls_config_close(any_host);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

int main(void)
{
	pki_open();
	trusting = tls_client_config();
	RUN_TASK(agree);
	RUN_TASK(hosts);
	RUN_TASK(bad_certificates);
	RUN_TASK(chains);
	RUN_TASK(insecure);
	cr_tls_config_close(trusting);
	return test_done();
}
