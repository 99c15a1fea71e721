/* SPDX-License-Identifier: MIT */
/* The frame around every call: one at a time, and nothing of its answer is left behind. */

#include "client.h"

#include <corail/exec.h>

#include <stdatomic.h>
#include <stdlib.h>

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

/* Reads and drops what is left of the answer. */
static int drain(cr_pg_conn *conn)
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

static int calm(cr_pg_conn *conn)
{
	bool working = PQtransactionStatus(conn->link) == PQTRANS_ACTIVE;
	int r = 0;

	if (PQpipelineStatus(conn->link) != PQ_PIPELINE_OFF && !PQpipelineSync(conn->link))
		return -CORAIL_E_SQL_CONNECTION;
	if (working)
		r = request_cancel(conn);
	if (r == 0)
		r = cr__pg_flush(conn);
	return r < 0 ? r : drain(conn);
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
