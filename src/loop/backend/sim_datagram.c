/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>

/*
 * Datagrams: each travels alone, and may be lost, doubled or overtaken as the network's settings
 * and the seed say. Receivers are looked up when one is sent; it flies to each of them. Rules as in
 * udp(7), ip(7) and ipv6(7).
 */

/* The most that UDP over IPv4 carries. */
enum { DATAGRAM_MAX = 65507, RECEIVERS_MAX = 64 };

/* ---------------------------------------------------------------------------------- targets --- */

static bool is_group(const struct cr__sim_address *address)
{
	if (address->any.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(address->v4.sin_addr.s_addr));
	return IN6_IS_ADDR_MULTICAST(&address->v6.sin6_addr);
}

static bool is_broadcast(const struct cr__sim_address *address)
{
	return address->any.sa_family == AF_INET &&
	       address->v4.sin_addr.s_addr == htonl(INADDR_BROADCAST);
}

static in_port_t port_of(const struct cr__sim_address *address)
{
	return address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port;
}

static bool group_equal(const struct cr__sim_address *a, const struct cr__sim_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

static bool joined(const struct cr__sim_sock *sock, const struct cr__sim_address *target)
{
	for (const struct cr__sim_group *group = sock->groups; group; group = group->next) {
		if (group_equal(&group->address, target))
			return true;
	}
	return false;
}

/* Whether a socket gets what `from` sends to `target`. */
static bool receives(const struct cr__sim_sock *sock, const struct cr__sim_address *target,
                     const struct cr__sim_address *from)
{
	if (!sock->datagrams || port_of(&sock->local) != port_of(target))
		return false;
	if (sock->state == CR__SIM_CONNECTED) {
		struct cr__sim_address peer = sock->remote;

		cr__sim_address_meant(&peer);
		if (!cr__sim_address_equal(&peer, from))
			return false;
	}
	if (is_group(target))
		return joined(sock, target);
	if (is_broadcast(target))
		return sock->domain == AF_INET;
	return cr__sim_name_covers(sock, target);
}

/* ---------------------------------------------------------------------------------- sending --- */

/* Puts a datagram on its way to a socket. A queue that is full loses it, as everywhere. */
static int fly(struct cr__sim_sock *to, const struct cr__sim_address *from,
               const struct cr__sim_vector *v)
{
	struct cr__sim *sim = to->sim;
	struct cr__sim_datagram *datagram, **link = &to->flying;

	if (to->queued_bytes + v->total > to->receive_buffer + to->send_buffer)
		return 0;
	datagram = cr__alloc(sizeof *datagram + v->total);
	if (!datagram)
		return -ENOMEM;
	*datagram = (struct cr__sim_datagram){.from = *from, .size = v->total};
	cr__sim_name_seen_by(to, &datagram->from);
	datagram->when = sim->network.reorder ? cr__nsec_add(sim->now, cr__sim_delay(to))
	                                      : cr__sim_arrival(to);
	cr__sim_vector_copy(v, 0, datagram->data, v->total, false);
	to->queued_bytes += v->total;
	while (*link && (*link)->when <= datagram->when)
		link = &(*link)->next;
	datagram->next = *link;
	*link = datagram;
	cr__sim_arm(to);
	return 0;
}

/* What the network's settings do to one. */
static int fly_perhaps(struct cr__sim_sock *to, const struct cr__sim_address *from,
                       const struct cr__sim_vector *v)
{
	struct cr__sim *sim = to->sim;
	int r = 0;

	if (sim->network.loss_permille && cr__sim_random(sim, 1000) < sim->network.loss_permille)
		return 0;
	if (sim->network.duplicate_permille &&
	    cr__sim_random(sim, 1000) < sim->network.duplicate_permille)
		r = fly(to, from, v);
	return r < 0 ? r : fly(to, from, v);
}

/* Nobody is there: whoever is connected hears of it (udp(7)). */
static void refuse(struct cr__sim_sock *sock)
{
	cr_nsec back = cr__nsec_add(cr__sim_delay(sock), cr__sim_delay(sock));

	if (sock->state != CR__SIM_CONNECTED || sock->refused_at != CORAIL_NEVER)
		return;
	sock->refused_at = cr__nsec_add(sock->sim->now, back);
	cr__sim_arm(sock);
}

/*
 * Whom the receiver sees: the socket's own address if it has one; else, of this host's addresses,
 * the target's, or the loopback's when that is no host.
 */
static struct cr__sim_address source_of(const struct cr__sim_sock *sock,
                                        const struct cr__sim_address *target, bool many)
{
	const struct cr__sim_address unset = {.any.sa_family = sock->local.any.sa_family};
	const bool named = !group_equal(&sock->local, &unset);
	struct cr__sim_address from = sock->local;

	if (named || many)
		cr__sim_address_meant(&from);
	if ((named || many) && from.any.sa_family == target->any.sa_family)
		return from;
	from = *target;
	if (from.any.sa_family == AF_INET)
		from.v4.sin_port = port_of(&sock->local);
	else
		from.v6.sin6_port = port_of(&sock->local);
	return from;
}

/*
 * Delivers to everybody who is meant: all members of a group, all who hear a broadcast, and one of
 * those who share a name otherwise.
 */
static int deliver(struct cr__sim_sock *sock, const struct cr__sim_address *target,
                   const struct cr__sim_vector *v)
{
	const bool many = is_group(target) || is_broadcast(target);
	struct cr__sim_sock *found[RECEIVERS_MAX];
	struct cr__sim *sim = sock->sim;
	struct cr__sim_address from = source_of(sock, target, many);
	size_t count = 0, first = 0;
	int r = 0;

	for (struct cr__list *node = sim->bound.next; node != &sim->bound; node = node->next) {
		struct cr__sim_sock *to = CR__CONTAINER(node, struct cr__sim_sock, bound_link);

		if (many && to == sock && sock->multicast_silent)
			continue;
		if (receives(to, target, &from) && count < RECEIVERS_MAX)
			found[count++] = to;
	}
	if (!many && count > 1) {
		first = (size_t)cr__sim_random(sim, count);
		count = first + 1;
	}
	if (!many && count == 0)
		refuse(sock);
	for (size_t i = first; i < count && r == 0; i++)
		r = fly_perhaps(found[i], &from, v);
	return r;
}

/* A socket that sends has a name, which those who answer can reach. */
static int name_ensure(struct cr__sim_sock *sock)
{
	struct cr__sim_address any = {.any.sa_family = (sa_family_t)sock->domain};
	const socklen_t size = sock->domain == AF_INET ? sizeof any.v4 : sizeof any.v6;

	if (sock->local.length)
		return 0;
	return cr__sim_sock_bind(sock->sim->loop, sock->fd, &any.any, size);
}

/* Where one goes: the address that it carries, or that of the connection. */
static int target_of(struct cr__sim_sock *sock, const struct msghdr *message,
                     struct cr__sim_address *ret_target)
{
	int r = 0;

	if (message && message->msg_namelen)
		r = cr__sim_address_set(ret_target, message->msg_name, message->msg_namelen);
	else if (sock->state == CR__SIM_CONNECTED)
		*ret_target = sock->remote;
	else
		return -EDESTADDRREQ;
	if (r < 0)
		return r;
	if (ret_target->any.sa_family != sock->domain)
		return sock->domain == AF_INET ? -EAFNOSUPPORT : -EINVAL;
	cr__sim_address_meant(ret_target);
	if (is_broadcast(ret_target) && !sock->broadcast)
		return -EACCES;
	return port_of(ret_target) ? 0 : -EINVAL;
}

static ssize_t send_one(struct cr__sim_sock *sock, struct cr__op *op, const struct msghdr *message)
{
	struct cr__sim_address target;
	struct cr__sim_vector v;
	int r = sock->error;

	sock->error = 0;
	if (r == 0)
		r = target_of(sock, message, &target);
	if (r == 0 && !cr__sim_vector_of(op, &v))
		r = -EOPNOTSUPP;
	if (r == 0 && v.total > DATAGRAM_MAX)
		r = -EMSGSIZE;
	if (r == 0)
		r = name_ensure(sock);
	if (r == 0)
		r = deliver(sock, &target, &v);
	return r != 0 ? r : (ssize_t)v.total;
}

bool cr__sim_datagram_send(struct cr__sim_sock *sock, struct cr__op *op)
{
	struct mmsghdr *messages = op->buffer;
	size_t done = 0;

	if (op->code != CR__OP_SENDMMSG) {
		op->result = send_one(sock, op, op->code == CR__OP_SENDMSG ? op->buffer : NULL);
		return true;
	}
	for (; done < op->size; done++) {
		struct msghdr *message = &messages[done].msg_hdr;
		struct cr__op one = {.code = CR__OP_SENDMSG, .buffer = message};
		ssize_t n = send_one(sock, &one, message);

		op->result = n;
		if (n < 0)
			break;
		messages[done].msg_len = (unsigned)n;
	}
	/* sendmmsg(2): an error counts only when it is the first's. */
	if (done > 0 || op->size == 0)
		op->result = (ssize_t)done;
	return true;
}

/* -------------------------------------------------------------------------------- receiving --- */

static uint32_t flags_of(const struct cr__op *op)
{
	return op->code == CR__OP_READ || op->code == CR__OP_READV ? 0 : op->flags;
}

/* Takes the first one that has arrived. Returns what recvmsg(2) would, -EAGAIN without one. */
static ssize_t receive_one(struct cr__sim_sock *sock, struct cr__op *op, uint32_t flags)
{
	struct msghdr *message = op->code == CR__OP_RECVMSG ? op->buffer : NULL;
	struct cr__sim_datagram *datagram = sock->arrived;
	struct cr__sim_vector v;
	size_t size;
	ssize_t n = sock->error;

	sock->error = 0;
	if (n < 0)
		return n;
	if (!datagram)
		return sock->receive_shut ? 0 : -EAGAIN;
	if (!cr__sim_vector_of(op, &v))
		return -EOPNOTSUPP;
	size = datagram->size < v.total ? datagram->size : v.total;
	cr__sim_vector_copy(&v, 0, datagram->data, size, true);
	n = (ssize_t)(flags & MSG_TRUNC ? datagram->size : size);
	if (message) {
		message->msg_controllen = 0;
		message->msg_flags = datagram->size > v.total ? MSG_TRUNC : 0;
		if (message->msg_name)
			cr__sim_address_get(&datagram->from, message->msg_name,
			                    &message->msg_namelen);
	}
	if (flags & MSG_PEEK)
		return n;
	sock->arrived = datagram->next;
	if (!sock->arrived)
		sock->arrived_tail = &sock->arrived;
	sock->queued_bytes -= datagram->size;
	cr__free(datagram);
	return n;
}

bool cr__sim_datagram_receive(struct cr__sim_sock *sock, struct cr__op *op)
{
	struct mmsghdr *messages = op->buffer;
	size_t done = 0;

	if (op->code != CR__OP_RECVMMSG) {
		op->result = receive_one(sock, op, flags_of(op));
		return op->result != -EAGAIN || flags_of(op) & MSG_DONTWAIT;
	}
	op->result = 0;
	for (; done < op->size; done++) {
		struct cr__op one = {.code = CR__OP_RECVMSG, .buffer = &messages[done].msg_hdr};

		/* An error stays for the next call when something has come before it. */
		if (done > 0 && sock->error)
			break;
		op->result = receive_one(sock, &one, op->flags);
		if (op->result < 0)
			break;
		messages[done].msg_len = (unsigned)op->result;
	}
	if (done > 0 || op->size == 0)
		op->result = (ssize_t)done;
	return op->result != -EAGAIN || op->flags & MSG_DONTWAIT;
}

uint32_t cr__sim_datagram_ready(const struct cr__sim_sock *sock)
{
	uint32_t ready = POLLOUT | POLLWRNORM;

	if (sock->arrived || sock->error || sock->receive_shut)
		ready |= POLLIN | POLLRDNORM;
	if (sock->error)
		ready |= POLLERR;
	return ready;
}

/* ---------------------------------------------------------------------------- life, options --- */

/*
 * A socket without an address of its own has one while it is connected, as the kernel does it: that
 * by which it reaches the peer. NULL takes it away.
 */
static void local_set(struct cr__sim_sock *sock, const struct cr__sim_address *peer)
{
	struct cr__sim_address local = {.any.sa_family = sock->local.any.sa_family,
	                                .length = sock->local.length};

	if (!sock->local_by_peer && !group_equal(&sock->local, &local))
		return;
	if (peer)
		local = *peer;
	if (local.any.sa_family == AF_INET)
		local.v4.sin_port = port_of(&sock->local);
	else
		local.v6.sin6_port = port_of(&sock->local);
	sock->local = local;
	sock->local_by_peer = peer != NULL;
}

bool cr__sim_datagram_connect(struct cr__sim_sock *sock, struct cr__op *op)
{
	const struct sockaddr *addr = op->buffer;
	struct cr__sim_address target;
	int r;

	op->result = 0;
	if (op->size >= sizeof addr->sa_family && addr->sa_family == AF_UNSPEC) {
		sock->state = CR__SIM_FRESH;
		if (sock->local_by_peer)
			local_set(sock, NULL);
		return true;
	}
	r = cr__sim_address_set(&target, addr, (socklen_t)op->size);
	if (r == 0 && target.any.sa_family != sock->domain)
		r = -EAFNOSUPPORT;
	if (r == 0) {
		cr__sim_address_meant(&target);
		cr__sim_name_seen_by(sock, &target);
		r = name_ensure(sock);
	}
	if (r == 0) {
		local_set(sock, &target);
		sock->remote = target;
		sock->state = CR__SIM_CONNECTED;
	}
	op->result = r;
	return true;
}

void cr__sim_datagram_arrive(struct cr__sim_sock *sock)
{
	const cr_nsec now = sock->sim->now;

	while (sock->flying && sock->flying->when <= now) {
		struct cr__sim_datagram *datagram = sock->flying;

		sock->flying = datagram->next;
		datagram->next = NULL;
		*sock->arrived_tail = datagram;
		sock->arrived_tail = &datagram->next;
	}
	if (sock->refused_at <= now) {
		sock->refused_at = CORAIL_NEVER;
		sock->error = -ECONNREFUSED;
	}
}

static void datagrams_free(struct cr__sim_datagram *datagram)
{
	while (datagram) {
		struct cr__sim_datagram *next = datagram->next;

		cr__free(datagram);
		datagram = next;
	}
}

void cr__sim_datagram_end(struct cr__sim_sock *sock)
{
	datagrams_free(sock->flying);
	datagrams_free(sock->arrived);
	while (sock->groups) {
		struct cr__sim_group *group = sock->groups;

		sock->groups = group->next;
		cr__free(group);
	}
}

static int group_change(struct cr__sim_sock *sock, const struct cr__sim_address *address, bool join)
{
	struct cr__sim_group **link = &sock->groups, *group;

	if (!is_group(address))
		return -EINVAL;
	while (*link && !group_equal(&(*link)->address, address))
		link = &(*link)->next;
	group = *link;
	if (join && group)
		return -EADDRINUSE;
	if (!join && !group)
		return -EADDRNOTAVAIL;
	if (!join) {
		*link = group->next;
		cr__free(group);
		return 0;
	}
	group = cr__alloc_zero(1, sizeof *group);
	if (!group)
		return -ENOMEM;
	group->address = *address;
	*link = group;
	return 0;
}

int cr__sim_datagram_option(struct cr__sim_sock *sock, int level, int name, const void *value,
                            socklen_t length)
{
	struct cr__sim_address address = {.any.sa_family = AF_INET};
	struct ip_mreqn v4;
	struct ipv6_mreq v6;
	int number;

	memcpy(&number, value, sizeof number);
	if (level == IPPROTO_IP) {
		if (name == IP_MULTICAST_LOOP)
			sock->multicast_silent = !number;
		if (name != IP_ADD_MEMBERSHIP && name != IP_DROP_MEMBERSHIP)
			return 0;
		if (length < sizeof v4)
			return -EINVAL;
		memcpy(&v4, value, sizeof v4);
		address.v4.sin_addr = v4.imr_multiaddr;
		return group_change(sock, &address, name == IP_ADD_MEMBERSHIP);
	}
	if (name == IPV6_MULTICAST_LOOP)
		sock->multicast_silent = !number;
	if (name != IPV6_ADD_MEMBERSHIP && name != IPV6_DROP_MEMBERSHIP)
		return 0;
	if (length < sizeof v6)
		return -EINVAL;
	memcpy(&v6, value, sizeof v6);
	address.any.sa_family = AF_INET6;
	address.v6.sin6_addr = v6.ipv6mr_multiaddr;
	return group_change(sock, &address, name == IPV6_ADD_MEMBERSHIP);
}
