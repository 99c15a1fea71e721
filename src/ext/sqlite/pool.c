/* SPDX-License-Identifier: MIT */
/*
 * The pool: two lanes of connections, the writer's of one. Who waits in a lane is served first in,
 * first out: with a connection that came back, or with the place of one that is gone, in which it
 * opens its own.
 */

#include "client.h"

struct waiter {
	cr_event event;
	struct waiter *next, *prev;
	cr_sqlite_conn *conn; /* what it was given; NULL: a place, or an error */
	int error;
};

static void waiter_unlink(struct lane *lane, struct waiter *waiter)
{
	*(waiter->prev ? &waiter->prev->next : &lane->first) = waiter->next;
	*(waiter->next ? &waiter->next->prev : &lane->last) = waiter->prev;
}

/* Gives the first who waits a connection, a place, or an error. Whether somebody waited. */
static bool hand_over(struct lane *lane, cr_sqlite_conn *conn, int error)
{
	struct waiter *waiter = lane->first;

	if (!waiter)
		return false;
	waiter_unlink(lane, waiter);
	waiter->conn = conn;
	waiter->error = error;
	cr_event_set(&waiter->event);
	return true;
}

static void give_place(struct lane *lane)
{
	if (!hand_over(lane, NULL, 0))
		lane->count--;
}

static void settle(cr_sqlite *db)
{
	db->lent--;
	if (db->closed && db->lent == 0)
		cr_event_set(&db->settled);
}

static int open_in_place(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn,
                         cr_sql_error *error)
{
	int r = cr__sqlite_connect(db, lane, ret_conn, error);

	if (r < 0)
		give_place(lane);
	return r;
}

static int wait_turn(cr_sqlite *db, struct lane *lane, struct waiter *waiter)
{
	int r;

	waiter->prev = lane->last;
	*(lane->last ? &lane->last->next : &lane->first) = waiter;
	lane->last = waiter;
	db->waiting++;
	r = cr_event_wait(&waiter->event);
	db->waiting--;
	if (cr_event_is_set(&waiter->event))
		return waiter->error;
	waiter_unlink(lane, waiter);
	return r;
}

/* Takes an idle connection out of its lane. */
static cr_sqlite_conn *idle_take(cr_sqlite_conn **place)
{
	cr_sqlite_conn *conn = *place;

	*place = conn->next;
	conn->lane->idle_count--;
	return conn;
}

static int acquire(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn, cr_sql_error *error)
{
	struct waiter waiter = {.conn = NULL};
	int r;

	if (db->closed)
		return -ESHUTDOWN;
	if (!lane->first && lane->idle) {
		*ret_conn = idle_take(&lane->idle);
		return 0;
	}
	if (!lane->first && lane->count < lane->count_max) {
		lane->count++;
		return open_in_place(db, lane, ret_conn, error);
	}
	r = wait_turn(db, lane, &waiter);
	if (r < 0)
		return r;
	if (!waiter.conn)
		return open_in_place(db, lane, ret_conn, error);
	*ret_conn = waiter.conn;
	return 0;
}

int cr__sqlite_acquire(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn,
                       cr_sql_error *ret_error)
{
	cr_sql_error error = {0};
	int r = cr_cancelled() ? -ECANCELED : 0;

	db->lent++;
	if (r == 0)
		r = acquire(db, lane, ret_conn, &error);
	if (r == 0)
		return 0;
	settle(db);
	if (error.error != r)
		cr__sqlite_error_set(&error, r, NULL);
	if (ret_error)
		*ret_error = error;
	return r;
}

int cr_sqlite_acquire(cr_sqlite *db, cr_sqlite_conn **ret_conn, cr_sql_error *ret_error)
{
	struct lane *lane = db->options.read_only && !db->single ? &db->readers : &db->writer;

	return cr__sqlite_acquire(db, lane, ret_conn, ret_error);
}

int cr_sqlite_acquire_reader(cr_sqlite *db, cr_sqlite_conn **ret_conn, cr_sql_error *ret_error)
{
	return cr__sqlite_acquire(db, db->single ? &db->writer : &db->readers, ret_conn, ret_error);
}

/* Closes idle readers whose time has come. Returns when the next one's will. */
static cr_nsec tend_once(cr_sqlite *db)
{
	cr_nsec next = CORAIL_NEVER;
	cr_sqlite_conn **place = &db->readers.idle;

	while (*place) {
		cr_nsec end = (*place)->idle_since + db->options.idle_max;

		if (end <= cr_now()) {
			/* Meanwhile the list may change. */
			cr__sqlite_disconnect(idle_take(place));
			give_place(&db->readers);
			place = &db->readers.idle;
			next = CORAIL_NEVER;
			continue;
		}
		next = end < next ? end : next;
		place = &(*place)->next;
	}
	return next;
}

static int tend(cr_sqlite **handle)
{
	cr_sqlite *db = *handle;
	cr_nsec next = tend_once(db);

	while (next != CORAIL_NEVER && cr_sleep_until(next) == 0)
		next = tend_once(db);
	db->tended = false;
	return 0;
}

static void rest(cr_sqlite_conn *conn)
{
	cr_sqlite *db = conn->db;
	struct lane *lane = conn->lane;

	conn->idle_since = cr_now();
	conn->next = lane->idle;
	lane->idle = conn;
	lane->idle_count++;
	if (db->tended || lane == &db->writer)
		return;
	db->tender = cr_spawn_copy(cr_scope_program(), tend, &db);
	db->tended = cr_task_error(db->tender) == 0;
}

static int rollback_work(void *arg)
{
	return cr__sqlite_simple_surely(arg, "rollback");
}

/* Puts a connection back into the state in which it was lent. */
static void restore(cr_sqlite_conn *conn)
{
	conn->tx_level = 0;
	cr_sqlite_conn_stream_end(conn);
	if (!conn->idle && !conn->broken &&
	    cr_shield(CORAIL_NEVER, cr__sqlite_hop(conn, rollback_work, conn)) < 0)
		conn->broken = true;
}

void cr_sqlite_release(cr_sqlite_conn *conn)
{
	cr_sqlite *db;
	struct lane *lane;

	if (!conn)
		return;
	db = conn->db;
	lane = conn->lane;
	restore(conn);
	if (conn->broken) {
		db->discarded++;
		cr__sqlite_disconnect(conn);
		give_place(lane);
	} else if (!hand_over(lane, conn, 0)) {
		rest(conn);
	}
	settle(db);
}

static void close_idle(struct lane *lane)
{
	while (lane->idle) {
		lane->count--;
		cr__sqlite_disconnect(idle_take(&lane->idle));
	}
}

void cr__sqlite_pool_close(cr_sqlite *db)
{
	db->closed = true;
	while (hand_over(&db->writer, NULL, -ESHUTDOWN) ||
	       hand_over(&db->readers, NULL, -ESHUTDOWN))
		continue;
	if (db->lent > 0)
		cr_shield(CORAIL_NEVER, cr_event_wait(&db->settled));
	if (db->tended) {
		cr_task_cancel(db->tender);
		cr_shield(CORAIL_NEVER, cr_await(db->tender));
	}
	/* The writer last: who closes the last connection moves the log into the file. */
	close_idle(&db->readers);
	close_idle(&db->writer);
}
