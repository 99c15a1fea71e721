/* SPDX-License-Identifier: MIT */
/* Writing: whole, with backpressure, and nothing lost by a close. */
#include "in_task.h"

enum { BIG = 16 * 1024 * 1024 }; /* more than any kernel buffers */

static char *pattern(size_t size)
{
	char *data = malloc(size);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 + i / 251);
	return data;
}

struct transfer {
	cr_conn *conn;
	const char *data;
	size_t size;
	size_t done; /* bytes received */
	int ended;
};

static int write_then_close(struct transfer *t)
{
	int r = cr_conn_write(t->conn, t->data, t->size);

	t->ended = 1;
	cr_conn_close(t->conn);
	return r;
}

static int write_only(struct transfer *t)
{
	int r = cr_conn_write(t->conn, t->data, t->size);

	t->ended = 1;
	return r;
}

/* Reads to the end and compares. */
static int read_all(struct transfer *t)
{
	static char chunk[64 * 1024];

	for (;;) {
		ssize_t n = cr_conn_read(t->conn, chunk, sizeof chunk);

		if (n <= 0)
			return (int)n;
		CHECK_LE(t->done + (size_t)n, t->size);
		CHECK_MEM(chunk, t->data + t->done, (size_t)n);
		t->done += (size_t)n;
	}
}

static void close_after_5_mb(cr_conn *c[2])
{
	char *data = pattern(BIG);
	struct transfer out = {.conn = c[0], .data = data, .size = BIG};
	struct transfer in = {.conn = c[1], .data = data, .size = BIG};

	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, write_then_close, &out);
		CHECK_EQ(read_all(&in), 0);
		CHECK_EQ(in.done, BIG);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_conn_close(c[1]);
	free(data);
}

static int close_after_5_mb_tcp(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	close_after_5_mb(c);
	return 0;
}

static int close_after_5_mb_unix(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	close_after_5_mb(c);
	return 0;
}

/* Nobody reads: the writer suspends, others run; then somebody reads, and it goes on. */
static int backpressure(int *unused)
{
	char *data = pattern(BIG);
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	{
		struct transfer out = {.conn = c[0], .data = data, .size = BIG};
		struct transfer in = {.conn = c[1], .data = data, .size = BIG};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, write_only, &out);
		CHECK_EQ(cr_sleep(cr_millis(30)), 0);
		CHECK_EQ(out.ended, 0);
		while (in.done < BIG) {
			char chunk[8192];
			ssize_t n = cr_conn_read(c[1], chunk, sizeof chunk);

			CHECK_GT(n, 0);
			CHECK_MEM(chunk, data + in.done, (size_t)n);
			in.done += (size_t)n;
		}
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(out.ended, 1);
	}
	free(data);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* A writer whose peer resets ends with an error, and no signal. */
static int reset_ends_writer(int *unused)
{
	char *data = pattern(BIG);
	cr_conn *c[2];
	int r;

	(void)unused;
	tcp_pair(c);
	{
		struct transfer out = {.conn = c[0], .data = data, .size = BIG};
		cr_task task;

		CORAIL_SCOPE(scope);
		task = cr_spawn(&scope, write_only, &out);
		CHECK_EQ(cr_sleep(cr_millis(10)), 0);
		cr_conn_abort(c[1]);
		r = cr_await(task);
		CHECK(r == -ECONNRESET || r == -EPIPE);
	}
	r = cr_conn_write(c[0], data, 10);
	CHECK(r == -EPIPE || r == -ECONNRESET);
	free(data);
	cr_conn_close(c[0]);
	return 0;
}

static int reset_ends_reader(int *unused)
{
	cr_conn *c[2];
	char byte;

	(void)unused;
	tcp_pair(c);
	cr_conn_abort(c[0]);
	CHECK_EQ(cr_conn_read(c[1], &byte, 1), -ECONNRESET);
	cr_conn_close(c[1]);
	return 0;
}

/* Half-close works both ways: the one that said goodbye still receives the answer. */
static void half_close(cr_conn *c[2])
{
	char data[16] = {0};

	CHECK_EQ(cr_conn_write(c[0], "ask", 3), 0);
	CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], data, 3), 0);
	CHECK_STR(data, "ask");
	CHECK_EQ(cr_conn_read(c[1], data, sizeof data), 0);
	CHECK_EQ(cr_conn_write(c[1], "answer", 6), 0);
	CHECK_EQ(cr_conn_shutdown_write(c[1]), 0);
	CHECK_EQ(cr_conn_read_exactly(c[0], data, 6), 0);
	CHECK_MEM(data, "answer", 6);
	CHECK_EQ(cr_conn_read(c[0], data, sizeof data), 0);
	CHECK_EQ(cr_conn_write(c[0], "x", 1), -EPIPE);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
}

static int half_close_tcp(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	half_close(c);
	return 0;
}

static int half_close_unix(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	half_close(c);
	return 0;
}

static int gather(int *unused)
{
	enum { PARTS = 150, SIZE = 20 * 1000 };
	char *data = pattern((size_t)PARTS * SIZE);
	struct iovec vector[2 * PARTS];
	cr_conn *c[2];

	(void)unused;
	/* Every other part is empty. */
	for (int i = 0; i < PARTS; i++) {
		vector[2 * i] = (struct iovec){NULL, 0};
		vector[2 * i + 1] = (struct iovec){data + (size_t)i * SIZE, SIZE};
	}
	tcp_pair(c);
	{
		struct transfer in = {.conn = c[1], .data = data, .size = (size_t)PARTS * SIZE};
		cr_task reader;

		CORAIL_SCOPE(scope);
		reader = cr_spawn(&scope, read_all, &in);
		CHECK_EQ(cr_conn_writev(c[0], vector, 2 * PARTS), 0);
		CHECK_EQ(vector[1].iov_len, SIZE);
		CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
		CHECK_EQ(cr_await(reader), 0);
		CHECK_EQ(in.done, in.size);
	}
	CHECK_EQ(cr_conn_writev(c[0], vector, 1), 0);
	free(data);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int two_writers(int *unused)
{
	char *data = pattern(BIG);
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	{
		struct transfer out = {.conn = c[0], .data = data, .size = BIG};
		struct transfer in = {.conn = c[1], .data = data, .size = BIG};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, write_then_close, &out);
		CHECK_EQ(cr_sleep(cr_millis(5)), 0);
		CHECK_EQ(cr_conn_write(c[0], "x", 1), -EBUSY);
		CHECK_EQ(cr_conn_shutdown_write(c[0]), -EBUSY);
		CHECK_EQ(read_all(&in), 0);
		CHECK_EQ(in.done, BIG);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	free(data);
	cr_conn_close(c[1]);
	return 0;
}

static int write_some(int *unused)
{
	char *data = pattern(BIG), *back = malloc(BIG);
	cr_conn *c[2];
	ssize_t n;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_write_some(c[0], data, 0), 0);
	n = cr_conn_write_some(c[0], data, BIG);
	CHECK_GT(n, 0);
	CHECK_LT(n, BIG);
	CHECK_EQ(cr_conn_read_exactly(c[1], back, (size_t)n), 0);
	CHECK_MEM(data, back, (size_t)n);
	free(data);
	free(back);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

int main(void)
{
	RUN_TASK(close_after_5_mb_tcp);
	RUN_TASK(close_after_5_mb_unix);
	RUN_TASK(backpressure);
	RUN_TASK(reset_ends_writer);
	RUN_TASK(reset_ends_reader);
	RUN_TASK(half_close_tcp);
	RUN_TASK(half_close_unix);
	RUN_TASK(gather);
	RUN_TASK(two_writers);
	RUN_TASK(write_some);
	return test_done();
}
