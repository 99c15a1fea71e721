/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_UNIT_BACKEND_DRIVE_H
#define CORAIL_TESTS_UNIT_BACKEND_DRIVE_H

/* Driving a loop by hand, without tasks, on each backend that works on real descriptors. */

#include "support/test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if CORAIL_WITH_URING
#include "loop/backend/uring.h"
#endif

static struct cr__loop loop;
static int done_count;

/* What came with later kernels than the oldest we work on is not used. */
static __attribute__((unused)) bool old_kernel;

static inline void op_done(struct cr__op *op)
{
	CHECK(op->done != NULL);
	op->done = NULL;
	done_count++;
}

static inline void loop_begin(const struct cr__backend *backend)
{
	CHECK_EQ(cr__loop_open(&loop, backend, 0), 0);
	cr__loop_of_thread = &loop;
#if CORAIL_WITH_URING
	if (backend == &cr__backend_uring && old_kernel) {
		struct cr__uring *u = cr__uring_of(&loop);

		u->silent_flags = 0;
		u->poll_first = false;
	}
#endif
	done_count = 0;
}

static inline void loop_end(void)
{
	cr__loop_close(&loop);
	cr__loop_of_thread = NULL;
}

static inline struct cr__op op_of(enum cr__opcode code, int fd, const void *buffer, size_t size)
{
	return (struct cr__op){.done = op_done,
	                       .code = code,
	                       .fd = fd,
	                       .buffer = (void *)(uintptr_t)buffer,
	                       .size = size};
}

static inline void poll_once(cr_nsec duration)
{
	CHECK_GE(loop.backend->poll(&loop, duration ? cr__clock_monotonic() + duration : 0), 0);
	/* What other threads have posted. */
	CHECK_EQ(cr__loop_turn(&loop, true), 0);
}

/*
 * Polls until an operation has ended. Returns its result. Not for long at once: a thread that ends
 * one wakes only a loop that said that it sleeps, and here nobody does.
 */
static inline ssize_t finish(struct cr__op *op)
{
	const cr_nsec give_up = cr__clock_monotonic() + cr_seconds(30);

	while (op->done) {
		poll_once(cr_millis(10));
		CHECK_LT(cr__clock_monotonic(), give_up);
	}
	return op->result;
}

/* Starts an operation and waits for its end. Returns its result, or why it was not started. */
static inline ssize_t run_op(struct cr__op op)
{
	int r = cr__op_start(&loop, &op);

	if (r < 0)
		return r;
	return r > 0 ? op.result : finish(&op);
}

static inline ssize_t run(enum cr__opcode code, int fd, const void *buffer, size_t size)
{
	return run_op(op_of(code, fd, buffer, size));
}

/* Starts an operation that has to wait, and hands it to the kernel. */
static inline void wait_begin(struct cr__op *op)
{
	CHECK_EQ(cr__op_start(&loop, op), 0);
	poll_once(0);
	CHECK(op->done != NULL);
}

/* Asks for the end of an operation and waits until it has come. Returns its result. */
static inline ssize_t cancel(struct cr__op *op)
{
	if (cr__op_cancel(&loop, op))
		return -ECANCELED;
	return finish(op);
}

static inline void pair(int ret_fds[2])
{
	CHECK_EQ(cr__sock_pair(&loop, AF_UNIX, SOCK_STREAM, ret_fds), 0);
}

static inline void close_fd(int fd)
{
	CHECK_EQ(cr__fd_cancel(&loop, fd), 0);
	CHECK_EQ(cr__fd_close(&loop, fd), 0);
}

/* A listening socket on loopback; *ret_addr is where. */
static inline int listen_tcp(struct sockaddr_in *ret_addr)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof addr;
	int fd = cr__sock_open(&loop, AF_INET, SOCK_STREAM, 0);

	CHECK_GE(fd, 0);
	CHECK_EQ(cr__sock_bind(&loop, fd, (struct sockaddr *)&addr, length), 0);
	CHECK_EQ(cr__sock_listen(&loop, fd, 128), 0);
	CHECK_EQ(cr__sock_name(&loop, fd, (struct sockaddr *)&addr, &length), 0);
	*ret_addr = addr;
	return fd;
}

/* Two ends of a TCP connection. */
static inline void pair_tcp(int ret_fds[2])
{
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr), fd = cr__sock_open(&loop, AF_INET, SOCK_STREAM, 0);

	CHECK_GE(fd, 0);
	CHECK_EQ(run(CR__OP_CONNECT, fd, &addr, sizeof addr), 0);
	ret_fds[0] = fd;
	ret_fds[1] = (int)run(CR__OP_ACCEPT, listener, NULL, 0);
	CHECK_GE(ret_fds[1], 0);
	close_fd(listener);
}

/*
 * Makes a system call fail from now on: always, or only with one of those bits in its sixth
 * argument. A kernel that lacks it, or a container that forbids it, looks just like that
 * (seccomp(2)).
 */
static inline void forbid(long number, uint32_t bits, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

	if (bits == 0)
		filter[3] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		SKIP("seccomp filters are not available");
}

/*
 * Runs a function in a process of its own, which may break itself. It has passed if that one has.
 */
static inline void apart(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		fn();
		test_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != TEST_SKIP)
		test_exit(WEXITSTATUS(status));
}

/* The backends that work on this machine. */
static inline const struct cr__backend *backend_at(size_t i)
{
	static const struct cr__backend *const real[] = {
#if CORAIL_WITH_URING
		&cr__backend_uring,
#endif
		&cr__backend_epoll,
	};

	return i < sizeof real / sizeof *real ? real[i] : NULL;
}

static inline bool works(const struct cr__backend *backend)
{
	char why[256];

	if (backend->probe(why, sizeof why) == 0)
		return true;
	printf("- not on %s: %s\n", backend->name, why);
	return false;
}

/* Runs void fn(void) on each of them, with an open loop; no descriptor may leak. */
#define EACH(fn) run_on_each(#fn, fn)

static inline void run_on_each(const char *name, void (*fn)(void))
{
	const char *only = getenv("TEST_ONLY");

	if (only && !strstr(name, only))
		return;
	for (size_t i = 0; backend_at(i); i++) {
		int fds = test_open_fds();

		if (!works(backend_at(i)))
			continue;
		printf("- %s on %s\n", name, backend_at(i)->name);
		fflush(stdout);
		loop_begin(backend_at(i));
		fn();
		loop_end();
		CHECK_EQ(test_open_fds(), fds);
		test_count++;
	}
}

#endif
