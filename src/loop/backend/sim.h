/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_SIM_H
#define CR__LOOP_BACKEND_SIM_H

/*
 * What the simulator's files share.
 *
 *	sim.c         the clock, the order, operations from start to done()
 *	sim_sock.c    descriptors and sockets: life, options
 *	sim_name.c    addresses, ports, bind and the search for listeners
 *	sim_connect.c listen, connect, accept
 *	sim_wire.c    when things arrive; ends and resets
 *	sim_stream.c  sending, receiving, readiness
 *	sim_datagram.c  the same for datagrams
 *	sim_fault.c   the public controls of corail/sim.h
 *	sim_disk*.c   files: sim_disk.h
 *
 * A connection is two sockets that point to each other; what is on its way to a socket, or waits
 * in it unread, hangs off the receiving socket in one list, in the order of arrival. An end of
 * stream and a reset come behind all data, so that each is just a time in the receiver: closing
 * needs no memory and cannot fail. For the same reason every socket keeps its timer set, at
 * CORAIL_NEVER when nothing is due: setting it anew never needs memory.
 */

#include <corail/sim.h>

#include "base/list.h"
#include "loop/loop.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <sys/un.h>

enum {
	CR__SIM_FD_FIRST = 1 << 20, /* far above what the kernel gives out by default */
	CR__SIM_FD_MAX = 1 << 20,
	CR__SIM_BUFFER_BYTES = 64 * 1024,
};

struct cr__sim_address {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
};

/* Bytes on their way or unread. */
struct cr__sim_segment {
	struct cr__sim_segment *next;
	cr_nsec when;
	size_t size, taken;
	char data[];
};

/* A datagram on its way, or not yet received. */
struct cr__sim_datagram {
	struct cr__sim_datagram *next;
	cr_nsec when;
	struct cr__sim_address from;
	size_t size;
	char data[];
};

/* A multicast group that a socket has joined. */
struct cr__sim_group {
	struct cr__sim_group *next;
	struct cr__sim_address address;
};

enum cr__sim_state {
	CR__SIM_FRESH,
	CR__SIM_LISTENING,
	CR__SIM_CONNECTING,
	CR__SIM_CONNECTED, /* and after its end, until closed */
};

enum { CR__SIM_READ, CR__SIM_WRITE };

/* A socket. Without a descriptor while it waits to be accepted. */
struct cr__sim_sock {
	struct cr__sim *sim;
	struct cr__list link;       /* in sim->socks */
	struct cr__list bound_link; /* in sim->bound */
	struct cr__list queue_link; /* in a listener's `accept_queue`, or its `connect_queue` */
	struct cr__timer timer;     /* the next arrival */
	struct cr__op *op[2];       /* in flight, by direction; a poll for both is in both */
	int fd, domain;
	enum cr__sim_state state;
	struct cr__sim_address local, remote;
	bool reuse_address, reuse_port, v6_only, reset_on_close, owns_port;
	size_t send_buffer, receive_buffer;
	uint64_t fail_count; /* scripted */
	int fail_error;

	/* A listener. */
	struct cr__list accept_queue, connect_queue;
	size_t accept_count, backlog;
	bool accept_shut;

	/* While connecting. */
	struct cr__sim_sock *embryo; /* the other end to be */
	cr_nsec answer_at;
	int answer_error;

	/* A connection. */
	struct cr__sim_sock *peer; /* NULL once it has been closed */
	struct cr__sim_segment *segments, **segments_tail;
	struct cr__sim_segment *coming; /* the first that has not yet arrived */
	size_t queued_bytes, arrived_bytes;
	cr_nsec last_at, end_at, reset_at; /* when the latest byte, the end, a reset arrives */
	bool ended, send_shut, receive_shut;
	int error; /* to be reported once */

	/* A socket for datagrams; queued_bytes and arrived_bytes count theirs. */
	bool datagrams, broadcast, multicast_silent;
	bool local_by_peer; /* its address is that of the connection, and goes with it */
	struct cr__sim_datagram *flying; /* by time of arrival */
	struct cr__sim_datagram *arrived, **arrived_tail;
	struct cr__sim_group *groups;
	cr_nsec refused_at; /* when the word comes that nobody was there */
};

/* See cr_sim_connect_rule(). */
struct cr__sim_rule {
	struct cr__sim_rule *next;
	struct cr__sim_address address;
	cr_nsec delay;
	int error;
};

struct cr__sim {
	struct cr__loop *loop;
	cr_nsec now;
	uint64_t order_state,
		network_state; /* two streams, so that a changed network keeps the order */
	uint32_t busy_polls;   /* in a row */
	uint32_t still_polls;  /* since the clock moved by itself */
	_Atomic uint32_t woken;

	struct cr__timers timers; /* one for each socket */
	struct cr__list socks, bound;
	struct cr__sim_sock **table; /* by descriptor */
	size_t table_size, table_used, table_hint;
	struct cr__op *done_head, **done_tail;
	uint16_t *port_use; /* sockets by port number */
	uint32_t port_next, name_next;

	cr_sim_network network;
	cr_nsec partition_until;
	uint64_t connect_fail_in, accept_fail_count;
	int connect_fail_error, accept_fail_error;
	struct cr__sim_rule *rules;
	struct cr__sim_disk *disk; /* NULL: nobody has used it */
};

/* sim.c */
static inline struct cr__sim *cr__sim_of(struct cr__loop *loop)
{
	return loop->backend_state;
}

/* A number below `count` that follows from the seed, mixed into the trace. */
uint64_t cr__sim_random(struct cr__sim *sim, uint64_t count);

/* Ends an operation that waits: done() is called by the next poll. */
void cr__sim_op_complete(struct cr__sim *sim, struct cr__op *op, ssize_t result);

/* Tries again what waits on a socket, because something about it has changed. NULL is accepted. */
void cr__sim_sock_kick(struct cr__sim_sock *sock);

/* sim_sock.c */
int cr__sim_sock_find(struct cr__sim *sim, int fd, struct cr__sim_sock **ret_sock);
int cr__sim_sock_create(struct cr__sim *sim, int domain, struct cr__sim_sock **ret_sock);
int cr__sim_sock_number(struct cr__sim_sock *sock);
void cr__sim_sock_destroy(struct cr__sim_sock *sock);
int cr__sim_fd_close(struct cr__loop *loop, int fd);
int cr__sim_sock_open(struct cr__loop *loop, int domain, int type, int protocol);
int cr__sim_sock_pair(struct cr__loop *loop, int domain, int type, int ret_fds[2]);
int cr__sim_sock_option(struct cr__loop *loop, int fd, int level, int name, const void *value,
                        socklen_t length);
int cr__sim_sock_option_get(struct cr__loop *loop, int fd, int level, int name, void *value,
                            socklen_t *length);

/* sim_name.c */
int cr__sim_address_set(struct cr__sim_address *address, const struct sockaddr *addr,
                        socklen_t length);
void cr__sim_address_get(const struct cr__sim_address *address, struct sockaddr *addr,
                         socklen_t *length);
bool cr__sim_address_equal(const struct cr__sim_address *a, const struct cr__sim_address *b);
bool cr__sim_address_matches(const struct cr__sim_address *rule,
                             const struct cr__sim_address *address);
void cr__sim_address_meant(struct cr__sim_address *address);
int cr__sim_name_auto(struct cr__sim_sock *sock, const struct cr__sim_address *target);
bool cr__sim_name_taken(const struct cr__sim_sock *sock);
void cr__sim_name_release(struct cr__sim_sock *sock);
bool cr__sim_name_covers(const struct cr__sim_sock *sock, const struct cr__sim_address *target);
struct cr__sim_sock *cr__sim_listener_find(struct cr__sim *sim,
                                           const struct cr__sim_address *target);
void cr__sim_name_seen_by(const struct cr__sim_sock *listener, struct cr__sim_address *address);
int cr__sim_sock_bind(struct cr__loop *loop, int fd, const struct sockaddr *addr, socklen_t length);
int cr__sim_sock_name(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
int cr__sim_sock_peer(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);

/* sim_connect.c: results as of an attempt: true when the operation is complete */
bool cr__sim_connect(struct cr__sim_sock *sock, struct cr__op *op);
bool cr__sim_accept(struct cr__sim_sock *sock, struct cr__op *op);
void cr__sim_connect_answer(struct cr__sim_sock *sock);
void cr__sim_connect_abort(struct cr__sim_sock *sock);
void cr__sim_listener_end(struct cr__sim_sock *sock);
int cr__sim_sock_listen(struct cr__loop *loop, int fd, int backlog);

/* sim_wire.c */
cr_nsec cr__sim_delay(struct cr__sim_sock *sock);
cr_nsec cr__sim_arrival(struct cr__sim_sock *sock);
void cr__sim_arm(struct cr__sim_sock *sock);
void cr__sim_arrive(struct cr__timer *timer);
void cr__sim_sent_to(struct cr__sim_sock *sock);
void cr__sim_reset_send(struct cr__sim_sock *sock);
void cr__sim_reset_here(struct cr__sim_sock *sock);
void cr__sim_stream_close(struct cr__sim_sock *sock);
int cr__sim_sock_shutdown(struct cr__loop *loop, int fd, int how);

/* sim_datagram.c: results as of an attempt */
bool cr__sim_datagram_send(struct cr__sim_sock *sock, struct cr__op *op);
bool cr__sim_datagram_receive(struct cr__sim_sock *sock, struct cr__op *op);
bool cr__sim_datagram_connect(struct cr__sim_sock *sock, struct cr__op *op);
uint32_t cr__sim_datagram_ready(const struct cr__sim_sock *sock);
void cr__sim_datagram_arrive(struct cr__sim_sock *sock);
void cr__sim_datagram_end(struct cr__sim_sock *sock);
int cr__sim_datagram_option(struct cr__sim_sock *sock, int level, int name, const void *value,
                            socklen_t length);

/* sim_stream.c: results as of an attempt */
struct cr__sim_vector {
	struct iovec one;
	const struct iovec *at;
	size_t count, total;
};

bool cr__sim_vector_of(struct cr__op *op, struct cr__sim_vector *v);
void cr__sim_vector_copy(const struct cr__sim_vector *v, size_t offset, char *plain, size_t size,
                         bool to_vector);
bool cr__sim_send(struct cr__sim_sock *sock, struct cr__op *op);
bool cr__sim_receive(struct cr__sim_sock *sock, struct cr__op *op);
uint32_t cr__sim_ready(const struct cr__sim_sock *sock);

#endif
