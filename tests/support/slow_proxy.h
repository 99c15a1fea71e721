/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_SLOW_PROXY_H
#define CORAIL_TESTS_SUPPORT_SLOW_PROXY_H

/*
 * A slow network between a client and a server: what comes is passed on late, and in small pieces,
 * in both directions.
 */

#include <corail/corail.h>

static int slow_proxy_forward(cr_conn *ends[2])
{
	char piece[500];
	ssize_t size;

	while ((size = cr_conn_read(ends[0], piece, sizeof piece)) > 0) {
		int r = cr_sleep(cr_micros(300));

		if (r == 0)
			r = cr_conn_write(ends[1], piece, (size_t)size);
		if (r < 0)
			return 0;
	}
	cr_conn_shutdown_write(ends[1]);
	return 0;
}

/* For cr_listener_serve(): passes one connection on to a target, a text as cr_conn_open() takes. */
static int slow_proxy(cr_conn *client, void *target)
{
	cr_conn *server, *up[2], *down[2];

	if (cr_conn_open(target, &server) < 0)
		return 0;
	up[0] = down[1] = client;
	up[1] = down[0] = server;
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, slow_proxy_forward, up);
		cr_spawn(&scope, slow_proxy_forward, down);
		cr_scope_wait(&scope);
	}
	cr_conn_close(server);
	return 0;
}

#endif
