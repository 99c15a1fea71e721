/* SPDX-License-Identifier: MIT */
/* The frame around every call: one at a time, and nothing of its answer is left behind. */

#include "client.h"

#include <corail/exec.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

int cr__pg_enter(cr_pg_conn *conn, enum mode mode)
{
	if (conn->busy)
		return -EBUSY;
	if (conn->mode != mode) {
		if (mode != CALM)
			return -ENOENT;
		cr__pg_fail_with(conn, -EBUSY, "a stream or a copy is under way");
		return -EBUSY;
	}
	if (cr_cancelled())
		return -ECANCELED;
	if (conn->broken)
		return cr__pg_fail_with(conn, -CORAIL_E_SQL_CONNECTION, NULL);
	conn->busy = true;
	return 0;
}

/*
 * A cancel request, shared by the task that wants it and the thread that sends it: the last of the
 * two frees it. A thread that never began has no share.
 */
struct request {
	PGcancel *cancel;
	atomic_int state;
};

enum { WAITING, BEGUN, SENT, LEFT };

/* How long the end of a statement is waited for before it is told again to end. */
#define AGAIN cr_millis(50)

static void request_free(struct request *request)
{
	PQfreeCancel(request->cancel);
	free(request);
}

/*
 * libpq's cancel request blocks: it connects, sends, and waits until the server hangs up. On a
 * thread, which is left behind when it takes too long.
 */
static int request_send(struct request **handle)
{
	struct request *request = *handle;
	char message[256];
	int r;

	atomic_store(&request->state, BEGUN);
	r = PQcancel(request->cancel, message, sizeof message) ? 0 : -CORAIL_E_SQL_CONNECTION;
	if (atomic_exchange(&request->state, SENT) == LEFT)
		request_free(request);
	return r;
}

static int request_cancel(cr_pg_conn *conn)
{
	struct request *request = calloc(1, sizeof *request);
	int r;

	if (!request)
		return -ENOMEM;
	request->cancel = PQgetCancel(conn->link);
	conn->pg->cancelled++;
	r = request->cancel ? cr_offload_copy(request_send, &request) : -CORAIL_E_SQL_CONNECTION;
	if (atomic_exchange(&request->state, LEFT) != BEGUN)
		request_free(request);
	return r;
}

/* Whether a result says that a cancel request was obeyed: query_canceled. */
static bool obeyed(const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return sqlstate && strcmp(sqlstate, "57014") == 0;
}

/* What was found in what was left of an answer. */
struct rest {
	bool obeyed; /* a cancel request ended the statement */
	bool late;   /* one may still be on its way */
	bool copied; /* a copy into the server was given up */
	bool empty;  /* the answer to an empty statement */
};

/* Reads and drops what is left of the answer. */
static int drain(cr_pg_conn *conn, struct rest *rest)
{
	bool pipelined = PQpipelineStatus(conn->link) != PQ_PIPELINE_OFF;
	PGresult *result;
	int r;

	for (;;) {
		ExecStatusType status;

		r = cr__pg_result(conn, &result);
		if (r < 0)
			return r;
		status = PQresultStatus(result);
		rest->obeyed |= obeyed(result);
		rest->copied |= status == PGRES_COPY_IN;
		rest->empty |= status == PGRES_EMPTY_QUERY;
		PQclear(result);
		if (!result && !pipelined)
			return 0;
		if (status == PGRES_PIPELINE_SYNC)
			return PQexitPipelineMode(conn->link) ? 0 : -CORAIL_E_SQL_CONNECTION;
		if (status == PGRES_COPY_IN && PQputCopyEnd(conn->link, "given up") < 0)
			return -CORAIL_E_SQL_CONNECTION;
		if (status == PGRES_COPY_IN && (r = cr__pg_flush(conn)) < 0)
			return r;
		while (status == PGRES_COPY_OUT) {
			char *data;
			int size = PQgetCopyData(conn->link, &data, 1);

			PQfreemem(data);
			if (size < 0)
				break;
			if (size == 0 && (r = cr__pg_receive(conn)) < 0)
				return r;
		}
	}
}

/*
 * A cancel request that came too late for its statement may still be on its way, and would hit the
 * next one: the server has sent itself a signal when the request returns, but not yet looked at it.
 * It looks before it reads the command after this empty one (PostgreSQL, tcop/postgres.c), and
 * forgets a request that finds it idle.
 *
 * And a copy that fails before the server has read from it, by a trigger or a cancel request, may
 * leave one "ready for query" too many. In the extended protocol libpq sends a Sync with a
 * statement and one with the end of its copy, and the server ignores the first only while it reads
 * the copy (PostgreSQL manual, COPY Operations). The second answer would then pass for the end of
 * the next statement, and each result for that of the one after it: so this connection is given up.
 */
static int absorb(cr_pg_conn *conn)
{
	struct rest rest = {0};
	int r = PQsendQuery(conn->link, "") ? cr__pg_flush(conn) : -CORAIL_E_SQL_CONNECTION;

	if (r == 0)
		r = drain(conn, &rest);
	return r == 0 && !rest.empty ? -CORAIL_E_SQL_CONNECTION : r;
}

/*
 * A request that overtakes its statement finds the server idle, and is forgotten: so it is sent
 * again until the statement has ended.
 */
static int stop(cr_pg_conn *conn, struct rest *rest)
{
	int sent = 0, r;

	do {
		r = request_cancel(conn);
		sent++;
		if (r == 0)
			r = cr_timeout(AGAIN, drain(conn, rest));
	} while (r == -ETIMEDOUT);
	rest->late = !rest->obeyed || sent > 1;
	return r;
}

static int calm(cr_pg_conn *conn)
{
	bool working = PQtransactionStatus(conn->link) == PQTRANS_ACTIVE;
	struct rest rest = {.copied = conn->mode == COPY_IN};
	int r;

	if (PQpipelineStatus(conn->link) != PQ_PIPELINE_OFF && !PQpipelineSync(conn->link))
		return -CORAIL_E_SQL_CONNECTION;
	/* A copy into the server is given up by saying so; it was ended already if this fails. */
	if (rest.copied)
		PQputCopyEnd(conn->link, "given up");
	r = cr__pg_flush(conn);
	if (r < 0)
		return r;
	if (!working)
		return drain(conn, &rest);
	r = rest.copied ? cr_timeout(AGAIN, drain(conn, &rest)) : -ETIMEDOUT;
	if (r == -ETIMEDOUT)
		r = stop(conn, &rest);
	return r == 0 && (rest.late || rest.copied) ? absorb(conn) : r;
}

int cr__pg_calm(cr_pg_conn *conn)
{
	cr_nsec grace = conn->pg->options.cancel_grace;
	cr_sql_error kept = conn->error;
	int r = -CORAIL_E_SQL_CONNECTION;

	if (!conn->broken)
		r = cr_shield(grace, cr_timeout(grace, calm(conn)));
	conn->broken |= r < 0;
	conn->mode = CALM;
	conn->error = kept;
	return conn->broken ? -CORAIL_E_SQL_CONNECTION : 0;
}

int cr__pg_leave(cr_pg_conn *conn, int result)
{
	conn->busy = false;
	if (result >= 0)
		return result;
	if (conn->error.error != result)
		cr__pg_fail_with(conn, result, NULL);
	cr__pg_calm(conn);
	return result;
}
