/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_TALK_H
#define CORAIL_TESTS_SUPPORT_TALK_H

/*
 * What the two ends of a connection say to each other under torture, whatever is between them: each
 * function is given a pair, and closes it.
 */

#include "support/torture.h"

#include <corail/net.h>
#include <corail/task.h>

/* Says what it hears until the other end has said all, and closes. */
static inline int talk_echo(cr_conn *conn)
{
	char buffer[256];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = cr_conn_read(conn, buffer, sizeof buffer)) > 0)
		r = cr_conn_write(conn, buffer, (size_t)n);
	cr_conn_close(conn);
	return r;
}

/* So many lines there and back, and the end of both directions. */
static inline int talk_lines(struct torture *t, cr_conn *conns[2], int lines)
{
	char line[64];
	ssize_t n = 0;
	int r = 0;

	CORAIL_SCOPE(scope);
	if (cr_task_error(cr_spawn(&scope, talk_echo, conns[1])) < 0)
		cr_conn_close(conns[1]);
	for (int i = 0; i < lines && r == 0 && n >= 0; i++) {
		r = cr_conn_write(conns[0], "hello\r\n", 7);
		if (r == 0)
			n = cr_conn_read_line(conns[0], line, sizeof line);
		if (r == 0 && n >= 0 && !torture_delivered(t))
			CHECK_STR(line, "hello");
	}
	if (r == 0 && n >= 0)
		r = cr_conn_shutdown_write(conns[0]);
	if (r == 0 && n >= 0)
		n = cr_conn_read(conns[0], line, sizeof line);
	if (!torture_delivered(t))
		CHECK_EQ(n, 0);
	cr_conn_close(conns[0]);
	return r < 0 ? r : (int)n;
}

struct talk_numbers {
	cr_conn *conn;
	int count;
};

static inline int talk_write_numbers(struct talk_numbers *numbers)
{
	int r = 0;

	for (int i = 0; i < numbers->count && r == 0; i++) {
		unsigned char byte = (unsigned char)i;

		r = cr_conn_write(numbers->conn, &byte, 1);
		if (r == 0 && i % 7 == 0)
			r = cr_sleep(cr_micros(10));
	}
	cr_conn_close(numbers->conn);
	return r;
}

/* Takes what comes in fives; -ENODATA at the end. */
static inline int talk_read_numbers(cr_conn *conn, unsigned char *next)
{
	unsigned char five[5];
	int r;

	while ((r = cr_conn_read_exactly(conn, five, sizeof five)) == 0)
		for (int i = 0; i < 5; i++)
			CHECK_EQ(five[i], (*next)++);
	return r;
}

/*
 * A reader that is cancelled anywhere goes on where it was: no byte is missing, none comes twice.
 * `count` is a multiple of five.
 */
static inline int talk_numbers(struct torture *t, cr_conn *conns[2], int count)
{
	struct talk_numbers numbers = {conns[0], count};
	unsigned char next = 0;
	int r;

	CORAIL_SCOPE(writers);
	cr_scope_collect(&writers);
	if (cr_task_error(cr_spawn(&writers, talk_write_numbers, &numbers)) < 0)
		cr_conn_close(conns[0]);
	{
		CORAIL_SCOPE(scope);
		torture_victim(t, &scope);
		r = talk_read_numbers(conns[1], &next);
		torture_victim(t, NULL);
	}
	if (r == -ECANCELED)
		r = talk_read_numbers(conns[1], &next);
	if (!torture_excused(t)) {
		CHECK_EQ(r, -ENODATA);
		CHECK_EQ(next, count);
	}
	cr_conn_close(conns[1]);
	return r == -ENODATA ? 0 : r;
}

#endif
