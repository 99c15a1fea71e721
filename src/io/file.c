/* SPDX-License-Identifier: MIT */
#include "io/file.h"

#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

bool cr__io_seekable(int fd)
{
	/* The simulator's own are unknown here, and are files. */
	return lseek(fd, 0, SEEK_CUR) >= 0 || errno != ESPIPE;
}

bool cr__io_direct(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_DIRECT;
}

int cr__io_inotify_open(struct cr__loop *loop)
{
	int fd;

	if (loop->backend == &cr__backend_sim)
		return -EOPNOTSUPP;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return fd < 0 ? -errno : cr__fd_opened(loop, fd);
}

int cr__io_inotify_remove(int fd, int id)
{
	return inotify_rm_watch(fd, id) < 0 ? -errno : 0;
}
