/* SPDX-License-Identifier: MIT */
/* LISTEN: notifications come with any answer, or by themselves. */

#include "client.h"

int cr_pg_conn_listen(cr_pg_conn *conn, const char *channel)
{
	cr_buf sql = {0};
	char *quoted;
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	quoted = PQescapeIdentifier(conn->link, channel, strlen(channel));
	r = quoted ? cr_buf_printf(&sql, "listen %s", quoted) : cr__pg_fail(conn, NULL);
	conn->listening = true;
	if (r == 0)
		r = cr__pg_simple(conn, sql.data, NULL, 0);
	PQfreemem(quoted);
	cr_buf_free(&sql);
	return cr__pg_leave(conn, r);
}

int cr_pg_conn_notification(cr_pg_conn *conn, cr_pg_notification *ret_notification)
{
	PGnotify *notification;
	int r = cr__pg_enter(conn, CALM);

	if (r < 0)
		return r;
	PQfreemem(conn->notification);
	conn->notification = NULL;
	while (!(notification = PQnotifies(conn->link)) && r == 0)
		r = cr__pg_receive(conn);
	conn->busy = false;
	if (!notification) {
		/* Nothing was asked of the server: there is no answer that could be in doubt. */
		return r;
	}
	conn->notification = notification;
	*ret_notification = (cr_pg_notification){
		.channel = notification->relname,
		.payload = notification->extra,
		.backend_pid = notification->be_pid,
	};
	return 0;
}
