/* SPDX-License-Identifier: MIT */
/* Transactions and, inside them, savepoints: levels of one stack per connection. */

#include "client.h"

#include <stdio.h>

/* The name of a level's savepoint. */
static const char *savepoint(int level, char name[24])
{
	snprintf(name, 24, "cr_%d", level);
	return name;
}

int cr_pg_tx_begin(cr_pg_tx *tx, cr_pg_conn *conn, const char *mode)
{
	cr_buf sql = {0};
	char name[24];
	int r;

	if (tx->cr__conn)
		return -EALREADY;
	r = cr__pg_enter(conn, CALM);
	if (r < 0)
		return r;
	if (conn->tx_level == 0)
		r = cr_buf_printf(&sql, "begin %s", mode ? mode : "");
	else
		r = cr_buf_printf(&sql, "savepoint %s", savepoint(conn->tx_level + 1, name));
	if (r == 0)
		r = cr__pg_simple(conn, sql.data, NULL, 0);
	cr_buf_free(&sql);
	r = cr__pg_leave(conn, r);
	if (r == 0) {
		tx->cr__conn = conn;
		tx->cr__level = ++conn->tx_level;
	}
	return r;
}

static int innermost(const cr_pg_tx *tx)
{
	return tx->cr__conn && tx->cr__conn->tx_level == tx->cr__level ? 0 : -EINVAL;
}

static void over(cr_pg_tx *tx)
{
	tx->cr__conn->tx_level = tx->cr__level - 1;
	tx->cr__conn = NULL;
}

int cr_pg_tx_commit(cr_pg_tx *tx)
{
	cr_pg_conn *conn = tx->cr__conn;
	char tag[32] = "", name[24], sql[64] = "commit";
	int r = innermost(tx);

	if (r == 0)
		r = cr__pg_enter(conn, CALM);
	/* Refused at the door, nothing was sent: the transaction is under way as before. */
	if (r < 0)
		return r;
	if (tx->cr__level > 1)
		snprintf(sql, sizeof sql, "release savepoint %s", savepoint(tx->cr__level, name));
	r = cr__pg_simple(conn, sql, tag, sizeof tag);
	if (r == 0 && strcmp(tag, "ROLLBACK") == 0)
		r = cr__pg_fail_with(conn, -CORAIL_E_SQL_ABORTED, NULL);
	if (r < 0 && tx->cr__level > 1)
		return cr__pg_leave(conn, r);
	r = cr__pg_leave(conn, r);
	over(tx);
	return r;
}

static int rollback(cr_pg_tx *tx)
{
	cr_pg_conn *conn = tx->cr__conn;
	char name[24], sql[96] = "rollback";
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	savepoint(tx->cr__level, name);
	if (tx->cr__level > 1)
		snprintf(sql, sizeof sql, "rollback to savepoint %s; release savepoint %s", name,
		         name);
	return cr__pg_leave(conn, cr__pg_simple(conn, sql, NULL, 0));
}

int cr_pg_tx_rollback(cr_pg_tx *tx)
{
	int r = innermost(tx);

	if (r == 0)
		r = rollback(tx);
	if (r == 0)
		over(tx);
	return r;
}

void cr_pg_tx_leave(cr_pg_tx *tx)
{
	cr_pg_conn *conn = tx->cr__conn;
	int r;

	if (!conn)
		return;
	r = cr_pg_conn_stream_end(conn);
	if (r == 0)
		r = cr_shield(conn->pg->options.cancel_grace, rollback(tx));
	/* Whoever uses it next must not find itself in somebody else's transaction. */
	if (r < 0)
		conn->broken = true;
	over(tx);
}
