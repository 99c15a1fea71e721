/* SPDX-License-Identifier: MIT */
/*
 * Pipelines: statements go out without waiting for answers, in libpq's pipeline mode. While the
 * socket takes no more, answers are read: else both sides could wait for the other to read
 * (PostgreSQL manual, section 34.5).
 */

#include "client.h"

#include <poll.h>
#include <stdlib.h>

enum { FLUSH_EVERY = 64 };

struct pipeline {
	cr_pg_conn *conn;
	cr_pg_call *calls;
	size_t count, sent, answered;
	bool between; /* the answer at hand is read; its end is not */
	bool opened;  /* the answer to the first synchronization has come */
	bool synced;  /* the server is through with all of it */
	int error;    /* the first statement's that failed */
};

static int send_one(struct pipeline *p)
{
	const cr_pg_call *call = &p->calls[p->sent];
	struct params_room room;
	struct params params;
	int sent, r = cr__pg_params(call->params, call->param_count, &room, &params);

	if (r < 0)
		return cr__pg_fail_with(p->conn, r, NULL);
	sent = PQsendQueryParams(p->conn->link, call->sql, params.count, NULL, params.values,
	                         params.lengths, params.formats, 0);
	free(params.memory);
	if (!sent)
		return cr__pg_fail(p->conn, NULL);
	p->sent++;
	return 0;
}

static int keep_rows(struct pipeline *p, cr_pg_call *call, PGresult *result)
{
	cr_pg_rows *rows;

	if (PQresultMemorySize(result) > p->conn->pg->options.result_size_max) {
		PQclear(result);
		return -EMSGSIZE;
	}
	rows = calloc(1, sizeof *rows);
	if (!rows) {
		PQclear(result);
		return -ENOMEM;
	}
	cr__pg_rows_finish(rows, result);
	call->rows = rows;
	return 0;
}

static void take(struct pipeline *p, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	cr_pg_call *call;

	if (status == PGRES_PIPELINE_SYNC) {
		p->synced = p->opened;
		p->opened = true;
		PQclear(result);
		return;
	}
	if (!result || p->answered >= p->count) {
		p->between = false;
		PQclear(result);
		return;
	}
	call = &p->calls[p->answered++];
	p->between = true;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	    status == PGRES_EMPTY_QUERY) {
		call->status = keep_rows(p, call, result);
	} else {
		call->status = status == PGRES_PIPELINE_ABORTED ? -CORAIL_E_SQL_ABORTED
		                                                : cr__pg_fail(p->conn, result);
		PQclear(result);
	}
	if (call->status < 0 && !p->error)
		p->error = call->status;
}

/* Takes the answers that have come. */
static void take_ready(struct pipeline *p)
{
	while (!p->synced && !PQisBusy(p->conn->link)) {
		PGresult *result = PQgetResult(p->conn->link);

		if (!result && !p->between)
			return;
		take(p, result);
	}
}

/* Sends what libpq holds, taking answers meanwhile. */
static int flush(struct pipeline *p)
{
	for (;;) {
		int r = PQflush(p->conn->link);

		if (r < 0)
			return cr__pg_fail(p->conn, NULL);
		if (r == 0)
			return 0;
		r = cr_fd_poll(PQsocket(p->conn->link), POLLIN | POLLOUT);
		if (r < 0)
			return r;
		if ((r & ~POLLOUT) && !PQconsumeInput(p->conn->link))
			return cr__pg_fail(p->conn, NULL);
		take_ready(p);
	}
}

static int run(struct pipeline *p)
{
	int r = 0;

	/*
	 * The first statement of a pipeline keeps the single-row mode of the query before it: libpq
	 * takes the mode back when it goes on from one entry to the next, so this is the first one.
	 */
	if (!PQpipelineSync(p->conn->link))
		r = cr__pg_fail(p->conn, NULL);
	while (r == 0 && p->sent < p->count) {
		r = send_one(p);
		if (r == 0 && p->sent % FLUSH_EVERY == 0)
			r = flush(p);
	}
	if (r == 0 && !PQpipelineSync(p->conn->link))
		r = cr__pg_fail(p->conn, NULL);
	if (r == 0)
		r = flush(p);
	for (;;) {
		take_ready(p);
		if (r < 0 || p->synced)
			break;
		r = cr__pg_receive(p->conn);
	}
	if (r == 0 && !PQexitPipelineMode(p->conn->link))
		r = cr__pg_fail(p->conn, NULL);
	return r;
}

int cr_pg_conn_pipeline(cr_pg_conn *conn, cr_pg_call *calls, size_t count)
{
	struct pipeline p = {.conn = conn, .calls = calls, .count = count};
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		calls[i].status = -CORAIL_E_SQL_ABORTED;
		calls[i].rows = NULL;
	}
	if (count > 0)
		r = PQenterPipelineMode(conn->link) ? run(&p) : cr__pg_fail(conn, NULL);
	for (size_t i = p.answered; r < 0 && i < count; i++)
		calls[i].status = r;
	r = cr__pg_leave(conn, r);
	return r < 0 ? r : p.error;
}
