/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_TABLE_H
#define CORAIL_CLI_TABLE_H

/*
 * The table of a database that pages are stored in, whatever the database: corail_pages, made when
 * it is missing.
 *
 *	url         the page's, as it was given; the primary key
 *	status      of the answer; NULL without one
 *	bytes       of the body
 *	body        as it came, decoded; NULL for a page that failed
 *	fetched_at  when that was known
 *	digest      by --digest, "sha256:..."; NULL without
 *	error       why the page failed; NULL when it came
 *
 * A page that failed never replaces one that came.
 */

#include <corail/base.h>
#include <corail/sql.h>
#include <stdbool.h>
#include <stddef.h>

/* One row. Everything is borrowed. */
struct table_row {
	const char *url;
	int status;       /* 0: none */
	uint64_t bytes;   /* of the body */
	const char *body; /* NULL: none */
	const char *fetched_at;
	const char *digest; /* NULL: none */
	const char *error;  /* NULL: the page came */
};

struct table {
	const struct table_kind *kind;
	void *handle;       /* of the kind */
	cr_sql_error error; /* of the last call that failed */
};

/* A statement that is run once for each of `count` sets of parameters, all of them or none. */
struct table_batch {
	const char *sql;
	const cr_sql_value *values; /* one set after the other */
	size_t param_count, count;
	bool *found; /* whether each gave a row; NULL: nobody asks */
};

/*
 * One kind of database: its statements, and who runs them. The functions return 0 or a negative
 * error; those that take `error` write to it what is known of theirs.
 */
struct table_kind {
	const char *find;   /* by a URL */
	const char *insert; /* of the columns, in the order above */
	CORAIL_SUSPENDS int (*open)(const char *target, void **ret_handle, cr_sql_error *error);
	CORAIL_SUSPENDS void (*close)(void *handle);
	CORAIL_SUSPENDS int (*run)(void *handle, const struct table_batch *batch,
	                           cr_sql_error *error);
};

/* NULL in a command that was built without the library. */
extern const struct table_kind *const table_pg, *const table_sqlite;

/*
 * Whether a table can be opened by this text: 0; -EINVAL when it is neither "sqlite:FILE" nor
 * "postgres://..."; -EOPNOTSUPP when this command was built without the database's library, whose
 * name is written.
 */
int table_check(const char *target, const char **ret_name);

/*
 * Opens the table, and makes it if it is missing. Returns 0, or a negative error; then, as after
 * the functions below, table->error says more. Ends with table_close().
 */
CORAIL_SUSPENDS
int table_open(struct table *table, const char *target);

/* Tells of each of `count` URLs whether its page is there, and came well. */
CORAIL_SUSPENDS
int table_find(struct table *table, const char *const *urls, size_t count, bool *ret_found);

/* Stores rows, all of them or none. */
CORAIL_SUSPENDS
int table_write(struct table *table, const struct table_row *rows, size_t count);

/* In a cancelled scope, too. Accepts one that is all zero. */
CORAIL_SUSPENDS
void table_close(struct table *table);

#endif
