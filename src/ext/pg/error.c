/* SPDX-License-Identifier: MIT */
/* What the server, libpq and the network say, as one error. */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * SQLSTATEs, or their classes (two characters), first match. PostgreSQL manual, appendix A. A
 * "protocol violation" is what the server calls too many or too few parameters.
 */
static const struct mapping {
	const char *sqlstate;
	int error;
} mappings[] = {
	{"42501", CORAIL_E_SQL_PERMISSION},
	{"42", CORAIL_E_SQL_SYNTAX},
	{"3D", CORAIL_E_SQL_SYNTAX},
	{"3F", CORAIL_E_SQL_SYNTAX},
	{"23", CORAIL_E_SQL_CONSTRAINT},
	{"22", CORAIL_E_SQL_DATA},
	{"40", CORAIL_E_SQL_CONFLICT},
	{"25P02", CORAIL_E_SQL_ABORTED},
	{"53", CORAIL_E_SQL_LIMIT},
	{"54", CORAIL_E_SQL_LIMIT},
	{"55P03", CORAIL_E_SQL_LOCKED},
	{"28", CORAIL_E_SQL_LOGIN},
	{"08P01", EINVAL},
	{"08", CORAIL_E_SQL_CONNECTION},
	{"57P0", CORAIL_E_SQL_CONNECTION},
	{"XX001", CORAIL_E_SQL_CORRUPT},
	{"XX002", CORAIL_E_SQL_CORRUPT},
};

static int error_of(const char *sqlstate)
{
	for (size_t i = 0; i < sizeof mappings / sizeof *mappings; i++)
		if (strncmp(sqlstate, mappings[i].sqlstate, strlen(mappings[i].sqlstate)) == 0)
			return -mappings[i].error;
	return -CORAIL_E_SQL_STATEMENT;
}

/* Copies the first line of a text, cut to fit. */
static void copy_line(char *to, size_t size, const char *text)
{
	size_t length = text ? strcspn(text, "\n") : 0;

	if (length >= size)
		length = size - 1;
	if (length > 0)
		memcpy(to, text, length);
	to[length] = '\0';
}

void cr__pg_error_set(cr_sql_error *error, int code, const char *message)
{
	memset(error, 0, sizeof *error);
	error->error = code;
	copy_line(error->message, sizeof error->message,
	          message && *message ? message : cr_strerror(code));
}

int cr__pg_fail_with(cr_pg_conn *conn, int error, const char *message)
{
	cr__pg_error_set(&conn->error, error, message);
	return error;
}

static void copy_field(char *to, size_t size, const PGresult *result, int field)
{
	copy_line(to, size, PQresultErrorField(result, field));
}

/* The server's own words. */
static int fail_of(cr_pg_conn *conn, const PGresult *result, const char *sqlstate)
{
	cr_sql_error *error = &conn->error;
	const char *position;

	cr__pg_error_set(error, error_of(sqlstate),
	                 PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	if (error->error == -CORAIL_E_SQL_CONNECTION)
		conn->broken = true;
	copy_line(error->sqlstate, sizeof error->sqlstate, sqlstate);
	copy_field(error->detail, sizeof error->detail, result, PG_DIAG_MESSAGE_DETAIL);
	copy_field(error->hint, sizeof error->hint, result, PG_DIAG_MESSAGE_HINT);
	copy_field(error->constraint, sizeof error->constraint, result, PG_DIAG_CONSTRAINT_NAME);
	copy_field(error->table, sizeof error->table, result, PG_DIAG_TABLE_NAME);
	copy_field(error->column, sizeof error->column, result, PG_DIAG_COLUMN_NAME);
	position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	error->position = position ? (int)strtol(position, NULL, 10) : 0;
	return error->error;
}

/*
 * libpq has found the connection lost. What the server said before it went may have been read
 * already; the socket is closed, so that asking for it does not block.
 */
static int fail_lost(cr_pg_conn *conn)
{
	PGresult *last = PQgetResult(conn->link);
	const char *sqlstate = last ? PQresultErrorField(last, PG_DIAG_SQLSTATE) : NULL;

	conn->broken = true;
	if (sqlstate)
		fail_of(conn, last, sqlstate);
	else
		cr__pg_fail_with(conn, -CORAIL_E_SQL_CONNECTION, PQerrorMessage(conn->link));
	PQclear(last);
	conn->error.error = -CORAIL_E_SQL_CONNECTION;
	return -CORAIL_E_SQL_CONNECTION;
}

int cr__pg_fail(cr_pg_conn *conn, const PGresult *result)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

	if (sqlstate)
		return fail_of(conn, result, sqlstate);
	if (PQstatus(conn->link) != CONNECTION_OK)
		return fail_lost(conn);
	return cr__pg_fail_with(conn, -CORAIL_E_SQL_STATEMENT, PQerrorMessage(conn->link));
}

const cr_sql_error *cr_pg_conn_error(const cr_pg_conn *conn)
{
	return &conn->error;
}
