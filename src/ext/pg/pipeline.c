/* SPDX-License-Identifier: MIT */
/*
 * Pipelines: statements, or one with many sets of parameters, go out without waiting for answers,
 * in libpq's pipeline mode. While the socket takes no more, answers are read: else both sides could
 * wait for the other to read (PostgreSQL manual, section 34.5).
 */

#include "client.h"

#include <poll.h>
#include <stdlib.h>

enum { FLUSH_EVERY = 64 };

struct pipeline {
	cr_pg_conn *conn;
	int (*send)(struct pipeline *p);                     /* the next one */
	int (*answer)(struct pipeline *p, PGresult *result); /* to the next one; owns the result */
	size_t count, sent, answered;
	bool between; /* the answer at hand is read; its end is not */
	bool opened;  /* the answer to the first synchronization has come */
	bool synced;  /* the server is through with all of it */
	int error;    /* the first statement's that failed */

	cr_pg_call *calls;

	const char *sql, *name;     /* name: as it is prepared; "" if it is not */
	const cr_sql_value *values; /* sets of value_count */
	size_t value_count;
	uint64_t affected;
};

static int send_statement(struct pipeline *p, const char *sql, const char *name,
                          const cr_sql_value *values, size_t count)
{
	PGconn *link = p->conn->link;
	struct params_room room;
	struct params params;
	int sent, r = cr__pg_params(values, count, &room, &params);

	if (r < 0)
		return cr__pg_fail_with(p->conn, r, NULL);
	if (*name)
		sent = PQsendQueryPrepared(link, name, params.count, params.values, params.lengths,
		                           params.formats, 0);
	else
		sent = PQsendQueryParams(link, sql, params.count, NULL, params.values,
		                         params.lengths, params.formats, 0);
	free(params.memory);
	return sent ? 0 : cr__pg_fail(p->conn, NULL);
}

static int send_call(struct pipeline *p)
{
	const cr_pg_call *call = &p->calls[p->sent];

	return send_statement(p, call->sql, "", call->params, call->param_count);
}

static int send_set(struct pipeline *p)
{
	return send_statement(p, p->sql, p->name, p->values + p->sent * p->value_count,
	                      p->value_count);
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

static bool succeeded(ExecStatusType status)
{
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	       status == PGRES_EMPTY_QUERY;
}

/* The error of an answer, which is then gone. */
static int failure(struct pipeline *p, PGresult *result)
{
	int r = PQresultStatus(result) == PGRES_PIPELINE_ABORTED ? -CORAIL_E_SQL_ABORTED
	                                                         : cr__pg_fail(p->conn, result);

	PQclear(result);
	return r;
}

static int answer_call(struct pipeline *p, PGresult *result)
{
	cr_pg_call *call = &p->calls[p->answered];

	call->status = succeeded(PQresultStatus(result)) ? keep_rows(p, call, result)
	                                                 : failure(p, result);
	return call->status;
}

static int answer_set(struct pipeline *p, PGresult *result)
{
	/* Also when it gave rows: "returning", or a select, which changes none. */
	const char *tag = PQcmdStatus(result);

	if (!succeeded(PQresultStatus(result)))
		return failure(p, result);
	if (strncmp(tag, "SELECT", 6) != 0)
		p->affected += strtoull(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return 0;
}

static void take(struct pipeline *p, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	int r;

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
	r = p->answer(p, result);
	p->answered++;
	p->between = true;
	if (r < 0 && !p->error)
		p->error = r;
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
		r = p->send(p);
		p->sent += r == 0;
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
	struct pipeline p = {.conn = conn,
	                     .send = send_call,
	                     .answer = answer_call,
	                     .calls = calls,
	                     .count = count};
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

/* All sets of parameters, by a prepared statement if one can be made. */
static int run_many(struct pipeline *p)
{
	cr_pg_conn *conn = p->conn;
	struct statement *statement = cr__pg_statement(conn, p->sql);
	int r = 0;

	/* The first time it is only remembered. */
	if (!statement && p->count > 1)
		statement = cr__pg_statement(conn, p->sql);
	if (statement)
		r = cr__pg_statement_prepare(conn, statement);
	if (r < 0)
		return r;
	p->name = statement ? cr__pg_statement_name(statement) : "";
	r = PQenterPipelineMode(conn->link) ? run(p) : cr__pg_fail(conn, NULL);
	/* The server has forgotten it ("deallocate all"): so will we, for the next time. */
	if (r == 0 && p->error < 0 && *p->name && strcmp(conn->error.sqlstate, "26000") == 0)
		cr__pg_statement_drop(conn, statement);
	return r;
}

int cr_pg_conn_query_many(cr_pg_conn *conn, const char *sql, const cr_sql_value *params,
                          size_t param_count, size_t count, uint64_t *ret_affected)
{
	struct pipeline p = {.conn = conn,
	                     .send = send_set,
	                     .answer = answer_set,
	                     .count = count,
	                     .sql = sql,
	                     .values = params,
	                     .value_count = param_count};
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	if (count > 0)
		r = run_many(&p);
	r = cr__pg_leave(conn, r);
	r = r < 0 ? r : p.error;
	if (r == 0 && ret_affected)
		*ret_affected = p.affected;
	return r;
}

int cr_pg_query_many(cr_pg *pg, const char *sql, const cr_sql_value *params, size_t param_count,
                     size_t count, uint64_t *ret_affected)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(pg, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_pg_conn_query_many(conn, sql, params, param_count, count, ret_affected);
	cr_pg_release(conn);
	return r;
}
