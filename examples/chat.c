/* SPDX-License-Identifier: MIT */

/*
 * A chat server: what one client says, all others read.
 *
 *	chat [ADDRESS:PORT]          (127.0.0.1:7777; port 0 lets the system choose)
 *	nc 127.0.0.1 7777            in as many terminals as you like
 *
 * One task per client reads its lines. What is to be sent to a client goes into a buffer of its
 * own, which a second task empties; a client that does not read fills it, and is dropped: nobody
 * waits for a slow one, and memory stays bounded. Ctrl-C says goodbye to all and ends.
 */

#include <corail/corail.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 1024
#define PENDING_MAX (64 * 1024) /* bytes that a client may be behind */

struct client {
	struct client *next;
	cr_conn *conn;
	cr_scope *scope; /* its tasks live here: cancelling it drops the client */
	cr_buf pending;  /* what it has yet to be sent */
	int sending;     /* whether a task is at it */
	int number;
};

/* No lock: between two suspensions no other task runs. */
static struct client *clients;
static int last_number;

/* Sends what is pending, until nothing is. A failure cancels the client's scope: it is dropped. */
static int send_pending(struct client *client)
{
	int r = 0;

	while (r >= 0 && client->pending.size > 0) {
		cr_buf batch = client->pending;

		client->pending = (cr_buf){.limit_bytes = PENDING_MAX};
		r = cr_conn_write(client->conn, batch.data, batch.size); /* waits for the client */
		cr_buf_free(&batch);
	}
	client->sending = 0;
	return r;
}

/* Queues a line for everybody but its author. Does not suspend. */
static void broadcast(const struct client *author, const char *line)
{
	for (struct client *client = clients; client; client = client->next) {
		if (client == author)
			continue;
		if (cr_buf_append(&client->pending, line, strlen(line)) < 0) {
			cr_scope_cancel(client->scope); /* too far behind */
			continue;
		}
		if (!client->sending) {
			client->sending = 1;
			cr_spawn(client->scope, send_pending, client);
		}
	}
}

/* Reads a client's lines until it goes, is dropped, or the server stops. */
static void talk(struct client *client)
{
	char line[LINE_SIZE], text[LINE_SIZE + 32];
	struct client **link = &clients;
	CORAIL_SCOPE(scope); /* ends the sending task on every way out */

	client->scope = &scope;
	client->next = clients;
	clients = client;
	snprintf(text, sizeof text, "* client %d is here\n", client->number);
	broadcast(client, text);
	while (cr_conn_read_line(client->conn, line, sizeof line) >= 0) {
		for (char *c = line; *c; c++) /* nobody commands another's terminal */
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				*c = '?';
		snprintf(text, sizeof text, "%d: %s\n", client->number, line);
		broadcast(client, text);
	}
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	snprintf(text, sizeof text, "* client %d has left\n", client->number);
	broadcast(NULL, text);
}

/* Runs in a task of its own for each connection, which is closed when it returns. */
static int serve_client(cr_conn *conn, void *arg)
{
	static const char goodbye[] = "* goodbye\n";
	struct client client = {
		.conn = conn,
		.number = ++last_number,
		.pending = {.limit_bytes = PENDING_MAX},
	};

	(void)arg;
	talk(&client);
	cr_buf_free(&client.pending);
	/* A shield lets clean-up suspend although cancelled, for so long and no longer. */
	return cr_shield(cr_millis(200), cr_conn_write(conn, goodbye, strlen(goodbye)));
}

static int serve(const char *target)
{
	cr_listener *listener;
	int r = cr_listener_open(target, NULL, &listener);

	if (r < 0)
		return r;
	printf("Listening on port %d\n", cr_listener_port(listener));
	fflush(stdout);
	r = cr_listener_serve(listener, NULL, serve_client, NULL); /* until Ctrl-C cancels us */
	cr_listener_close(listener);
	return r;
}

int main(int argc, char **argv)
{
	const char *target = argc > 1 ? argv[1] : "127.0.0.1:7777";
	int r = cr_run(serve, target);

	if (r == -EINTR) {
		puts("Stopped.");
		return 0;
	}
	fprintf(stderr, "chat: %s: %s\n", target, cr_strerror(r));
	return 1;
}
