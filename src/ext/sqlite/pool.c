/* SPDX-License-Identifier: MIT */
/*
 * The pool: two lanes of connections, the writer's of one. Who waits in a lane is served first in,
 * first out: with a connection that came back, or with the place of one that is gone, in which it
 * opens its own.
 */

#include "client.h"

/* Gives a place to the first who waits for one, or back. */
static void give_place(struct lane *lane)
{
	if (!cr__turns_give(&lane->turns, NULL, 0))
		lane->count--;
}

/* The writer stays. */
static cr_nsec idle_time(const struct idle_node *node)
{
	const cr_sqlite_conn *conn = (const cr_sqlite_conn *)node;

	if (conn->lane == &conn->db->writer)
		return CORAIL_NEVER;
	return cr__time_after(node->since, conn->db->options.idle_max);
}

static void idle_end(struct idle_node *node)
{
	cr_sqlite_conn *conn = (cr_sqlite_conn *)node;
	struct lane *lane = conn->lane;

	cr__sqlite_disconnect(conn);
	give_place(lane);
}

void cr__sqlite_lane_init(struct lane *lane, size_t count_max)
{
	lane->count_max = count_max;
	lane->idle = (struct idle_list){.time_of = idle_time, .end = idle_end};
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

static int acquire(cr_sqlite *db, struct lane *lane, cr_sqlite_conn **ret_conn, cr_sql_error *error)
{
	struct turn turn;
	int r;

	if (db->closed)
		return -ESHUTDOWN;
	if (!lane->turns.first && lane->idle.first) {
		*ret_conn = (cr_sqlite_conn *)cr__idle_take(&lane->idle);
		return 0;
	}
	if (!lane->turns.first && lane->count < lane->count_max) {
		lane->count++;
		return open_in_place(db, lane, ret_conn, error);
	}
	cr__turn_join(&lane->turns, &turn);
	r = cr__turn_wait(&lane->turns, &turn);
	if (r < 0)
		return r;
	if (!turn.thing)
		return open_in_place(db, lane, ret_conn, error);
	*ret_conn = turn.thing;
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
	} else if (!cr__turns_give(&lane->turns, conn, 0)) {
		cr__idle_put(&lane->idle, &conn->node);
	}
	settle(db);
}

void cr__sqlite_pool_close(cr_sqlite *db)
{
	db->closed = true;
	cr__turns_wake(&db->writer.turns, -ESHUTDOWN);
	cr__turns_wake(&db->readers.turns, -ESHUTDOWN);
	if (db->lent > 0)
		cr_shield(CORAIL_NEVER, cr_event_wait(&db->settled));
	/* The writer last: who closes the last connection moves the log into the file. */
	cr__idle_end(&db->readers.idle);
	cr__idle_end(&db->writer.idle);
}
