/* SPDX-License-Identifier: MIT */
#include "io/process.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A process by descriptor instead of by number. The C library knows the calls from its version 2.36
 * on, and P_PIDFD as well: older ones are served, too.
 */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int cr__pidfd_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int cr__pidfd_signal(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

int cr__pidfd_status(int pidfd, bool block, bool keep, cr_process_status *ret_status)
{
	const int flags = WEXITED | (block ? 0 : WNOHANG) | (keep ? WNOWAIT : 0);
	siginfo_t info;
	int r;

	do {
		memset(&info, 0, sizeof info);
		r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, flags);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	*ret_status = (cr_process_status){.code = -1};
	if (info.si_code == CLD_EXITED)
		ret_status->code = info.si_status;
	else
		ret_status->signal = info.si_status;
	ret_status->dumped = info.si_code == CLD_DUMPED;
	return 1;
}
