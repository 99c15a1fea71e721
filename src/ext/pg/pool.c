/* SPDX-License-Identifier: MIT */
/*
 * The pool: idle connections last in first out, so that those beyond the need grow old and are
 * closed; waiters first in first out. A connection that is missing is opened by a task of its own,
 * for whoever waits first when it stands: so a caller that gives up early does not take away what
 * the next one could use.
 */

#include "client.h"

#include <stdlib.h>

struct waiter {
	struct turn turn; /* first: a turn in the line is a waiter's */
	cr_sql_error *ret_error;
};

struct opener {
	struct opener *next, *prev;
	cr_pg *pg;
	cr_task task;
};

static void settle(cr_pg *pg)
{
	if (pg->closed && pg->lent == 0 && !pg->openers)
		cr_event_set(&pg->settled);
}

static void open_missing(cr_pg *pg);

/* Closes one. Whoever waits for a place opens another. */
static void discard(cr_pg_conn *conn)
{
	cr_pg *pg = conn->pg;

	pg->discarded += conn->broken;
	cr__pg_disconnect(conn);
	pg->count--;
	open_missing(pg);
}

static bool too_old(const cr_pg_conn *conn, cr_nsec now)
{
	return now - conn->opened >= conn->pg->options.lifetime_max;
}

static cr_nsec idle_time(const struct idle_node *node)
{
	const cr_pg_conn *conn = (const cr_pg_conn *)node;
	cr_nsec unused = cr__time_after(node->since, conn->pg->options.idle_max);
	cr_nsec old = cr__time_after(conn->opened, conn->pg->options.lifetime_max);

	return unused < old ? unused : old;
}

static void idle_end(struct idle_node *node)
{
	discard((cr_pg_conn *)node);
}

void cr__pg_pool_init(cr_pg *pg)
{
	pg->idle = (struct idle_list){.time_of = idle_time, .end = idle_end};
}

/*
 * Lends a connection to the first who waits, or keeps it. A fresh one serves once, however short a
 * life it has: else who waits would wait for ever, and connections be opened without end.
 */
static void offer(cr_pg_conn *conn, bool fresh)
{
	cr_pg *pg = conn->pg;

	if (pg->closed || (!fresh && too_old(conn, cr_now())))
		discard(conn);
	else if (!cr__turns_give(&pg->turns, conn, 0)) {
		if (pg->idle.count < pg->options.conn_count_idle_max)
			cr__idle_put(&pg->idle, &conn->idle);
		else
			discard(conn);
	}
}

static int open_one(struct opener **handle)
{
	struct opener *opener = *handle;
	cr_pg *pg = opener->pg;
	cr_sql_error error = {0};
	cr_pg_conn *conn;
	int r = cr_timeout(pg->options.connect_max, cr__pg_connect(pg, &conn, &error));

	/* Nobody's own deadline has passed. */
	if (r == -ETIMEDOUT)
		r = -CORAIL_E_SQL_CONNECTION;
	*(opener->prev ? &opener->prev->next : &pg->openers) = opener->next;
	if (opener->next)
		opener->next->prev = opener->prev;
	free(opener);
	if (r == 0) {
		offer(conn, true);
	} else {
		struct waiter *first = (struct waiter *)pg->turns.first;

		pg->count--;
		if (first)
			*first->ret_error = error;
		cr__turns_give(&pg->turns, NULL, r == -ECANCELED ? -ESHUTDOWN : r);
		open_missing(pg);
	}
	settle(pg);
	return 0;
}

static int opener_new(cr_pg *pg)
{
	/* Those who wait hear of it if there is no memory: no reason to end the program. */
	static const cr_spawn_options optional = {.optional = 1};
	struct opener *opener = calloc(1, sizeof *opener);
	int r;

	if (!opener)
		return -ENOMEM;
	*opener = (struct opener){.next = pg->openers, .pg = pg};
	opener->task = cr_spawn_copy_with(&optional, cr_scope_program(), open_one, &opener);
	r = cr_task_error(opener->task);
	if (r < 0) {
		free(opener);
		return r;
	}
	if (pg->openers)
		pg->openers->prev = opener;
	pg->openers = opener;
	pg->count++;
	return 0;
}

/* As many connections are being opened as tasks wait, within the limit. */
static void open_missing(cr_pg *pg)
{
	size_t opening = 0;

	for (const struct opener *opener = pg->openers; opener; opener = opener->next)
		opening++;
	while (!pg->closed && opening < pg->turns.count && pg->count < pg->options.conn_count_max) {
		int r = opener_new(pg);

		/* No memory: they wait for a connection that is there, or hear of it. */
		if (r < 0) {
			if (pg->count == 0)
				cr__turns_wake(&pg->turns, r);
			return;
		}
		opening++;
	}
}

/*
 * Whether the server still answers. Cheap for one that was used a moment ago. Returns 0, -ECANCELED
 * when the caller could not wait to know, or another error.
 */
static int check(cr_pg_conn *conn)
{
	cr_nsec idle = cr_now() - conn->idle.since;
	int r = 0;

	/* PQisBusy() takes apart what came: a farewell of the server, perhaps. */
	if (!PQconsumeInput(conn->link) || PQisBusy(conn->link) ||
	    PQstatus(conn->link) != CONNECTION_OK)
		conn->broken = true;
	else if (!conn->broken && idle >= conn->pg->options.check_after)
		r = cr_pg_conn_script(conn, "");
	conn->broken |= r < 0 && r != -ECANCELED;
	return conn->broken ? -CORAIL_E_SQL_CONNECTION : r;
}

/*
 * An idle connection that is fit to be used; NULL without one. Returns 0, or -ECANCELED: what was
 * being checked is calm again then, and as good as before.
 */
static int take_idle(cr_pg *pg, cr_pg_conn **ret_conn)
{
	cr_pg_conn *conn;

	while ((conn = (cr_pg_conn *)cr__idle_take(&pg->idle)) != NULL) {
		int r = too_old(conn, cr_now()) ? -ETIME : check(conn);

		if (r == 0)
			break;
		if (r == -ECANCELED) {
			offer(conn, false);
			return r;
		}
		pg->discarded += conn->broken;
		cr__pg_disconnect(conn);
		pg->count--;
	}
	*ret_conn = conn;
	return 0;
}

static int wait_turn(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *error)
{
	struct waiter waiter = {.ret_error = error};
	int r;

	cr__turn_join(&pg->turns, &waiter.turn);
	open_missing(pg);
	r = cr__turn_wait(&pg->turns, &waiter.turn);
	if (r == 0)
		*ret_conn = waiter.turn.thing;
	return r;
}

static int acquire(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *error)
{
	cr_pg_conn *conn = NULL;
	int r = pg->closed ? -ESHUTDOWN : 0;

	if (r == 0 && !pg->turns.first)
		r = take_idle(pg, &conn);
	/* That may have taken a while: who joins the line of a closed pool waits for ever. */
	if (r == 0 && !conn)
		return pg->closed ? -ESHUTDOWN : wait_turn(pg, ret_conn, error);
	if (r == 0)
		*ret_conn = conn;
	return r;
}

int cr_pg_acquire(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *ret_error)
{
	cr_sql_error error = {0};
	int r = cr_cancelled() ? -ECANCELED : 0;

	pg->lent++;
	if (r == 0)
		r = acquire(pg, ret_conn, &error);
	if (r == 0)
		return 0;
	pg->lent--;
	settle(pg);
	if (error.error != r)
		cr__pg_error_set(&error, r, NULL);
	if (ret_error)
		*ret_error = error;
	return r;
}

/* Puts a connection back into the state in which it was lent. Returns 0 or a negative error. */
static int restore(cr_pg_conn *conn)
{
	int r = 0;

	if (PQtransactionStatus(conn->link) != PQTRANS_IDLE)
		r = cr_pg_conn_script(conn, "rollback");
	if (r == 0 && conn->listening)
		r = cr_pg_conn_script(conn, "unlisten *");
	if (r == 0 && conn->pg->reset) {
		r = cr_pg_conn_script(conn, conn->pg->reset);
		/* It may have dropped the prepared statements. */
		cr__pg_statements_free(&conn->statements);
		conn->statements = (struct statements){
			.count_max = conn->statements.count_max,
			.number_next = conn->statements.number_next,
		};
	}
	PQfreemem(conn->notification);
	conn->notification = NULL;
	while ((conn->notification = PQnotifies(conn->link)) != NULL)
		PQfreemem(conn->notification);
	conn->listening = false;
	conn->tx_level = 0;
	return r;
}

void cr_pg_release(cr_pg_conn *conn)
{
	cr_pg *pg;
	cr_nsec grace;

	if (!conn)
		return;
	pg = conn->pg;
	grace = pg->options.cancel_grace;
	cr_pg_conn_stream_end(conn);
	if (!conn->broken && cr_shield(grace, cr_timeout(grace, restore(conn))) < 0)
		conn->broken = true;
	pg->lent--;
	if (conn->broken)
		discard(conn);
	else
		offer(conn, false);
	settle(pg);
}

void cr__pg_pool_close(cr_pg *pg)
{
	pg->closed = true;
	cr__turns_wake(&pg->turns, -ESHUTDOWN);
	for (struct opener *opener = pg->openers; opener; opener = opener->next)
		cr_task_cancel(opener->task);
	cr__idle_end(&pg->idle);
	if (pg->lent > 0 || pg->openers)
		cr_shield(CORAIL_NEVER, cr_event_wait(&pg->settled));
}
