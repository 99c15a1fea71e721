/* SPDX-License-Identifier: MIT */
#include "io/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cr__terminal_is(int fd)
{
	return isatty(fd);
}

int cr__terminal_find(int fd, struct cr__terminal *ret_terminal)
{
	return tcgetattr(fd, &ret_terminal->found) < 0 ? -errno : 0;
}

/*
 * At once, without waiting for output to drain, which might take for ever. A process in the
 * background would be stopped by SIGTTOU (tcsetattr(3)), in the middle of putting things right.
 */
static int set(int fd, const struct termios *mode)
{
	sigset_t ttou, old;
	int r;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &old);
	do
		r = tcsetattr(fd, TCSANOW, mode);
	while (r < 0 && errno == EINTR);
	r = r < 0 ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int cr__terminal_keys(int fd, const struct cr__terminal *found, bool raw)
{
	struct termios mode = found->found;

	if (raw) {
		cfmakeraw(&mode);
	} else {
		mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	}
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	return set(fd, &mode);
}

int cr__terminal_restore(int fd, const struct cr__terminal *found)
{
	return set(fd, &found->found);
}

int cr__terminal_size(int fd, int *ret_columns, int *ret_rows)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return errno == EBADF ? -EBADF : -ENOTTY;
	*ret_columns = size.ws_col;
	*ret_rows = size.ws_row;
	return 0;
}

/* ------------------------------------------------------------------------- standard streams --- */

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

int cr__standard_open(int fd, bool for_writing)
{
	unsigned number;
	char path[32];
	int copy;

	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	/* Opened anew, the master of a pseudo-terminal would be another one's (pts(4)). */
	if (!isatty(fd) || ioctl(fd, TIOCGPTN, &number) == 0)
		return duplicate(fd);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	copy = open(path, (for_writing ? O_WRONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (copy < 0 && !for_writing)
		copy = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (copy >= 0 && copy < 3) {
		int low = copy;

		copy = duplicate(low);
		close(low);
	}
	/* A terminal of another user's, after su(1): we have it, and may not open it. */
	return copy < 0 ? duplicate(fd) : copy;
}
