/* SPDX-License-Identifier: MIT */
#include "loop/backend/sockets.h"

#include "loop/backend/fds.h"
#include "loop/loop.h"

#include <errno.h>
#include <unistd.h>

static int result_of(int r)
{
	return r < 0 ? -errno : r;
}

/* A stream in the sense of CR__FD_STREAM: Unix sockets end a read where a descriptor was passed. */
static void adopt(struct cr__loop *loop, int fd, int domain, int type)
{
	const bool tcp = (domain == AF_INET || domain == AF_INET6) &&
	                 (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM;

	cr__fds_adopt(loop->backend_state, fd, tcp ? CR__FD_OWN | CR__FD_STREAM : CR__FD_OWN);
}

int cr__sockets_open(struct cr__loop *loop, int domain, int type, int protocol, int mode)
{
	int fd = result_of(socket(domain, type | SOCK_CLOEXEC | mode, protocol));

	if (fd >= 0)
		adopt(loop, fd, domain, type);
	return fd;
}

int cr__sockets_pair(struct cr__loop *loop, int domain, int type, int mode, int ret_fds[2])
{
	int fds[2], r = result_of(socketpair(domain, type | SOCK_CLOEXEC | mode, 0, fds));

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		adopt(loop, fds[i], domain, type);
		ret_fds[i] = fds[i];
	}
	return 0;
}

int cr__sockets_bind(struct cr__loop *loop, int fd, const struct sockaddr *addr, socklen_t length)
{
	(void)loop;
	return result_of(bind(fd, addr, length));
}

int cr__sockets_listen(struct cr__loop *loop, int fd, int backlog)
{
	(void)loop;
	return result_of(listen(fd, backlog));
}

int cr__sockets_name(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length)
{
	(void)loop;
	return result_of(getsockname(fd, addr, length));
}

int cr__sockets_peer(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length)
{
	(void)loop;
	return result_of(getpeername(fd, addr, length));
}

int cr__sockets_option(struct cr__loop *loop, int fd, int level, int name, const void *value,
                       socklen_t length)
{
	(void)loop;
	return result_of(setsockopt(fd, level, name, value, length));
}

int cr__sockets_option_get(struct cr__loop *loop, int fd, int level, int name, void *value,
                           socklen_t *length)
{
	(void)loop;
	return result_of(getsockopt(fd, level, name, value, length));
}

int cr__sockets_shutdown(struct cr__loop *loop, int fd, int how)
{
	(void)loop;
	return result_of(shutdown(fd, how));
}

int cr__descriptor_close(int fd)
{
	/* Linux has released the number even when close(2) says EINTR. */
	if (close(fd) == 0 || errno == EINTR)
		return 0;
	return -errno;
}

void cr__eventfd_signal(int fd)
{
	const uint64_t one = 1;
	int saved = errno;

	/* EAGAIN would mean 2^64 - 1 wake-ups that nobody has seen: one more changes nothing. */
	if (write(fd, &one, sizeof one) < 0)
		errno = saved;
}
