/* SPDX-License-Identifier: MIT */
/* Transactions and, inside them, savepoints: levels of one stack per connection. */

#include "client.h"

#include <stdio.h>

enum { SQL_MAX = 96 };

struct step {
	cr_sqlite_conn *conn;
	const char *sql;
	int level;
};

static const char *begin_text(char *sql, const cr_sqlite_conn *conn, const char *mode)
{
	if (conn->tx_level > 0)
		snprintf(sql, SQL_MAX, "savepoint cr_%d", conn->tx_level + 1);
	else
		snprintf(sql, SQL_MAX, "begin %s",
		         mode           ? mode
		         : conn->reader ? "deferred"
		                        : "immediate");
	return sql;
}

static int simple_work(void *arg)
{
	struct step *s = arg;

	return cr__sqlite_simple(s->conn, s->sql);
}

/* Rolls a level back, if SQLite has not done so by itself. */
static int rollback_work(void *arg)
{
	struct step *s = arg;
	char sql[SQL_MAX];
	int r;

	if (sqlite3_get_autocommit(s->conn->link))
		return 0;
	if (s->level == 1)
		return cr__sqlite_simple_surely(s->conn, "rollback");
	snprintf(sql, sizeof sql, "rollback to cr_%d", s->level);
	r = cr__sqlite_simple_surely(s->conn, sql);
	if (r < 0)
		return r;
	snprintf(sql, sizeof sql, "release cr_%d", s->level);
	return cr__sqlite_simple_surely(s->conn, sql);
}

int cr_sqlite_tx_begin(cr_sqlite_tx *tx, cr_sqlite_conn *conn, const char *mode)
{
	char sql[SQL_MAX];
	struct step s = {conn, sql, 0};
	int r;

	if (tx->cr__conn)
		return -EALREADY;
	r = cr__sqlite_enter(conn);
	if (r < 0)
		return r;
	begin_text(sql, conn, mode);
	r = cr__sqlite_leave(conn, cr__sqlite_hop_patient(conn, simple_work, &s));
	if (r == 0) {
		tx->cr__conn = conn;
		tx->cr__level = ++conn->tx_level;
	}
	return r;
}

static int innermost(const cr_sqlite_tx *tx)
{
	return tx->cr__conn && tx->cr__conn->tx_level == tx->cr__level ? 0 : -EINVAL;
}

/* Rolls a level back whatever is cancelled; it is over. */
static void surely_over(cr_sqlite_tx *tx)
{
	cr_sqlite_conn *conn = tx->cr__conn;
	struct step s = {conn, NULL, tx->cr__level};
	cr_sql_error why = conn->error;

	/* Whoever uses it next must not find itself in somebody else's transaction. */
	if (!conn->idle && cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, rollback_work, &s)) < 0)
		conn->broken = true;
	conn->error = why;
	conn->tx_level = tx->cr__level - 1;
	tx->cr__conn = NULL;
}

int cr_sqlite_tx_commit(cr_sqlite_tx *tx)
{
	cr_sqlite_conn *conn = tx->cr__conn;
	char sql[SQL_MAX] = "commit";
	struct step s = {conn, sql, 0};
	int r = innermost(tx);

	if (r == 0)
		r = cr__sqlite_enter(conn);
	if (r < 0)
		return r;
	if (tx->cr__level > 1)
		snprintf(sql, sizeof sql, "release cr_%d", tx->cr__level);
	r = cr__sqlite_hop_patient(conn, simple_work, &s);
	if (r < 0) {
		surely_over(tx);
	} else {
		conn->tx_level = tx->cr__level - 1;
		tx->cr__conn = NULL;
	}
	return cr__sqlite_leave(conn, r);
}

int cr_sqlite_tx_rollback(cr_sqlite_tx *tx)
{
	cr_sqlite_conn *conn = tx->cr__conn;
	struct step s = {conn, NULL, tx->cr__level};
	int r = innermost(tx);

	if (r == 0)
		r = cr__sqlite_enter(conn);
	if (r < 0)
		return r;
	r = cr__sqlite_leave(conn, cr__sqlite_hop(conn, rollback_work, &s));
	if (r == 0) {
		conn->tx_level = tx->cr__level - 1;
		tx->cr__conn = NULL;
	}
	return r;
}

void cr_sqlite_tx_leave(cr_sqlite_tx *tx)
{
	if (!tx->cr__conn)
		return;
	cr_sqlite_conn_stream_end(tx->cr__conn);
	surely_over(tx);
}
