/* SPDX-License-Identifier: MIT */
#include "loop/backend/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Whether io_uring works here, found by trying and never by a version number: containers, sandboxes
 * and administrators switch it off, and distributions backport.
 */

/* The number in a file of /proc, or -1. */
static long number_in(const char *path)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

/* EPERM has three causes, and three cures (Documentation/admin-guide/sysctl/kernel.rst). */
static void explain_refusal(char *why, size_t size, const char *call)
{
	long disabled = number_in("/proc/sys/kernel/io_uring_disabled");

	if (disabled == 2) {
		snprintf(why, size,
		         "io_uring is switched off for everybody (kernel.io_uring_disabled is 2); "
		         "`sysctl kernel.io_uring_disabled=0` as root allows it");
	} else if (disabled == 1) {
		snprintf(why, size,
		         "io_uring is reserved for the group %ld (kernel.io_uring_disabled is 1); "
		         "join it, or run `sysctl kernel.io_uring_disabled=0` as root",
		         number_in("/proc/sys/kernel/io_uring_group"));
	} else {
		snprintf(why, size,
		         "%s(2) is forbidden, most likely by a container's seccomp profile; allow "
		         "io_uring_setup, io_uring_enter and io_uring_register there",
		         call);
	}
}

static void explain_setup(char *why, size_t size, int error)
{
	struct rlimit limit = {0, 0};

	switch (error) {
	case -ENOSYS:
		snprintf(why, size,
		         "this kernel has no io_uring: it was built without, is older than Linux "
		         "5.1, or a sandbox hides it; Linux 6.1 or later is best");
		break;
	case -EPERM:
	case -EACCES:
		explain_refusal(why, size, "io_uring_setup");
		break;
	case -ENOMEM:
		getrlimit(RLIMIT_MEMLOCK, &limit);
		snprintf(why, size,
		         "no memory for a ring; the limit of locked memory is %llu KiB, raise it "
		         "with `ulimit -l`",
		         (unsigned long long)limit.rlim_cur / 1024);
		break;
	case -EMFILE:
	case -ENFILE:
		snprintf(why, size, "too many open files; raise the limit with `ulimit -n`");
		break;
	case -EOPNOTSUPP:
		snprintf(why, size,
		         "this kernel's io_uring is too old: it lacks waiting with a timeout, or "
		         "polling by itself; Linux 5.11 is needed, 6.1 or later is best");
		break;
	default:
		snprintf(why, size, "io_uring_setup(2) fails with %s", cr_err_name(error));
	}
}

int cr__uring_check(struct io_uring *ring, char *why, size_t size)
{
	static const struct {
		int code;
		const char *name;
	} needed[] = {
		{IORING_OP_POLL_ADD, "POLL_ADD"}, {IORING_OP_READ, "READ"},
		{IORING_OP_WRITE, "WRITE"},       {IORING_OP_READV, "READV"},
		{IORING_OP_WRITEV, "WRITEV"},     {IORING_OP_RECV, "RECV"},
		{IORING_OP_SEND, "SEND"},         {IORING_OP_RECVMSG, "RECVMSG"},
		{IORING_OP_SENDMSG, "SENDMSG"},   {IORING_OP_ACCEPT, "ACCEPT"},
		{IORING_OP_CONNECT, "CONNECT"},   {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
	};
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	int r = 0;

	if (!probe) {
		explain_refusal(why, size, "io_uring_register");
		return -EPERM;
	}
	for (size_t i = 0; i < sizeof needed / sizeof *needed && r == 0; i++) {
		if (io_uring_opcode_supported(probe, needed[i].code))
			continue;
		snprintf(why, size,
		         "this kernel's io_uring lacks IORING_OP_%s; Linux 5.11 is needed, 6.1 or "
		         "later is best",
		         needed[i].name);
		r = -EOPNOTSUPP;
	}
	io_uring_free_probe(probe);
	return r;
}

/* A sandbox may allow the set-up and forbid the rest. */
static int check_round_trip(struct io_uring *ring, char *why, size_t size)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(ring);
	struct io_uring_cqe *completion;
	int r;

	io_uring_prep_nop(entry);
	r = io_uring_submit_and_wait(ring, 1);
	if (r >= 0)
		r = io_uring_peek_cqe(ring, &completion);
	if (r == -EPERM)
		explain_refusal(why, size, "io_uring_enter");
	else if (r < 0)
		snprintf(why, size, "io_uring_enter(2) fails with %s", cr_err_name(r));
	return r < 0 ? r : 0;
}

int cr__uring_probe(char *why, size_t size)
{
	struct io_uring ring;
	int r = cr__uring_setup(&ring, 4);

	if (size)
		why[0] = '\0';
	if (r < 0) {
		explain_setup(why, size, r);
		return r;
	}
	r = cr__uring_check(&ring, why, size);
	if (r == 0)
		r = check_round_trip(&ring, why, size);
	cr__uring_exit(&ring);
	return r;
}
