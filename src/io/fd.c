/* SPDX-License-Identifier: MIT */
#include "io/io.h"

#include <corail/task.h>

#include <errno.h>
#include <limits.h>

/*
 * One function for each system call. What they share, suspending, is in run.c; how the kernel is
 * asked, in the backends.
 */

ssize_t cr_fd_read(int fd, void *buffer, size_t size)
{
	struct cr__io io = {.op = {.code = CR__OP_READ, .fd = fd, .buffer = buffer, .size = size}};

	return cr__io_run(&io, __func__, "read");
}

ssize_t cr_fd_write(int fd, const void *data, size_t size)
{
	struct cr__io io = {
		.op = {.code = CR__OP_WRITE, .fd = fd, .buffer = (void *)data, .size = size}};

	return cr__io_run(&io, __func__, "write");
}

int cr_fd_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;
	struct cr__io_steps steps;
	ssize_t n = cr_fd_write(fd, at, size);

	if (n < 0 || (size_t)n == size)
		return n < 0 ? (int)n : 0;
	cr__io_steps_enter(&steps, cr__task_loop(), fd);
	do {
		at += n;
		size -= (size_t)n;
		n = steps.closed ? -ECANCELED : cr_fd_write(fd, at, size);
	} while (n >= 0 && (size_t)n < size);
	cr__io_steps_leave(&steps);
	return n < 0 ? (int)n : 0;
}

ssize_t cr_fd_pread(int fd, void *buffer, size_t size, int64_t offset)
{
	struct cr__io io = {.op = {.code = CR__OP_PREAD,
	                           .fd = fd,
	                           .buffer = buffer,
	                           .size = size,
	                           .offset = offset}};

	return offset < 0 ? -EINVAL : cr__io_run(&io, __func__, "pread");
}

ssize_t cr_fd_pwrite(int fd, const void *data, size_t size, int64_t offset)
{
	struct cr__io io = {.op = {.code = CR__OP_PWRITE,
	                           .fd = fd,
	                           .buffer = (void *)data,
	                           .size = size,
	                           .offset = offset}};

	return offset < 0 ? -EINVAL : cr__io_run(&io, __func__, "pwrite");
}

ssize_t cr_fd_readv(int fd, const struct iovec *vector, int count)
{
	struct cr__io io = {.op = {.code = CR__OP_READV,
	                           .fd = fd,
	                           .buffer = (void *)vector,
	                           .size = (size_t)count}};

	return count < 0 || count > IOV_MAX ? -EINVAL : cr__io_run(&io, __func__, "readv");
}

ssize_t cr_fd_writev(int fd, const struct iovec *vector, int count)
{
	struct cr__io io = {.op = {.code = CR__OP_WRITEV,
	                           .fd = fd,
	                           .buffer = (void *)vector,
	                           .size = (size_t)count}};

	return count < 0 || count > IOV_MAX ? -EINVAL : cr__io_run(&io, __func__, "writev");
}

ssize_t cr_fd_recv(int fd, void *buffer, size_t size, int flags)
{
	struct cr__io io = {.op = {.code = CR__OP_RECV,
	                           .fd = fd,
	                           .buffer = buffer,
	                           .size = size,
	                           .flags = (uint32_t)flags}};

	return cr__io_run(&io, __func__, "recv");
}

ssize_t cr_fd_send(int fd, const void *data, size_t size, int flags)
{
	struct cr__io io = {.op = {.code = CR__OP_SEND,
	                           .fd = fd,
	                           .buffer = (void *)data,
	                           .size = size,
	                           .flags = (uint32_t)flags}};

	return cr__io_run(&io, __func__, "send");
}

ssize_t cr_fd_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct cr__io io = {.op = {.code = CR__OP_RECVMSG,
	                           .fd = fd,
	                           .buffer = message,
	                           .flags = (uint32_t)flags}};

	return cr__io_run(&io, __func__, "recvmsg");
}

ssize_t cr_fd_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct cr__io io = {.op = {.code = CR__OP_SENDMSG,
	                           .fd = fd,
	                           .buffer = (void *)message,
	                           .flags = (uint32_t)flags}};

	return cr__io_run(&io, __func__, "sendmsg");
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes there */
int cr_fd_accept(int fd, struct sockaddr *addr, socklen_t *length, int flags)
{
	struct cr__io io = {.op = {.code = CR__OP_ACCEPT,
	                           .fd = fd,
	                           .buffer = addr,
	                           .length = length,
	                           .flags = (uint32_t)flags | SOCK_CLOEXEC}};

	return cr__fd_opened(cr__task_loop(), (int)cr__io_run(&io, __func__, "accept"));
}

int cr_fd_connect(int fd, const struct sockaddr *addr, socklen_t length)
{
	struct cr__io io = {
		.op = {.code = CR__OP_CONNECT, .fd = fd, .buffer = (void *)addr, .size = length}};
	cr_nsec pause = cr_millis(1);
	int r = (int)cr__io_run(&io, __func__, "connect");

	/*
	 * A Unix listener whose backlog is full gives -EAGAIN (connect(2)), and nothing to poll
	 * for.
	 */
	while (r == -EAGAIN) {
		r = cr_sleep(pause);
		if (r < 0)
			return r;
		pause = pause < cr_millis(50) ? 2 * pause : pause;
		r = (int)cr__io_run(&io, __func__, "connect");
	}
	return r;
}

int cr_fd_poll(int fd, int events)
{
	struct cr__io io = {.op = {.code = CR__OP_POLL, .fd = fd, .flags = (uint32_t)events}};

	return events == 0 ? -EINVAL : (int)cr__io_run(&io, __func__, "poll");
}

int cr_fd_close(int fd)
{
	struct cr__loop *loop;

	cr__task_current(__func__);
	if (fd < 0)
		return -EBADF;
	loop = cr__task_loop();
	cr__io_quiesce(loop, fd);
	return cr__fd_close(loop, fd);
}

int cr_fd_forget(int fd)
{
	struct cr__loop *loop;

	cr__task_current(__func__);
	if (fd < 0)
		return -EBADF;
	loop = cr__task_loop();
	cr__io_quiesce(loop, fd);
	cr__fd_forget(loop, fd);
	return 0;
}
