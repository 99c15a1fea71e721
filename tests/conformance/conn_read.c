/* SPDX-License-Identifier: MIT */
/* What reading calls take out of a stream, and that nothing is lost when they fail. */
#include "in_task.h"

struct sender {
	cr_conn *conn;
	const char *const *parts;
	int count;
	int half_close;
};

/* Sends the parts far enough from each other to arrive one by one. */
static int send_parts(struct sender *s)
{
	for (int i = 0; i < s->count; i++) {
		int r = cr_conn_write(s->conn, s->parts[i], strlen(s->parts[i]));

		if (r < 0)
			return r;
		r = cr_sleep(cr_millis(2));
		if (r < 0)
			return r;
	}
	return s->half_close ? cr_conn_shutdown_write(s->conn) : 0;
}

static int until_split(int *unused)
{
	const char *const parts[] = {"one two<", "-", ">rest"};
	cr_conn *c[2];
	cr_buf buf = {0};
	char rest[8] = {0};

	(void)unused;
	tcp_pair(c);
	{
		struct sender s = {c[0], parts, 3, 0};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, send_parts, &s);
		CHECK_EQ(cr_conn_read_until(c[1], "<->", 3, &buf), 10);
		CHECK_STR(buf.data, "one two<->");
		CHECK_EQ(cr_conn_read_exactly(c[1], rest, 4), 0);
		CHECK_STR(rest, "rest");
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_buf_free(&buf);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int until_ended(int *unused)
{
	const char *const parts[] = {"no end", " here"};
	cr_conn *c[2];
	cr_buf buf = {0};

	(void)unused;
	tcp_pair(c);
	{
		struct sender s = {c[0], parts, 2, 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, send_parts, &s);
		CHECK_EQ(cr_conn_read_until(c[1], "\n", 1, &buf), -ENODATA);
		CHECK_STR(buf.data, "no end here");
		CHECK_EQ(cr_conn_read_until(c[1], "\n", 1, &buf), -ENODATA);
		CHECK_EQ(buf.size, 11);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_buf_free(&buf);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int until_limited(int *unused)
{
	cr_conn *c[2];
	cr_buf buf = {.limit_bytes = 8};
	char all[32] = {0};

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_write(c[0], "12345678\nrest", 13), 0);
	CHECK_EQ(cr_conn_read_until(c[1], "\n", 1, &buf), -EMSGSIZE);
	CHECK_EQ(buf.size, 0);
	buf.limit_bytes = 9;
	CHECK_EQ(cr_conn_read_until(c[1], "\n", 1, &buf), 9);
	CHECK_EQ(cr_conn_read_exactly(c[1], all, 4), 0);
	CHECK_STR(all, "rest");
	CHECK_EQ(cr_conn_read_until(c[1], "", 0, &buf), -EINVAL);
	cr_buf_free(&buf);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/*
 * Without a limit of the buffer's own, 64 KiB without a separator are an error that loses nothing.
 */
static int until_default_limit(int *unused)
{
	enum { SIZE = 100 * 1000 };
	cr_conn *c[2];
	cr_buf buf = {0};
	char *data = malloc(SIZE), *back = malloc(SIZE);

	(void)unused;
	memset(data, 'x', SIZE);
	CHECK_EQ(cr_conn_pair(c), 0);
	{
		struct sender s = {c[0], (const char *const[]){data}, 1, 0};

		data[SIZE - 1] = '\0';
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, send_parts, &s);
		CHECK_EQ(cr_conn_read_until(c[1], "\n", 1, &buf), -EMSGSIZE);
		CHECK_EQ(cr_conn_read_exactly(c[1], back, SIZE - 1), 0);
		CHECK_MEM(data, back, SIZE - 1);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_buf_free(&buf);
	free(data);
	free(back);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

struct five {
	cr_conn *conn;
	char bytes[6];
	int result;
};

static int read_five(struct five *five)
{
	five->result = cr_conn_read_exactly(five->conn, five->bytes, 5);
	return 0;
}

static int exactly_cancelled(int *unused)
{
	cr_conn *c[2];
	char five[6] = {0};

	(void)unused;
	tcp_pair(c);
	{
		struct five reader = {c[1], {0}, 1};

		CORAIL_SCOPE(scope);
		cr_spawn(&scope, read_five, &reader);
		CHECK_EQ(cr_conn_write(c[0], "123", 3), 0);
		while (cr_conn_buffered(c[1]) < 3)
			CHECK_EQ(cr_sleep(cr_micros(100)), 0);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(reader.result, -ECANCELED);
	}
	CHECK_EQ(cr_conn_buffered(c[1]), 3);
	CHECK_EQ(cr_conn_write(c[0], "45", 2), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], five, 5), 0);
	CHECK_STR(five, "12345");
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* The same for messages that are read straight into the caller's memory. */
static int exactly_cancelled_long(int *unused)
{
	enum { SIZE = 50 * 1000 };
	char *data = malloc(SIZE), *back = calloc(1, SIZE);
	cr_conn *c[2];

	(void)unused;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7);
	tcp_pair(c);
	CHECK_EQ(cr_conn_write(c[0], data, 30 * 1000), 0);
	CHECK_EQ(cr_timeout(cr_millis(20), cr_conn_read_exactly(c[1], back, SIZE)), -ETIMEDOUT);
	memset(back, 0, SIZE);
	CHECK_EQ(cr_conn_write(c[0], data + 30 * 1000, SIZE - 30 * 1000), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], back, SIZE), 0);
	CHECK_MEM(data, back, SIZE);
	free(data);
	free(back);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int exactly_ended(int *unused)
{
	cr_conn *c[2];
	char part[8] = {0};

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_write(c[0], "123", 3), 0);
	CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], part, 5), -ENODATA);
	CHECK_EQ(cr_conn_read(c[1], part, sizeof part), 3);
	CHECK_STR(part, "123");
	CHECK_EQ(cr_conn_read(c[1], part, sizeof part), 0);
	CHECK_EQ(cr_conn_read_exactly(c[1], part, 5), -ENODATA);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int lines(int *unused)
{
	cr_conn *c[2];
	char line[16];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_write(c[0], "a\r\n\nlonger than that\nlast", 25), 0);
	CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), 1);
	CHECK_STR(line, "a");
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), 0);
	CHECK_STR(line, "");
	CHECK_EQ(cr_conn_read_line(c[1], line, 6), -EMSGSIZE);
	CHECK_EQ(cr_conn_read_line(c[1], line, 16), -EMSGSIZE);
	CHECK_EQ(cr_conn_read_exactly(c[1], line, 7), 0);
	CHECK_EQ(cr_conn_read_line(c[1], line, 10), 9);
	CHECK_STR(line, "than that");
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), 4);
	CHECK_STR(line, "last");
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), -ENODATA);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int peeks(int *unused)
{
	cr_conn *c[2];
	const void *data;
	char line[16];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_write(c[0], "hello\n", 6), 0);
	CHECK_EQ(cr_conn_peek(c[1], &data), 6);
	CHECK_MEM(data, "hello\n", 6);
	CHECK_EQ(cr_conn_peek(c[1], &data), 6);
	CHECK_EQ(cr_conn_buffered(c[1]), 6);
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), 5);
	CHECK_EQ(cr_conn_shutdown_write(c[0]), 0);
	CHECK_EQ(cr_conn_peek(c[1], &data), 0);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int read_one(cr_conn *conn)
{
	char byte;

	return (int)cr_conn_read(conn, &byte, 1);
}

static int two_readers(int *unused)
{
	cr_conn *c[2];
	char byte;
	cr_task first;

	(void)unused;
	tcp_pair(c);
	{
		CORAIL_SCOPE(scope);
		first = cr_spawn(&scope, read_one, c[1]);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_conn_read(c[1], &byte, 1), -EBUSY);
		CHECK_EQ(cr_conn_read_line(c[1], &byte, 1), -EBUSY);
		CHECK_EQ(cr_conn_write(c[0], "x", 1), 0);
		CHECK_EQ(cr_await(first), 1);
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* Level-triggered: in a cancelled scope even buffered bytes stay where they are. */
static int cancelled_scope(int *unused)
{
	cr_conn *c[2];
	char line[8];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_conn_write(c[0], "a\nb\n", 4), 0);
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), 1);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), -ECANCELED);
		CHECK_EQ(cr_conn_read(c[1], line, sizeof line), -ECANCELED);
		CHECK_EQ(cr_conn_write(c[0], "c", 1), -ECANCELED);
	}
	CHECK_EQ(cr_conn_read_line(c[1], line, sizeof line), 1);
	CHECK_STR(line, "b");
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* A receive is cancelled, then data comes: it goes to the next receive, whole. */
static int cancelled_receive(int *unused)
{
	cr_conn *c[2];
	char data[16] = {0};

	(void)unused;
	tcp_pair(c);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_conn_read(c[1], data, sizeof data)), -ETIMEDOUT);
	CHECK_EQ(cr_conn_write(c[0], "whole", 5), 0);
	CHECK_EQ(cr_conn_read(c[1], data, sizeof data), 5);
	CHECK_STR(data, "whole");
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

int main(void)
{
	RUN_TASK(until_split);
	RUN_TASK(until_ended);
	RUN_TASK(until_limited);
	RUN_TASK(until_default_limit);
	RUN_TASK(exactly_cancelled);
	RUN_TASK(exactly_cancelled_long);
	RUN_TASK(exactly_ended);
	RUN_TASK(lines);
	RUN_TASK(peeks);
	RUN_TASK(two_readers);
	RUN_TASK(cancelled_scope);
	RUN_TASK(cancelled_receive);
	return test_done();
}
