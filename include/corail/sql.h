/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SQL_H
#define CORAIL_SQL_H

/*
 * What the libraries for SQL databases (pg.h, sqlite.h) have in common: the values that go into a
 * statement, and what is known of one that failed. Nothing here suspends or allocates.
 *
 * Parameters are an array of values, and never become part of the statement's text:
 *
 *	r = cr_pg_query(db, "select name from users where id = $1 and age > $2",
 *	                CORAIL_SQL(cr_sql_int(7), cr_sql_int(18)), &rows);
 *
 * Both libraries use the same verbs. A database (cr_pg, cr_sqlite) is opened once and is a pool:
 * _query runs a statement on any connection and gives its rows, _acquire takes a connection for
 * several statements and _release gives it back, _begin, _commit and _rollback bound a transaction.
 */

#include <corail/base.h>

#include <string.h>

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

/* ----------------------------------------------------------------------------------- values --- */

enum cr_sql_kind {
	CORAIL_SQL_NULL = 0,
	CORAIL_SQL_BOOL,
	CORAIL_SQL_INT,
	CORAIL_SQL_REAL,
	CORAIL_SQL_TEXT,
	CORAIL_SQL_BLOB,
};

/* A value. All zero is NULL. Texts and blobs are borrowed until the call that uses them returns. */
typedef struct cr_sql_value {
	enum cr_sql_kind kind;
	union {
		int64_t integer; /* BOOL and INT */
		double real;
		const void *data; /* TEXT and BLOB */
	} u;
	size_t size;         /* of data, bytes */
	unsigned terminated; /* a zero byte follows data[size - 1] */
} cr_sql_value;

/* The value NULL. */
static inline cr_sql_value cr_sql_null(void)
{
	cr_sql_value value;

	memset(&value, 0, sizeof value);
	return value;
}

/* A truth value. A database without such a type is given 1 or 0. */
static inline cr_sql_value cr_sql_bool(int truth)
{
	cr_sql_value value = cr_sql_null();

	value.kind = CORAIL_SQL_BOOL;
	value.u.integer = truth != 0;
	return value;
}

/* An integer. */
static inline cr_sql_value cr_sql_int(int64_t number)
{
	cr_sql_value value = cr_sql_null();

	value.kind = CORAIL_SQL_INT;
	value.u.integer = number;
	return value;
}

/* A floating-point number. */
static inline cr_sql_value cr_sql_real(double number)
{
	cr_sql_value value = cr_sql_null();

	value.kind = CORAIL_SQL_REAL;
	value.u.real = number;
	return value;
}

/* A text of `size` bytes in UTF-8. */
static inline cr_sql_value cr_sql_text_n(const char *text, size_t size)
{
	cr_sql_value value = cr_sql_null();

	value.kind = CORAIL_SQL_TEXT;
	value.u.data = text;
	value.size = size;
	return value;
}

/* A text in UTF-8 up to its terminating zero; NULL is the value NULL. */
static inline cr_sql_value cr_sql_text(const char *text)
{
	cr_sql_value value = text ? cr_sql_text_n(text, strlen(text)) : cr_sql_null();

	value.terminated = text != NULL;
	return value;
}

/* Any `size` bytes. */
static inline cr_sql_value cr_sql_blob(const void *data, size_t size)
{
	cr_sql_value value = cr_sql_null();

	value.kind = CORAIL_SQL_BLOB;
	value.u.data = data;
	value.size = size;
	return value;
}

/*
 * Values as the two arguments (array, count) of a query; they live as long as the call. Without
 * parameters write NULL, 0.
 */
#ifdef __cplusplus
#define CORAIL_SQL(...)                                                                            \
	std::initializer_list<cr_sql_value>{__VA_ARGS__}.begin(),                                  \
		std::initializer_list<cr_sql_value>{__VA_ARGS__}.size()
#else
#define CORAIL_SQL(...)                                                                            \
	(const cr_sql_value[]){__VA_ARGS__},                                                       \
		sizeof((const cr_sql_value[]){__VA_ARGS__}) / sizeof(cr_sql_value)
#endif

/* ----------------------------------------------------------------------------------- errors --- */

/*
 * What a database says of a statement that failed: in your own frame, written only on failure.
 * Texts are cut to fit.
 */
typedef struct cr_sql_error {
	int error;           /* as returned: -CORAIL_E_SQL_... or another negative error */
	int native_code;     /* SQLite's extended result code; 0 for PostgreSQL */
	char sqlstate[6];    /* PostgreSQL's five characters; "" without */
	int position;        /* in the statement, in characters, from 1; 0 when not known */
	char message[256];   /* one sentence, never empty */
	char detail[256];    /* PostgreSQL's DETAIL; "" without */
	char hint[256];      /* its HINT */
	char constraint[64]; /* the constraint that was broken; "" when not known */
	char table[64];      /* its table */
	char column[64];     /* its column */
} cr_sql_error;

#ifdef __cplusplus
}
#endif
#endif
