/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include <corail/io.h>
#include <corail/task.h>

#include "base/alloc.h"
#include "base/panic.h"
#include "io/terminal.h"
#include "loop/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* A connection's life, and the transport over a plain descriptor. */

/* How long a transport may take to say goodbye when the task that closes it is cancelled. */
#define CLOSE_GRACE cr_seconds(5)

/* ----------------------------------------------------------------------- a plain descriptor --- */

static ssize_t plain_read(void *state, void *buffer, size_t size)
{
	cr_conn *conn = state;

	return conn->socket ? cr_fd_recv(conn->fd, buffer, size, 0)
	                    : cr_fd_read(conn->fd, buffer, size);
}

static ssize_t plain_write(void *state, const struct iovec *vector, int count)
{
	cr_conn *conn = state;
	struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};

	if (!conn->socket)
		return cr_fd_writev(conn->fd, vector, count);
	if (count == 1)
		return cr_fd_send(conn->fd, vector->iov_base, vector->iov_len, 0);
	return cr_fd_sendmsg(conn->fd, &message, 0);
}

static int plain_shutdown_write(void *state)
{
	cr_conn *conn = state;
	int r = cr__sock_shutdown(cr__loop_self(), conn->fd, SHUT_WR);

	return r == -ENOTSOCK ? -EOPNOTSUPP : r;
}

static void plain_cancel(void *state)
{
	cr__fd_cancel(cr__loop_self(), ((cr_conn *)state)->fd);
}

static int plain_close(void *state, int reset)
{
	cr_conn *conn = state;
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	/*
	 * socket(7): with a linger time of zero, close(2) discards what is queued and sends a
	 * reset.
	 */
	if (reset && conn->socket)
		cr__sock_option(cr__loop_self(), conn->fd, SOL_SOCKET, SO_LINGER, &linger,
		                sizeof linger);
	/* epoll watches open files: this one outlives its number. */
	if (conn->shared)
		cr_fd_forget(conn->fd);
	return cr_fd_close(conn->fd);
}

static int plain_fd(void *state)
{
	return ((cr_conn *)state)->fd;
}

typedef int name_fn(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);

static int plain_name(const cr_conn *conn, name_fn *name, cr_addr *ret_addr)
{
	cr_addr addr = {.length = sizeof addr.storage};
	int r = name(cr__loop_self(), conn->fd, (struct sockaddr *)&addr.storage, &addr.length);

	if (r < 0)
		return r;
	*ret_addr = addr;
	return 0;
}

static int plain_local(void *state, cr_addr *ret_addr)
{
	return plain_name(state, cr__sock_name, ret_addr);
}

static int plain_peer(void *state, cr_addr *ret_addr)
{
	return plain_name(state, cr__sock_peer, ret_addr);
}

const cr_transport cr__conn_plain = {
	.read = plain_read,
	.write = plain_write,
	.shutdown_write = plain_shutdown_write,
	.cancel = plain_cancel,
	.close = plain_close,
	.fd = plain_fd,
	.local = plain_local,
	.peer = plain_peer,
};

/* ---------------------------------------------------------------------------------- opening --- */

int cr_conn_from_transport(const cr_transport *transport, void *state, cr_conn **ret_conn)
{
	cr_conn *conn = cr__alloc_zero(1, sizeof *conn);

	if (!conn)
		return -ENOMEM;
	conn->transport = transport;
	conn->state = state;
	conn->fd = -1;
	*ret_conn = conn;
	return 0;
}

void *cr_conn_transport_state(const cr_conn *conn, const cr_transport *transport)
{
	return conn->transport == transport ? conn->state : NULL;
}

static int from_fd(int fd, bool socket, cr_conn **ret_conn)
{
	cr_conn *conn;
	int r = cr_conn_from_transport(&cr__conn_plain, NULL, &conn);

	if (r < 0)
		return r;
	conn->state = conn;
	conn->fd = fd;
	conn->socket = socket;
	*ret_conn = conn;
	return 0;
}

int cr__conn_from_socket(int fd, int family, cr_conn **ret_conn)
{
	int r = from_fd(fd, true, ret_conn);

	if (r == 0 && family != AF_UNIX)
		cr_conn_nodelay_set(*ret_conn, 1);
	return r;
}

int cr_conn_from_fd(int fd, cr_conn **ret_conn)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof name;
	int r;

	cr__task_current(__func__);
	r = cr__sock_name(cr__loop_self(), fd, (struct sockaddr *)&name, &length);
	if (r == -ENOTSOCK)
		return from_fd(fd, false, ret_conn);
	if (r < 0)
		return r;
	return cr__conn_from_socket(fd, name.ss_family, ret_conn);
}

int cr_conn_pair(cr_conn *ret_conns[2])
{
	cr_conn *conns[2];
	struct cr__loop *loop;
	int fds[2], r;

	cr__task_current(__func__);
	loop = cr__loop_self();
	r = cr__sock_pair(loop, AF_UNIX, SOCK_STREAM, fds);
	if (r < 0)
		return r;
	r = from_fd(fds[0], true, &conns[0]);
	if (r == 0) {
		r = from_fd(fds[1], true, &conns[1]);
		if (r < 0)
			cr__free(conns[0]);
	}
	if (r < 0) {
		cr__fd_close(loop, fds[0]);
		cr__fd_close(loop, fds[1]);
		return r;
	}
	ret_conns[0] = conns[0];
	ret_conns[1] = conns[1];
	return 0;
}

/* ------------------------------------------------------------------------------- directions --- */

int cr__conn_enter(cr_conn *conn, bool *direction, const char *caller)
{
	int r = cr__park_check(caller);

	if (r < 0)
		return r;
	if (*direction) {
		cr__debug_busy(caller, cr_conn_fd(conn));
		return -EBUSY;
	}
	if (conn->closing)
		return -ECANCELED;
	*direction = true;
	return 0;
}

ssize_t cr__conn_leave(cr_conn *conn, bool *direction, ssize_t result)
{
	*direction = false;
	if (conn->closer_parked && !conn->reading && !conn->writing && !cr__conn_out_busy(conn)) {
		conn->closer_parked = false;
		cr__unpark(conn->closer.task, 0);
	}
	return result;
}

void cr_conn_cancel(cr_conn *conn)
{
	if (conn->reading || conn->writing || cr__conn_out_busy(conn))
		conn->transport->cancel(conn->state);
}

/* ---------------------------------------------------------------------------------- closing --- */

/* Ends the calls of others, and waits for them. */
static void calls_end(cr_conn *conn)
{
	for (int i = 0; i < 2; i++) {
		if (conn->relay[i])
			cr_scope_cancel(conn->relay[i]);
	}
	cr_conn_cancel(conn);
	if (!conn->reading && !conn->writing && !cr__conn_out_busy(conn))
		return;
	conn->closer = (struct cr__wait){.reason = "close", .fd = conn->fd};
	conn->closer_parked = true;
	cr__park(&conn->closer);
}

static int transport_close(cr_conn *conn, int reset)
{
	int r = 0, closed;

	if (conn->transport != &cr__conn_plain)
		return cr_shield(CLOSE_GRACE, conn->transport->close(conn->state, reset));
	if (!reset && conn->linger > 0)
		r = cr_shield(CLOSE_GRACE, cr__conn_linger(conn));
	closed = plain_close(conn, reset || r < 0);
	return r < 0 ? r : closed;
}

static int conn_close(cr_conn *conn, int reset, const char *caller)
{
	int r, flushed = 0;

	cr__task_current(caller);
	if (conn->closing)
		cr__panic("%s: the connection is being closed already", caller);
	conn->closing = true;
	if (conn->out) {
		cr__conn_out_release(conn);
		if (!reset)
			flushed = cr_shield(CLOSE_GRACE, cr__conn_out_flush(conn));
		conn->dropping = true;
	}
	calls_end(conn);
	if (conn->terminal)
		cr__terminal_restore(conn->fd, conn->terminal);
	r = transport_close(conn, reset);
	cr__conn_out_free(conn);
	cr__free(conn->terminal);
	cr__free(conn->buffer);
	cr__free(conn);
	return flushed < 0 ? flushed : r;
}

int cr_conn_close(cr_conn *conn)
{
	return conn ? conn_close(conn, 0, __func__) : 0;
}

void cr_conn_abort(cr_conn *conn)
{
	if (conn)
		conn_close(conn, 1, __func__);
}

/* ---------------------------------------------------------------------------------- details --- */

int cr_conn_fd(const cr_conn *conn)
{
	return conn->transport->fd ? conn->transport->fd(conn->state) : -1;
}

int cr_conn_local(const cr_conn *conn, cr_addr *ret_addr)
{
	return conn->transport->local ? conn->transport->local(conn->state, ret_addr) : -EOPNOTSUPP;
}

int cr_conn_peer(const cr_conn *conn, cr_addr *ret_addr)
{
	return conn->transport->peer ? conn->transport->peer(conn->state, ret_addr) : -EOPNOTSUPP;
}

int cr__conn_option_set(cr_conn *conn, int level, int name, int value)
{
	int fd = cr_conn_fd(conn);

	if (fd < 0)
		return -EOPNOTSUPP;
	return cr__sock_option(cr__loop_self(), fd, level, name, &value, sizeof value);
}

int cr_conn_nodelay_set(cr_conn *conn, int on)
{
	return cr__conn_option_set(conn, IPPROTO_TCP, TCP_NODELAY, on != 0);
}
