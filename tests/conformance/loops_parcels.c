/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Connections that change their loop, in parcels. */

#include "in_task.h"
#include "meeting.h"

#include <corail/loops.h>
#include <corail/loops_net.h>

enum { COUNT = 3 };

/* Off its loop and back: what was received and not read is still there. */
static int there_and_back(int *unused)
{
	cr_conn *conns[2];
	cr_parcel *parcel;
	char line[32], byte;

	(void)unused;
	tcp_pair(conns);
	CHECK_EQ(cr_conn_write(conns[0], "one\ntwo\nthr", 11), 0);
	CHECK_EQ(cr_conn_read_line(conns[1], line, sizeof line), 3);
	CHECK_STR(line, "one");
	CHECK_EQ(cr_conn_detach(conns[1], &parcel), 0);
	CHECK_EQ(cr_conn_write(conns[0], "ee\n", 3), 0);
	CHECK_EQ(cr_conn_attach(parcel, &conns[1]), 0);
	CHECK_EQ(cr_conn_read_line(conns[1], line, sizeof line), 3);
	CHECK_STR(line, "two");
	CHECK_EQ(cr_conn_read_line(conns[1], line, sizeof line), 5);
	CHECK_STR(line, "three");
	/* What is buffered for writing goes out first. */
	CHECK_EQ(cr_conn_buffer_set(conns[1], 1000, 2000), 0);
	CHECK_EQ(cr_conn_write(conns[1], "back\n", 5), 0);
	CHECK_EQ(cr_conn_detach(conns[1], &parcel), 0);
	CHECK_EQ(cr_conn_read_line(conns[0], line, sizeof line), 4);
	/* A parcel that nobody wants is a connection that is closed. */
	cr_parcel_discard(parcel);
	cr_parcel_discard(NULL);
	CHECK_EQ(cr_conn_read(conns[0], &byte, 1), 0);
	return cr_conn_close(conns[0]);
}

static int reads_on(cr_conn *conn)
{
	char byte;

	return (int)cr_conn_read(conn, &byte, 1);
}

static ssize_t no_read(void *state, void *buffer, size_t size)
{
	(void)state;
	(void)buffer;
	(void)size;
	return 0;
}

static int no_close(void *state, int reset)
{
	(void)state;
	return reset;
}

static const cr_transport layered = {.read = no_read, .close = no_close};

static int refused(int *unused)
{
	cr_conn *conns[2], *layer;
	cr_parcel *parcel = NULL;
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_conn_pair(conns), 0);
	CHECK_EQ(cr_conn_from_transport(&layered, &scope, &layer), 0);
	CHECK_EQ(cr_conn_detach(layer, &parcel), -EOPNOTSUPP);
	CHECK_EQ(cr_conn_close(layer), 0);
	cr_spawn(&scope, reads_on, conns[0]);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_conn_detach(conns[0], &parcel), -EBUSY);
	CHECK_EQ(cr_conn_write(conns[1], "x", 1), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	{
		CORAIL_SCOPE(cancelled);

		cr_scope_cancel(&cancelled);
		CHECK_EQ(cr_conn_detach(conns[0], &parcel), -ECANCELED);
	}
	CHECK(parcel == NULL);
	cr_conn_close(conns[0]);
	return cr_conn_close(conns[1]);
}

/* Handed from loop to loop, echoing a line on each. */
struct relay {
	cr_parcel *parcel;
	int hops;
};

static int hop(struct relay *relay)
{
	cr_conn *conn;
	char line[32];
	ssize_t n;
	int r = cr_conn_attach(relay->parcel, &conn);

	CHECK_EQ(r, 0);
	n = cr_conn_read_line(conn, line, sizeof line - 1);
	CHECK_GT(n, 0);
	line[n] = '\n';
	CHECK_EQ(cr_conn_write(conn, line, (size_t)n + 1), 0);
	CHECK_EQ(cr_conn_detach(conn, &relay->parcel), 0);
	relay->hops++;
	return 0;
}

static int client_of_relay(cr_conn *conn)
{
	char line[32];

	/* Two lines in one segment: the second is read on another loop. */
	CHECK_EQ(cr_conn_write(conn, "a\nb\n", 4), 0);
	CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 1);
	CHECK_STR(line, "a");
	CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 1);
	CHECK_STR(line, "b");
	CHECK_EQ(cr_conn_write(conn, "c\n", 2), 0);
	CHECK_EQ(cr_conn_read_line(conn, line, sizeof line), 1);
	CHECK_STR(line, "c");
	return 0;
}

static int relays(struct meeting *m)
{
	struct relay relay = {.hops = 0};
	cr_conn *conns[2];
	CORAIL_SCOPE(scope);

	tcp_pair(conns);
	cr_spawn(&scope, client_of_relay, conns[0]);
	CHECK_EQ(cr_conn_detach(conns[1], &relay.parcel), 0);
	for (size_t i = 0; i < COUNT; i++)
		CHECK_EQ(cr_call_loop(cr_loops_at(i), hop, &relay), 0);
	CHECK_EQ(relay.hops, COUNT);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	cr_parcel_discard(relay.parcel);
	CHECK_EQ(cr_conn_close(conns[0]), 0);
	meet(m);
	return 0;
}

static void from_loop_to_loop(void)
{
	struct meeting m = {0};
	int fds = test_open_fds();

	CHECK_EQ(cr_loops(COUNT, relays, &m), 0);
	CHECK_EQ(test_open_fds(), fds);
}

/* Between io_uring, whose sockets block, and epoll, whose sockets do not. */
static void from_backend_to_backend(void)
{
	struct meeting m = {0};
	char why[256];
	cr_options runs[COUNT] = {{.backend = CORAIL_BACKEND_EPOLL},
	                          {.backend = CORAIL_BACKEND_URING},
	                          {.backend = CORAIL_BACKEND_EPOLL}};
	cr_loops_options options = {.run_each = runs};

	if (cr_loop_probe("uring", why, sizeof why) == 0)
		CHECK_EQ(cr_loops_with(&options, COUNT, relays, &m), 0);
}

int main(void)
{
	RUN_TASK(there_and_back);
	RUN_TASK(refused);
	if (on_sim())
		return test_done();
	RUN(from_loop_to_loop);
	RUN(from_backend_to_backend);
	return test_done();
}
