/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "loop/backend/sim_disk.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/*
 * Descriptors and sockets. A descriptor is an index into a table; the lowest free one is taken, as
 * POSIX does, so that a number comes back soon and a stale one shows.
 */

int cr__sim_sock_find(struct cr__sim *sim, int fd, struct cr__sim_sock **ret_sock)
{
	size_t index = (size_t)fd - CR__SIM_FD_FIRST;

	if (fd < 0)
		return -EBADF;
	if (cr__sim_disk_owns(fd))
		return sim->disk && cr__sim_disk_find(sim->disk, fd) ? -EOPNOTSUPP : -EBADF;
	if (fd < CR__SIM_FD_FIRST)
		return fcntl(fd, F_GETFD) < 0 ? -EBADF : -EOPNOTSUPP;
	if (index >= sim->table_size || !sim->table[index])
		return -EBADF;
	*ret_sock = sim->table[index];
	return 0;
}

static int table_grow(struct cr__sim *sim)
{
	size_t size = sim->table_size ? 2 * sim->table_size : 64;
	struct cr__sim_sock **table;

	if (size > CR__SIM_FD_MAX)
		return -EMFILE;
	table = cr__realloc(sim->table, size * sizeof *table);
	if (!table)
		return -ENOMEM;
	memset(table + sim->table_size, 0, (size - sim->table_size) * sizeof *table);
	sim->table = table;
	sim->table_size = size;
	return 0;
}

/* Gives a socket its descriptor. Returns it, -EMFILE or -ENOMEM. */
int cr__sim_sock_number(struct cr__sim_sock *sock)
{
	struct cr__sim *sim = sock->sim;
	size_t index = sim->table_hint;

	if (sim->table_used == sim->table_size) {
		int r = table_grow(sim);

		if (r < 0)
			return r;
	}
	while (sim->table[index])
		index++;
	sim->table[index] = sock;
	sim->table_used++;
	sim->table_hint = index + 1;
	sock->fd = CR__SIM_FD_FIRST + (int)index;
	return sock->fd;
}

static void number_release(struct cr__sim_sock *sock)
{
	struct cr__sim *sim = sock->sim;
	size_t index = (size_t)(sock->fd - CR__SIM_FD_FIRST);

	if (sock->fd < 0)
		return;
	sim->table[index] = NULL;
	sim->table_used--;
	if (index < sim->table_hint)
		sim->table_hint = index;
	sock->fd = -1;
}

int cr__sim_sock_create(struct cr__sim *sim, int domain, struct cr__sim_sock **ret_sock)
{
	size_t buffer = sim->network.buffer_bytes ? sim->network.buffer_bytes
	                                          : CR__SIM_BUFFER_BYTES;
	struct cr__sim_sock *sock = cr__alloc_zero(1, sizeof *sock);

	if (!sock)
		return -ENOMEM;
	sock->sim = sim;
	sock->timer.fire = cr__sim_arrive;
	if (cr__timer_set(&sim->timers, &sock->timer, CORAIL_NEVER) < 0) {
		cr__free(sock);
		return -ENOMEM;
	}
	sock->fd = -1;
	sock->domain = domain;
	sock->local.any.sa_family = sock->remote.any.sa_family = (sa_family_t)domain;
	sock->send_buffer = sock->receive_buffer = buffer;
	sock->segments_tail = &sock->segments;
	sock->arrived_tail = &sock->arrived;
	sock->answer_at = sock->end_at = sock->reset_at = sock->refused_at = CORAIL_NEVER;
	cr__list_push_back(&sim->socks, &sock->link);
	cr__list_init(&sock->bound_link);
	cr__list_init(&sock->queue_link);
	cr__list_init(&sock->accept_queue);
	cr__list_init(&sock->connect_queue);
	*ret_sock = sock;
	return 0;
}

/* Frees a socket, without a word to its peer or to anybody who waits on it. */
void cr__sim_sock_destroy(struct cr__sim_sock *sock)
{
	if (sock->peer)
		sock->peer->peer = NULL;
	while (sock->segments) {
		struct cr__sim_segment *segment = sock->segments;

		sock->segments = segment->next;
		cr__free(segment);
	}
	cr__sim_datagram_end(sock);
	cr__sim_name_release(sock);
	number_release(sock);
	cr__timer_unset(&sock->sim->timers, &sock->timer);
	cr__list_remove(&sock->queue_link);
	cr__list_remove(&sock->link);
	cr__free(sock);
}

int cr__sim_fd_close(struct cr__loop *loop, int fd)
{
	struct cr__sim_sock *sock;
	int r;

	if (cr__sim_disk_owns(fd))
		return cr__sim_disk_fd_close(cr__sim_of(loop), fd);
	r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);
	/* The operating system's own may be closed, at least. */
	if (r == -EOPNOTSUPP)
		return close(fd) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	CR__ASSERT(!sock->op[CR__SIM_READ] && !sock->op[CR__SIM_WRITE]);
	if (sock->state == CR__SIM_LISTENING)
		cr__sim_listener_end(sock);
	if (sock->state == CR__SIM_CONNECTED)
		cr__sim_stream_close(sock);
	cr__sim_sock_destroy(sock);
	return 0;
}

/* Returns its number, and the socket itself beside it. */
static int open_one(struct cr__loop *loop, int domain, int type, int protocol,
                    struct cr__sim_sock **ret_sock)
{
	const int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
	const int usual = kind == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
	struct cr__sim_sock *sock;
	int r;

	if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
		return -EAFNOSUPPORT;
	if (kind != SOCK_STREAM && (kind != SOCK_DGRAM || domain == AF_UNIX))
		return -EOPNOTSUPP;
	if (protocol != 0 && (domain == AF_UNIX || protocol != usual))
		return -EPROTONOSUPPORT;
	r = cr__sim_sock_create(cr__sim_of(loop), domain, &sock);
	if (r < 0)
		return r;
	sock->datagrams = kind == SOCK_DGRAM;
	r = cr__sim_sock_number(sock);
	if (r < 0)
		cr__sim_sock_destroy(sock);
	else
		*ret_sock = sock;
	return r;
}

int cr__sim_sock_open(struct cr__loop *loop, int domain, int type, int protocol)
{
	struct cr__sim_sock *sock;

	return open_one(loop, domain, type, protocol, &sock);
}

int cr__sim_sock_pair(struct cr__loop *loop, int domain, int type, int ret_fds[2])
{
	struct cr__sim_sock *a, *b;
	int first, second;

	if (domain != AF_UNIX)
		return -EOPNOTSUPP;
	first = open_one(loop, domain, type, 0, &a);
	if (first < 0)
		return first;
	second = open_one(loop, domain, type, 0, &b);
	if (second < 0) {
		cr__sim_fd_close(loop, first);
		return second;
	}
	a->state = b->state = CR__SIM_CONNECTED;
	a->local.length = a->remote.length = sizeof(sa_family_t);
	b->local.length = b->remote.length = sizeof(sa_family_t);
	a->peer = b;
	b->peer = a;
	ret_fds[0] = first;
	ret_fds[1] = second;
	return 0;
}

static int option_socket(struct cr__sim_sock *sock, int name, const void *value, int number)
{
	const struct linger *linger = value;

	switch (name) {
	case SO_REUSEADDR:
		sock->reuse_address = number;
		return 0;
	case SO_BROADCAST:
		sock->broadcast = number;
		return 0;
	case SO_REUSEPORT:
		sock->reuse_port = number;
		return 0;
	case SO_SNDBUF:
		sock->send_buffer = number > 0 ? (size_t)number : 1;
		return 0;
	case SO_RCVBUF:
		sock->receive_buffer = number > 0 ? (size_t)number : 1;
		return 0;
	case SO_LINGER:
		sock->reset_on_close = linger->l_onoff && linger->l_linger == 0;
		return 0;
	case SO_KEEPALIVE:
	case SO_PRIORITY:
	case SO_OOBINLINE:
	case SO_PASSCRED:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* What shapes the simulation is remembered; what only tunes a real network is accepted. */
int cr__sim_sock_option(struct cr__loop *loop, int fd, int level, int name, const void *value,
                        socklen_t length)
{
	struct cr__sim_sock *sock;
	int number, r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);

	if (r < 0)
		return r;
	if (length <
	    (level == SOL_SOCKET && name == SO_LINGER ? sizeof(struct linger) : sizeof number))
		return -EINVAL;
	memcpy(&number, value, sizeof number);
	if (sock->datagrams && (level == IPPROTO_IP || level == IPPROTO_IPV6) &&
	    name != IPV6_V6ONLY)
		return cr__sim_datagram_option(sock, level, name, value, length);
	if (level == SOL_SOCKET)
		return option_socket(sock, name, value, number);
	if (level == IPPROTO_TCP && sock->domain != AF_UNIX)
		return 0;
	if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && sock->domain == AF_INET6) {
		sock->v6_only = number;
		return 0;
	}
	return -ENOPROTOOPT;
}

/* The state of a connection as TCP_INFO has it: what a closing end waits for. */
static uint8_t tcp_state(const struct cr__sim_sock *sock)
{
	if (sock->state == CR__SIM_LISTENING)
		return TCP_LISTEN;
	if (sock->state == CR__SIM_CONNECTING)
		return TCP_SYN_SENT;
	if (sock->state == CR__SIM_FRESH || !sock->peer)
		return TCP_CLOSE;
	if (!sock->send_shut)
		return sock->ended ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
	if (sock->peer->ended)
		return sock->ended ? TCP_CLOSE : TCP_FIN_WAIT2;
	return sock->ended ? TCP_LAST_ACK : TCP_FIN_WAIT1;
}

static int option_give(void *value, socklen_t *length, const void *from, size_t size)
{
	if (*length < size)
		size = *length;
	memcpy(value, from, size);
	*length = (socklen_t)size;
	return 0;
}

int cr__sim_sock_option_get(struct cr__loop *loop, int fd, int level, int name, void *value,
                            socklen_t *length)
{
	struct cr__sim_sock *sock;
	int number, r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);

	if (r < 0)
		return r;
	if (level == IPPROTO_TCP && name == TCP_INFO && sock->domain != AF_UNIX &&
	    !sock->datagrams) {
		struct tcp_info info = {.tcpi_state = tcp_state(sock)};

		return option_give(value, length, &info, sizeof info);
	}
	if (level == SOL_SOCKET && name == SO_PEERCRED && sock->domain == AF_UNIX) {
		struct ucred self = {.pid = getpid(), .uid = getuid(), .gid = getgid()};

		return option_give(value, length, &self, sizeof self);
	}
	if (level != SOL_SOCKET || (name != SO_SNDBUF && name != SO_RCVBUF))
		return -ENOPROTOOPT;
	number = (int)(name == SO_SNDBUF ? sock->send_buffer : sock->receive_buffer);
	return option_give(value, length, &number, sizeof number);
}
