/* SPDX-License-Identifier: MIT */
/* From a task to its connection's thread and back, through cancellation and locks. */

#include "client.h"

struct hop {
	cr_sqlite_conn *conn;
	int (*fn)(void *);
	void *arg;
	int status;
	bool ran;
};

/* What crosses is a copy of this, so that the caller can leave the wait to interrupt the work. */
struct ticket {
	struct hop *hop;
};

static int work(struct ticket *ticket)
{
	struct hop *hop = ticket->hop;
	cr_sqlite_conn *conn = hop->conn;

	hop->status = hop->fn(hop->arg);
	conn->idle = !conn->link || sqlite3_get_autocommit(conn->link);
	hop->ran = true;
	return 0;
}

static int nothing(struct ticket *ticket)
{
	(void)ticket;
	return 0;
}

/*
 * Interrupts until the worker is free: it is when a job queued behind the one under way has been
 * run. One interrupt need not do, as SQLite forgets those that come between two statements.
 */
static int interrupt(cr_sqlite_conn *conn)
{
	cr_offload_options options = {.pool = conn->thread};
	struct ticket ticket = {NULL};
	int r;

	do {
		cr_nsec before = cr_now();

		sqlite3_interrupt(conn->link);
		r = cr_timeout(cr_millis(2), cr_offload_with(&options, nothing, &ticket));
		/* Without memory for a timer: one interrupt has to do. */
		if (r < 0 && cr_now() - before < cr_millis(1))
			r = cr_offload_with(&options, nothing, &ticket);
	} while (r < 0);
	return r;
}

int cr__sqlite_hop(cr_sqlite_conn *conn, int (*fn)(void *), void *arg)
{
	cr_offload_options options = {.pool = conn->thread};
	struct hop hop = {.conn = conn, .fn = fn, .arg = arg};
	struct ticket ticket = {&hop};
	int r;

	if (cr_cancelled())
		return cr__sqlite_fail_with(conn, -ECANCELED, NULL);
	r = cr_offload_copy_with(&options, work, &ticket);
	if (r == -ECANCELED) {
		conn->db->interrupted++;
		atomic_store(&conn->stop, true);
		cr_shield(CORAIL_NEVER, interrupt(conn));
		atomic_store(&conn->stop, false);
		r = hop.ran ? 0 : r;
	}
	return r == 0 ? hop.status : cr__sqlite_fail_with(conn, r, NULL);
}

int cr__sqlite_hop_patient(cr_sqlite_conn *conn, int (*fn)(void *), void *arg)
{
	cr_nsec lock_max = conn->db->options.lock_max, begun = cr_now(), pause = cr_millis(1);

	for (bool first = true;; first = false) {
		int r;

		conn->may_wait = false;
		r = cr__sqlite_hop(conn, fn, arg);
		if (r >= 0 || !conn->may_wait)
			return r;
		conn->db->lock_waits += first;
		if (lock_max && cr_now() - begun >= lock_max)
			return r;
		r = cr_sleep(pause);
		if (r < 0)
			return cr__sqlite_fail_with(conn, r, NULL);
		pause = pause < cr_millis(16) ? pause * 2 : pause;
	}
}

int cr__sqlite_enter(cr_sqlite_conn *conn)
{
	if (conn->busy || conn->stream.open)
		return -EBUSY;
	if (conn->broken)
		return cr__sqlite_fail_with(conn, -CORAIL_E_SQL_CONNECTION, NULL);
	if (cr_cancelled())
		return cr__sqlite_fail_with(conn, -ECANCELED, NULL);
	conn->busy = true;
	return 0;
}

int cr__sqlite_leave(cr_sqlite_conn *conn, int result)
{
	conn->busy = false;
	return result;
}
