/* SPDX-License-Identifier: MIT */

/*
 * A server that ends as a server should. Each client sends one line, how many milliseconds of work
 * it wants, and gets one line back.
 *
 *	graceful [ADDRESS:PORT [SECONDS]]      (127.0.0.1:7778; port 0 lets the system choose)
 *	echo 5000 | nc 127.0.0.1 7778
 *
 * On SIGINT or SIGTERM it takes no more clients and gives those it has so many seconds (three) to
 * finish; then it cancels them, and gives them one more to say so to their clients. Whoever is late
 * even then is named, and the program ends without it. A second signal ends it at once.
 */

#include <corail/corail.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP cr_seconds(1)

struct server {
	const char *target;
	cr_listener *listener;
	cr_nsec drain;
};

/* At most so many work at once; the others wait for their turn. */
static cr_limiter workers = CORAIL_LIMITER(100);

static int work(long milliseconds)
{
	CORAIL_PERMIT(permit, &workers); /* released on every way out */
	if (permit.status < 0)
		return permit.status;
	return cr_sleep(cr_millis(milliseconds));
}

static int answer(cr_conn *conn, const char *text)
{
	return cr_conn_write(conn, text, strlen(text));
}

/* Runs in a task of its own for each connection, which is closed when it returns. */
static int serve_client(cr_conn *conn, void *arg)
{
	char line[64];
	ssize_t r = cr_conn_read_line(conn, line, sizeof line);

	(void)arg;
	if (r >= 0)
		r = work(strtol(line, NULL, 10));
	if (r >= 0)
		return answer(conn, "done\n");
	/* Cancelled: a shield lets clean-up suspend all the same, for so long and no longer. */
	return cr_shield(CLEANUP / 2, answer(conn, "sorry, closing\n"));
}

static int accept_clients(struct server *server)
{
	return cr_listener_serve(server->listener, NULL, serve_client, NULL);
}

static int serve_until_told(struct server *server)
{
	cr_shutdown_report report;
	cr_signal_info info;
	cr_signal *signals;
	int r = cr_signal_open(CORAIL_SIGNALS(SIGINT, SIGTERM), &signals);
	CORAIL_SCOPE(scope);

	if (r < 0)
		return r;
	printf("Listening on port %d\n", cr_listener_port(server->listener));
	fflush(stdout);
	cr_spawn(&scope, accept_clients, server);
	r = cr_signal_wait(signals, &info);
	cr_signal_close(signals); /* the next one has its usual effect again */
	puts("Closing.");
	fflush(stdout);
	if (cr_shutdown(&scope,
	                &(cr_shutdown_options){.listeners = &server->listener,
	                                       .listener_count = 1,
	                                       .drain = server->drain,
	                                       .cleanup = CLEANUP,
	                                       .print = 1},
	                &report) < 0) {
		fprintf(stderr, "graceful: %zu late\n", report.late);
		_exit(1); /* a scope outlives its tasks: leaving it would wait for them */
	}
	/* What is counted are tasks: one for each client, and the one that accepts. */
	printf("Closed: %zu of %zu tasks were cut short.\n", report.cancelled, report.running);
	return r;
}

static int serve(struct server *server)
{
	int r = cr_listener_open(server->target, NULL, &server->listener);

	if (r < 0)
		return r;
	r = serve_until_told(server);
	cr_listener_close(server->listener);
	return r;
}

int main(int argc, char **argv)
{
	struct server server = {
		.target = argc > 1 ? argv[1] : "127.0.0.1:7778",
		.drain = cr_seconds(argc > 2 ? strtod(argv[2], NULL) : 3),
	};
	int r = cr_run(serve, &server);

	if (r < 0)
		fprintf(stderr, "graceful: %s: %s\n", server.target, cr_strerror(r));
	return r < 0;
}
