/* SPDX-License-Identifier: MIT */
#include "net/udp.h"

#include "loop/loop.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

/*
 * Multicast: ip(7), ipv6(7). An IPv6 socket that also speaks IPv4 has a second set of options for
 * it, which Linux takes on the same socket.
 */

static int option(const cr_udp *udp, int level, int name, const void *value, socklen_t size)
{
	return cr__sock_option(cr__loop_self(), udp->fd, level, name, value, size);
}

/* Returns an interface's number, 0 for no name, or -ENODEV. */
static int interface_number(const char *name)
{
	unsigned number = name ? if_nametoindex(name) : 0;

	return name && number == 0 ? -ENODEV : (int)number;
}

static int member(const cr_udp *udp, const cr_addr *group, const char *interface_name, bool join)
{
	int number = interface_number(interface_name);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (number < 0)
		return number;
	if (group->storage.ss_family == AF_INET) {
		struct ip_mreqn request = {.imr_ifindex = number};

		memcpy(&v4, &group->storage, sizeof v4);
		if (!IN_MULTICAST(ntohl(v4.sin_addr.s_addr)))
			return -EINVAL;
		request.imr_multiaddr = v4.sin_addr;
		return option(udp, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP,
		              &request, sizeof request);
	}
	if (group->storage.ss_family == AF_INET6 && udp->family == AF_INET6) {
		struct ipv6_mreq request = {.ipv6mr_interface = (unsigned)number};

		memcpy(&v6, &group->storage, sizeof v6);
		if (!IN6_IS_ADDR_MULTICAST(&v6.sin6_addr))
			return -EINVAL;
		request.ipv6mr_multiaddr = v6.sin6_addr;
		return option(udp, IPPROTO_IPV6, join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP,
		              &request, sizeof request);
	}
	return -EAFNOSUPPORT;
}

int cr_udp_join(cr_udp *udp, const cr_addr *group, const char *interface_name)
{
	return member(udp, group, interface_name, true);
}

int cr_udp_leave(cr_udp *udp, const cr_addr *group, const char *interface_name)
{
	return member(udp, group, interface_name, false);
}

/* Sets an option for both families, as far as the socket has them. */
static int both(const cr_udp *udp, int name_v4, int name_v6, int value)
{
	int r = option(udp, IPPROTO_IP, name_v4, &value, sizeof value);

	return udp->family == AF_INET6 ? option(udp, IPPROTO_IPV6, name_v6, &value, sizeof value)
	                               : r;
}

int cr_udp_multicast_ttl_set(cr_udp *udp, int ttl)
{
	if (ttl < 0 || ttl > 255)
		return -EINVAL;
	return both(udp, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, ttl);
}

int cr_udp_multicast_loop_set(cr_udp *udp, int on)
{
	return both(udp, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on != 0);
}

int cr_udp_multicast_interface_set(cr_udp *udp, const char *interface_name)
{
	int number = interface_number(interface_name);
	struct ip_mreqn request = {.imr_ifindex = number};
	int r;

	if (number < 0)
		return number;
	r = option(udp, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
	return udp->family == AF_INET6
	               ? option(udp, IPPROTO_IPV6, IPV6_MULTICAST_IF, &number, sizeof number)
	               : r;
}
