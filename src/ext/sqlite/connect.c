/* SPDX-License-Identifier: MIT */
/* A connection's beginning and end: its thread, its file, its pragmas. */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct setup {
	cr_sqlite_conn *conn;
	char pragmas[192];
	const char *rest; /* of the pragmas, or of the user's own statements */
};

/*
 * SQLite tries to read what it could not create, and then knows only that there is no such file: if
 * there is the folder, it may not be written.
 */
static bool folder_exists(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
	bool exists = !slash || (folder && access(folder, F_OK) == 0);

	free(folder);
	return exists;
}

static int open_failed(cr_sqlite_conn *conn, int flags)
{
	int code = sqlite3_extended_errcode(conn->link);
	int r = cr__sqlite_fail(conn, code, NULL, false);

	if (r == -ENOENT && (flags & SQLITE_OPEN_CREATE) && folder_exists(conn->db->path))
		r = conn->error.error = -CORAIL_E_SQL_PERMISSION;
	return r;
}

static int open_work(void *arg)
{
	struct setup *s = arg;
	cr_sqlite_conn *conn = s->conn;
	const cr_sqlite_options *options = &conn->db->options;
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, code;

	if (options->read_only)
		flags |= SQLITE_OPEN_READONLY;
	else if (options->no_create || conn->reader)
		flags |= SQLITE_OPEN_READWRITE;
	else
		flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	code = sqlite3_open_v2(conn->db->path, &conn->link, flags, NULL);
	if (!conn->link)
		return cr__sqlite_fail_with(conn, -ENOMEM, NULL);
	if (code != SQLITE_OK)
		return open_failed(conn, flags);
	sqlite3_extended_result_codes(conn->link, 1);
	return 0;
}

/* Worker: makes sure of the file, its journal and the connection's settings. */
static int settings_work(void *arg)
{
	struct setup *s = arg;
	cr_sqlite_conn *conn = s->conn;
	cr_sqlite_rows *rows;
	int r;

	if (!conn->reader && !sqlite3_db_readonly(conn->link, "main")) {
		char pragma[64];

		snprintf(pragma, sizeof pragma, "pragma journal_mode = %s",
		         conn->db->options.journal_mode);
		r = cr__sqlite_execute(conn, pragma, NULL, 0, NULL);
		if (r < 0)
			return r;
	}
	r = cr__sqlite_execute(conn, "pragma journal_mode", NULL, 0, &rows);
	if (r < 0)
		return r;
	conn->wal = cr_sqlite_rows_count(rows) == 1 &&
	            strcmp(cr_sqlite_rows_text(rows, 0, 0), "wal") == 0;
	cr_sqlite_rows_free(rows);
	r = cr__sqlite_simple(conn, "select 1 from sqlite_schema limit 1");
	return r < 0 ? r : cr__sqlite_script(conn, &s->rest);
}

static int init_work(void *arg)
{
	struct setup *s = arg;

	return cr__sqlite_script(s->conn, &s->rest);
}

static int last_work(void *arg)
{
	const struct setup *s = arg;
	cr_sqlite_conn *conn = s->conn;
	int r = 0;

	/* What the user's statements left open would become part of the first call's. */
	if (!sqlite3_get_autocommit(conn->link))
		r = cr__sqlite_simple(conn, "rollback");
	if (r == 0 && conn->reader)
		r = cr__sqlite_simple(conn, "pragma query_only = 1");
	return r;
}

static int setup(cr_sqlite_conn *conn)
{
	const cr_sqlite_options *options = &conn->db->options;
	struct setup s = {.conn = conn};
	int r = cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, open_work, &s));

	snprintf(s.pragmas, sizeof s.pragmas, "pragma synchronous = %s; pragma foreign_keys = %d",
	         options->synchronous, !options->no_foreign_keys);
	s.rest = s.pragmas;
	if (r == 0)
		r = cr__sqlite_hop_patient(conn, settings_work, &s);
	s.rest = conn->db->init;
	if (r == 0 && s.rest)
		r = cr__sqlite_hop_patient(conn, init_work, &s);
	if (r == 0 && (s.rest || conn->reader))
		r = cr__sqlite_hop(conn, last_work, &s);
	return r;
}

static int close_work(void *arg)
{
	cr_sqlite_conn *conn = arg;

	cr__sqlite_statements_free(&conn->statements);
	sqlite3_close_v2(conn->link);
	conn->link = NULL;
	return 0;
}

void cr__sqlite_disconnect(cr_sqlite_conn *conn)
{
	/* Without a thread to be had, here: better late than never. */
	if (cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, close_work, conn)) < 0 && conn->link)
		close_work(conn);
	cr_threads_close(conn->thread);
	free(conn);
}

int cr__sqlite_connect(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn,
                       cr_sql_error *error)
{
	cr_threads_options one = {.name = "sqlite", .thread_count_max = 1};
	cr_sqlite_conn *conn = calloc(1, sizeof *conn);
	int r;

	if (!conn)
		return -ENOMEM;
	conn->db = db;
	conn->lane = lane;
	conn->reader = lane == &db->readers;
	conn->idle = true;
	conn->statements.count_max = db->options.statement_count_max;
	r = cr_threads_open(&one, &conn->thread);
	if (r < 0) {
		free(conn);
		return r;
	}
	r = setup(conn);
	if (r < 0) {
		*error = conn->error;
		cr__sqlite_disconnect(conn);
		return r;
	}
	db->opened++;
	*ret_conn = conn;
	return 0;
}
