/* SPDX-License-Identifier: MIT */
/* Transactions and, inside them, savepoints: levels of one stack per connection. */

#include "client.h"

#include <stdio.h>

/* Runs "verb savepoint" or "verb" for the level of a transaction. */
static int run(cr_pg_conn *conn, const char *outer, const char *inner, int level, char *tag,
               size_t size)
{
	char sql[96];

	if (level == 1)
		return cr__pg_simple(conn, outer, tag, size);
	/* cppcheck-suppress wrongPrintfScanfArgNum; some name it once */
	snprintf(sql, sizeof sql, inner, level, level);
	return cr__pg_simple(conn, sql, tag, size);
}

int cr_pg_tx_begin(cr_pg_tx *tx, cr_pg_conn *conn, const char *mode)
{
	cr_buf outer = {0};
	int r;

	if (tx->cr__conn)
		return -EALREADY;
	r = cr__pg_enter(conn, CALM);
	if (r < 0)
		return r;
	r = cr_buf_printf(&outer, "begin %s", mode ? mode : "");
	if (r == 0)
		r = run(conn, outer.data, "savepoint cr_%d", conn->tx_level + 1, NULL, 0);
	cr_buf_free(&outer);
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
	char tag[32] = "";
	int r = innermost(tx);

	if (r == 0)
		r = cr__pg_enter(conn, CALM);
	/* Refused at the door, nothing was sent: the transaction is under way as before. */
	if (r < 0)
		return r;
	r = run(conn, "commit", "release savepoint cr_%d", tx->cr__level, tag, sizeof tag);
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
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	return cr__pg_leave(conn, run(conn, "rollback",
	                              "rollback to savepoint cr_%d; release savepoint cr_%d",
	                              tx->cr__level, NULL, 0));
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
