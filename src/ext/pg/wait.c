/* SPDX-License-Identifier: MIT */
/* libpq's socket: a task waits for it, libpq reads and writes. */

#include "client.h"

#include <poll.h>

/* Returns the events that hold, or a negative error. */
static int wait_for(cr_pg_conn *conn, int events)
{
	int r = cr_fd_poll(PQsocket(conn->link), events);

	if (r >= 0 || r == -ECANCELED || r == -ENOMEM)
		return r;
	conn->broken = true;
	return cr__pg_fail_with(conn, -CORAIL_E_SQL_CONNECTION, "the connection's socket is gone");
}

int cr__pg_receive(cr_pg_conn *conn)
{
	int r = wait_for(conn, POLLIN);

	if (r < 0)
		return r;
	return PQconsumeInput(conn->link) ? 0 : cr__pg_fail(conn, NULL);
}

/*
 * The server may stop reading until its own answers are read: so both directions are waited for,
 * and input is taken as it comes (PostgreSQL manual, section 34.4).
 */
int cr__pg_flush(cr_pg_conn *conn)
{
	for (;;) {
		int r = PQflush(conn->link);

		if (r < 0)
			return cr__pg_fail(conn, NULL);
		if (r == 0)
			return 0;
		r = wait_for(conn, POLLIN | POLLOUT);
		if (r < 0)
			return r;
		if ((r & ~POLLOUT) && !PQconsumeInput(conn->link))
			return cr__pg_fail(conn, NULL);
	}
}

int cr__pg_result(cr_pg_conn *conn, PGresult **ret_result)
{
	while (PQisBusy(conn->link)) {
		int r = cr__pg_receive(conn);

		if (r < 0)
			return r;
	}
	*ret_result = PQgetResult(conn->link);
	return 0;
}
