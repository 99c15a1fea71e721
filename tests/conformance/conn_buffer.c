/* SPDX-License-Identifier: MIT */
/* Buffered writing: high and low water, flush, close, and the order of everything. */
#include "in_task.h"
#include "support/full.h"

enum { LOW = 1000, HIGH = 4000, BIG = 8 * 1024 * 1024 };

static char pattern_at(size_t i)
{
	return (char)(i * 7 + i / 253);
}

static void pattern(char *data, size_t from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = pattern_at(from + i);
}

/* Reads so many bytes and compares them. */
static void expect(cr_conn *conn, size_t from, size_t size)
{
	char data[4096], wanted[4096];

	while (size > 0) {
		size_t part = size < sizeof data ? size : sizeof data;

		CHECK_EQ(cr_conn_read_exactly(conn, data, part), 0);
		pattern(wanted, from, part);
		CHECK_MEM(data, wanted, part);
		from += part;
		size -= part;
	}
}

static int small_writes(int *unused)
{
	char data[3000], byte;
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_buffer_set(c[0], 5, 4), -EINVAL);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	CHECK_EQ(cr_conn_flush(c[0]), 0);
	pattern(data, 0, sizeof data);
	for (int i = 0; i < 30; i++)
		CHECK_EQ(cr_conn_write(c[0], data + (size_t)i * 100, 100), 0);
	/* Nobody has suspended: all of it is still here. */
	CHECK_EQ(cr_conn_unsent(c[0]), 3000);
	CHECK_EQ(cr_conn_flush(c[0]), 0);
	CHECK_EQ(cr_conn_unsent(c[0]), 0);
	expect(c[1], 0, 3000);
	/* Without a flush it goes out by itself. */
	CHECK_EQ(cr_conn_write(c[0], "x", 1), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], &byte, 1), 0);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(cr_conn_buffer_set(c[0], 0, 0), 0);
	CHECK_EQ(cr_conn_write(c[0], "y", 1), 0);
	CHECK_EQ(cr_conn_unsent(c[0]), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], &byte, 1), 0);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* Nobody can be found who sends: the writer does it, and the program is none the worse. */
static int without_room_for_a_sender(int *unused)
{
	char byte;
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	full_begin();
	CHECK_EQ(cr_conn_write(c[0], "x", 1), 0);
	full_end();
	CHECK_EQ(cr_conn_read_exactly(c[1], &byte, 1), 0);
	CHECK_EQ(byte, 'x');
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

struct writer {
	cr_conn *conn;
	size_t written, most;
	int ended;
};

static int write_much(struct writer *w)
{
	char data[500];
	int r = 0;

	while (w->written < BIG && r == 0) {
		pattern(data, w->written, sizeof data);
		r = cr_conn_write(w->conn, data, sizeof data);
		if (r == 0)
			w->written += sizeof data;
		if (cr_conn_unsent(w->conn) > w->most)
			w->most = cr_conn_unsent(w->conn);
	}
	w->ended = 1;
	return r;
}

/* Nobody reads: the writer comes to a halt, and what it holds is bounded; then it goes on. */
static int backpressure(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	{
		struct writer w = {.conn = c[0]};
		cr_task task;
		size_t before;

		CORAIL_SCOPE(scope);
		task = cr_spawn(&scope, write_much, &w);
		do {
			before = w.written;
			CHECK_EQ(cr_sleep(cr_millis(20)), 0);
		} while (w.written != before || before == 0);
		CHECK_EQ(w.ended, 0);
		CHECK_LE(w.most, HIGH);
		CHECK_GT(cr_conn_unsent(c[0]), LOW);
		CHECK_LE(cr_conn_unsent(c[0]), 2 * HIGH);
		expect(c[1], 0, BIG);
		CHECK_EQ(cr_await(task), 0);
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* All functions that write put their bytes behind those in the buffer. */
static int order(int *unused)
{
	static char big[3 * HIGH];
	struct iovec vector[2] = {{(char[]){"cd"}, 2}, {(char[]){"ef"}, 2}};
	char data[64] = {0};
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	CHECK_EQ(cr_conn_write(c[0], "ab", 2), 0);
	CHECK_EQ(cr_conn_writev(c[0], vector, 2), 0);
	CHECK_EQ(cr_conn_unsent(c[0]), 6);
	CHECK_EQ(cr_conn_write_some(c[0], "gh", 2), 2);
	CHECK_EQ(cr_conn_write(c[0], "ij", 2), 0);
	CHECK_EQ(cr_conn_write_zerocopy(c[0], "kl", 2), 0);
	CHECK_EQ(cr_conn_write(c[0], "mn", 2), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], data, 14), 0);
	CHECK_STR(data, "abcdefghijklmn");
	pattern(big, 0, sizeof big);
	CHECK_EQ(cr_conn_write(c[0], big, 10), 0);
	CHECK_EQ(cr_conn_write(c[0], big + 10, sizeof big - 10), 0);
	CHECK_EQ(cr_conn_unsent(c[0]), 0);
	expect(c[1], 0, sizeof big);
	CHECK_EQ(cr_conn_write(c[0], "op", 2), 0);
	CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
	CHECK_EQ(cr_conn_read(c[1], data, sizeof data), 2);
	CHECK_EQ(cr_conn_read(c[1], data, sizeof data), 0);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int close_it(cr_conn **conn)
{
	int r = cr_conn_close(*conn);

	*conn = NULL;
	return r;
}

/* A close sends what is buffered, however long the peer takes. */
static int close_flushes(int *unused)
{
	static char block[HIGH];
	cr_conn *c[2];
	size_t sent = 0;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	/* The socket's buffer is full before anything is buffered here. */
	for (;;) {
		pattern(block, sent, sizeof block);
		ssize_t n = cr_timeout(cr_millis(20),
		                       cr_conn_write_some(c[0], block, sizeof block));
		if (n == -ETIMEDOUT)
			break;
		CHECK_GT(n, 0);
		sent += (size_t)n;
	}
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	pattern(block, sent, 3000);
	CHECK_EQ(cr_conn_write(c[0], block, 3000), 0);
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, close_it, &c[0]);

		CHECK_EQ(cr_yield(), 0);
		CHECK(c[0] != NULL);
		expect(c[1], 0, sent + 3000);
		CHECK_EQ(cr_conn_read(c[1], block, 1), 0);
		CHECK_EQ(cr_await(task), 0);
	}
	cr_conn_close(c[1]);
	return 0;
}

static int close_cancelled(int *unused)
{
	char byte;
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	CHECK_EQ(cr_conn_write(c[0], "z", 1), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_conn_write(c[0], "z", 1), -ECANCELED);
		CHECK_EQ(cr_conn_close(c[0]), 0);
	}
	CHECK_EQ(cr_conn_read(c[1], &byte, 1), 1);
	CHECK_EQ(cr_conn_read(c[1], &byte, 1), 0);
	cr_conn_close(c[1]);
	return 0;
}

/* The error of a send that nobody waited for is told by the next call, and by the close. */
static int errors(int *unused)
{
	cr_conn *c[2];
	char byte;
	int r;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	cr_conn_close(c[1]);
	CHECK_EQ(cr_conn_write(c[0], "1", 1), 0);
	r = cr_conn_flush(c[0]);
	CHECK(r == -EPIPE || r == -ECONNRESET);
	CHECK_EQ(cr_conn_unsent(c[0]), 0);
	CHECK_EQ(cr_conn_write(c[0], "2", 1), r);
	CHECK_EQ(cr_conn_write_some(c[0], "2", 1), r);
	CHECK_EQ(cr_conn_close(c[0]), r);

	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	cr_conn_close(c[1]);
	CHECK_EQ(cr_conn_write(c[0], "1", 1), 0);
	r = cr_conn_close(c[0]);
	CHECK(r == -EPIPE || r == -ECONNRESET);

	/* An abort drops it. */
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	CHECK_EQ(cr_conn_write(c[0], "1", 1), 0);
	cr_conn_abort(c[0]);
	CHECK_LE(cr_conn_read(c[1], &byte, 1), 0);
	cr_conn_close(c[1]);
	return 0;
}

/* A write above high water that is cancelled has been taken; the next call says so. */
static int cancelled_write(int *unused)
{
	static char block[HIGH];
	cr_conn *c[2];
	size_t sent = 0;
	int r;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_timeout_set(&scope, cr_millis(50));
		do {
			pattern(block, sent, sizeof block);
			r = cr_conn_write(c[0], block, sizeof block);
			if (r == 0)
				sent += sizeof block;
		} while (r == 0);
		CHECK_EQ(r, -ECANCELED);
		CHECK_EQ(cr_conn_flush(c[0]), -ECANCELED);
	}
	expect(c[1], 0, sent);
	CHECK_EQ(cr_conn_flush(c[0]), 0);
	cr_conn_close(c[0]);
	CHECK_EQ(cr_conn_read(c[1], block, 1), 0);
	cr_conn_close(c[1]);
	return 0;
}

/* Writes until nothing moves any more: what is held stays within its bound meanwhile. */
static void fill(cr_conn *conn)
{
	static char block[HIGH];
	size_t written = 0, before;
	int r;

	do {
		before = written;
		r = cr_timeout(cr_millis(20), ({
				       do {
					       r = cr_conn_write(conn, block, sizeof block);
					       written += r == 0;
				       } while (r == 0);
				       r;
			       }));
		CHECK_EQ(r, -ETIMEDOUT);
		CHECK_LE(cr_conn_unsent(conn), 2 * HIGH);
	} while (written != before);
}

static int flush_it(cr_conn *conn)
{
	return cr_conn_flush(conn);
}

static int busy(int *unused)
{
	cr_conn *c[2];
	int r;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_buffer_set(c[0], LOW, HIGH), 0);
	fill(c[0]);
	{
		CORAIL_SCOPE(scope);
		cr_task task;

		cr_scope_collect(&scope);
		task = cr_spawn(&scope, flush_it, c[0]);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_conn_write(c[0], "x", 1), -EBUSY);
		CHECK_EQ(cr_conn_flush(c[0]), -EBUSY);
		CHECK_EQ(cr_conn_buffer_set(c[0], 0, 1), -EBUSY);
		/* A close under the flush: the flush ends, the rest is dropped. */
		cr_conn_abort(c[0]);
		r = cr_await(task);
		CHECK_EQ(r, -ECANCELED);
	}
	cr_conn_close(c[1]);
	return 0;
}

int main(void)
{
	RUN_TASK(small_writes);
	RUN_TASK(without_room_for_a_sender);
	RUN_TASK(backpressure);
	RUN_TASK(order);
	RUN_TASK(close_flushes);
	RUN_TASK(close_cancelled);
	RUN_TASK(errors);
	RUN_TASK(cancelled_write);
	RUN_TASK(busy);
	return test_done();
}
