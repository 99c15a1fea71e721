/* SPDX-License-Identifier: MIT */
#ifndef CR__SQLITE_CLIENT_H
#define CR__SQLITE_CLIENT_H

/*
 * The client's inside. A connection has a pool of one thread, on which everything happens that
 * SQLite may read, write or compute for; functions that run there are said to be the worker's. A
 * call goes over with cr__sqlite_hop(), which ends when the worker is through with it, cancelled or
 * not: so a connection has one user at a time, and its fields need no lock.
 *
 * SQLite never waits for another process's lock by itself: it says SQLITE_BUSY, the worker comes
 * back, and the task sleeps before it tries again (cr__sqlite_hop_patient()). What goes over there
 * must be able to go on where it was.
 */

#include <corail/exec.h>
#include <corail/loop.h>
#include <corail/sqlite.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "../common/idle.h"
#include "../common/time.h"
#include "../common/turns.h"

/* ---- statement.c ---- */

struct statement {
	sqlite3_stmt *stmt; /* NULL: an empty text */
	char *sql;
	size_t size;
	uint64_t hash;
	struct statement *chain;         /* in its bucket */
	struct statement *newer, *older; /* by their last use */
};

enum { BUCKET_COUNT = 256 };

/* Prepared statements of one connection, by text; the least recently used one goes first. */
struct statements {
	struct statement *buckets[BUCKET_COUNT];
	struct statement *newest, *oldest;
	size_t count, count_max;
};

/* ---- rows.c ---- */

struct cell {
	uint32_t kind; /* enum cr_sql_kind */
	uint32_t size;
	union {
		int64_t integer;
		double real;
		size_t offset; /* of a text or blob, in the rows' bytes */
	} u;
};

struct cr_sqlite_rows {
	size_t count, first; /* rows that are seen, and the first of them (of a batch: one) */
	size_t column_count;
	char **names; /* with the texts behind them */
	struct cell *cells;
	size_t cell_count, cell_capacity;
	char *bytes;
	size_t byte_count, byte_capacity;
	char **figures; /* numbers as texts, one for each cell: made when they are asked for */
	uint64_t affected;
	int64_t inserted_id;
};

/* ---- the connection and the pool ---- */

struct lane;

/* Rows that are read in batches. */
struct stream {
	bool open;
	struct statement *statement; /* NULL: it has ended */
	cr_sqlite_rows *batch;
	size_t batch_count, next; /* rows of the batch, and the one that is given next */
	int status;               /* what comes after the batch, once the statement has ended */
};

struct cr_sqlite_conn {
	struct idle_node node;
	cr_sqlite *db;
	struct lane *lane;
	cr_threads *thread;
	sqlite3 *link;
	struct statements statements;
	struct stream stream;
	bool reader;
	bool wal;
	bool busy;        /* a call is under way */
	bool broken;      /* not to be used again */
	bool idle;        /* no transaction was open when the worker came back last */
	bool may_wait;    /* the last error was a lock that is worth waiting for */
	atomic_bool stop; /* the call under way is cancelled */
	int tx_level;
	cr_sql_error error;
};

/* Connections of one kind. */
struct lane {
	struct idle_list idle;
	size_t count, count_max;
	struct turns turns; /* for a connection; NULL: for a place to open one in */
};

struct cr_sqlite {
	cr_sqlite_options options;
	char *path, *init;
	struct lane writer, readers;
	bool single; /* in memory: the writer is all there is */
	bool closed;
	size_t lent;
	cr_event settled; /* while closing: nothing is lent any more */
	uint64_t opened, discarded, interrupted, lock_waits;
};

/* ---- connect.c ---- */

/* Opens a connection of a lane. Returns 0 or a negative error, with the reason in `error`. */
int cr__sqlite_connect(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn,
                       cr_sql_error *error);
/* Closes and frees one. */
void cr__sqlite_disconnect(cr_sqlite_conn *conn);

/* ---- pool.c ---- */

void cr__sqlite_lane_init(struct lane *lane, size_t count_max);
int cr__sqlite_acquire(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn,
                       cr_sql_error *ret_error);
/* Turns waiters away, waits for what is lent, and closes all. */
void cr__sqlite_pool_close(cr_sqlite *db);

/* ---- hop.c ---- */

/* Begins a call: -EBUSY, -ECANCELED, or -CORAIL_E_SQL_CONNECTION when it is broken. */
int cr__sqlite_enter(cr_sqlite_conn *conn);
/* Ends one. Returns its result. */
int cr__sqlite_leave(cr_sqlite_conn *conn, int result);
/*
 * Runs a function on the connection's thread. Cancelled, it interrupts SQLite and still waits.
 * Returns what the function returned; -ECANCELED or another error if it was not run.
 */
int cr__sqlite_hop(cr_sqlite_conn *conn, int (*fn)(void *), void *arg);
/* The same, again and again while another process's lock is in the way. */
int cr__sqlite_hop_patient(cr_sqlite_conn *conn, int (*fn)(void *), void *arg);

/* ---- error.c ---- */

void cr__sqlite_error_set(cr_sql_error *error, int code, const char *message);
/* An error of our own, with a sentence or NULL. Returns it. */
int cr__sqlite_fail_with(cr_sqlite_conn *conn, int error, const char *message);
/* Worker: what SQLite said of its last call, about a statement's text or NULL. */
int cr__sqlite_fail(cr_sqlite_conn *conn, int code, const char *sql, bool preparing);
/* Worker: a result code of another of SQLite's connections. */
int cr__sqlite_fail_of(cr_sqlite_conn *conn, sqlite3 *link, int code);

/* ---- statement.c: worker ---- */

/* The statement of a text. Returns 0 or a negative error. */
int cr__sqlite_prepare(cr_sqlite_conn *conn, const char *sql, struct statement **ret_statement);
int cr__sqlite_bind(cr_sqlite_conn *conn, const struct statement *statement,
                    const cr_sql_value *values, size_t count, bool copy);
/* Ends its use. */
void cr__sqlite_rest(const struct statement *statement);
void cr__sqlite_statements_free(struct statements *statements);

/* ---- query.c: worker ---- */

/*
 * Whether a statement may begin: not in a transaction that SQLite has rolled back, not when the
 * call is cancelled. Returns 0 or a negative error.
 */
int cr__sqlite_may_begin(cr_sqlite_conn *conn);
/* Runs one statement; its rows, if it has columns and ret_rows is not NULL, are the caller's. */
int cr__sqlite_execute(cr_sqlite_conn *conn, const char *sql, const cr_sql_value *values,
                       size_t count, cr_sqlite_rows **ret_rows);
/* After a step that failed: the error, once the statement is at rest. */
int cr__sqlite_step_failed(cr_sqlite_conn *conn, struct statement *statement, int code);
/* Runs a statement of ours without parameters or rows. */
int cr__sqlite_simple(cr_sqlite_conn *conn, const char *sql);
/* The same, whether the call is cancelled or not. */
int cr__sqlite_simple_surely(cr_sqlite_conn *conn, const char *sql);
/* Runs several statements; moves *sql behind each that is done. */
int cr__sqlite_script(cr_sqlite_conn *conn, const char **sql);

/* ---- rows.c ---- */

/* Worker: room for a statement's rows. Returns NULL without memory. */
cr_sqlite_rows *cr__sqlite_rows_new(sqlite3_stmt *stmt);
/* Worker: appends the row at which a statement stands. Returns 0, -ENOMEM, -EMSGSIZE. */
int cr__sqlite_rows_append(cr_sqlite_rows *rows, sqlite3_stmt *stmt, size_t size_max);
/* Forgets the rows and keeps the memory. */
void cr__sqlite_rows_clear(cr_sqlite_rows *rows);
/* How many bytes they take. */
size_t cr__sqlite_rows_bytes(const cr_sqlite_rows *rows);

#endif
