/* SPDX-License-Identifier: MIT */
/* ctest: needs=tls */
/* Sessions of before: both versions, what the counters say, and where they must not be used. */
#include "in_task.h"

#include "tls/pair.h"

/* A client and a server say a word each, so that tickets have come. */
static int meet_and_talk(cr_tls_config *client, const char *host, cr_tls_config *server)
{
	struct tls_pair pair;
	cr_tls_info info;
	char word[2];

	tls_meet(&pair, client, host, server);
	CHECK_EQ(pair.client.result, 0);
	CHECK_EQ(pair.server.result, 0);
	CHECK_EQ(cr_conn_write(pair.server.conn, "hi", 2), 0);
	CHECK_EQ(cr_conn_read_exactly(pair.client.conn, word, 2), 0);
	CHECK_EQ(cr_tls_info_get(pair.client.conn, &info), 0);
	CHECK_EQ(cr_conn_close(pair.client.conn), 0);
	CHECK_EQ(cr_conn_read(pair.server.conn, word, 1), 0);
	CHECK_EQ(cr_conn_close(pair.server.conn), 0);
	return info.resumed;
}

static cr_tls_config *client_of(enum cr_tls_version version, int session_count_max)
{
	return tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem,
	                                   .version_max = version,
	                                   .session_count_max = session_count_max});
}

static void resumes(enum cr_tls_version version)
{
	cr_tls_config *client = client_of(version, 0), *server = tls_server_config(&pki_local);
	cr_tls_config *other = client_of(version, 0);
	cr_tls_stats stats;

	CHECK_EQ(meet_and_talk(client, "localhost", server), 0);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 1);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 1);
	/* Another host, another configuration: they begin anew. */
	CHECK_EQ(meet_and_talk(client, "127.0.0.1", server), 0);
	CHECK_EQ(meet_and_talk(other, "localhost", server), 0);
	cr_tls_config_stats(client, &stats);
	CHECK_EQ(stats.handshakes, 4);
	CHECK_EQ(stats.resumed, 2);
	CHECK_EQ(stats.failed, 0);
	CHECK_GT(stats.session_count, 0);
	cr_tls_config_stats(server, &stats);
	CHECK_EQ(stats.handshakes, 5);
	CHECK_EQ(stats.resumed, 2);
	CHECK_EQ(stats.session_count, 0);
	cr_tls_config_close(client);
	cr_tls_config_close(other);
	cr_tls_config_close(server);
}

static int version_1_3(int *unused)
{
	(void)unused;
	resumes(CORAIL_TLS_VERSION_1_3);
	return 0;
}

static int version_1_2(int *unused)
{
	(void)unused;
	resumes(CORAIL_TLS_VERSION_1_2);
	return 0;
}

/*
 * A server's tickets outlive a change of certificates; a client's sessions do not survive one of
 * trust.
 */
static int reloads(int *unused)
{
	cr_tls_config *client = client_of(0, 0), *server = tls_server_config(&pki_local);
	cr_tls_identity again = {.chain_pem = pki_local.chain_pem, .key_pem = pki_local.key_pem};

	(void)unused;
	CHECK_EQ(meet_and_talk(client, "localhost", server), 0);
	CHECK_EQ(cr_tls_config_reload(server,
	                              &(cr_tls_options){.identities = &again, .identity_count = 1}),
	         0);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 1);
	CHECK_EQ(cr_tls_config_reload(client, &(cr_tls_options){.ca_pem = pki_root.cert_pem}), 0);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 0);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

/* Where certificates are asked for, a reload lets nobody resume: they may be bad now. */
static int reloads_trust(int *unused)
{
	cr_tls_identity local = {.chain_pem = pki_local.chain_pem, .key_pem = pki_local.key_pem};
	cr_tls_identity own = {.chain_pem = pki_client.chain_pem, .key_pem = pki_client.key_pem};
	cr_tls_options options = {.ca_pem = pki_root.cert_pem,
	                          .identities = &local,
	                          .identity_count = 1,
	                          .clients = CORAIL_TLS_CLIENTS_REQUIRED};
	cr_tls_config *server = tls_config(options), *client;

	(void)unused;
	options.clients = CORAIL_TLS_CLIENTS_ANY;
	options.identities = &own;
	client = tls_config(options);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 0);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 1);
	options.clients = CORAIL_TLS_CLIENTS_REQUIRED;
	options.identities = &local;
	CHECK_EQ(cr_tls_config_reload(server, &options), 0);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 0);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	return 0;
}

static int switched_off(int *unused)
{
	cr_tls_identity local = {.chain_pem = pki_local.chain_pem, .key_pem = pki_local.key_pem};
	cr_tls_config *client = client_of(0, 0), *forgetful = client_of(0, -1);
	cr_tls_config *server = tls_server_config(&pki_local);
	cr_tls_config *silent = tls_config(
		(cr_tls_options){.identities = &local, .identity_count = 1, .no_tickets = 1});
	cr_tls_stats stats;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(meet_and_talk(forgetful, "localhost", server), 0);
		CHECK_EQ(meet_and_talk(client, "localhost", silent), 0);
	}
	cr_tls_config_stats(forgetful, &stats);
	CHECK_EQ(stats.session_count, 0);
	cr_tls_config_stats(client, &stats);
	CHECK_EQ(stats.session_count, 0);
	cr_tls_config_close(client);
	cr_tls_config_close(forgetful);
	cr_tls_config_close(server);
	cr_tls_config_close(silent);
	return 0;
}

/*
 * Bounded, for each host and in all; a session of a server that is not this one any more is no
 * harm.
 */
static int bounded(int *unused)
{
	cr_tls_config *client = client_of(CORAIL_TLS_VERSION_1_2, 3);
	cr_tls_config *server = tls_server_config(&pki_local);
	cr_tls_config *restarted = tls_server_config(&pki_local);
	cr_tls_stats stats;

	(void)unused;
	CHECK_EQ(meet_and_talk(client, "localhost", server), 0);
	CHECK_EQ(meet_and_talk(client, "localhost.", server), 0);
	CHECK_EQ(meet_and_talk(client, "127.0.0.1", server), 0);
	CHECK_EQ(meet_and_talk(client, "::1", server), 0);
	cr_tls_config_stats(client, &stats);
	CHECK_EQ(stats.session_count, 3);
	CHECK_EQ(meet_and_talk(client, "localhost", server), 0); /* the oldest is gone */
	CHECK_EQ(meet_and_talk(client, "localhost", restarted), 0);
	CHECK_EQ(meet_and_talk(client, "localhost", restarted), 1);
	cr_tls_config_close(client);
	cr_tls_config_close(server);
	cr_tls_config_close(restarted);
	return 0;
}

int main(void)
{
	pki_open();
	RUN_TASK(version_1_3);
	RUN_TASK(version_1_2);
	RUN_TASK(reloads);
	RUN_TASK(reloads_trust);
	RUN_TASK(switched_off);
	RUN_TASK(bounded);
	return test_done();
}
