/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* What a configuration asks for: client certificates, protocols, versions, names; its change. */
#include "in_task.h"

#include "tls/pair.h"

#include <unistd.h>

static cr_tls_identity identity_of(const struct pki *pki)
{
	return (cr_tls_identity){.chain_pem = pki->chain_pem, .key_pem = pki->key_pem};
}

/* ----------------------------------------------------------------- the system's authorities --- */

static int meets(cr_tls_config *client, cr_tls_config *server)
{
	struct tls_pair pair;

	tls_meet(&pair, client, "localhost", server);
	tls_part(&pair);
	return pair.client.result;
}

/*
 * Read when the first client needs them by a configuration with certificates of its own: a server
 * never does, and they are many. One that cannot be a server's reads them when it is opened.
 */
static int system_authorities(int *unused)
{
	char path[] = "/tmp/corail-authorities-XXXXXX";
	cr_tls_identity own = identity_of(&pki_local);
	cr_tls_options either = {.identities = &own, .identity_count = 1};
	cr_tls_config *both, *client;
	int fd = mkstemp(path);

	(void)unused;
	CHECK_GE(fd, 0);
	CHECK_EQ(setenv("SSL_CERT_FILE", path, 1), 0);
	both = tls_config(either);
	CHECK_EQ(cr_tls_config_open(NULL, &client), 0);
	CHECK_EQ(write(fd, pki_root.cert_pem, strlen(pki_root.cert_pem)),
	         strlen(pki_root.cert_pem));
	CHECK_EQ(meets(client, both), -CORAIL_E_TLS_UNKNOWN_CA);
	CHECK_EQ(meets(both, both), 0);
	CHECK_EQ(cr_tls_config_reload(both, &either), 0);
	CHECK_EQ(meets(both, both), 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(meets(both, both), 0);
	cr_tls_config_close(both);
	cr_tls_config_close(client);
	CHECK_EQ(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
	CHECK_EQ(unlink(path), 0);
	close(fd);
	return 0;
}

/* ---------------------------------------------------------------------- client certificates --- */

static int mutual(int *unused)
{
	cr_tls_identity local = identity_of(&pki_local), own = identity_of(&pki_client);
	cr_tls_options asks = {.identities = &local, .identity_count = 1};
	cr_tls_config *plain = tls_client_config(), *known, *optional, *required;
	struct tls_pair pair;
	char text[64];
	cr_tls_info info;

	(void)unused;
	known = tls_config((cr_tls_options){
		.ca_pem = pki_root.cert_pem, .identities = &own, .identity_count = 1});
	asks.ca_pem = pki_root.cert_pem;
	asks.clients = CORAIL_TLS_CLIENTS_OPTIONAL;
	optional = tls_config(asks);
	asks.clients = CORAIL_TLS_CLIENTS_REQUIRED;
	required = tls_config(asks);

	tls_meet(&pair, known, "localhost", required);
	CHECK_EQ(pair.server.result, 0);
	CHECK_EQ(cr_tls_peer_subject(pair.server.conn, text, sizeof text), 11);
	CHECK_STR(text, "CN=a client");
	CHECK_EQ(cr_tls_info_get(pair.server.conn, &info), 0);
	CHECK(info.verified);
	tls_part(&pair);

	tls_meet(&pair, plain, "localhost", optional);
	CHECK_EQ(pair.server.result, 0);
	CHECK_EQ(cr_tls_peer_subject(pair.server.conn, text, sizeof text), -ENODATA);
	tls_part(&pair);

	/*
	 * In TLS 1.3 the client has finished before the server can refuse: it hears when it reads.
	 */
	tls_meet(&pair, plain, "localhost", required);
	CHECK_EQ(pair.server.result, -CORAIL_E_TLS_NO_CERTIFICATE);
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(cr_conn_read(pair.client.conn, text, 1), -CORAIL_E_TLS_REFUSED);
	CHECK(strstr(cr_tls_error_text(pair.client.conn), "(116)"));
	CHECK_EQ(cr_conn_read(pair.client.conn, text, 1), -CORAIL_E_TLS_REFUSED);
	tls_part(&pair);
	cr_tls_config_close(plain);
	cr_tls_config_close(known);
	cr_tls_config_close(optional);
	cr_tls_config_close(required);
	return 0;
}

static int mutual_stranger(int *unused)
{
	struct pki stranger = pki_make(&(struct pki_request){.name = "a stranger"});
	cr_tls_identity local = identity_of(&pki_local), own = identity_of(&stranger);
	cr_tls_config *client, *server;
	struct tls_pair pair;

	(void)unused;
	client = tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem,
	                                     .identities = &own,
	                                     .identity_count = 1,
	                                     .version_max = CORAIL_TLS_VERSION_1_2});
	server = tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem,
	                                     .identities = &local,
	                                     .identity_count = 1,
	                                     .clients = CORAIL_TLS_CLIENTS_OPTIONAL});
	tls_meet(&pair, client, "localhost", server);
	CHECK_EQ(pair.server.result, -CORAIL_E_TLS_SELF_SIGNED);
	CHECK_STR(pair.server.failure.subject, "CN=a stranger");
	CHECK_EQ(pair.client.result, -CORAIL_E_TLS_REFUSED);
	CHECK_EQ(pair.client.failure.alert, 48);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* ------------------------------------------------------------- protocols, versions, ciphers --- */

static void meet_options(struct tls_pair *pair, cr_tls_options client, cr_tls_options server)
{
	cr_tls_identity local = identity_of(&pki_local);
	cr_tls_config *c, *s;

	client.ca_pem = pki_root.cert_pem;
	server.identities = &local;
	server.identity_count = 1;
	c = tls_config(client);
	s = tls_config(server);
	tls_meet(pair, c, "localhost", s);
	cr_tls_config_close(c);
	cr_tls_config_close(s);
}

static void alpn(const char *client, const char *server, const char *agreed)
{
	struct tls_pair pair;
	cr_tls_info info;

	meet_options(&pair, (cr_tls_options){.alpn = client}, (cr_tls_options){.alpn = server});
	if (agreed) {
		CHECK_EQ(pair.client.result, 0);
		CHECK_EQ(cr_tls_info_get(pair.client.conn, &info), 0);
		CHECK_STR(info.alpn, agreed);
		CHECK_EQ(cr_tls_info_get(pair.server.conn, &info), 0);
		CHECK_STR(info.alpn, agreed);
	} else {
		CHECK_EQ(pair.client.result, -CORAIL_E_TLS_NO_ALPN);
		CHECK_EQ(pair.client.failure.alert, 120);
		CHECK_EQ(pair.server.result, -CORAIL_E_TLS_NO_ALPN);
	}
	tls_part(&pair);
}

static int protocols(int *unused)
{
	struct tls_pair pair;

	(void)unused;
	alpn("h2,http/1.1", "h2,http/1.1", "h2");
	alpn("h2,http/1.1", "http/1.1,h2", "http/1.1"); /* the server's order counts */
	alpn("redis", "http/1.1,h2", NULL);
	alpn("h2", NULL, "");
	alpn(NULL, "h2", "");
	meet_options(&pair, (cr_tls_options){.alpn = "h2", .alpn_required = 1},
	             (cr_tls_options){0});
	CHECK_EQ(pair.client.result, -CORAIL_E_TLS_NO_ALPN);
	tls_part(&pair);
	return 0;
}

static int versions(int *unused)
{
	struct tls_pair pair;
	cr_tls_info info;

	(void)unused;
	meet_options(&pair, (cr_tls_options){.version_max = CORAIL_TLS_VERSION_1_2},
	             (cr_tls_options){0});
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(cr_tls_info_get(pair.client.conn, &info), 0);
	CHECK_STR(info.version, "TLSv1.2");
	tls_part(&pair);
	meet_options(&pair, (cr_tls_options){.version_max = CORAIL_TLS_VERSION_1_2},
	             (cr_tls_options){.version_min = CORAIL_TLS_VERSION_1_3});
	CHECK_EQ(pair.client.result, -CORAIL_E_TLS_NO_VERSION);
	CHECK_EQ(pair.client.failure.alert, 70);
	CHECK_EQ(pair.server.result, -CORAIL_E_TLS_NO_VERSION);
	tls_part(&pair);
	meet_options(&pair, (cr_tls_options){.ciphersuites = "TLS_AES_128_GCM_SHA256"},
	             (cr_tls_options){.ciphersuites = "TLS_AES_256_GCM_SHA384"});
	CHECK_EQ(pair.server.result, -CORAIL_E_TLS_NO_CIPHER);
	CHECK_EQ(pair.client.result, -CORAIL_E_TLS_ALERT);
	CHECK_STR(pair.client.failure.text, "the peer's alert: handshake failure (40)");
	tls_part(&pair);
	return 0;
}

/* ------------------------------------------------------------------------ names on a server --- */

static void name_gives(cr_tls_config *server, const char *host, const char *subject)
{
	cr_tls_config *client =
		tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem, .any_host = 1});
	struct tls_pair pair;
	char text[64];

	tls_meet(&pair, client, host, server);
	if (subject) {
		CHECK_EQ(pair.client.result, 0);
		CHECK_GT(cr_tls_peer_subject(pair.client.conn, text, sizeof text), 0);
		CHECK_STR(text, subject);
	} else {
		CHECK_EQ(pair.server.result, -CORAIL_E_TLS_NO_HOST);
		CHECK_EQ(pair.client.result, -CORAIL_E_TLS_NO_HOST);
	}
	tls_part(&pair);
	cr_tls_config_close(client);
}

static struct pki site(const char *name, const char *host)
{
	return pki_make(&(struct pki_request){.name = name, .host = host, .issuer = &pki_root});
}

static const cr_tls_config *choose(void *arg, const char *host)
{
	return strcmp(host, "special.example") == 0 ? arg : NULL;
}

static int names(int *unused)
{
	struct pki a = site("a", "DNS:a.example"), b = site("b", "DNS:b.example,DNS:*.b.example");
	struct pki c = site("c", "DNS:other.example");
	struct pki rsa = pki_make(&(struct pki_request){
		.name = "b rsa", .host = "DNS:b.example", .issuer = &pki_root, .rsa = true});
	cr_tls_identity two[] = {identity_of(&a), identity_of(&b), identity_of(&rsa)};
	cr_tls_identity third = identity_of(&c);
	cr_tls_options options = {.identities = two, .identity_count = 3, .choose = choose};
	cr_tls_config *special, *server, *strict, *client;
	struct tls_pair pair;
	char text[64];

	(void)unused;
	special = tls_config((cr_tls_options){.identities = &third, .identity_count = 1});
	options.choose_arg = special;
	server = tls_config(options);
	options.strict_host = 1;
	strict = tls_config(options);
	name_gives(server, "a.example", "CN=a");
	name_gives(server, "b.example", "CN=b");
	name_gives(server, "x.b.example", "CN=b");
	name_gives(server, "nobody.example", "CN=a");
	name_gives(server, NULL, "CN=a");
	name_gives(server, "special.example", "CN=c");
	name_gives(strict, "b.example", "CN=b");
	name_gives(strict, "nobody.example", NULL);
	name_gives(strict, NULL, "CN=a");
	/* The same host with another type of key, for a client that knows no other. */
	client = tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem,
	                                     .version_max = CORAIL_TLS_VERSION_1_2,
	                                     .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
	tls_meet(&pair, client, "b.example", server);
	CHECK_EQ(pair.client.result, 0);
	CHECK_GT(cr_tls_peer_subject(pair.client.conn, text, sizeof text), 0);
	CHECK_STR(text, "CN=b rsa");
	tls_part(&pair);
	cr_tls_config_close(client);
	cr_tls_config_close(special);
	cr_tls_config_close(server);
	cr_tls_config_close(strict);
	return 0;
}

/* ------------------------------------------------------------------------ reload and errors --- */

static int reload(int *unused)
{
	struct pki before = site("before", "DNS:localhost"), after = site("after", "DNS:localhost");
	cr_tls_config *server = tls_server_config(&before), *client = tls_client_config();
	cr_tls_identity fresh = identity_of(&after), broken = identity_of(&after);
	cr_tls_failure failure;
	struct tls_pair old, new;
	char text[64];

	(void)unused;
	tls_meet(&old, client, "localhost", server);
	CHECK_EQ(old.client.result, 0);
	broken.key_pem = before.key_pem;
	CHECK_EQ(cr_tls_config_reload(server, &(cr_tls_options){.identities = &broken,
	                                                        .identity_count = 1,
	                                                        .failure = &failure}),
	         -CORAIL_E_TLS_CONFIG);
	CHECK(strstr(failure.text, "key values mismatch"));
	tls_meet(&new, client, "localhost", server);
	CHECK_GT(cr_tls_peer_subject(new.client.conn, text, sizeof text), 0);
	CHECK_STR(text, "CN=before");
	tls_part(&new);
	CHECK_EQ(cr_tls_config_reload(server,
	                              &(cr_tls_options){.identities = &fresh, .identity_count = 1}),
	         0);
	tls_meet(&new, client, "localhost", server);
	CHECK_GT(cr_tls_peer_subject(new.client.conn, text, sizeof text), 0);
	CHECK_STR(text, "CN=after");
	tls_part(&new);
	/* What stood before still does. */
	CHECK_EQ(cr_conn_write(old.server.conn, "on", 2), 0);
	CHECK_EQ(cr_conn_read_exactly(old.client.conn, text, 2), 0);
	tls_part(&old);
	cr_tls_config_close(server);
	cr_tls_config_close(client);
	return 0;
}

static void refused(int error, cr_tls_options options)
{
	cr_tls_failure failure = {.error = 1};
	cr_tls_config *config;

	options.failure = &failure;
	CHECK_EQ(cr_tls_config_open(&options, &config), error);
	CHECK_EQ(failure.error, error);
	CHECK(failure.text[0]);
}

static void refused_identity(int error, cr_tls_identity identity)
{
	refused(error, (cr_tls_options){.identities = &identity, .identity_count = 1});
}

static int bad_configurations(int *unused)
{
	(void)unused;
	refused(-ENOENT, (cr_tls_options){.ca_file = "/nonexistent/ca.pem"});
	refused(-CORAIL_E_TLS_CONFIG, (cr_tls_options){.ca_pem = "no certificate"});
	refused(-CORAIL_E_TLS_CONFIG, (cr_tls_options){.ciphers = "no-such-cipher"});
	refused(-CORAIL_E_TLS_CONFIG, (cr_tls_options){.alpn = "h2,,http/1.1"});
	refused(-CORAIL_E_TLS_CONFIG, (cr_tls_options){.alpn = ""});
	refused(-EINVAL, (cr_tls_options){.alpn_required = 1});
	refused(-EINVAL, (cr_tls_options){.version_min = CORAIL_TLS_VERSION_1_3,
	                                  .version_max = CORAIL_TLS_VERSION_1_2});
	refused_identity(-EINVAL, (cr_tls_identity){.key_pem = pki_local.key_pem});
	refused_identity(-ENOENT, (cr_tls_identity){.chain_file = "/nonexistent"});
	refused_identity(-CORAIL_E_TLS_CONFIG, (cr_tls_identity){.chain_pem = pki_local.cert_pem});
	refused_identity(-CORAIL_E_TLS_CONFIG, (cr_tls_identity){.chain_pem = pki_local.cert_pem,
	                                                         .key_pem = pki_client.key_pem});
	cr_tls_config_close(NULL);
	return 0;
}

/* Keys under a password: nobody is ever asked for one. */
static int passwords(int *unused)
{
	BIO *bio = BIO_new(BIO_s_mem());
	cr_tls_identity identity = {.chain_pem = pki_local.chain_pem};
	cr_tls_options options = {.identities = &identity, .identity_count = 1};
	cr_tls_config *config;
	char *locked;

	(void)unused;
	CHECK(PEM_write_bio_PrivateKey(bio, pki_local.key, EVP_aes_128_cbc(),
	                               (const unsigned char *)"sesame", 6, NULL, NULL));
	locked = pki_text(bio);
	identity.key_pem = locked;
	CHECK_EQ(cr_tls_config_open(&options, &config), -CORAIL_E_TLS_CONFIG);
	identity.key_password = "open";
	CHECK_EQ(cr_tls_config_open(&options, &config), -CORAIL_E_TLS_CONFIG);
	identity.key_password = "sesame";
	CHECK_EQ(cr_tls_config_open(&options, &config), 0);
	cr_tls_config_close(config);
	free(locked);
	return 0;
}

int main(void)
{
	pki_open();
	RUN_TASK(system_authorities);
	RUN_TASK(mutual);
	RUN_TASK(mutual_stranger);
	RUN_TASK(protocols);
	RUN_TASK(versions);
	RUN_TASK(names);
	RUN_TASK(reload);
	RUN_TASK(bad_configurations);
	RUN_TASK(passwords);
	return test_done();
}
