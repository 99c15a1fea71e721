/* SPDX-License-Identifier: MIT */
#ifndef CR__PG_CLIENT_H
#define CR__PG_CLIENT_H

/*
 * The client's inside. libpq is used in its non-blocking way only: it writes and reads what it can,
 * and a task waits for its socket in between (wait.c). Every connection has one user at a time, so
 * there is no driver task: whoever calls makes the connection go on.
 *
 * What keeps answers apart: a call leaves the connection calm, which means that every answer of the
 * server was read to its end. A call that cannot (it was cancelled, the answer is too large) calms
 * it (calm.c): a cancel request, then reading what is left, within a bound; else the connection is
 * broken, and closed when it comes back to the pool.
 */

#include <corail/io.h>
#include <corail/pg.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <libpq-fe.h>
#include <stdbool.h>

#include "../common/idle.h"
#include "../common/time.h"
#include "../common/turns.h"

struct statement;

/* Prepared statements of one connection, by text; the least recently used one goes first. */
struct statements {
	struct statement **buckets;
	size_t bucket_count, count, count_max;
	struct statement *newest, *oldest;
	uint64_t number_next;
};

struct cr_pg_rows {
	PGresult *first; /* the columns, and row 0 if there is one */
	size_t count;
	uint64_t affected;
	/* rows after the first: their cells one after the other, and each cell's place */
	cr_buf bytes;
	struct cell {
		size_t offset;
		int size; /* -1: NULL */
	} * cells;
	size_t cell_capacity;
};

enum mode {
	CALM,
	STREAM,
	COPY_IN,
	COPY_OUT,
};

struct cr_pg_conn {
	struct idle_node idle;
	cr_pg *pg;
	PGconn *link;
	struct statements statements;
	enum mode mode;
	bool busy;      /* a call is under way */
	bool broken;    /* not to be used again */
	bool listening; /* since it was lent */
	int tx_level;
	size_t copy_unflushed; /* bytes given to libpq since it was last seen to send all */
	cr_nsec opened;
	struct cr_pg_rows row; /* of a stream */
	char *copied;          /* a piece of a copy */
	PGnotify *notification;
	cr_sql_error error;
};

struct cr_pg {
	cr_pg_options options;
	char *target, *init, *reset;
	struct idle_list idle;
	struct turns turns; /* for a connection */
	size_t count;       /* open, or being opened */
	size_t lent;
	struct opener *openers; /* connections that are being opened */
	bool closed;
	cr_event settled; /* while closing: nothing is lent or being opened any more */
	uint64_t opened, discarded, cancelled;
};

/* ---- connect.c ---- */

/* Connects. Returns 0 or a negative error, with the reason in `error`. */
int cr__pg_connect(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *error);
/* Closes at once, whatever is under way, and frees. */
void cr__pg_disconnect(cr_pg_conn *conn);

/* ---- pool.c ---- */

void cr__pg_pool_init(cr_pg *pg);
/* Turns waiters away, closes what is idle, and waits for what is lent. */
void cr__pg_pool_close(cr_pg *pg);

/* ---- wait.c ---- */

/* Sends what libpq holds. Returns 0 or a negative error. */
int cr__pg_flush(cr_pg_conn *conn);
/* The next result of the statement under way; NULL at its end. Returns 0 or a negative error. */
int cr__pg_result(cr_pg_conn *conn, PGresult **ret_result);
/* Waits for input and takes it. Returns 0 or a negative error. */
int cr__pg_receive(cr_pg_conn *conn);

/* ---- calm.c ---- */

/* Begins a call: -EBUSY, -ECANCELED, or -CORAIL_E_SQL_CONNECTION when it is broken. */
int cr__pg_enter(cr_pg_conn *conn, enum mode mode);
/*
 * Ends one with its result. When that leaves answers unread, the connection is calmed, or breaks.
 */
int cr__pg_leave(cr_pg_conn *conn, int result);
/* Stops the statement under way and reads the rest of its answer. Returns 0, or it is broken. */
int cr__pg_calm(cr_pg_conn *conn);

/* ---- error.c ---- */

/* The error of a result, or of the connection when `result` is NULL; fills conn->error in. */
int cr__pg_fail(cr_pg_conn *conn, const PGresult *result);
/* An error of our own, with a sentence. Returns it. */
int cr__pg_fail_with(cr_pg_conn *conn, int error, const char *message);
void cr__pg_error_set(cr_sql_error *error, int code, const char *message);

/* ---- params.c ---- */

/* Parameters as libpq takes them. */
struct params {
	int count;
	const char **values;
	int *lengths, *formats;
	void *memory; /* what was allocated; NULL if they fitted into the caller's frame */
};

enum { PARAMS_FEW = 16, NUMBER_SIZE = 32 };

/* Room for a few parameters. */
struct params_room {
	const char *values[PARAMS_FEW];
	int lengths[PARAMS_FEW], formats[PARAMS_FEW];
	char numbers[PARAMS_FEW][NUMBER_SIZE];
};

/* Returns 0, -ENOMEM, or -EINVAL for more than 65,535 or one of 2 GiB. */
int cr__pg_params(const cr_sql_value *values, size_t count, struct params_room *room,
                  struct params *params);

/* ---- statement.c ---- */

/*
 * The statement of a text: NULL when it is met for the first time (which is remembered), when
 * nothing is to be prepared, or without memory.
 */
struct statement *cr__pg_statement(cr_pg_conn *conn, const char *sql);
/* Its name on the server; "" while it is not prepared there. */
const char *cr__pg_statement_name(const struct statement *statement);
/* Prepares it on the server, if it is not. Returns 0 or a negative error. */
int cr__pg_statement_prepare(cr_pg_conn *conn, struct statement *statement);
/* Forgets one that the server refuses. */
void cr__pg_statement_drop(cr_pg_conn *conn, struct statement *statement);
void cr__pg_statements_free(struct statements *statements);

/* ---- query.c ---- */

/* Sends a statement with parameters. Returns 0 or a negative error. */
int cr__pg_send(cr_pg_conn *conn, const char *sql, const cr_sql_value *values, size_t count);
/*
 * Runs statements without parameters inside a call; their rows are dropped. Returns 0 or a negative
 * error.
 */
int cr__pg_simple(cr_pg_conn *conn, const char *sql, char *ret_tag, size_t size);

/* ---- rows.c ---- */

/* Appends the row of a result, which is then owned. Returns 0, -ENOMEM, -EMSGSIZE. */
int cr__pg_rows_append(cr_pg_rows *rows, PGresult *result, size_t size_max);
/* The last result of a statement, which is then owned: how many rows, and the columns. */
void cr__pg_rows_finish(cr_pg_rows *rows, PGresult *result);
void cr__pg_rows_clear(cr_pg_rows *rows);

#endif
