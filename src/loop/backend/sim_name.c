/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/*
 * Names: every IP address is this loop's own, as if its host had them all; Unix names exist as
 * long as the socket that has them. Rules as in ip(7), ipv6(7), tcp(7) and unix(7).
 */

/*
 * Linux's own range (net.ipv4.ip_local_port_range); taken in turn, so that a run can be repeated.
 */
enum { PORT_FIRST = 32768, PORT_LAST = 60999 };

static const socklen_t unix_head = offsetof(struct sockaddr_un, sun_path);

static bool is_inet(const struct cr__sim_address *address)
{
	return address->any.sa_family != AF_UNIX;
}

static in_port_t port_of(const struct cr__sim_address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_port;
	return address->v6.sin6_port;
}

static void port_set(struct cr__sim_address *address, in_port_t port)
{
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = port;
	else
		address->v6.sin6_port = port;
}

static bool is_any(const struct cr__sim_address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

/* Takes an address over. Returns 0, -EINVAL or -EAFNOSUPPORT. */
int cr__sim_address_set(struct cr__sim_address *address, const struct sockaddr *addr,
                        socklen_t length)
{
	memset(address, 0, sizeof *address);
	if (!addr || length < sizeof addr->sa_family)
		return -EINVAL;
	switch (addr->sa_family) {
	case AF_INET:
		address->length = sizeof address->v4;
		break;
	case AF_INET6:
		address->length = sizeof address->v6;
		break;
	case AF_UNIX:
		if (length > sizeof address->local)
			return -EINVAL;
		memcpy(&address->local, addr, length);
		address->length = length;
		/*
		 * A path ends at its zero, whatever length was given; an abstract name is all its
		 * bytes.
		 */
		if (length > unix_head && address->local.sun_path[0])
			address->length = unix_head + 1 +
			                  (socklen_t)strnlen(address->local.sun_path,
			                                     length - unix_head);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
	if (length < address->length)
		return -EINVAL;
	memcpy(&address->any, addr, address->length);
	return 0;
}

/* As getsockname(2) gives it: cut off at the room that there is, with the true length. */
void cr__sim_address_get(const struct cr__sim_address *address, struct sockaddr *addr,
                         socklen_t *length)
{
	memcpy(addr, &address->any, *length < address->length ? *length : address->length);
	*length = address->length;
}

static bool same_host(const struct cr__sim_address *a, const struct cr__sim_address *b)
{
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

static bool same_local(const struct cr__sim_address *a, const struct cr__sim_address *b)
{
	return a->length == b->length && memcmp(&a->local, &b->local, a->length) == 0;
}

bool cr__sim_address_equal(const struct cr__sim_address *a, const struct cr__sim_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	return is_inet(a) ? same_host(a, b) && port_of(a) == port_of(b) : same_local(a, b);
}

/* Whether a rule is about an address: port 0 in the rule means any. */
bool cr__sim_address_matches(const struct cr__sim_address *rule,
                             const struct cr__sim_address *address)
{
	if (rule->any.sa_family == address->any.sa_family && is_inet(rule) && port_of(rule) == 0)
		return same_host(rule, address);
	return cr__sim_address_equal(rule, address);
}

/*
 * What a target means: no address is this host, and an IPv4 address in IPv6 clothes is that
 * address.
 */
void cr__sim_address_meant(struct cr__sim_address *address)
{
	if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
		struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = address->v6.sin6_port};

		memcpy(&v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
		address->v4 = v4;
		address->length = sizeof v4;
	}
	if (!is_inet(address) || !is_any(address))
		return;
	if (address->any.sa_family == AF_INET)
		address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address->v6.sin6_addr = in6addr_loopback;
}

/* An IPv6 listener sees the addresses of IPv4 clients in IPv6 clothes (ipv6(7)). */
void cr__sim_name_seen_by(const struct cr__sim_sock *listener, struct cr__sim_address *address)
{
	struct sockaddr_in v4 = address->v4;

	if (listener->domain != AF_INET6 || address->any.sa_family != AF_INET)
		return;
	memset(&address->v6, 0, sizeof address->v6);
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = v4.sin_port;
	memset(&address->v6.sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&address->v6.sin6_addr.s6_addr[12], &v4.sin_addr, sizeof v4.sin_addr);
	address->length = sizeof address->v6;
}

/* Whether both names could be meant by one target. */
static bool names_overlap(const struct cr__sim_sock *a, const struct cr__sim_sock *b)
{
	if (is_inet(&a->local) != is_inet(&b->local) || a->datagrams != b->datagrams)
		return false;
	if (!is_inet(&a->local))
		return same_local(&a->local, &b->local);
	if (port_of(&a->local) != port_of(&b->local))
		return false;
	if (a->domain == b->domain)
		return is_any(&a->local) || is_any(&b->local) || same_host(&a->local, &b->local);
	if (a->domain == AF_INET6)
		return is_any(&a->local) && !a->v6_only;
	return is_any(&b->local) && !b->v6_only;
}

/*
 * Whether somebody else has the name of a socket that is to be bound, or to listen. SO_REUSEADDR
 * lets it be shared as long as nobody listens, SO_REUSEPORT also then, if both have it
 * (socket(7)).
 */
bool cr__sim_name_taken(const struct cr__sim_sock *sock)
{
	const struct cr__list *bound = &sock->sim->bound;

	for (struct cr__list *node = bound->next; node != bound; node = node->next) {
		const struct cr__sim_sock *other = CR__CONTAINER(node, struct cr__sim_sock,
		                                                 bound_link);

		if (other == sock || !names_overlap(sock, other))
			continue;
		if (is_inet(&sock->local) && sock->reuse_port && other->reuse_port)
			continue;
		if (is_inet(&sock->local) && sock->reuse_address && other->reuse_address &&
		    other->state != CR__SIM_LISTENING)
			continue;
		return true;
	}
	return false;
}

/* The next port that nobody uses at all, or 0. */
static in_port_t port_choose(struct cr__sim *sim)
{
	for (uint32_t i = PORT_FIRST; i <= PORT_LAST; i++) {
		uint32_t port = PORT_FIRST + sim->port_next++ % (PORT_LAST - PORT_FIRST + 1);

		if (sim->port_use[port] == 0)
			return htons((uint16_t)port);
	}
	return 0;
}

static void port_take(struct cr__sim_sock *sock)
{
	sock->sim->port_use[ntohs(port_of(&sock->local))]++;
	sock->owns_port = true;
}

static void name_local_auto(struct cr__sim_sock *sock)
{
	struct sockaddr_un *local = &sock->local.local;

	/* unix(7), "Autobind feature": a zero byte and five hexadecimal digits. */
	snprintf(local->sun_path + 1, 6, "%05x", ++sock->sim->name_next & 0xfffff);
	sock->local.length = unix_head + 6;
}

/* Names a client that has no name, for a connection to that target. Returns 0 or -EADDRNOTAVAIL. */
int cr__sim_name_auto(struct cr__sim_sock *sock, const struct cr__sim_address *target)
{
	in_port_t port;

	if (sock->domain == AF_UNIX) {
		if (!sock->local.length)
			sock->local.length = sizeof(sa_family_t);
		return 0;
	}
	port = sock->owns_port ? port_of(&sock->local) : port_choose(sock->sim);
	if (port == 0)
		return -EADDRNOTAVAIL;
	if (!sock->local.length || is_any(&sock->local)) {
		sock->local = *target;
		cr__sim_name_seen_by(sock, &sock->local);
	}
	port_set(&sock->local, port);
	if (!sock->owns_port)
		port_take(sock);
	return 0;
}

void cr__sim_name_release(struct cr__sim_sock *sock)
{
	cr__list_remove(&sock->bound_link);
	if (sock->owns_port)
		sock->sim->port_use[ntohs(port_of(&sock->local))]--;
	sock->owns_port = false;
}

/* Whether what is sent to a target is meant for a socket of that name. */
bool cr__sim_name_covers(const struct cr__sim_sock *sock, const struct cr__sim_address *target)
{
	struct cr__sim_address local;

	if (!is_inet(target))
		return !is_inet(&sock->local) && same_local(&sock->local, target);
	if (!is_inet(&sock->local) || port_of(&sock->local) != port_of(target))
		return false;
	if (is_any(&sock->local))
		return sock->domain == target->any.sa_family ||
		       (sock->domain == AF_INET6 && !sock->v6_only);
	local = sock->local;
	cr__sim_address_meant(&local);
	return local.any.sa_family == target->any.sa_family && same_host(&local, target);
}

static bool listens_on(const struct cr__sim_sock *sock, const struct cr__sim_address *target)
{
	return sock->state == CR__SIM_LISTENING && !sock->accept_shut &&
	       cr__sim_name_covers(sock, target);
}

/* Who listens there; of several (SO_REUSEPORT), one that the seed chooses. NULL for nobody. */
struct cr__sim_sock *cr__sim_listener_find(struct cr__sim *sim,
                                           const struct cr__sim_address *target)
{
	struct cr__sim_sock *found = NULL;
	uint64_t count = 0;

	for (struct cr__list *node = sim->bound.next; node != &sim->bound; node = node->next) {
		struct cr__sim_sock *sock = CR__CONTAINER(node, struct cr__sim_sock, bound_link);

		if (listens_on(sock, target) && (++count == 1 || cr__sim_random(sim, count) == 0))
			found = sock;
	}
	return found;
}

int cr__sim_sock_bind(struct cr__loop *loop, int fd, const struct sockaddr *addr, socklen_t length)
{
	struct cr__sim *sim = cr__sim_of(loop);
	struct cr__sim_address wanted;
	struct cr__sim_sock *sock;
	int r = cr__sim_sock_find(sim, fd, &sock);

	if (r == 0)
		r = cr__sim_address_set(&wanted, addr, length);
	if (r != 0)
		return r;
	if (wanted.any.sa_family != sock->domain)
		return sock->domain == AF_UNIX ? -EINVAL : -EAFNOSUPPORT;
	if (sock->state != CR__SIM_FRESH || sock->local.length)
		return -EINVAL;
	sock->local = wanted;
	if (sock->domain == AF_UNIX && wanted.length == sizeof(sa_family_t))
		name_local_auto(sock);
	else if (sock->domain != AF_UNIX && port_of(&wanted) == 0)
		port_set(&sock->local, port_choose(sim));
	if (cr__sim_name_taken(sock) || (sock->domain != AF_UNIX && port_of(&sock->local) == 0)) {
		sock->local = (struct cr__sim_address){.any.sa_family = (sa_family_t)sock->domain};
		return -EADDRINUSE;
	}
	if (sock->domain != AF_UNIX)
		port_take(sock);
	cr__list_push_back(&sim->bound, &sock->bound_link);
	return 0;
}

int cr__sim_sock_name(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length)
{
	struct cr__sim_address unnamed = {0};
	struct cr__sim_sock *sock;
	int r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);

	if (r < 0)
		return r;
	if (!sock->local.length) {
		unnamed.any.sa_family = (sa_family_t)sock->domain;
		unnamed.length = sock->domain == AF_UNIX   ? sizeof(sa_family_t)
		                 : sock->domain == AF_INET ? sizeof unnamed.v4
		                                           : sizeof unnamed.v6;
	}
	cr__sim_address_get(sock->local.length ? &sock->local : &unnamed, addr, length);
	return 0;
}

int cr__sim_sock_peer(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length)
{
	struct cr__sim_sock *sock;
	int r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);

	if (r < 0)
		return r;
	if (sock->state != CR__SIM_CONNECTED)
		return -ENOTCONN;
	cr__sim_address_get(&sock->remote, addr, length);
	return 0;
}
