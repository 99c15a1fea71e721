/* SPDX-License-Identifier: MIT */

/*
 * A TLS echo pair.
 *
 *	tls_echo serve ADDRESS:PORT CHAIN.pem KEY.pem [CLIENTS-CA.pem]
 *	tls_echo talk [-a CA.pem] [-c CHAIN.pem KEY.pem] [-n] HOST:PORT
 *
 * The server sends each line back, and hangs up after "quit". With a third file it serves only
 * clients with a certificate of that authority. The client sends its standard input and prints what
 * comes; it takes the system's authorities unless -a names others, and with -n it does not say
 * goodbye when the input ends, for servers that take that for the end of the conversation.
 *
 * To try it:
 *
 *	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 \
 *		-keyout key.pem -out cert.pem -subj /CN=localhost \
 *		-addext subjectAltName=DNS:localhost
 *	tls_echo serve 127.0.0.1:7443 cert.pem key.pem &
 *	echo hello | tls_echo talk -a cert.pem localhost:7443
 */

#include <corail/corail.h>
#include <corail/tls.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 4096

static int complain(const char *what, int r, const cr_tls_failure *failure)
{
	fprintf(stderr, "tls_echo: %s: %s", what, cr_strerror(r));
	if (failure && strcmp(failure->text, cr_strerror(r)) != 0)
		fprintf(stderr, " (%s)", failure->text);
	fputc('\n', stderr);
	return r;
}

static void describe(cr_conn *conn)
{
	cr_tls_info info;
	char subject[256] = "nobody in particular";

	if (cr_tls_info_get(conn, &info) < 0)
		return;
	cr_tls_peer_subject(conn, subject, sizeof subject); /* else it keeps what it was */
	fprintf(stderr, "%s, %s%s, with %s\n", info.version, info.cipher,
	        info.resumed ? ", resumed" : "", subject);
}

/* ------------------------------------------------------------------------------- the server --- */

struct server {
	const char *target, *clients_ca;
	cr_tls_identity identity;
};

static int echo(cr_conn *conn, void *arg)
{
	char line[LINE_SIZE];
	ssize_t n;

	(void)arg;
	describe(conn);
	while ((n = cr_conn_read_line(conn, line, sizeof line - 1)) >= 0) {
		int r;

		if (strcmp(line, "quit") == 0)
			return cr_conn_write(conn, "bye\n", 4);
		line[n] = '\n';
		r = cr_conn_write(conn, line, (size_t)n + 1);
		if (r < 0)
			return r;
	}
	/* -ENODATA: the client said goodbye. Anything else was not meant to happen. */
	return n == -ENODATA ? 0 : complain("a client", (int)n, NULL);
}

static void refused(void *arg, const cr_tls_failure *failure)
{
	(void)arg;
	complain("a client", failure->error, failure);
}

static int serve(struct server *server)
{
	cr_tls_failure failure;
	cr_tls_options options = {
		.identities = &server->identity,
		.identity_count = 1,
		.ca_file = server->clients_ca,
		.clients = server->clients_ca ? CORAIL_TLS_CLIENTS_REQUIRED
	                                      : CORAIL_TLS_CLIENTS_ANY,
		.failure = &failure,
	};
	cr_tls_serve_options serving = {.failed = refused};
	cr_listener *listener;
	cr_tls_config *config;
	int r = cr_tls_config_open(&options, &config);

	if (r < 0)
		return complain("the certificate", r, &failure);
	r = cr_listener_open(server->target, NULL, &listener);
	if (r == 0) {
		printf("port %d\n", cr_listener_port(listener));
		fflush(stdout);
		r = cr_tls_serve(listener, config, &serving, echo, NULL);
		cr_listener_close(listener);
	} else {
		complain(server->target, r, NULL);
	}
	cr_tls_config_close(config);
	return r;
}

/* ------------------------------------------------------------------------------- the client --- */

struct client {
	const char *target, *ca;
	cr_tls_identity identity;
	int keep;
	cr_conn *conn;
};

/* Standard input to the server, then goodbye: the other direction stays open. */
static int send_input(struct client *client)
{
	char data[LINE_SIZE];
	ssize_t n;

	while ((n = cr_fd_read(STDIN_FILENO, data, sizeof data)) > 0) {
		int r = cr_conn_write(client->conn, data, (size_t)n);

		if (r < 0)
			return r;
	}
	return n < 0 || client->keep ? (int)n : cr_conn_shutdown_write(client->conn);
}

static int converse(struct client *client)
{
	char data[LINE_SIZE];
	ssize_t n;
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, send_input, client);
	while ((n = cr_conn_read(client->conn, data, sizeof data)) > 0)
		fwrite(data, 1, (size_t)n, stdout);
	return (int)n;
}

static int talk(struct client *client)
{
	cr_tls_failure failure;
	cr_tls_options options = {
		.ca_file = client->ca,
		.identities = &client->identity,
		.identity_count = client->identity.chain_file ? 1 : 0,
		.failure = &failure,
	};
	cr_tls_client_options connecting = {.failure = &failure};
	cr_tls_config *config;
	int r = cr_tls_config_open(&options, &config);

	if (r < 0)
		return complain("the certificates", r, &failure);
	r = cr_timeout(cr_seconds(10),
	               cr_tls_connect_with(client->target, config, &connecting, &client->conn));
	if (r == -ETIMEDOUT) {
		complain(client->target, r, NULL);
	} else if (r < 0) {
		complain(client->target, r, &failure);
	} else {
		describe(client->conn);
		r = converse(client);
		if (r < 0)
			complain(cr_tls_error_text(client->conn), r, NULL);
		cr_conn_close(client->conn);
	}
	cr_tls_config_close(config);
	return r;
}

static int usage(void)
{
	fputs("usage: tls_echo serve ADDRESS:PORT CHAIN.pem KEY.pem [CLIENTS-CA.pem]\n"
	      "       tls_echo talk [-a CA.pem] [-c CHAIN.pem KEY.pem] [-n] HOST:PORT\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct server server = {0};
	struct client client = {0};

	if (argc >= 5 && strcmp(argv[1], "serve") == 0) {
		server.target = argv[2];
		server.identity = (cr_tls_identity){.chain_file = argv[3], .key_file = argv[4]};
		server.clients_ca = argv[5];
		return cr_run(serve, &server) < 0;
	}
	if (argc < 3 || strcmp(argv[1], "talk") != 0)
		return usage();
	for (argv += 2; argv[0] && argv[0][0] == '-'; argv++) {
		if (strcmp(argv[0], "-n") == 0)
			client.keep = 1;
		else if (strcmp(argv[0], "-a") == 0 && argv[1])
			client.ca = *++argv;
		else if (strcmp(argv[0], "-c") == 0 && argv[1] && argv[2]) {
			client.identity.chain_file = *++argv;
			client.identity.key_file = *++argv;
		} else
			return usage();
	}
	client.target = argv[0];
	return client.target ? cr_run(talk, &client) < 0 : usage();
}
