/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_LOOPS_NET_H
#define CORAIL_LOOPS_NET_H

/*
 * The network with several loops (loops.h): how the connections of one port come to all of them.
 *
 * One listener for each loop. The kernel deals the connections out, by a hash of their addresses:
 * no loop has to do with another. This is the fastest, and the one to begin with:
 *
 *	r = cr_listener_open_shared("[::]:0", NULL, &shared->port, &listener);     on each loop
 *
 * One listener, whose loop hands the connections it accepts to the others: cr_listener_distribute()
 * chooses in turn, or the loop that serves the fewest. For connections that live long, where the
 * kernel's luck would leave one core idle, and for Unix sockets.
 *
 * By hand. A connection belongs to the loop that opened it. cr_conn_detach() makes it a parcel: a
 * value without a loop, which travels in whatever way pointers do (cr_call_loop(), a channel of
 * chan_threadsafe.h), and cr_conn_attach() makes it a connection of the loop where it arrives. What
 * had been received and not read travels along. A parcel that is not attached is to be discarded.
 */

#include <corail/base.h>
#include <corail/loop.h>
#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------- one listener for each --- */

/* A port that several listeners share. All zero: not chosen yet. Any thread. */
typedef struct cr_shared_port {
	uint64_t cr__private[2];
} cr_shared_port;

/*
 * As cr_listener_open(), with SO_REUSEPORT (socket(7)): once on each loop, with the same target
 * and the same `port`. Where the target's port is 0 the first one lets the kernel choose, and the
 * others join it. `port` must live until all are open.
 *
 * The kernel deals connections to all who listen, whether they accept or not, and a connection that
 * waits in the backlog of a listener that is closed is reset: see tcp_migrate_req in ip-sysctl.
 *
 * Returns as cr_listener_open(); -EAFNOSUPPORT for a Unix socket; -EADDRINUSE also when somebody
 * else, or another user, listens there without sharing.
 */
CORAIL_API CORAIL_SUSPENDS int cr_listener_open_shared(const char *target,
                                                       const cr_listener_options *options,
                                                       cr_shared_port *port,
                                                       cr_listener **ret_listener);

/* The port that was chosen, 0 before. From any thread. */
CORAIL_API int cr_shared_port_get(const cr_shared_port *port);

/* --------------------------------------------------------------------- one listener for all --- */

/* All zero means the defaults. */
typedef struct cr_distribute_options {
	const cr_loop *loops; /* who serves; NULL: all loops of the caller's cr_loops() */
	size_t loop_count;
	cr_serve_options serve;    /* on each loop */
	unsigned least_loaded : 1; /* the loop that serves the fewest; else each in turn */
} cr_distribute_options;

/*
 * As cr_listener_serve(), with the handlers on several loops: accepts on this one, and runs
 * handler(conn, arg) in a task of its own on the one that is chosen. `arg` is shared by their
 * threads. A loop that has no room is passed over while another has some; then accepting waits.
 * A loop that ends is left out, and what was on its way to it goes to the others.
 *
 * Cancelled, it cancels the handlers on all loops and waits for them; when the listener is closed,
 * they finish.
 *
 * Returns 0 when the listener was closed and all handlers have ended; -ECANCELED; -EBUSY; -ENOMEM;
 * -EINVAL for no loops; what cr_call_loop() gave when no loop is left, -ESRCH as a rule.
 */
CORAIL_API CORAIL_SUSPENDS int cr_listener_distribute(cr_listener *listener,
                                                      const cr_distribute_options *options,
                                                      int (*handler)(cr_conn *conn, void *arg),
                                                      void *arg);

/* ---------------------------------------------------------------------------------- by hand --- */

/* A connection on its way to another loop. */
typedef struct cr_parcel cr_parcel;

/*
 * Takes a connection off its loop. A buffer for writing is flushed first, and does not travel.
 * Returns 0: the connection is gone, the parcel is yours. Or, and then the connection is as it was:
 * -EBUSY while a task uses it; -EOPNOTSUPP for one that is more than a descriptor (TLS), and for
 * terminals and standard streams; -ENOMEM; -ECANCELED; an error of the flush.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_detach(cr_conn *conn, cr_parcel **ret_parcel);

/*
 * Makes a connection of the calling task's loop. Does not suspend. Returns 0: the parcel is gone,
 * the connection is yours. Or -EOPNOTSUPP between loops of the simulator: the parcel is still
 * yours.
 */
CORAIL_API int cr_conn_attach(cr_parcel *parcel, cr_conn **ret_conn);

/* Closes a parcel that nobody wants, from any thread. Accepts NULL. */
CORAIL_API void cr_parcel_discard(cr_parcel *parcel);

#ifdef __cplusplus
}
#endif
#endif
