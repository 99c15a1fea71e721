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
	cr_event event;
	struct waiter *next, *prev;
	cr_pg_conn *conn; /* what it was given */
	int error;        /* ... or why not */
	cr_sql_error *ret_error;
};

struct opener {
	struct opener *next, *prev;
	cr_pg *pg;
	cr_task task;
};

static void waiter_unlink(cr_pg *pg, struct waiter *waiter)
{
	*(waiter->prev ? &waiter->prev->next : &pg->first) = waiter->next;
	*(waiter->next ? &waiter->next->prev : &pg->last) = waiter->prev;
	pg->waiting--;
}

/* Gives the first who waits a connection, or an error. Whether somebody waited. */
static bool hand_over(cr_pg *pg, cr_pg_conn *conn, int error)
{
	struct waiter *waiter = pg->first;

	if (!waiter)
		return false;
	waiter_unlink(pg, waiter);
	waiter->conn = conn;
	waiter->error = error;
	cr_event_set(&waiter->event);
	return true;
}

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

/* Closes idle connections whose time has come, the longest unused first: they lie at the end. */
static cr_nsec tend_once(cr_pg *pg)
{
	cr_nsec now = cr_now(), next = CORAIL_NEVER;
	cr_pg_conn **place = &pg->idle;

	while (*place) {
		cr_pg_conn *conn = *place;
		cr_nsec end = conn->idle_since + pg->options.idle_max;

		if (now >= end || too_old(conn, now)) {
			*place = conn->next;
			pg->idle_count--;
			discard(conn);
			place = &pg->idle;
			continue;
		}
		next = end < next ? end : next;
		place = &conn->next;
	}
	return next;
}

static int tend(cr_pg **pg)
{
	cr_nsec next = tend_once(*pg);
	int r = 0;

	while (r == 0 && next != CORAIL_NEVER) {
		r = cr_sleep_until(next);
		if (r == 0)
			next = tend_once(*pg);
	}
	(*pg)->tended = false;
	return 0;
}

static void rest(cr_pg_conn *conn)
{
	cr_pg *pg = conn->pg;

	conn->idle_since = cr_now();
	conn->next = pg->idle;
	pg->idle = conn;
	pg->idle_count++;
	if (pg->tended)
		return;
	pg->tender = cr_spawn_copy(cr_scope_program(), tend, &pg);
	pg->tended = cr_task_error(pg->tender) == 0;
}

/* Lends a connection to the first who waits, or keeps it. */
static void offer(cr_pg_conn *conn)
{
	cr_pg *pg = conn->pg;

	if (pg->closed || too_old(conn, cr_now()))
		discard(conn);
	else if (!hand_over(pg, conn, 0)) {
		if (pg->idle_count < pg->options.conn_count_idle_max)
			rest(conn);
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
		offer(conn);
	} else {
		pg->count--;
		if (pg->first && pg->first->ret_error)
			*pg->first->ret_error = error;
		hand_over(pg, NULL, r == -ECANCELED ? -ESHUTDOWN : r);
		open_missing(pg);
	}
	settle(pg);
	return 0;
}

static int opener_new(cr_pg *pg)
{
	struct opener *opener = calloc(1, sizeof *opener);
	int r;

	if (!opener)
		return -ENOMEM;
	*opener = (struct opener){.next = pg->openers, .pg = pg};
	opener->task = cr_spawn_copy(cr_scope_program(), open_one, &opener);
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
	while (!pg->closed && opening < pg->waiting && pg->count < pg->options.conn_count_max) {
		int r = opener_new(pg);

		if (r < 0) {
			hand_over(pg, NULL, r);
			return;
		}
		opening++;
	}
}

/* Whether the server still answers. Cheap for one that was used a moment ago. */
static bool healthy(cr_pg_conn *conn)
{
	cr_nsec idle = cr_now() - conn->idle_since;
	int r = 0;

	/* PQisBusy() takes apart what came: a farewell of the server, perhaps. */
	if (!PQconsumeInput(conn->link) || PQisBusy(conn->link) ||
	    PQstatus(conn->link) != CONNECTION_OK)
		conn->broken = true;
	else if (!conn->broken && idle >= conn->pg->options.check_after)
		r = cr_pg_conn_script(conn, "");
	conn->broken |= r < 0;
	return !conn->broken;
}

/* An idle connection that is fit to be used; NULL without one. */
static cr_pg_conn *take_idle(cr_pg *pg)
{
	while (pg->idle) {
		cr_pg_conn *conn = pg->idle;

		pg->idle = conn->next;
		pg->idle_count--;
		if (!too_old(conn, cr_now()) && healthy(conn))
			return conn;
		pg->discarded += conn->broken;
		cr__pg_disconnect(conn);
		pg->count--;
	}
	return NULL;
}

static int wait_turn(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *error)
{
	struct waiter waiter = {.prev = pg->last, .ret_error = error};
	int r;

	*(pg->last ? &pg->last->next : &pg->first) = &waiter;
	pg->last = &waiter;
	pg->waiting++;
	open_missing(pg);
	r = cr_event_wait(&waiter.event);
	if (!cr_event_is_set(&waiter.event)) {
		waiter_unlink(pg, &waiter);
		return r;
	}
	if (waiter.error < 0)
		return waiter.error;
	*ret_conn = waiter.conn;
	return 0;
}

static int acquire(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *error)
{
	cr_pg_conn *conn;

	if (pg->closed)
		return -ESHUTDOWN;
	conn = pg->first ? NULL : take_idle(pg);
	if (!conn)
		return wait_turn(pg, ret_conn, error);
	*ret_conn = conn;
	return 0;
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
		offer(conn);
	settle(pg);
}

void cr__pg_pool_close(cr_pg *pg)
{
	pg->closed = true;
	while (hand_over(pg, NULL, -ESHUTDOWN))
		continue;
	while (pg->idle) {
		cr_pg_conn *conn = pg->idle;

		pg->idle = conn->next;
		pg->idle_count--;
		discard(conn);
	}
	for (struct opener *opener = pg->openers; opener; opener = opener->next)
		cr_task_cancel(opener->task);
	if (pg->tended) {
		cr_task_cancel(pg->tender);
		cr_shield(CORAIL_NEVER, cr_await(pg->tender));
	}
	if (pg->lent > 0 || pg->openers)
		cr_shield(CORAIL_NEVER, cr_event_wait(&pg->settled));
}
