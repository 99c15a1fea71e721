/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <errno.h>

/* A listener whose connections are TLS. */

#define HANDSHAKE_MAX cr_seconds(10)

/* How long, and for how many bytes, a refused client may go on talking before we hang up. */
#define LINGER_MAX cr_seconds(1)

enum { LINGER_READS = 32 };

struct service {
	cr_tls_config *config;
	const cr_tls_serve_options *options;
	int (*handler)(cr_conn *conn, void *arg);
	void *arg;
};

/*
 * Reads and forgets until the client closes. The alert that tells it why would not arrive if the
 * connection were closed with something unread: the kernel would reset it (RFC 1122 section
 * 4.2.2.13).
 */
static int linger(cr_conn *plain)
{
	char ignored[2048];
	ssize_t n = cr_conn_shutdown_write(plain);

	if (n == 0)
		n = 1;
	for (int i = 0; i < LINGER_READS && n > 0; i++)
		n = cr_conn_read(plain, ignored, sizeof ignored);
	return n < 0 ? (int)n : 0;
}

static int serve_one(cr_conn *plain, void *arg)
{
	const struct service *service = arg;
	const cr_tls_serve_options *options = service->options;
	cr_tls_failure failure;
	cr_conn *conn;
	int r = cr_timeout(options->handshake_max ? options->handshake_max : HANDSHAKE_MAX,
	                   cr__tls_server_over(plain, service->config, &failure, &conn));

	if (r < 0) {
		if (failure.error != r)
			cr__tls_failure_set(&failure, NULL, r);
		if (options->failed && r != -ECANCELED)
			options->failed(service->arg, &failure);
		cr_timeout(LINGER_MAX, linger(plain));
		return r;
	}
	r = service->handler(conn, service->arg);
	cr_conn_close(conn);
	return r;
}

int cr_tls_serve(cr_listener *listener, cr_tls_config *config, const cr_tls_serve_options *options,
                 int (*handler)(cr_conn *conn, void *arg), void *arg)
{
	static const cr_tls_serve_options defaults;
	struct service service = {config, options ? options : &defaults, handler, arg};

	return cr_listener_serve(listener, &service.options->serve, serve_one, &service);
}
