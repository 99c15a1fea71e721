/* SPDX-License-Identifier: MIT */
/* An echo server on Corail: a task for each connection, which reads and writes in a loop. */
#include <corail/corail.h>
#include <stdio.h>

#define BUFFER_SIZE 4096

static int serve(cr_conn *conn, void *unused)
{
	char buffer[BUFFER_SIZE];
	ssize_t n;

	(void)unused;
	while ((n = cr_conn_read(conn, buffer, sizeof buffer)) > 0) {
		int r = cr_conn_write(conn, buffer, (size_t)n);

		if (r < 0)
			return r;
	}
	return (int)n;
}

static int run_echo(const cr_serve_options *options)
{
	cr_listener *listener;
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	if (r < 0) {
		fprintf(stderr, "listen: %s\n", cr_strerror(r));
		return r;
	}
	printf("PORT %d\n", cr_listener_port(listener));
	fflush(stdout);
	r = cr_listener_serve(listener, options, serve, NULL);
	cr_listener_close(listener);
	return r;
}

int main(void)
{
	static const cr_serve_options options;

	return cr_run(run_echo, &options) < 0;
}
