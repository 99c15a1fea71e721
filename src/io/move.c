/* SPDX-License-Identifier: MIT */
#include "io/move.h"

#include <corail/io.h>

#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

int cr__io_pipe(struct cr__loop *loop, int ret_fds[2])
{
	if (loop->backend == &cr__backend_sim)
		return -EOPNOTSUPP;
	if (pipe2(ret_fds, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		cr__fd_opened(loop, ret_fds[i]);
	return 0;
}

size_t cr__io_pipe_empty(int fd, void *buffer, size_t size)
{
	size_t done = 0;
	ssize_t n = 1;

	/* As much as was spliced into it is there: this does not wait. */
	while (done < size && n > 0) {
		do
			n = read(fd, (char *)buffer + done, size - done);
		while (n < 0 && errno == EINTR);
		if (n > 0)
			done += (size_t)n;
	}
	return done;
}

bool cr__io_file_cached(int fd, int64_t offset)
{
	char byte;
	struct iovec vector = {&byte, 1};

	/* Some filesystems do not know the flag: those are believed to be quick. */
	return preadv2(fd, &vector, 1, (off_t)offset, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

ssize_t cr__io_file_read(int fd, void *buffer, size_t size, int64_t offset)
{
	ssize_t n = cr_fd_pread(fd, buffer, size, offset);

	/* The simulator refuses real files; and another task may be reading this one. */
	if (n != -EOPNOTSUPP && n != -EBUSY)
		return n;
	do
		n = pread(fd, buffer, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
