/* SPDX-License-Identifier: MIT */
#include "net/udp.h"

#include <corail/dns.h>
#include <corail/io.h>

#include "base/alloc.h"
#include "base/panic.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "task/park.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

/* A datagram socket's life. */

enum { ADDRS_MAX = 16 };

void cr__udp_addr_dress(int family, cr_addr *addr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (family != AF_INET6 || addr->storage.ss_family != AF_INET)
		return;
	memcpy(&v4, &addr->storage, sizeof v4);
	v6.sin6_port = v4.sin_port;
	memset(&v6.sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&v6.sin6_addr.s6_addr[12], &v4.sin_addr, sizeof v4.sin_addr);
	memcpy(&addr->storage, &v6, sizeof v6);
	addr->length = sizeof v6;
}

void cr__udp_addr_undress(cr_addr *addr)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6;

	if (addr->storage.ss_family != AF_INET6)
		return;
	memcpy(&v6, &addr->storage, sizeof v6);
	if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return;
	v4.sin_port = v6.sin6_port;
	memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
	memcpy(&addr->storage, &v4, sizeof v4);
	addr->length = sizeof v4;
}

/* ---------------------------------------------------------------------------------- opening --- */

static int option(struct cr__loop *loop, int fd, int level, int name, int value)
{
	return cr__sock_option(loop, fd, level, name, &value, sizeof value);
}

static int options_set(struct cr__loop *loop, int fd, int family, const cr_udp_options *options)
{
	int r = 0;

	if (options->send_buffer_bytes > INT_MAX || options->receive_buffer_bytes > INT_MAX)
		return -EINVAL;
	if (options->reuse_address)
		r = option(loop, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && options->reuse_port)
		r = option(loop, fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && options->broadcast)
		r = option(loop, fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (r == 0 && family == AF_INET6)
		r = option(loop, fd, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
	if (r == 0 && options->send_buffer_bytes)
		r = option(loop, fd, SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer_bytes);
	if (r == 0 && options->receive_buffer_bytes)
		r = option(loop, fd, SOL_SOCKET, SO_RCVBUF, (int)options->receive_buffer_bytes);
	return r;
}

static int udp_new(int family, const cr_udp_options *options, cr_udp **ret_udp)
{
	static const cr_udp_options defaults;
	struct cr__loop *loop = cr__loop_self();
	cr_udp *udp = cr__alloc_zero(1, sizeof *udp);
	int r;

	if (!udp)
		return -ENOMEM;
	udp->family = family;
	r = udp->fd = cr__sock_open(loop, family, SOCK_DGRAM, 0);
	if (r >= 0) {
		r = options_set(loop, udp->fd, family, options ? options : &defaults);
		if (r < 0)
			cr__fd_close(loop, udp->fd);
	}
	if (r < 0) {
		cr__free(udp);
		return r;
	}
	*ret_udp = udp;
	return 0;
}

static int open_bound(const cr_addr *addr, const cr_udp_options *options, cr_udp **ret_udp)
{
	struct cr__loop *loop = cr__loop_self();
	cr_udp *udp;
	int r = udp_new(addr->storage.ss_family, options, &udp);

	if (r < 0)
		return r;
	r = cr__sock_bind(loop, udp->fd, (const struct sockaddr *)&addr->storage, addr->length);
	if (r < 0) {
		cr__fd_close(loop, udp->fd);
		cr__free(udp);
		return r;
	}
	*ret_udp = udp;
	return 0;
}

int cr_udp_open(const char *local, const cr_udp_options *options, cr_udp **ret_udp)
{
	cr_addr addr;
	int r = cr__park_check(__func__);

	if (r == 0)
		r = cr__target_resolve(local, &addr);
	if (r != 0)
		return r;
	if (addr.storage.ss_family == AF_UNIX)
		return -EAFNOSUPPORT;
	r = open_bound(&addr, options, ret_udp);
	if (r == -EAFNOSUPPORT && local[0] == ':') {
		/* A kernel without IPv6. */
		cr__addr_parse_ip("0.0.0.0", cr_addr_port(&addr), &addr);
		r = open_bound(&addr, options, ret_udp);
	}
	return r;
}

static int open_connected(const cr_addr *peer, const cr_udp_options *options, cr_udp **ret_udp)
{
	cr_udp *udp;
	int r = udp_new(peer->storage.ss_family, options, &udp);

	if (r < 0)
		return r;
	r = cr_udp_connect(udp, peer);
	if (r < 0) {
		cr_udp_close(udp);
		return r;
	}
	*ret_udp = udp;
	return 0;
}

int cr_udp_open_peer(const char *peer, const cr_udp_options *options, cr_udp **ret_udp)
{
	cr_dns_address found[ADDRS_MAX];
	char host[CR__HOST_SIZE];
	int port, count, r = cr__park_check(__func__);
	cr_addr addr;

	if (r < 0)
		return r;
	if (strncmp(peer, "unix:", 5) == 0)
		return -EAFNOSUPPORT;
	port = cr__target_split(peer, host);
	if (port < 0)
		return port;
	if (cr__addr_parse_ip(host, port, &addr) == 0)
		return open_connected(&addr, options, ret_udp);
	count = cr_dns_lookup(host, AF_UNSPEC, found, ADDRS_MAX);
	if (count < 0)
		return count;
	r = -ENETUNREACH;
	for (int i = 0; i < count && r < 0 && r != -ECANCELED; i++) {
		addr = found[i].addr;
		cr_addr_port_set(&addr, port);
		r = open_connected(&addr, options, ret_udp);
	}
	return r;
}

int cr_udp_connect(cr_udp *udp, const cr_addr *peer)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	cr_addr addr;

	if (udp->closing)
		return -ECANCELED;
	if (!peer)
		return cr_fd_connect(udp->fd, &nobody, sizeof nobody);
	addr = *peer;
	cr__udp_addr_dress(udp->family, &addr);
	if (addr.storage.ss_family != udp->family)
		return -EAFNOSUPPORT;
	return cr_fd_connect(udp->fd, (const struct sockaddr *)&addr.storage, addr.length);
}

int cr_udp_close(cr_udp *udp)
{
	int r;

	if (!udp)
		return 0;
	cr__task_current(__func__);
	if (udp->closing)
		cr__panic("%s: the socket is being closed already", __func__);
	udp->closing = true;
	r = cr_fd_close(udp->fd);
	cr__free(udp);
	return r;
}

/* ---------------------------------------------------------------------------------- details --- */

static int name_of(const cr_udp *udp,
                   int (*ask)(struct cr__loop *, int, struct sockaddr *, socklen_t *),
                   cr_addr *ret_addr)
{
	cr_addr addr = {.length = sizeof addr.storage};
	int r = ask(cr__loop_self(), udp->fd, (struct sockaddr *)&addr.storage, &addr.length);

	if (r < 0)
		return r;
	cr__udp_addr_undress(&addr);
	*ret_addr = addr;
	return 0;
}

int cr_udp_local(const cr_udp *udp, cr_addr *ret_addr)
{
	return name_of(udp, cr__sock_name, ret_addr);
}

int cr_udp_peer(const cr_udp *udp, cr_addr *ret_addr)
{
	return name_of(udp, cr__sock_peer, ret_addr);
}

int cr_udp_fd(const cr_udp *udp)
{
	return udp->fd;
}
