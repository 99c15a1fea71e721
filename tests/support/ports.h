/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_PORTS_H
#define CORAIL_TESTS_SUPPORT_PORTS_H

/* Ports that stay closed: tests run beside each other, and a port that is free is anybody's. */

#include "test.h"

#include <netinet/in.h>
#include <sys/socket.h>

/*
 * A socket that is bound to a port of a loopback address (port 0: any that is free) and does not
 * listen: connections are refused, and nobody else can take the port before close(2). A port that
 * was only closed may be another test's in the next instant. Returns the socket, or -1 where that
 * family has no loopback or the port is taken.
 */
__attribute__((unused)) static int port_hold(int family, int port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
	                          .sin6_port = htons((uint16_t)port),
	                          .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
	                                  : bind(fd, (struct sockaddr *)&v6, sizeof v6)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The port of a socket of port_hold(). */
__attribute__((unused)) static int port_held(int fd)
{
	struct sockaddr_in6 a;
	socklen_t length = sizeof a;

	CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	return ntohs(a.sin6_port); /* at the same place in a sockaddr_in */
}

#endif
