/* SPDX-License-Identifier: MIT */
/* Bytes through one TLS connection over the loopback address, both ends on one loop. */
#include "../c/bench.h"

#include <corail/corail.h>
#include <corail/tls.h>

enum { BLOCK = 256 * 1024 };

struct flow {
	cr_listener *listener;
	cr_tls_config *config;
	int64_t total;
};

static int serve(struct flow *flow)
{
	static char block[BLOCK];
	cr_conn *plain, *conn;
	int r = cr_listener_accept(flow->listener, &plain);

	if (r < 0)
		return r;
	r = cr_tls_server(plain, flow->config, NULL, &conn);
	if (r < 0)
		return r;
	for (int64_t sent = 0; r == 0 && sent < flow->total; sent += BLOCK)
		r = cr_conn_write(conn, block, BLOCK);
	cr_conn_close(conn);
	return r;
}

static int receive(struct flow *flow, int64_t *ret_duration)
{
	static char block[BLOCK];
	char target[32];
	int64_t got = 0, start;
	cr_conn *conn;
	ssize_t n;
	int r;

	snprintf(target, sizeof target, "127.0.0.1:%d", cr_listener_port(flow->listener));
	r = cr_tls_connect(target, flow->config, &conn);
	if (r < 0)
		return r;
	start = bench_now();
	while ((n = cr_conn_read(conn, block, sizeof block)) > 0)
		got += n;
	*ret_duration = bench_now() - start;
	cr_conn_close(conn);
	return n < 0 ? (int)n : got < flow->total ? -EIO : 0;
}

struct work {
	const char *name;
	long megabytes;
	cr_tls_identity identity;
};

static int run(struct work *work)
{
	cr_tls_options options = {
		.insecure = 1,
		.identities = &work->identity,
		.identity_count = 1,
		.ciphersuites = "TLS_AES_128_GCM_SHA256",
	};
	struct flow flow = {.total = work->megabytes * 1000000};
	int64_t duration = 0;
	int r = cr_tls_config_open(&options, &flow.config);

	if (r == 0)
		r = cr_listener_open("127.0.0.1:0", NULL, &flow.listener);
	if (r == 0) {
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, serve, &flow);
		r = receive(&flow, &duration);
		if (r == 0)
			r = cr_scope_wait(&scope);
	}
	if (r == 0)
		bench_print(work->name, (double)flow.total / 1e6 / ((double)duration / 1e9));
	else
		fprintf(stderr, "%s\n", cr_strerror(r));
	cr_listener_close(flow.listener);
	cr_tls_config_close(flow.config);
	return r;
}

/* NAME MEGABYTES CHAIN KEY */
int main(int argc, char **argv)
{
	struct work work = {.megabytes = bench_argument(argc, argv, 2)};

	if (argc < 5)
		return 2;
	work.name = argv[1];
	work.identity = (cr_tls_identity){.chain_file = argv[3], .key_file = argv[4]};
	return cr_run(run, &work) < 0;
}
