/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include <corail/io.h>
#include <corail/loops_net.h>

#include "base/alloc.h"
#include "loop/backend/sockets.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/*
 * Connections without a loop, and listeners on one port. What a loop knows about a descriptor is
 * forgotten when it leaves; nothing else of a plain connection belongs to a loop, so the object
 * itself travels, with what is in its buffer.
 */

struct cr_parcel {
	cr_conn *conn;
	int64_t world; /* the simulated loop whose descriptor it is; 0: a real one */
};

/* ---------------------------------------------------------------------------------- parcels --- */

static int64_t world_of(const struct cr__loop *loop)
{
	return loop && loop->backend == &cr__backend_sim ? loop->id : 0;
}

/*
 * Empties a buffer for writing, and takes it away. The task that the library had spawned to send it
 * may still have to find that there is nothing left.
 */
static int buffer_end(cr_conn *conn)
{
	int r = conn->out ? cr_conn_buffer_set(conn, 0, 0) : 0;

	if (r == 0)
		r = cr__conn_enter(conn, &conn->writing, "cr_conn_detach");
	if (r < 0)
		return r;
	while (r == 0 && cr__conn_out_busy(conn))
		r = cr_yield();
	r = (int)cr__conn_leave(conn, &conn->writing, r);
	if (r < 0)
		return r;
	if (conn->reading || conn->closing)
		return -EBUSY;
	cr__conn_out_free(conn);
	conn->out = NULL;
	return 0;
}

int cr_conn_detach(cr_conn *conn, cr_parcel **ret_parcel)
{
	cr_parcel *parcel;
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (conn->transport != &cr__conn_plain || conn->terminal || conn->shared)
		return -EOPNOTSUPP;
	if (conn->reading || conn->writing || conn->closing)
		return -EBUSY;
	parcel = cr__alloc(sizeof *parcel);
	if (!parcel)
		return -ENOMEM;
	r = buffer_end(conn);
	if (r < 0) {
		cr__free(parcel);
		return r;
	}
	cr_fd_forget(conn->fd);
	*parcel = (cr_parcel){conn, world_of(cr__loop_self())};
	*ret_parcel = parcel;
	return 0;
}

int cr_conn_attach(cr_parcel *parcel, cr_conn **ret_conn)
{
	struct cr__loop *loop;

	cr__task_current(__func__);
	loop = cr__loop_self();
	if (parcel->world != world_of(loop))
		return -EOPNOTSUPP;
	*ret_conn = parcel->conn;
	cr__fd_opened(loop, parcel->conn->fd);
	cr__free(parcel);
	return 0;
}

void cr_parcel_discard(cr_parcel *parcel)
{
	cr_conn *conn;

	if (!parcel)
		return;
	conn = parcel->conn;
	/* A simulated descriptor ends with its loop, at the latest. */
	if (!parcel->world)
		cr__descriptor_close(conn->fd);
	else if (parcel->world == world_of(cr__loop_self()))
		cr__fd_close(cr__loop_self(), conn->fd);
	cr__free(conn->buffer);
	cr__free(conn);
	cr__free(parcel);
}

/* --------------------------------------------------------------------------------- one port --- */

static _Atomic uint64_t *port_of(const cr_shared_port *port)
{
	return (_Atomic uint64_t *)(uintptr_t)&port->cr__private[0];
}

int cr_shared_port_get(const cr_shared_port *port)
{
	return (int)atomic_load(port_of(port));
}

/* The target with that port instead of its own. */
static int open_at(const cr_addr *given, int port, const cr_listener_options *options,
                   cr_listener **ret_listener)
{
	char text[CORAIL_ADDR_TEXT_SIZE];
	cr_addr addr = *given;
	int r = cr_addr_port_set(&addr, port);

	if (r == 0)
		r = cr_addr_format(&addr, text, sizeof text);
	return r < 0 ? r : cr_listener_open(text, options, ret_listener);
}

/*
 * Nobody waits for another: of two that choose at once one is too late, closes what nobody has
 * heard of, and joins the other.
 */
static int join_port(const char *target, const cr_listener_options *options, cr_shared_port *port,
                     cr_listener **ret_listener)
{
	cr_listener *listener;
	cr_addr addr;
	uint64_t chosen = 0;
	int r = cr_listener_open(target, options, &listener);

	if (r < 0)
		return r;
	r = cr_listener_addr(listener, &addr);
	if (r < 0) {
		cr_listener_close(listener);
		return r;
	}
	if (atomic_compare_exchange_strong(port_of(port), &chosen, (uint64_t)cr_addr_port(&addr)) ||
	    (int)chosen == cr_addr_port(&addr)) {
		*ret_listener = listener;
		return 0;
	}
	cr_listener_close(listener);
	return open_at(&addr, (int)chosen, options, ret_listener);
}

int cr_listener_open_shared(const char *target, const cr_listener_options *options,
                            cr_shared_port *port, cr_listener **ret_listener)
{
	cr_listener_options sharing = {.reuse_port = 1};

	if (options)
		sharing = *options;
	sharing.reuse_port = 1;
	if (strncmp(target, "unix:", 5) == 0)
		return -EAFNOSUPPORT;
	return join_port(target, &sharing, port, ret_listener);
}
