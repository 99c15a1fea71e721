/* SPDX-License-Identifier: MIT */
#include "net/listener.h"
#include "net/addr.h"
#include "net/conn.h"

#include <corail/dns.h>
#include <corail/io.h>
#include <corail/task.h>

#include "base/alloc.h"
#include "base/panic.h"
#include "io/io.h"
#include "loop/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Listening and accepting. */

enum { BACKLOG = 4096 };

/* ----------------------------------------------------------------------------------- target --- */

int cr__target_resolve(const char *target, cr_addr *ret_addr)
{
	cr_dns_address found;
	char host[CR__HOST_SIZE];
	int port, r;

	if (strncmp(target, "unix:", 5) == 0)
		return cr_addr_parse(target, ret_addr);
	port = cr__target_split(target, host);
	if (port < 0)
		return port;
	if (!host[0])
		return cr__addr_parse_ip("::", port, ret_addr);
	if (cr__addr_parse_ip(host, port, ret_addr) == 0)
		return 0;
	r = cr_dns_lookup(host, AF_UNSPEC, &found, 1);
	if (r < 0)
		return r;
	*ret_addr = found.addr;
	return cr_addr_port_set(ret_addr, port);
}

/* ------------------------------------------------------------------------ Unix socket files --- */

static const char *file_path(const cr_addr *addr)
{
	const char *path = ((const struct sockaddr_un *)(const void *)&addr->storage)->sun_path;

	return addr->storage.ss_family == AF_UNIX && path[0] ? path : NULL;
}

/*
 * Whether the file at a path is a socket that nobody listens on: connect(2) refuses. Such a file is
 * left by a server that was killed. One that is alive but accepts nobody gives -EAGAIN at once, as
 * the socket is not to block, and must not be waited for.
 */
static bool file_stale(struct cr__loop *loop, const cr_addr *addr)
{
	struct cr__io io = {.op = {.code = CR__OP_CONNECT,
	                           .buffer = (void *)&addr->storage,
	                           .size = addr->length}};
	struct stat status;
	ssize_t r;

	if (lstat(file_path(addr), &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	io.op.fd = cr__sock_open(loop, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (io.op.fd < 0)
		return false;
	r = cr__io_run(&io, "cr_listener_open", "connect");
	cr_fd_close(io.op.fd);
	return r == -ECONNREFUSED;
}

static int bind_addr(struct cr__loop *loop, int fd, const cr_addr *addr)
{
	const struct sockaddr *name = (const struct sockaddr *)&addr->storage;
	int r = cr__sock_bind(loop, fd, name, addr->length);

	if (r != -EADDRINUSE || !file_path(addr) || !file_stale(loop, addr))
		return r;
	unlink(file_path(addr));
	return cr__sock_bind(loop, fd, name, addr->length);
}

/*
 * Remembers which file is ours: another server may have put its own there by the time of the close.
 */
static void file_remember(cr_listener *listener)
{
	struct stat status;

	if (!file_path(&listener->addr) || lstat(file_path(&listener->addr), &status) < 0)
		return;
	listener->has_file = true;
	listener->file_device = status.st_dev;
	listener->file_inode = status.st_ino;
}

static void file_remove(const cr_listener *listener)
{
	struct stat status;

	if (listener->has_file && lstat(file_path(&listener->addr), &status) == 0 &&
	    status.st_dev == listener->file_device && status.st_ino == listener->file_inode)
		unlink(file_path(&listener->addr));
}

/* ---------------------------------------------------------------------------------- opening --- */

static int option_on(struct cr__loop *loop, int fd, int level, int name, int value)
{
	return cr__sock_option(loop, fd, level, name, &value, sizeof value);
}

static int listen_on(struct cr__loop *loop, int fd, const cr_addr *addr,
                     const cr_listener_options *options)
{
	int family = addr->storage.ss_family;
	int r = 0;

	if (family != AF_UNIX)
		r = option_on(loop, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && family != AF_UNIX && options->reuse_port)
		r = option_on(loop, fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && family == AF_INET6)
		r = option_on(loop, fd, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
	if (r == 0)
		r = bind_addr(loop, fd, addr);
	if (r == 0 && family != AF_UNIX && options->fast_open > 0)
		r = option_on(loop, fd, IPPROTO_TCP, TCP_FASTOPEN, options->fast_open);
	if (r == 0 && family != AF_UNIX && options->defer_accept > 0)
		r = option_on(loop, fd, IPPROTO_TCP, TCP_DEFER_ACCEPT,
		              cr__whole_seconds(options->defer_accept));
	return r < 0 ? r : cr__sock_listen(loop, fd, options->backlog ? options->backlog : BACKLOG);
}

static int listener_new(struct cr__loop *loop, const cr_addr *addr,
                        const cr_listener_options *options, cr_listener **ret_listener)
{
	cr_listener *listener = cr__alloc_zero(1, sizeof *listener);
	int r;

	if (!listener)
		return -ENOMEM;
	listener->addr = *addr;
	listener->family = addr->storage.ss_family;
	r = listener->fd = cr__sock_open(loop, listener->family, SOCK_STREAM, 0);
	if (r >= 0) {
		r = listen_on(loop, listener->fd, addr, options);
		if (r < 0)
			cr_fd_close(listener->fd);
	}
	if (r < 0) {
		cr__free(listener);
		return r;
	}
	file_remember(listener);
	*ret_listener = listener;
	return 0;
}

int cr_listener_open(const char *target, const cr_listener_options *options,
                     cr_listener **ret_listener)
{
	static const cr_listener_options defaults;
	cr_addr addr;
	struct cr__loop *loop;
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (!options)
		options = &defaults;
	r = cr__target_resolve(target, &addr);
	if (r < 0)
		return r;
	loop = cr__loop_self();
	r = listener_new(loop, &addr, options, ret_listener);
	if (r == -EAFNOSUPPORT && target[0] == ':') {
		/* A kernel without IPv6. */
		cr__addr_parse_ip("0.0.0.0", cr_addr_port(&addr), &addr);
		r = listener_new(loop, &addr, options, ret_listener);
	}
	return r;
}

/* -------------------------------------------------------------------------------- accepting --- */

/*
 * No descriptor or no memory is left in the process or the machine: the client waits in the
 * backlog. There is no event that says when this is over, so the listener looks again after a
 * pause.
 */
static bool exhausted(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/*
 * This client is gone, or its network is; the next may be well. accept(2): network errors of the
 * new socket are to be treated as a retry.
 */
static bool client_failed(int error)
{
	switch (error) {
	case -ECONNABORTED:
	case -EPERM:
	case -ENETDOWN:
	case -EPROTO:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return true;
	default:
		return false;
	}
}

static int accept_fd(cr_listener *listener)
{
	const cr_nsec pause_max = cr_millis(200);
	cr_nsec pause = cr_millis(10);
	int r;

	for (;;) {
		r = listener->closing ? -ECANCELED : cr_fd_accept(listener->fd, NULL, NULL, 0);
		if (exhausted(r)) {
			r = cr_sleep(pause);
			if (r < 0)
				return r;
			pause = 2 * pause < pause_max ? 2 * pause : pause_max;
		} else if (!client_failed(r)) {
			return r;
		}
	}
}

int cr_listener_accept(cr_listener *listener, cr_conn **ret_conn)
{
	int fd, r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (listener->accepting)
		return -EBUSY;
	listener->accepting = true;
	fd = accept_fd(listener);
	listener->accepting = false;
	if (listener->closer_parked) {
		listener->closer_parked = false;
		cr__unpark(listener->closer.task, 0);
	}
	if (fd < 0)
		return fd;
	r = cr__conn_from_socket(fd, listener->family, ret_conn);
	if (r < 0)
		cr_fd_close(fd);
	return r;
}

int cr_listener_addr(const cr_listener *listener, cr_addr *ret_addr)
{
	cr_addr addr = {.length = sizeof addr.storage};
	int r = cr__sock_name(cr__loop_self(), listener->fd, (struct sockaddr *)&addr.storage,
	                      &addr.length);

	if (r < 0)
		return r;
	*ret_addr = addr;
	return 0;
}

int cr_listener_port(const cr_listener *listener)
{
	cr_addr addr;
	int r = cr_listener_addr(listener, &addr);

	return r < 0 ? r : cr_addr_port(&addr);
}

void cr_listener_stop(cr_listener *listener)
{
	cr__task_current(__func__);
	if (listener->closing)
		return;
	listener->closing = true;
	/* From here on the server leaves the listener alone. */
	if (listener->server_closed)
		*listener->server_closed = true;
	listener->server_closed = NULL;
	file_remove(listener);
	cr__fd_cancel(cr__loop_self(), listener->fd);
	if (listener->accepting) {
		listener->closer = (struct cr__wait){.reason = "close", .fd = listener->fd};
		listener->closer_parked = true;
		cr__park(&listener->closer);
	}
	cr_fd_close(listener->fd);
	listener->fd = -1;
}

void cr_listener_close(cr_listener *listener)
{
	if (!listener)
		return;
	if (listener->closing && listener->fd >= 0)
		cr__panic("%s: the listener is being closed already", __func__);
	cr_listener_stop(listener);
	cr__free(listener);
}
