/* SPDX-License-Identifier: MIT */
#include "loop/op.h"

#include "loop/loop.h"

/* What op.h declares, handed to the loop's backend. */

int cr__op_start(struct cr__loop *loop, struct cr__op *op)
{
	return loop->backend->op_start(loop, op);
}

bool cr__op_cancel(struct cr__loop *loop, struct cr__op *op)
{
	return loop->backend->op_cancel(loop, op);
}

int cr__fd_busy(struct cr__loop *loop, int fd)
{
	return loop->backend->fd_busy(loop, fd);
}

int cr__fd_cancel(struct cr__loop *loop, int fd)
{
	return loop->backend->fd_cancel(loop, fd);
}

int cr__fd_opened(struct cr__loop *loop, int fd)
{
	if (loop->watch && fd >= 0)
		loop->watch->opened(loop->watch, fd);
	return fd;
}

int cr__fd_close(struct cr__loop *loop, int fd)
{
	if (loop->watch)
		loop->watch->closed(loop->watch, fd);
	return loop->backend->fd_close(loop, fd);
}

void cr__fd_forget(struct cr__loop *loop, int fd)
{
	if (loop->watch)
		loop->watch->closed(loop->watch, fd);
	loop->backend->fd_forget(loop, fd);
}

int cr__fd_ready(struct cr__loop *loop, int fd, int events)
{
	return loop->backend->fd_ready(loop, fd, events);
}

int cr__sock_open(struct cr__loop *loop, int domain, int type, int protocol)
{
	return cr__fd_opened(loop, loop->backend->sock_open(loop, domain, type, protocol));
}

int cr__sock_pair(struct cr__loop *loop, int domain, int type, int ret_fds[2])
{
	int r = loop->backend->sock_pair(loop, domain, type, ret_fds);

	if (r == 0) {
		cr__fd_opened(loop, ret_fds[0]);
		cr__fd_opened(loop, ret_fds[1]);
	}
	return r;
}

int cr__sock_bind(struct cr__loop *loop, int fd, const struct sockaddr *addr, socklen_t length)
{
	return loop->backend->sock_bind(loop, fd, addr, length);
}

int cr__sock_listen(struct cr__loop *loop, int fd, int backlog)
{
	return loop->backend->sock_listen(loop, fd, backlog);
}

int cr__sock_name(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length)
{
	return loop->backend->sock_name(loop, fd, addr, length);
}

int cr__sock_peer(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length)
{
	return loop->backend->sock_peer(loop, fd, addr, length);
}

int cr__sock_option(struct cr__loop *loop, int fd, int level, int name, const void *value,
                    socklen_t length)
{
	return loop->backend->sock_option(loop, fd, level, name, value, length);
}

int cr__sock_option_get(struct cr__loop *loop, int fd, int level, int name, void *value,
                        socklen_t *length)
{
	return loop->backend->sock_option_get(loop, fd, level, name, value, length);
}

int cr__sock_shutdown(struct cr__loop *loop, int fd, int how)
{
	return loop->backend->sock_shutdown(loop, fd, how);
}
