/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SQLITE_H
#define CORAIL_SQLITE_H

/*
 * SQLite: a database in a file, or in memory, whose statements run on threads while the other tasks
 * go on. Link with corail-sqlite.
 *
 *	cr_sqlite *db;
 *	cr_sqlite_rows *rows;
 *	int r = cr_sqlite_open("shop.db", NULL, &db, NULL);
 *	if (r < 0) return r;
 *	r = cr_sqlite_query(db, "select name from users where age > ?",
 *	                    CORAIL_SQL(cr_sql_int(18)), &rows);
 *	for (size_t i = 0; r == 0 && i < cr_sqlite_rows_count(rows); i++)
 *		puts(cr_sqlite_rows_text(rows, i, 0));
 *	...
 *	cr_sqlite_rows_free(rows);
 *	cr_sqlite_close(db);
 *
 * A cr_sqlite is a pool: one connection that writes and several that only read, each with a thread
 * of its own. It belongs to the loop on which it was opened; any number of tasks use it. Statements
 * that write go through the writer, first come first served, so that the tasks of a program never
 * meet SQLite's "database is locked" among themselves; those that only read run beside it, and see
 * what was committed when they began. A database in memory has one connection for both.
 *
 * A cr_sqlite_conn is one connection, borrowed by one task with cr_sqlite_acquire() or
 * cr_sqlite_acquire_reader() and given back with cr_sqlite_release(); a second task on it gets
 * -EBUSY. An open transaction is rolled back then. Whoever has the writer keeps all other writers
 * out: do not wait for anything else meanwhile.
 *
 * Each call crosses to the connection's thread and back once, however many rows it gives. Many
 * small statements cost least in one cr_sqlite_conn_pipeline(), one statement for many rows in one
 * cr_sqlite_query_many(). Rows of a stream cross in batches.
 *
 * How a file is opened: write-ahead log (journal_mode = wal), synchronous = normal, foreign keys
 * enforced. With these a commit is atomic and survives a crash of the program; a power failure may
 * take back the last commits, but damages nothing (sqlite.org/pragma.html). For commits that last
 * through a power failure: .synchronous = "full".
 *
 * There is no timeout parameter: cr_timeout() or a scope's deadline. Cancelling a call interrupts
 * its statement (sqlite3_interrupt()) and waits until it has stopped. A statement that ended first
 * keeps its result, so -ECANCELED says that it took no effect. SQLite rolls a whole transaction
 * back when a statement that writes is interrupted in it, and on a few other failures (disk full,
 * no memory): what follows in a cr_sqlite_tx is then -CORAIL_E_SQL_ABORTED until that is over.
 *
 * When another process has locked the file, a call waits, without holding a thread, until it gets
 * its turn, the caller is cancelled, or lock_max is over.
 *
 * Errors that every function with a statement may give:
 *	-CORAIL_E_SQL_SYNTAX      not valid, or names what is not there; more than one statement
 *	-CORAIL_E_SQL_CONSTRAINT  unique, foreign key, not null, check
 *	-CORAIL_E_SQL_DATA        a value of the wrong type, or too large
 *	-CORAIL_E_SQL_CONFLICT    what the transaction read has been changed since, or another one
 *	                          waits for it: run it again; begin one that writes with "immediate"
 *	-CORAIL_E_SQL_ABORTED     the transaction was rolled back by an earlier failure
 *	-CORAIL_E_SQL_LIMIT       the disk is full
 *	-CORAIL_E_SQL_PERMISSION  the database, or the connection, is read-only
 *	-CORAIL_E_SQL_LOCKED      locked by another process for longer than lock_max
 *	-CORAIL_E_SQL_CORRUPT     the file is damaged, or is no database
 *	-CORAIL_E_SQL_STATEMENT   any other refusal: see the error's native_code
 *	-EINVAL                   not as many parameters as the statement has
 *	-EIO, -ENOMEM, -EBUSY, -ECANCELED, and -EMSGSIZE for an answer larger than result_size_max
 * "the errors of a statement", below, are these. cr_sqlite_conn_error() has the sentence, SQLite's
 * extended result code and the position that go with one.
 *
 * In the simulator statements run for real, while virtual time stands still.
 */

#include <corail/base.h>
#include <corail/sql.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cr_sqlite cr_sqlite;           /* a database: a writer and readers */
typedef struct cr_sqlite_conn cr_sqlite_conn; /* one connection */
typedef struct cr_sqlite_rows cr_sqlite_rows; /* what a statement gave */

/* ------------------------------------------------------------------------------------- pool --- */

/* All zero means the defaults. Texts are copied. */
typedef struct cr_sqlite_options {
	size_t reader_count_max;    /* most connections that only read; 0: 4 */
	size_t statement_count_max; /* prepared statements kept per connection; 0: 256 */
	size_t result_size_max;     /* largest answer held in memory, bytes; 0: 256 MiB */
	cr_nsec idle_max;           /* a reader unused for longer is closed; 0: 10 minutes */
	cr_nsec lock_max;           /* longest wait for another process's lock; 0: no bound */
	const char *journal_mode;   /* "wal", "delete", "truncate", ...; NULL: "wal" */
	const char *synchronous;    /* "off", "normal", "full", "extra"; NULL: "normal" */
	const char *init;           /* statements for each new connection ("pragma ..."); NULL */
	unsigned read_only : 1;     /* nothing is written, and the file must be there */
	unsigned no_create : 1;     /* the file must be there */
	unsigned no_foreign_keys : 1;
} cr_sqlite_options;

/*
 * Opens a database: `path` is a file's, made if it is not there; ":memory:" or "" for one in memory
 * that is gone when it is closed; or a URI ("file:shop.db?vfs=...", sqlite.org/uri.html). Opens the
 * writer (with .read_only a reader) at once, the readers when they are needed. `options` may be
 * NULL, and `ret_error`. You own it: cr_sqlite_close().
 * Returns 0; -ENOENT, -ENOTDIR, -EISDIR and others that open(2) gives; -CORAIL_E_SQL_PERMISSION
 * when it may not be opened; the errors of a statement; -EINVAL for a journal_mode or synchronous
 * that SQLite does not have; -ESRCH outside a loop; -EAGAIN when no thread could be made.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_open(const char *path, const cr_sqlite_options *options,
                                              cr_sqlite **ret_db, cr_sql_error *ret_error);

/*
 * Closes: those who wait for a connection get -ESHUTDOWN, connections are closed (the last one
 * moves the write-ahead log into the file), and the call waits until those that are lent have come
 * back. Goes through even in a cancelled scope. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_sqlite_close(cr_sqlite *db);

/* What a database holds and has done. */
typedef struct cr_sqlite_stats {
	size_t conn_count;      /* open now */
	size_t conn_count_idle; /* of those, unused */
	size_t waiting;         /* tasks that wait for one */
	uint64_t opened;        /* connections since the beginning */
	uint64_t discarded;     /* closed because their state was in doubt */
	uint64_t interrupted;   /* calls that were cancelled while they ran, or were about to */
	uint64_t lock_waits;    /* calls that met another process's lock */
} cr_sqlite_stats;

/* Writes a database's figures of this moment. */
CORAIL_API void cr_sqlite_stats_get(const cr_sqlite *db, cr_sqlite_stats *ret_stats);

/*
 * Borrows the writer, which does everything; waits for it, first come first served. Of a read-only
 * database: a reader. Give it back with cr_sqlite_release(), on every way out. Returns 0;
 * -ESHUTDOWN when the database is closed meanwhile; -ECANCELED; if it has to be opened again, the
 * errors of cr_sqlite_open(). `ret_error` may be NULL.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_acquire(cr_sqlite *db, cr_sqlite_conn **ret_conn,
                                                 cr_sql_error *ret_error);

/*
 * Borrows a connection that only reads: an idle one, a new one below the limit, else waits for one,
 * first come first served. Of a database in memory: its only connection. As cr_sqlite_acquire().
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_acquire_reader(cr_sqlite *db, cr_sqlite_conn **ret_conn,
                                                        cr_sql_error *ret_error);

/*
 * Gives a connection back: a stream is ended, an open transaction rolled back. What else a session
 * may change (pragmas, temporary tables, attached files) stays. Goes through even in a cancelled
 * scope. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_sqlite_release(cr_sqlite_conn *conn);

/* ------------------------------------------------------------------------------- statements --- */

/*
 * Runs one statement: on a reader if it only reads, else on the writer. Its rows go to *ret_rows,
 * which may be NULL when they do not matter; free them with cr_sqlite_rows_free(). Parameters are ?
 * or ?1, ?2, ... (sqlite.org/lang_expr.html#varparam). Each distinct text is prepared once per
 * connection. Returns 0, or the errors of cr_sqlite_acquire() and of a statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_query(cr_sqlite *db, const char *sql,
                                               const cr_sql_value *params, size_t param_count,
                                               cr_sqlite_rows **ret_rows);

/* The same on a borrowed connection. */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_query(cr_sqlite_conn *conn, const char *sql,
                                                    const cr_sql_value *params, size_t param_count,
                                                    cr_sqlite_rows **ret_rows);

/*
 * Runs one statement that writes once for each of `count` sets of parameters, in one crossing to
 * the thread, as one transaction (inside another one: as a savepoint): what executemany() is in
 * Python. `params` are `count` times `param_count` values, one set after the other. Rows are
 * dropped. Writes how many rows were inserted, updated and deleted in all, if ret_affected is not
 * NULL. Returns 0, or the errors of cr_sqlite_acquire() and of a statement: then none of the sets
 * has taken effect.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_query_many(cr_sqlite *db, const char *sql,
                                                    const cr_sql_value *params, size_t param_count,
                                                    size_t count, uint64_t *ret_affected);

/* The same on a borrowed connection. */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_query_many(cr_sqlite_conn *conn, const char *sql,
                                                         const cr_sql_value *params,
                                                         size_t param_count, size_t count,
                                                         uint64_t *ret_affected);

/*
 * Runs a script: several statements without parameters, separated by semicolons, until one fails.
 * As sqlite3_exec(), it is no transaction: what came before the one that failed stays done, because
 * each is a transaction of its own, except between a "begin" and a "commit" of the script's. (In
 * PostgreSQL a script is one transaction; some pragmas, and "vacuum", cannot be in one here.) Rows
 * are dropped. Returns 0, or the errors of a statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_script(cr_sqlite_conn *conn, const char *sql);

/* What is known of the connection's last failed call. Valid until the next call on it. */
CORAIL_API const cr_sql_error *cr_sqlite_conn_error(const cr_sqlite_conn *conn);

/* ------------------------------------------------------------------------------------- rows --- */

/* How many rows there are. */
CORAIL_API size_t cr_sqlite_rows_count(const cr_sqlite_rows *rows);

/* How many rows the statement inserted, updated or deleted, or else how many it gave. */
CORAIL_API uint64_t cr_sqlite_rows_affected(const cr_sqlite_rows *rows);

/* The rowid of the connection's latest insert, as of the end of the statement; 0 without one. */
CORAIL_API int64_t cr_sqlite_rows_inserted_id(const cr_sqlite_rows *rows);

/* How many columns there are, and the name of one (NULL past the last). */
CORAIL_API size_t cr_sqlite_rows_column_count(const cr_sqlite_rows *rows);
CORAIL_API const char *cr_sqlite_rows_column_name(const cr_sqlite_rows *rows, size_t column);

/* The number of a column by its name, or -ENOENT. */
CORAIL_API int cr_sqlite_rows_column(const cr_sqlite_rows *rows, const char *name);

/* The type that a value has in the database: never BOOL. NULL outside the table. */
CORAIL_API enum cr_sql_kind cr_sqlite_rows_kind(const cr_sqlite_rows *rows, size_t row,
                                                size_t column);

/*
 * A value. As text: with a terminating zero, valid as long as the rows are; the bytes of a blob as
 * they are; numbers in figures; NULL for the value NULL, outside the table, and without memory for
 * the figures. Its length in bytes. As a number or truth value: 0 for the value NULL, what
 * strtoll(3) and strtod(3) make of a text or blob; a real that is no int64_t becomes the nearest.
 * Whether it is NULL: also 1 outside the table.
 */
CORAIL_API const char *cr_sqlite_rows_text(const cr_sqlite_rows *rows, size_t row, size_t column);
CORAIL_API size_t cr_sqlite_rows_size(const cr_sqlite_rows *rows, size_t row, size_t column);
CORAIL_API int64_t cr_sqlite_rows_int(const cr_sqlite_rows *rows, size_t row, size_t column);
CORAIL_API double cr_sqlite_rows_real(const cr_sqlite_rows *rows, size_t row, size_t column);
CORAIL_API int cr_sqlite_rows_bool(const cr_sqlite_rows *rows, size_t row, size_t column);
CORAIL_API int cr_sqlite_rows_is_null(const cr_sqlite_rows *rows, size_t row, size_t column);

/*
 * Appends the bytes of a blob or text to a buffer. Returns 0, -CORAIL_E_SQL_DATA when it is
 * neither, or as cr_buf_append().
 */
CORAIL_API int cr_sqlite_rows_blob(const cr_sqlite_rows *rows, size_t row, size_t column,
                                   cr_buf *buf);

/* Frees rows. Accepts NULL. */
CORAIL_API void cr_sqlite_rows_free(cr_sqlite_rows *rows);

/* ---------------------------------------------------------------------------- rows streamed --- */

/*
 * Starts a statement whose rows are read one by one, however many they are, in the memory of a
 * batch of them (64 KiB, or one larger row). Until cr_sqlite_conn_stream_end() the connection does
 * nothing else (-EBUSY). A stream sees the database as it was when it began; while it is open the
 * write-ahead log grows. Returns 0, or the errors of a statement.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_stream(cr_sqlite_conn *conn, const char *sql,
                                                     const cr_sql_value *params,
                                                     size_t param_count);

/*
 * Reads the next row: *ret_row holds it as row 0, and stays valid until the next call on the
 * connection, which owns it. Returns 1; 0 after the last one; the errors of a statement, which end
 * the stream (-ECANCELED only if it was interrupted); -ENOENT when none was started.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_next(cr_sqlite_conn *conn,
                                                   const cr_sqlite_rows **ret_row);

/*
 * Ends a stream: rows that were not read are dropped, and the connection is usable again. Goes
 * through even in a cancelled scope. Returns 0 (also when none was started), or -EBUSY.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_stream_end(cr_sqlite_conn *conn);

/* -------------------------------------------------------------------------------- pipelines --- */

/* One statement of a pipeline. You fill in the first three. */
typedef struct cr_sqlite_call {
	const char *sql;
	const cr_sql_value *params;
	size_t param_count;
	int status; /* 0, or its error; -CORAIL_E_SQL_ABORTED after the first that failed */
	cr_sqlite_rows *rows; /* yours: cr_sqlite_rows_free(); NULL when it has no columns */
} cr_sqlite_call;

/*
 * Runs many statements in one crossing to the thread, as one transaction (inside another one: as a
 * savepoint). When one fails, those after it are not run, and all are rolled back. Statuses and
 * rows are filled in for all, on failure too. Returns 0; the first failure's error; -ECANCELED or
 * the error of the commit, which all calls then have as well.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_conn_pipeline(cr_sqlite_conn *conn, cr_sqlite_call *calls,
                                                       size_t count);

/* ----------------------------------------------------------------------------- transactions --- */

/*
 * A transaction, in your own frame. Inside another one on the same connection it is a savepoint.
 *
 *	{
 *		CORAIL_SQLITE_TRANSACTION(tx);
 *		r = cr_sqlite_tx_begin(&tx, conn, NULL);
 *		if (r == 0) r = cr_sqlite_conn_query(conn, "update ...", NULL, 0, NULL);
 *		if (r == 0) r = cr_sqlite_tx_commit(&tx);
 *	}        rolled back here, on every way out, unless it was committed
 */
typedef struct cr_sqlite_tx {
	cr_sqlite_conn *cr__conn;
	int cr__level;
} cr_sqlite_tx;

/* Declares a transaction that is rolled back on every way out of the block. */
#define CORAIL_SQLITE_TRANSACTION(name)                                                            \
	cr_sqlite_tx name __attribute__((cleanup(cr_sqlite_tx_leave))) = {NULL, 0}

/*
 * Begins. `mode` follows "begin": "immediate", which keeps other writers out from now on,
 * "deferred", "exclusive"; NULL is "immediate" on the writer, "deferred" on a reader. A savepoint
 * has none. Returns 0, or the errors of a statement; -EALREADY when `tx` is under way.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_tx_begin(cr_sqlite_tx *tx, cr_sqlite_conn *conn,
                                                  const char *mode);

/*
 * Commits. Returns 0, or the errors of a statement, and then it was rolled back;
 * -CORAIL_E_SQL_ABORTED when SQLite had rolled back before. In either case the transaction is over.
 * -EINVAL when it was not begun, or an inner one is still under way; -ECANCELED in a scope that was
 * cancelled before, and -EBUSY, leave it under way.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_tx_commit(cr_sqlite_tx *tx);

/* Rolls back. Returns 0, or the errors of a statement; -EINVAL as above. */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_tx_rollback(cr_sqlite_tx *tx);

/* Rolls back what is still under way, even in a cancelled scope: for CORAIL_SQLITE_TRANSACTION() */
CORAIL_API CORAIL_SUSPENDS void cr_sqlite_tx_leave(cr_sqlite_tx *tx);

/* ----------------------------------------------------------------------------------- backup --- */

/* All zero means the defaults. */
typedef struct cr_sqlite_backup_options {
	int step_page_count; /* pages copied at a time; 0: 256 */
	/*
	 * Called after each step with how many pages are done and how many there are, on the task's
	 * own stack: it may suspend. NULL: nobody is told.
	 */
	void (*progress)(void *arg, size_t done, size_t total);
	void *progress_arg;
} cr_sqlite_backup_options;

/*
 * Copies the database, as it is at this moment, to a new file, while others read and write it. The
 * copy grows under a name of its own beside `path`, and takes that name, and the place of a file
 * that had it, when it is whole and on disk: cancelled or failed, it leaves nothing. Takes a reader
 * (of a database in memory: its only connection) for as long as it lasts. `options` may be NULL,
 * and `ret_error`. Returns 0; the errors of cr_sqlite_acquire_reader() and of a statement; those of
 * open(2) and rename(2) for `path`.
 */
CORAIL_API CORAIL_SUSPENDS int cr_sqlite_backup(cr_sqlite *db, const char *path,
                                                const cr_sqlite_backup_options *options,
                                                cr_sql_error *ret_error);

#ifdef __cplusplus
}
#endif
#endif
