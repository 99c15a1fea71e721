/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_UDP_H
#define CR__NET_UDP_H

/* A datagram socket's inside. */

#include <corail/udp.h>

#include <stdbool.h>

struct cr_udp {
	int fd;
	int family;
	bool closing;
};

/*
 * An address as a socket of that family wants it: over IPv6, an IPv4 one in IPv6 clothes (ipv6(7)).
 * And the other way round. Work in place.
 */
void cr__udp_addr_dress(int family, cr_addr *addr);
void cr__udp_addr_undress(cr_addr *addr);

#endif
