/* SPDX-License-Identifier: MIT */
#ifndef TEST_TLS_PAIR_H
#define TEST_TLS_PAIR_H

/* Both ends of a TLS connection in one process, each in a task of its own while it shakes hands. */

#include "pki.h"

#include <corail/corail.h>
#include <corail/tls.h>

struct tls_end {
	cr_conn *plain; /* NULL once it is given up */
	cr_conn *conn;  /* NULL unless the handshake succeeded */
	cr_tls_config *config;
	const char *host;
	int result;
	cr_tls_failure failure;
};

struct tls_pair {
	struct tls_end client, server;
};

static inline cr_tls_config *tls_config(cr_tls_options options)
{
	cr_tls_config *config;

	CHECK_EQ(cr_tls_config_open(&options, &config), 0);
	return config;
}

/* A client's configuration that trusts the test's CA. */
static inline cr_tls_config *tls_client_config(void)
{
	return tls_config((cr_tls_options){.ca_pem = pki_root.cert_pem});
}

/* A server's, with one certificate. */
static inline cr_tls_config *tls_server_config(const struct pki *pki)
{
	cr_tls_identity identity = {.chain_pem = pki->chain_pem, .key_pem = pki->key_pem};

	return tls_config((cr_tls_options){.identities = &identity, .identity_count = 1});
}

static inline int tls_end_client(struct tls_end *end)
{
	cr_tls_client_options options = {.host = end->host, .failure = &end->failure};

	end->result = cr_tls_client_with(end->plain, end->config, &options, &end->conn);
	if (end->result < 0)
		cr_conn_close(end->plain);
	end->plain = NULL;
	return 0;
}

static inline int tls_end_server(struct tls_end *end)
{
	end->result = cr_tls_server(end->plain, end->config, &end->failure, &end->conn);
	if (end->result < 0)
		cr_conn_close(end->plain);
	end->plain = NULL;
	return 0;
}

/* Shakes hands over a new pair of plain connections; see the results. */
static inline void tls_meet(struct tls_pair *pair, cr_tls_config *client, const char *host,
                            cr_tls_config *server)
{
	cr_conn *plain[2];

	*pair = (struct tls_pair){.client = {.config = client, .host = host},
	                          .server = {.config = server}};
	CHECK_EQ(cr_conn_pair(plain), 0);
	pair->client.plain = plain[0];
	pair->server.plain = plain[1];
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, tls_end_client, &pair->client);
	cr_spawn(&scope, tls_end_server, &pair->server);
	CHECK_EQ(cr_scope_wait(&scope), 0);
}

static inline void tls_part(struct tls_pair *pair)
{
	cr_conn_close(pair->client.conn);
	cr_conn_close(pair->server.conn);
	pair->client.conn = pair->server.conn = NULL;
}

#endif
