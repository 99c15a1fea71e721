/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/* Buffered writing, files, relays, descriptors and pipes, tortured. */

#include "support/loopback.h"
#include "support/torture.h"

#include <corail/net.h>
#include <corail/socket.h>
#include <corail/stdio.h>
#include <corail/task.h>

enum { BULK = 700 * 1000 };

static char pattern[BULK];

/* How much is sent at once: more than the sockets hold, and no more than the simulator's need. */
static size_t bulk = BULK, much = 280 * 1000, some = BULK / 2;

struct reader {
	cr_conn *conn;
	size_t size;
};

/* Reads to the end, and compares: a byte that is lost or doubled shows. */
static int read_pattern(struct reader *r)
{
	static char chunk[65536];
	ssize_t n;

	while ((n = cr_conn_read(r->conn, chunk, sizeof chunk)) > 0) {
		CHECK_LE(r->size + (size_t)n, BULK);
		CHECK_MEM(chunk, pattern + r->size, (size_t)n);
		r->size += (size_t)n;
	}
	return (int)n;
}

/* ------------------------------------------------------------------------- buffered writing --- */

/*
 * The writer is cancelled anywhere: what its writes said they had taken arrives, all of it, and
 * nothing else.
 */
static int buffers_lose_nothing(struct torture *t)
{
	struct reader reader = {0};
	cr_conn *c[2];
	size_t written = 0;
	int r = cr_conn_pair(c);

	if (r < 0)
		return r;
	reader.conn = c[1];
	r = cr_conn_buffer_set(c[0], 3000, 10000);
	{
		CORAIL_SCOPE(readers);
		cr_scope_collect(&readers);
		cr_spawn(&readers, read_pattern, &reader);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			for (int i = 0; r == 0 && written < much; i++) {
				r = cr_conn_write(c[0], pattern + written, 7000);
				if (r == 0)
					written += 7000;
				if (r == 0 && i % 10 == 9)
					r = cr_conn_flush(c[0]);
			}
			torture_victim(t, NULL);
		}
		if (r == -ECANCELED)
			r = 0;
		/* The flusher is nobody's child: the close waits for it. */
		int closed = cr_conn_close(c[0]);
		if (!torture_excused(t)) {
			CHECK_EQ(r, 0);
			CHECK_EQ(closed, 0);
			CHECK_EQ(cr_scope_wait(&readers), 0);
			CHECK_EQ(reader.size, written);
		}
	}
	cr_conn_close(c[1]);
	return r;
}

/* A child that begins too late finds nothing to do: NULL. */
static int write_and_flush(cr_conn **conn)
{
	int r = *conn ? cr_conn_write(*conn, pattern, 9000) : -ECANCELED;

	return r < 0 || !*conn ? r : cr_conn_flush(*conn);
}

static int closes_under_a_flush(struct torture *t)
{
	struct reader reader = {0};
	cr_conn *c[2], *closing;
	int r = cr_conn_pair(c);

	(void)t;
	if (r < 0)
		return r;
	r = cr_conn_buffer_set(c[0], 3000, 10000);
	{
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		cr_spawn(&scope, write_and_flush, &c[0]);
		reader.conn = c[1];
		cr_spawn(&scope, read_pattern, &reader);
		if (r == 0)
			r = cr_yield();
		closing = c[0];
		c[0] = NULL;
		cr_conn_close(closing);
		if (r == 0)
			r = cr_scope_wait(&scope);
	}
	cr_conn_close(c[1]);
	return r == -ECANCELED ? 0 : r;
}

/* ---------------------------------------------------------------------------- files, relays --- */

static int file_open(void)
{
	char path[] = "/tmp/corail-test-XXXXXX";
	int fd = mkstemp(path);

	CHECK_GE(fd, 0);
	unlink(path);
	CHECK_EQ(write(fd, pattern, bulk), bulk);
	return fd;
}

static int sends_a_file(struct torture *t)
{
	struct reader reader = {0};
	cr_conn *c[2];
	int64_t n = 0;
	int file, r = cr_conn_pair(c);

	if (r < 0)
		return r;
	file = file_open();
	reader.conn = c[1];
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, read_pattern, &reader);
		n = cr_conn_send_file(c[0], file, 0, UINT64_MAX);
		cr_conn_close(c[0]);
		r = cr_scope_wait(&scope);
		if (!torture_delivered(t)) {
			CHECK_EQ(n, bulk);
			CHECK_EQ(reader.size, bulk);
		}
	}
	cr_conn_close(c[1]);
	close(file);
	return n < 0 ? (int)n : r;
}

static int write_pattern(cr_conn *conn)
{
	int r = cr_conn_write(conn, pattern, some);

	return r < 0 ? r : cr_conn_shutdown_write(conn);
}

/* A relay is cancelled anywhere, and another one goes on: no byte is missing, none comes twice. */
static int relays_lose_nothing(struct torture *t)
{
	struct reader reader = {0};
	cr_conn *a[2] = {0}, *b[2] = {0};
	int64_t n = 0;
	int r = cr_conn_pair(a);

	if (r == 0)
		r = cr_conn_pair(b);
	if (r == 0) {
		CORAIL_SCOPE(others);
		cr_scope_collect(&others);
		reader.conn = b[1];
		cr_spawn(&others, write_pattern, a[0]);
		cr_spawn(&others, read_pattern, &reader);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			n = cr_conn_copy(a[1], b[0]);
			torture_victim(t, NULL);
		}
		if (n == -ECANCELED)
			n = cr_conn_copy(a[1], b[0]);
		cr_conn_shutdown_write(b[0]);
		r = n < 0 ? (int)n : cr_scope_wait(&others);
		if (!torture_excused(t)) {
			CHECK_EQ(r, 0);
			CHECK_EQ(reader.size, some);
		}
		cr_scope_cancel(&others);
	}
	for (int i = 0; i < 2; i++) {
		cr_conn_close(a[i]);
		cr_conn_close(b[i]);
	}
	return r;
}

struct relay {
	cr_conn *from, *to;
};

static int relay(struct relay *r)
{
	return r->from ? (int)cr_conn_copy(r->from, r->to) : -ECANCELED;
}

static int feed(struct relay *r)
{
	return r->from ? write_pattern(r->to) : -ECANCELED;
}

static int closes_under_a_relay(struct torture *t)
{
	cr_conn *a[2] = {0}, *b[2] = {0};
	int r = cr_conn_pair(a);

	(void)t;
	if (r == 0)
		r = cr_conn_pair(b);
	if (r == 0) {
		struct relay job = {a[1], b[0]}, feeding = {a[1], a[0]};
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		cr_spawn(&scope, feed, &feeding);
		cr_spawn(&scope, relay, &job);
		r = cr_yield();
		if (r == 0)
			r = cr_yield();
		job.from = feeding.from = NULL;
		cr_conn_close(a[1]);
		cr_conn_close(a[0]);
		a[0] = a[1] = NULL;
	}
	for (int i = 0; i < 2; i++) {
		cr_conn_close(a[i]);
		cr_conn_close(b[i]);
	}
	return r;
}

static int write_zero(cr_conn *conn)
{
	char *memory = malloc(some);
	int r;

	memcpy(memory, pattern, some);
	r = cr_conn_write_zerocopy(conn, memory, some);
	/* The kernel has let go of it, whatever has happened. */
	memset(memory, 0xff, some);
	free(memory);
	return r < 0 ? r : cr_conn_shutdown_write(conn);
}

static int zerocopy_lets_go(struct torture *t)
{
	struct reader reader = {0};
	cr_listener *listener;
	cr_conn *a = NULL, *b = NULL;
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	if (r < 0)
		return r;
	r = loopback_dial(cr_listener_port(listener), &a);
	if (r == 0)
		r = cr_listener_accept(listener, &b);
	if (r == 0) {
		CORAIL_SCOPE(scope);
		reader.conn = b;
		cr_spawn(&scope, write_zero, a);
		r = read_pattern(&reader);
		if (!torture_delivered(t))
			CHECK_EQ(reader.size, some);
	}
	cr_conn_close(a);
	cr_conn_close(b);
	cr_listener_close(listener);
	return r;
}

/* ------------------------------------------------------------------------------ descriptors --- */

static int send_five(cr_conn *conn)
{
	int fd = STDERR_FILENO, r = 0;

	for (int i = 0; i < 5 && r == 0; i++) {
		r = cr_conn_send_fds(conn, "x", 1, &fd, 1);
		if (r == 0)
			r = cr_yield();
	}
	cr_conn_shutdown_write(conn);
	return r;
}

/* Takes what comes, one by one, until the end. */
static int receive_all(cr_conn *conn, int *count)
{
	ssize_t n;

	for (;;) {
		size_t came = 0;
		int fd;
		char byte;

		n = cr_conn_receive_fds(conn, &byte, 1, &fd, 1, &came);
		if (n <= 0)
			return (int)n;
		if (came == 1) {
			close(fd);
			++*count;
		}
	}
}

/* A receive is cancelled anywhere: no descriptor is lost, and none leaks. */
static int loses_no_descriptor(struct torture *t)
{
	cr_conn *c[2];
	int count = 0, r;

	if (on_sim())
		return cr_sleep(1);
	r = cr_conn_pair(c);
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(senders);
		cr_scope_collect(&senders);
		cr_spawn(&senders, send_five, c[0]);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = receive_all(c[1], &count);
			torture_victim(t, NULL);
		}
		if (r == -ECANCELED)
			r = receive_all(c[1], &count);
		if (!torture_excused(t)) {
			CHECK_EQ(r, 0);
			CHECK_EQ(count, 5);
		}
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return r;
}

/* ------------------------------------------------------------------------------------ pipes --- */

static int write_number(cr_conn *conn)
{
	int r = cr_conn_write(conn, pattern, 100 * 1000);

	cr_conn_close(conn);
	return r;
}

static int pipes_lose_nothing(struct torture *t)
{
	struct reader reader = {0};
	cr_conn *writer;
	int r;

	if (on_sim())
		return cr_sleep(1);
	r = cr_pipe_open(&reader.conn, &writer);
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(writers);
		cr_scope_collect(&writers);
		if (cr_task_error(cr_spawn(&writers, write_number, writer)) < 0)
			cr_conn_close(writer);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = read_pattern(&reader);
			torture_victim(t, NULL);
		}
		if (r == -ECANCELED)
			r = read_pattern(&reader);
		if (!torture_excused(t)) {
			CHECK_EQ(r, 0);
			CHECK_EQ(reader.size, 100 * 1000);
		}
	}
	cr_conn_close(reader.conn);
	return r;
}

int main(void)
{
	if (on_sim()) {
		bulk = much = 140 * 1000;
		some = 40 * 1000;
	}
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (char)(i * 31 + i / 251);
	TORTURE(buffers_lose_nothing);
	TORTURE(closes_under_a_flush);
	TORTURE(sends_a_file);
	TORTURE(relays_lose_nothing);
	TORTURE(closes_under_a_relay);
	TORTURE(zerocopy_lets_go);
	TORTURE(loses_no_descriptor);
	TORTURE(pipes_lose_nothing);
	return test_done();
}
