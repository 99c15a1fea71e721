/* SPDX-License-Identifier: MIT */
/*
 * A listening TCP socket on the loopback address, on a port that the kernel chose and that is
 * printed as "PORT n" for the runner; for the echo servers that have nothing of their own.
 */
#ifndef BENCH_LISTEN_H
#define BENCH_LISTEN_H

#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static inline int bench_listen(int flags)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(fd, 4096) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		perror("listen");
		exit(1);
	}
	printf("PORT %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static inline void bench_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

#endif
