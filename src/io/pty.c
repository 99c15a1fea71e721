/* SPDX-License-Identifier: MIT */
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * Pseudo-terminals. Only the master is opened here: the child opens the other end itself, by its
 * path, as the leader of a new session, and so it becomes its controlling terminal (pty(7)).
 */

int cr__pty_open(unsigned short rows, unsigned short columns, char *name, size_t size)
{
	const struct winsize window = {.ws_row = rows ? rows : 24,
	                               .ws_col = columns ? columns : 80};
	int r, fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (grantpt(fd) == 0 && unlockpt(fd) == 0 && ioctl(fd, TIOCSWINSZ, &window) == 0) {
		r = ptsname_r(fd, name, size);
		if (r == 0)
			return fd;
		errno = r;
	}
	r = -errno;
	close(fd);
	return r;
}

int cr__pty_resize(int fd, unsigned short rows, unsigned short columns)
{
	const struct winsize window = {.ws_row = rows, .ws_col = columns};

	return ioctl(fd, TIOCSWINSZ, &window) < 0 ? -errno : 0;
}
