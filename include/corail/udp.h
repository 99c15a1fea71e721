/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_UDP_H
#define CORAIL_UDP_H

/*
 * Datagrams: UDP over IPv4 and IPv6.
 *
 * A cr_udp is a socket with a name, which you open and close. Each send is one datagram, each
 * receive takes one out; they may be lost, doubled or reordered on the way, and none is ever split
 * or joined.
 *
 *	cr_udp *udp;
 *	int r = cr_udp_open(":5353", NULL, &udp);
 *	...
 *	n = cr_udp_receive_from(udp, data, sizeof data, &from);
 *	r = cr_udp_send_to(udp, answer, size, &from);
 *
 * A connected one (cr_udp_connect) talks to one peer: it receives from nobody else, and hears when
 * nobody is there: -ECONNREFUSED from the next call, which the peer's host has sent as ICMP. One
 * that is not connected hears nothing of the kind.
 *
 * One task per direction: one may receive while another sends; a second receiver, or a second
 * sender, gets -EBUSY and the first is unharmed. A receive that is cancelled has taken nothing; one
 * whose datagram won the race returns it. Errors that all sending and receiving functions may give
 * besides those that they list: -ECANCELED (also when the socket is closed meanwhile), -EBUSY,
 * -ENOMEM, -ENETUNREACH, -EHOSTUNREACH, -EPERM (a firewall).
 */

#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------- life --- */

typedef struct cr_udp cr_udp;

/* All zero means the defaults. */
typedef struct cr_udp_options {
	unsigned reuse_address : 1; /* several sockets have the name, for multicast: SO_REUSEADDR */
	unsigned reuse_port : 1;    /* several share its datagrams out: SO_REUSEPORT */
	unsigned ipv6_only : 1;     /* [::] leaves IPv4 alone */
	unsigned broadcast : 1;     /* may send to 255.255.255.255 and the like: SO_BROADCAST */
	size_t send_buffer_bytes;   /* the kernel's buffers: SO_SNDBUF, SO_RCVBUF; 0: the default */
	size_t receive_buffer_bytes;
} cr_udp_options;

/*
 * Opens a socket with a local name: "address:port", "host:port" (its first address), ":port" (all
 * addresses, both families). Port 0 lets the kernel choose. `options` may be NULL. Suspends only to
 * look a name up. Returns 0. Or: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL for a name that is
 * none, -EAFNOSUPPORT for "unix:", -EMFILE, -ENFILE, -ENOMEM, -ECANCELED, the errors of
 * cr_dns_lookup().
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_open(const char *local, const cr_udp_options *options,
                                           cr_udp **ret_udp);

/*
 * Opens a socket and connects it to a peer, "host:port": of several addresses, the first that can
 * be routed to. Nothing is sent, so that success says nothing about the peer. `options` may be
 * NULL. Returns as cr_udp_open(), and -ENETUNREACH.
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_open_peer(const char *peer, const cr_udp_options *options,
                                                cr_udp **ret_udp);

/*
 * Connects to a peer, or to another one; NULL: to nobody any more. What had been received from
 * others before stays. Returns 0, -EAFNOSUPPORT for another family, -ENETUNREACH, -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_connect(cr_udp *udp, const cr_addr *peer);

/*
 * Closes: cancels the calls in flight, waits until they have returned, and frees the object. Goes
 * through even in a cancelled scope. Accepts NULL. Returns 0, or the error of close(2).
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_close(cr_udp *udp);

/* ------------------------------------------------------------------------------ one by one --- */

/*
 * Sends one datagram to an address, or to the peer that the socket is connected to. Suspends only
 * while the kernel has no room. Returns 0; -EMSGSIZE when it is too large (65507 bytes over IPv4);
 * -EDESTADDRREQ without a peer; -EACCES for a broadcast without the option; -EAFNOSUPPORT or
 * -EINVAL for an address of another family; -ECONNREFUSED (see above: about an earlier one).
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_send_to(cr_udp *udp, const void *data, size_t size,
                                              const cr_addr *to);
CORAIL_API CORAIL_SUSPENDS int cr_udp_send(cr_udp *udp, const void *data, size_t size);

/*
 * Receives one datagram, and who sent it (`ret_from` may be NULL). Returns its size, which may be
 * 0. Or -EMSGSIZE when it was larger than `size`: `buffer` holds its beginning, `ret_from` is
 * written, and the rest is lost. Or -ECONNREFUSED (see above).
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_udp_receive_from(cr_udp *udp, void *buffer, size_t size,
                                                       cr_addr *ret_from);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_udp_receive(cr_udp *udp, void *buffer, size_t size);

/* ------------------------------------------------------------------------------- in batches --- */

/* One of many. All members that a call does not write are yours to fill in. */
typedef struct cr_datagram {
	void *data;
	size_t size;   /* sending: bytes in `data`; receiving: room there, then bytes received */
	cr_addr addr;  /* sending: the target, all zero for the peer; receiving: the sender */
	int truncated; /* receiving: it was larger, and the rest is lost */
} cr_datagram;

/*
 * Sends several by one system call (sendmmsg(2)), as many as the kernel takes without waiting, at
 * least one, at most 64. Returns how many went, from the first on; 0 for a count of 0; or an error,
 * as cr_udp_send_to(), which is the first one's.
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_send_batch(cr_udp *udp, const cr_datagram *datagrams,
                                                 size_t count);

/*
 * Waits for a datagram, and receives all that are there by one system call (recvmmsg(2)), at most
 * `count`, at most 64. Returns how many came; 0 for a count of 0; or an error.
 */
CORAIL_API CORAIL_SUSPENDS int cr_udp_receive_batch(cr_udp *udp, cr_datagram *datagrams,
                                                    size_t count);

/* -------------------------------------------------------------------------------- multicast --- */

/*
 * Joins and leaves a group, on the interface of that name, or where the route to the group goes
 * (NULL). The socket's port is what the group's datagrams are sent to; one that listens on ":port"
 * may join groups of both families. Return 0; -EINVAL when `group` is no multicast address,
 * -EAFNOSUPPORT for an IPv6 group on an IPv4 socket, -ENODEV for an interface that is none, or
 * without a route, -EADDRINUSE when it had joined already, -EADDRNOTAVAIL when it had not, -ENOBUFS
 * for too many.
 */
CORAIL_API int cr_udp_join(cr_udp *udp, const cr_addr *group, const char *interface_name);
CORAIL_API int cr_udp_leave(cr_udp *udp, const cr_addr *group, const char *interface_name);

/* How many routers a multicast datagram may pass; 1 at first. 0 or -EINVAL outside 0 to 255. */
CORAIL_API int cr_udp_multicast_ttl_set(cr_udp *udp, int ttl);

/* Whether this host's own members get what this socket sends; on at first. Returns 0. */
CORAIL_API int cr_udp_multicast_loop_set(cr_udp *udp, int on);

/* Where multicast datagrams leave; NULL: where the route goes. Returns 0 or -ENODEV. */
CORAIL_API int cr_udp_multicast_interface_set(cr_udp *udp, const char *interface_name);

/* ---------------------------------------------------------------------------------- details --- */

/* The socket's own address, and its peer's (-ENOTCONN without one). Return 0, or an error. */
CORAIL_API int cr_udp_local(const cr_udp *udp, cr_addr *ret_addr);
CORAIL_API int cr_udp_peer(const cr_udp *udp, cr_addr *ret_addr);

/* The descriptor, for setsockopt(2) and the like. The socket still owns it. */
CORAIL_API int cr_udp_fd(const cr_udp *udp);

#ifdef __cplusplus
}
#endif
#endif
