/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_PG_H
#define CORAIL_PG_H

/*
 * PostgreSQL: a pool of connections, statements with parameters, rows in memory or one by one,
 * pipelines, COPY, notifications, transactions. The engine is libpq, never blocking; link with
 * corail-pg.
 *
 *	cr_pg *db;
 *	cr_pg_rows *rows;
 *	int r = cr_pg_open("postgresql://localhost/shop", NULL, &db);
 *	if (r < 0) return r;
 *	r = cr_pg_query(db, "select name from users where age > $1",
 *	                CORAIL_SQL(cr_sql_int(18)), &rows);
 *	for (size_t i = 0; r == 0 && i < cr_pg_rows_count(rows); i++)
 *		puts(cr_pg_rows_text(rows, i, 0));
 *	...
 *	cr_pg_rows_free(rows);
 *	cr_pg_close(db);
 *
 * A cr_pg is a pool. It belongs to the loop on which it was opened; any number of tasks use it. A
 * cr_pg_conn is one connection, borrowed by one task with cr_pg_acquire() and given back with
 * cr_pg_release(); a second task on it gets -EBUSY. It comes back as it went: an open transaction
 * is rolled back, and what a session may have changed can be reset too (reset in the options).
 *
 * There is no timeout parameter: cr_timeout() or a scope's deadline. A call that is cancelled while
 * the server works sends the server a cancel request and waits, briefly and at most for the time of
 * cancel_grace, until the connection is at rest again; a connection whose answer is still in doubt
 * then is closed, never used again. So no late answer is ever taken for another call's.
 *
 * When the server goes away, the calls in flight fail with -CORAIL_E_SQL_CONNECTION and the next
 * _acquire connects again. No statement is ever sent twice by itself.
 *
 * Errors that every function with a statement may give:
 *	-CORAIL_E_SQL_SYNTAX      not valid, or names what is not there (SQLSTATE class 42)
 *	-CORAIL_E_SQL_CONSTRAINT  unique, foreign key, not null, check (class 23)
 *	-CORAIL_E_SQL_DATA        a value out of range or of the wrong form (class 22)
 *	-CORAIL_E_SQL_CONFLICT    serialization failure or deadlock: run the transaction again (40)
 *	-CORAIL_E_SQL_ABORTED     an earlier statement of the transaction or pipeline failed (25P02)
 *	-CORAIL_E_SQL_LIMIT       no connections, memory or disk left (class 53)
 *	-CORAIL_E_SQL_PERMISSION  not permitted (42501)
 *	-CORAIL_E_SQL_LOCKED      a lock was not available (55P03)
 *	-CORAIL_E_SQL_LOGIN       the server refused the login (class 28)
 *	-CORAIL_E_SQL_STATEMENT   any other refusal: see the error's sqlstate
 *	-CORAIL_E_SQL_CONNECTION  the connection was lost, or the server closes it
 *	-EINVAL                   not as many parameters as the statement has
 *	-EBUSY, -ENOMEM, -ECANCELED, and -EMSGSIZE for an answer larger than result_size_max
 * "the errors of a statement", below, are these. cr_pg_conn_error() has the sentence, the SQLSTATE,
 * the detail and the position that go with one.
 */

#include <corail/base.h>
#include <corail/sql.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cr_pg cr_pg;           /* a database: a pool of connections */
typedef struct cr_pg_conn cr_pg_conn; /* one connection */
typedef struct cr_pg_rows cr_pg_rows; /* what a statement gave */

/* ------------------------------------------------------------------------------------- pool --- */

/* All zero means the defaults. Texts are copied. */
typedef struct cr_pg_options {
	size_t conn_count_max;      /* most connections at once; 0: 10 */
	size_t conn_count_idle_max; /* most that are kept while nobody uses them; 0: as many */
	size_t statement_count_max; /* prepared statements kept per connection; 0: 256 */
	size_t result_size_max;     /* largest answer held in memory, bytes; 0: 256 MiB */
	cr_nsec idle_max;           /* a connection unused for longer is closed; 0: 10 minutes */
	cr_nsec lifetime_max; /* one that is older is closed when it is not in use; 0: 1 hour */
	/* unused for longer than this: asked for a sign of life before it is lent; 0: 30 seconds */
	cr_nsec check_after;
	cr_nsec connect_max;     /* an attempt to connect is given up after so long; 0: 30 s */
	cr_nsec cancel_grace;    /* for the server to stop what was cancelled; 0: 500 ms */
	const char *init;        /* statements for each new connection ("set timezone ..."); NULL */
	const char *reset;       /* statements for each that comes back ("discard all"); NULL */
	unsigned no_prepare : 1; /* prepare nothing: for poolers that mix sessions */
	/*
	 * Called with the server's notices and warnings, as they come, on some task's stack: it
	 * must not suspend. NULL: they are dropped.
	 */
	void (*notice)(void *arg, const char *text);
	void *notice_arg;
} cr_pg_options;

/*
 * Opens a database. `target` is what libpq takes: a URL ("postgresql://user@host:5432/db?sslmode=
 * require") or keywords ("host=... dbname=..."), with all of its options, its environment variables
 * and its password file; the hosts' names are looked up by cr_dns_lookup(). Connects when the first
 * statement needs it. `options` may be NULL. You own it: cr_pg_close(). Does not suspend.
 * Returns 0; -EINVAL for a target that libpq does not understand (`ret_error`, if not NULL, says
 * why); -EOPNOTSUPP in sim, which has no real sockets; -ESRCH outside a loop; -ENOMEM.
 */
CORAIL_API int cr_pg_open(const char *target, const cr_pg_options *options, cr_pg **ret_pg,
                          cr_sql_error *ret_error);

/*
 * Closes: those who wait for a connection get -ESHUTDOWN, idle connections are closed, and the call
 * waits until those that are lent have come back. Goes through even in a cancelled scope. Accepts
 * NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_pg_close(cr_pg *pg);

/* What a pool holds and has done. */
typedef struct cr_pg_stats {
	size_t conn_count;      /* open now */
	size_t conn_count_idle; /* of those, unused */
	size_t waiting;         /* tasks that wait for one */
	uint64_t opened;        /* connections since the beginning */
	uint64_t discarded;     /* closed because their state was in doubt or the server was gone */
	uint64_t cancelled;     /* cancel requests sent */
} cr_pg_stats;

/* Writes a pool's figures of this moment. */
CORAIL_API void cr_pg_stats_get(const cr_pg *pg, cr_pg_stats *ret_stats);

/*
 * Borrows a connection: an idle one, a new one below the limit, else waits for one to come back,
 * first come first served. One that is being opened goes on to be opened when the caller is
 * cancelled, for the next one: short deadlines do not keep a pool from filling. Give it back with
 * cr_pg_release(), on every way out. Returns 0; -CORAIL_E_SQL_LOGIN; -CORAIL_E_SQL_LIMIT when the
 * server takes no more; -CORAIL_E_SQL_CONNECTION, -ECONNREFUSED, the errors of cr_dns_lookup();
 * -ESHUTDOWN when the pool is closed meanwhile; -ENOMEM; -ECANCELED. `ret_error` may be NULL: what
 * the server or libpq said.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_acquire(cr_pg *pg, cr_pg_conn **ret_conn,
                                             cr_sql_error *ret_error);

/*
 * Gives a connection back. A transaction that is open is rolled back, rows that were not read are
 * dropped, listens are ended; if that is not done within the pool's cancel_grace the connection is
 * closed instead. Goes through even in a cancelled scope. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_pg_release(cr_pg_conn *conn);

/* ------------------------------------------------------------------------------- statements --- */

/*
 * Runs one statement on any of the pool's connections. Its rows go to *ret_rows, which may be NULL
 * when they do not matter; free them with cr_pg_rows_free(). Parameters are $1, $2, ... Each
 * distinct text is prepared once per connection. Returns 0, or the errors of cr_pg_acquire() and of
 * a statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_query(cr_pg *pg, const char *sql, const cr_sql_value *params,
                                           size_t param_count, cr_pg_rows **ret_rows);

/* The same on a borrowed connection. */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_query(cr_pg_conn *conn, const char *sql,
                                                const cr_sql_value *params, size_t param_count,
                                                cr_pg_rows **ret_rows);

/*
 * Runs one statement that writes once for each of `count` sets of parameters, in one round trip, as
 * one transaction (unless one is under way): what executemany() is in Python. `params` are `count`
 * times `param_count` values, one set after the other. Rows are dropped. Writes how many rows were
 * inserted, updated and deleted in all, if ret_affected is not NULL. Returns 0, or the errors of
 * cr_pg_acquire() and of a statement: then none of the sets has taken effect.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_query_many(cr_pg *pg, const char *sql,
                                                const cr_sql_value *params, size_t param_count,
                                                size_t count, uint64_t *ret_affected);

/* The same on a borrowed connection. */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_query_many(cr_pg_conn *conn, const char *sql,
                                                     const cr_sql_value *params, size_t param_count,
                                                     size_t count, uint64_t *ret_affected);

/*
 * Runs a script: several statements without parameters, separated by semicolons, until one fails.
 * The server makes one transaction of it: when one fails, none has taken effect, except for what a
 * "commit" of the script's own ends (PostgreSQL manual, 55.2.2.1). (In SQLite each statement of a
 * script is a transaction of its own.) Rows are dropped. Returns 0, or the errors of a statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_script(cr_pg_conn *conn, const char *sql);

/* What is known of the connection's last failed call. Valid until the next call on it. */
CORAIL_API const cr_sql_error *cr_pg_conn_error(const cr_pg_conn *conn);

/* The process number of the server's side of the connection (pg_stat_activity.pid). */
CORAIL_API int cr_pg_conn_backend_pid(const cr_pg_conn *conn);

/* ------------------------------------------------------------------------------------- rows --- */

/* How many rows there are. */
CORAIL_API size_t cr_pg_rows_count(const cr_pg_rows *rows);

/* How many rows the statement inserted, updated, deleted, copied or selected. */
CORAIL_API uint64_t cr_pg_rows_affected(const cr_pg_rows *rows);

/* How many columns there are, and the name of one (NULL past the last). */
CORAIL_API size_t cr_pg_rows_column_count(const cr_pg_rows *rows);
CORAIL_API const char *cr_pg_rows_column_name(const cr_pg_rows *rows, size_t column);

/* The number of a column by its name, or -ENOENT. */
CORAIL_API int cr_pg_rows_column(const cr_pg_rows *rows, const char *name);

/*
 * A value. As text: with a terminating zero, valid as long as the rows are, NULL for the value NULL
 * and outside the table; its length in bytes. As a number or truth value: 0 for the value NULL,
 * what strtoll(3) and strtod(3) make of another. Whether it is NULL: also 1 outside the table.
 */
CORAIL_API const char *cr_pg_rows_text(const cr_pg_rows *rows, size_t row, size_t column);
CORAIL_API size_t cr_pg_rows_size(const cr_pg_rows *rows, size_t row, size_t column);
CORAIL_API int64_t cr_pg_rows_int(const cr_pg_rows *rows, size_t row, size_t column);
CORAIL_API double cr_pg_rows_real(const cr_pg_rows *rows, size_t row, size_t column);
CORAIL_API int cr_pg_rows_bool(const cr_pg_rows *rows, size_t row, size_t column);
CORAIL_API int cr_pg_rows_is_null(const cr_pg_rows *rows, size_t row, size_t column);

/*
 * Appends the bytes of a bytea value to a buffer. Returns 0, -CORAIL_E_SQL_DATA when it is none,
 * or as cr_buf_append().
 */
CORAIL_API int cr_pg_rows_blob(const cr_pg_rows *rows, size_t row, size_t column, cr_buf *buf);

/* Frees rows. Accepts NULL. */
CORAIL_API void cr_pg_rows_free(cr_pg_rows *rows);

/* ---------------------------------------------------------------------------- rows streamed --- */

/*
 * Starts a statement whose rows are read one by one, however many they are. Until
 * cr_pg_conn_stream_end() the connection does nothing else (-EBUSY). Returns 0, or the errors of a
 * statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_stream(cr_pg_conn *conn, const char *sql,
                                                 const cr_sql_value *params, size_t param_count);

/*
 * Reads the next row: *ret_row holds it as row 0, and stays valid until the next call on the
 * connection, which owns it. Returns 1; 0 after the last one; the errors of a statement, which end
 * the stream; -ENOENT when none was started.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_next(cr_pg_conn *conn, const cr_pg_rows **ret_row);

/*
 * Ends a stream: rows that were not read are dropped, by cancelling the statement. The connection
 * is usable again. Returns 0 (also when none was started), or -CORAIL_E_SQL_CONNECTION.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_stream_end(cr_pg_conn *conn);

/* -------------------------------------------------------------------------------- pipelines --- */

/* One statement of a pipeline. You fill in the first three. */
typedef struct cr_pg_call {
	const char *sql;
	const cr_sql_value *params;
	size_t param_count;
	int status;       /* 0, or its error; -CORAIL_E_SQL_ABORTED after the first that failed */
	cr_pg_rows *rows; /* yours: cr_pg_rows_free() */
} cr_pg_call;

/*
 * Sends many statements without waiting for each answer: one round trip for all of them, as one
 * transaction. When one fails, those after it are not run. Statuses and rows are filled in for all,
 * on failure too (rows are NULL where there are none). Returns 0; the first failure's error;
 * -ECANCELED or -CORAIL_E_SQL_CONNECTION, which the calls without an answer then have as well.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_pipeline(cr_pg_conn *conn, cr_pg_call *calls,
                                                   size_t count);

/* ------------------------------------------------------------------------------------- copy --- */

/*
 * Starts "copy ... from stdin". Then cr_pg_conn_copy_write() any number of times, in pieces of any
 * size, and cr_pg_conn_copy_end(). Returns 0, or the errors of a statement; -EINVAL when the
 * statement is no such copy.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_copy_in(cr_pg_conn *conn, const char *sql);

/*
 * Sends data; suspends while the server does not take it. Returns 0, or the errors of a statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_copy_write(cr_pg_conn *conn, const void *data,
                                                     size_t size);

/*
 * Ends the copy: `error` NULL commits it, a text makes the server fail it with that. Writes how
 * many rows went, if ret_count is not NULL. Returns 0, or the errors of a statement (a failure that
 * was asked for is 0); -ENOENT when no copy was started.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_copy_end(cr_pg_conn *conn, const char *error,
                                                   uint64_t *ret_count);

/* Starts "copy ... to stdout". Then cr_pg_conn_copy_read() until it gives 0. */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_copy_out(cr_pg_conn *conn, const char *sql);

/*
 * Reads a piece of the copy, a row as a rule: *ret_data is valid until the next call on the
 * connection. Returns its size; 0 when all has come, and the connection is usable again; the errors
 * of a statement; -ENOENT when no copy was started. To stop before: cr_pg_conn_stream_end().
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_pg_conn_copy_read(cr_pg_conn *conn, const char **ret_data);

/* ---------------------------------------------------------------------------- notifications --- */

/* A notification. Its texts are valid until the next call on the connection. */
typedef struct cr_pg_notification {
	const char *channel, *payload;
	int backend_pid; /* who sent it */
} cr_pg_notification;

/* Listens on a channel, whose name is taken as it is. Returns 0, or the errors of a statement. */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_listen(cr_pg_conn *conn, const char *channel);

/*
 * Waits for the next notification; those that came during other calls are kept. A cancelled wait
 * loses none. Returns 0, -CORAIL_E_SQL_CONNECTION, -EBUSY, -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_conn_notification(cr_pg_conn *conn,
                                                       cr_pg_notification *ret_notification);

/* ----------------------------------------------------------------------------- transactions --- */

/*
 * A transaction, in your own frame. Inside another one on the same connection it is a savepoint.
 *
 *	{
 *		CORAIL_PG_TRANSACTION(tx);
 *		r = cr_pg_tx_begin(&tx, conn, NULL);
 *		if (r == 0) r = cr_pg_conn_query(conn, "update ...", NULL, 0, NULL);
 *		if (r == 0) r = cr_pg_tx_commit(&tx);
 *	}        rolled back here, on every way out, unless it was committed
 */
typedef struct cr_pg_tx {
	cr_pg_conn *cr__conn;
	int cr__level;
} cr_pg_tx;

/* Declares a transaction that is rolled back on every way out of the block. */
#define CORAIL_PG_TRANSACTION(name)                                                                \
	cr_pg_tx name __attribute__((cleanup(cr_pg_tx_leave))) = {NULL, 0}

/*
 * Begins. `mode` follows "begin" ("isolation level serializable, read only"), NULL for the server's
 * own; a savepoint has none. Returns 0, or the errors of a statement; -EALREADY when `tx` is under
 * way.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_tx_begin(cr_pg_tx *tx, cr_pg_conn *conn, const char *mode);

/*
 * Commits; the transaction is over, whatever the result. Returns 0, or the errors of a statement:
 * -CORAIL_E_SQL_ABORTED when the server rolled back instead, because a statement had failed. After
 * -CORAIL_E_SQL_CONNECTION or -ECANCELED it is not known whether it was committed. -EINVAL when it
 * was not begun, or an inner one is still under way.
 */
CORAIL_API CORAIL_SUSPENDS int cr_pg_tx_commit(cr_pg_tx *tx);

/* Rolls back. Returns 0, or the errors of a statement; -EINVAL as above. */
CORAIL_API CORAIL_SUSPENDS int cr_pg_tx_rollback(cr_pg_tx *tx);

/*
 * Rolls back what is still under way, even in a cancelled scope, within the pool's cancel_grace;
 * else the connection will be closed. For CORAIL_PG_TRANSACTION().
 */
CORAIL_API CORAIL_SUSPENDS void cr_pg_tx_leave(cr_pg_tx *tx);

#ifdef __cplusplus
}
#endif
#endif
