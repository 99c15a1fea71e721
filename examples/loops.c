/* SPDX-License-Identifier: MIT */

/*
 * An echo server on all cores: one loop for each, one port for all.
 *
 *	loops [ADDRESS:PORT [LOOPS]]     (127.0.0.1:7778; port 0 lets the system choose; 0 or
 *	                                 nothing for LOOPS: as many as there are processors)
 *	nc 127.0.0.1 7778                in as many terminals as you like
 *
 * Each loop has a listener of its own on the same port, and the kernel deals the connections out.
 * A line comes back with the number of the loop that served it; the line "who" is answered by
 * asking all loops how many they have served, which is what cr_call_loop() is for: the counts are
 * ordinary variables, each touched by its own loop only. Ctrl-C ends all loops.
 */

#include <corail/corail.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOPS_MAX = 64, LINE_SIZE = 1024 };

struct server {
	const char *target;
	cr_shared_port port;
	size_t lines[LOOPS_MAX]; /* each written and read on its own loop */
};

struct count {
	const struct server *server;
	size_t lines;
};

/* A task on the loop that is asked. */
static int tell_count(struct count *count)
{
	count->lines = count->server->lines[cr_loops_index()];
	return 0;
}

/* Asks one loop after the other. One that has ended already answers nothing. */
static int answer_who(cr_conn *conn, const struct server *server)
{
	char text[64];
	int r = 0;

	for (size_t i = 0; i < cr_loops_count() && r == 0; i++) {
		struct count count = {server, 0};

		r = cr_call_loop(cr_loops_at(i), tell_count, &count);
		if (r == 0) {
			int size = snprintf(text, sizeof text, "loop %zu: %zu lines\n", i,
			                    count.lines);

			r = cr_conn_write(conn, text, (size_t)size);
		}
	}
	return r;
}

static int echo(cr_conn *conn, const char *line)
{
	char text[LINE_SIZE + 32];
	int size = snprintf(text, sizeof text, "%zu: %s\n", cr_loops_index(), line);

	return cr_conn_write(conn, text, (size_t)size);
}

/* Runs in a task of its own for each connection, which is closed when it returns. */
static int serve_client(cr_conn *conn, void *arg)
{
	struct server *server = arg;
	char line[LINE_SIZE];
	int r = 0;

	while (r == 0 && cr_conn_read_line(conn, line, sizeof line) >= 0) {
		server->lines[cr_loops_index()]++;
		r = strcmp(line, "who") == 0 ? answer_who(conn, server) : echo(conn, line);
	}
	return r;
}

/* The main function of each loop. */
static int serve(struct server *server)
{
	cr_listener *listener;
	int r = cr_listener_open_shared(server->target, NULL, &server->port, &listener);

	if (r < 0)
		return r;
	printf("Loop %zu listens on port %d\n", cr_loops_index(), cr_listener_port(listener));
	fflush(stdout);
	r = cr_listener_serve(listener, NULL, serve_client, server); /* until Ctrl-C */
	cr_listener_close(listener);
	return r;
}

int main(int argc, char **argv)
{
	static struct server server = {.target = "127.0.0.1:7778"};
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int r;

	if (argc > 1)
		server.target = argv[1];
	if (count == 0)
		count = cr_cpu_count();
	r = cr_loops(count < LOOPS_MAX ? count : LOOPS_MAX, serve, &server);
	if (r == -EINTR) {
		puts("Stopped");
		return 0;
	}
	fprintf(stderr, "loops: %s\n", cr_strerror(r));
	return 1;
}
