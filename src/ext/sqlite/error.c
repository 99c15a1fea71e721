/* SPDX-License-Identifier: MIT */
/* SQLite's result codes (sqlite.org/rescode.html) and words, as one error. */

#include "client.h"

#include <string.h>

/* By the primary code, the extended code's lowest byte. */
static const struct mapping {
	int code, error;
} mappings[] = {
	{SQLITE_CONSTRAINT, CORAIL_E_SQL_CONSTRAINT},
	{SQLITE_MISMATCH, CORAIL_E_SQL_DATA},
	{SQLITE_TOOBIG, CORAIL_E_SQL_DATA},
	{SQLITE_BUSY, CORAIL_E_SQL_LOCKED},
	{SQLITE_LOCKED, CORAIL_E_SQL_LOCKED},
	{SQLITE_READONLY, CORAIL_E_SQL_PERMISSION},
	{SQLITE_PERM, CORAIL_E_SQL_PERMISSION},
	{SQLITE_AUTH, CORAIL_E_SQL_PERMISSION},
	{SQLITE_CORRUPT, CORAIL_E_SQL_CORRUPT},
	{SQLITE_NOTADB, CORAIL_E_SQL_CORRUPT},
	{SQLITE_FULL, CORAIL_E_SQL_LIMIT},
	{SQLITE_ABORT, CORAIL_E_SQL_ABORTED},
	{SQLITE_INTERRUPT, ECANCELED},
	{SQLITE_NOMEM, ENOMEM},
	{SQLITE_IOERR, EIO},
	{SQLITE_NOLFS, EFBIG},
	{SQLITE_RANGE, EINVAL},
};

/* The file could not be opened: why, as open(2) says it. */
static int cannot_open(int system_error)
{
	switch (system_error) {
	case EACCES:
	case EPERM:
	case EROFS:
		return -CORAIL_E_SQL_PERMISSION;
	case 0:
		return -CORAIL_E_SQL_STATEMENT;
	default:
		return -system_error;
	}
}

static int error_of(sqlite3 *link, int code, bool preparing)
{
	switch (code) {
	case SQLITE_BUSY_SNAPSHOT:
		return -CORAIL_E_SQL_CONFLICT;
	case SQLITE_CONSTRAINT_DATATYPE:
		return -CORAIL_E_SQL_DATA;
	case SQLITE_IOERR_NOMEM:
		return -ENOMEM;
	case SQLITE_ERROR:
		return preparing ? -CORAIL_E_SQL_SYNTAX : -CORAIL_E_SQL_STATEMENT;
	default:
		break;
	}
	if ((code & 0xff) == SQLITE_CANTOPEN)
		return cannot_open(sqlite3_system_errno(link));
	for (size_t i = 0; i < sizeof mappings / sizeof *mappings; i++)
		if (mappings[i].code == (code & 0xff))
			return -mappings[i].error;
	return -CORAIL_E_SQL_STATEMENT;
}

/* Copies a text up to a byte, cut to fit. */
static void copy_until(char *to, size_t size, const char *text, char end)
{
	size_t length = strcspn(text, (const char[]){end, '\n', '\0'});

	if (length >= size)
		length = size - 1;
	memcpy(to, text, length);
	to[length] = '\0';
}

void cr__sqlite_error_set(cr_sql_error *error, int code, const char *message)
{
	memset(error, 0, sizeof *error);
	error->error = code;
	copy_until(error->message, sizeof error->message,
	           message && *message ? message : cr_strerror(code), '\n');
}

int cr__sqlite_fail_with(cr_sqlite_conn *conn, int error, const char *message)
{
	cr__sqlite_error_set(&conn->error, error, message);
	return error;
}

/*
 * "UNIQUE constraint failed: users.name, users.city" names the (first) column; "CHECK constraint
 * failed: positive" and "UNIQUE constraint failed: index 'i'" a constraint.
 */
static void name_constraint(cr_sql_error *error)
{
	static const char words[] = " constraint failed: ";
	const char *subject = strstr(error->message, words), *dot;

	if (!subject)
		return;
	subject += strlen(words);
	dot = strchr(subject, '.');
	if (strncmp(error->message, "CHECK", 5) == 0 || !dot) {
		bool index = strncmp(subject, "index '", 7) == 0;

		copy_until(error->constraint, sizeof error->constraint,
		           index ? subject + 7 : subject, index ? '\'' : '\n');
		return;
	}
	copy_until(error->table, sizeof error->table, subject, '.');
	copy_until(error->column, sizeof error->column, dot + 1, ',');
}

/* The character, from 1, at a byte of a text in UTF-8. */
static int position_of(const char *sql, int offset)
{
	int position = 1;

	for (int i = 0; i < offset && sql[i]; i++)
		position += ((unsigned char)sql[i + 1] & 0xc0) != 0x80;
	return position;
}

int cr__sqlite_fail(cr_sqlite_conn *conn, int code, const char *sql, bool preparing)
{
	cr_sql_error *error = &conn->error;
	int offset = sqlite3_error_offset(conn->link);

	cr__sqlite_error_set(error, error_of(conn->link, code, preparing),
	                     sqlite3_errmsg(conn->link));
	error->native_code = code;
	if (sql && offset >= 0)
		error->position = position_of(sql, offset);
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		name_constraint(error);
	return error->error;
}

int cr__sqlite_fail_of(cr_sqlite_conn *conn, sqlite3 *link, int code)
{
	cr__sqlite_error_set(&conn->error, error_of(link, code, false), sqlite3_errstr(code));
	conn->error.native_code = code;
	return conn->error.error;
}

const cr_sql_error *cr_sqlite_conn_error(const cr_sqlite_conn *conn)
{
	return &conn->error;
}
