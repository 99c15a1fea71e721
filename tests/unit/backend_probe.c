/* SPDX-License-Identifier: MIT */
/* Whether io_uring can be used, what is said when it cannot, and that epoll takes over. */

#include "backend_drive.h"

#if CORAIL_WITH_URING

#include <corail/task.h>

#include <dlfcn.h>
#include <sys/resource.h>

static char why[256];

static int probe(void)
{
	int fds = test_open_fds(), r;

	memset(why, 'x', sizeof why);
	r = cr__backend_uring.probe(why, sizeof why);
	CHECK_EQ(test_open_fds(), fds);
	CHECK_LT(strlen(why), sizeof why);
	printf("  %d: %s\n", r, why);
	return r;
}

static void falls_back_to_epoll(void)
{
	CHECK_EQ(cr__loop_open_wanted(&loop, CORAIL_BACKEND_URING, 0), -ENOSYS);
	CHECK_EQ(cr__loop_open_wanted(&loop, CORAIL_BACKEND_AUTO, 0), 0);
	CHECK_STR(loop.backend->name, "epoll");
	cr__loop_close(&loop);
}

static void setup_forbidden(void)
{
	forbid(SYS_io_uring_setup, 0, EPERM);
	CHECK_EQ(probe(), -EPERM);
	if (access("/proc/sys/kernel/io_uring_disabled", R_OK) < 0)
		CHECK(strstr(why, "seccomp"));
	else
		CHECK(strstr(why, "seccomp") || strstr(why, "sysctl"));
	falls_back_to_epoll();
}

static void enter_forbidden(void)
{
	forbid(SYS_io_uring_enter, 0, EPERM);
	CHECK_EQ(probe(), -EPERM);
	CHECK(strstr(why, "io_uring_enter"));
	falls_back_to_epoll();
}

static void register_forbidden(void)
{
	forbid(SYS_io_uring_register, 0, EPERM);
	CHECK_EQ(probe(), -EPERM);
	CHECK(strstr(why, "io_uring_register"));
	falls_back_to_epoll();
}

static void not_in_this_kernel(void)
{
	forbid(SYS_io_uring_setup, 0, ENOSYS);
	CHECK_EQ(probe(), -ENOSYS);
	CHECK(strstr(why, "no io_uring"));
	falls_back_to_epoll();
}

static void no_memory(void)
{
	forbid(SYS_io_uring_setup, 0, ENOMEM);
	CHECK_EQ(probe(), -ENOMEM);
	CHECK(strstr(why, "ulimit -l"));
}

static void no_descriptor(void)
{
	struct rlimit limit;

	if (!works(&cr__backend_uring))
		return;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 0;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	memset(why, 0, sizeof why);
	CHECK_EQ(cr__backend_uring.probe(why, sizeof why), -EMFILE);
	CHECK(strstr(why, "ulimit -n"));
	CHECK_EQ(cr__backend_epoll.probe(why, sizeof why), -EMFILE);
	CHECK(strstr(why, "ulimit -n"));
	CHECK_EQ(cr__loop_open(&loop, &cr__backend_uring, 0), -EMFILE);
	CHECK_EQ(cr__loop_open(&loop, &cr__backend_epoll, 0), -EMFILE);
	/* And not the simulator, which needs none. */
	CHECK_EQ(cr__loop_open_wanted(&loop, CORAIL_BACKEND_AUTO, 0), -EMFILE);
}

/* A sentence that does not fit is cut, a buffer of nothing is not written to. */
static void short_answers(void)
{
	char text[8] = "unused!";

	forbid(SYS_io_uring_setup, 0, EPERM);
	CHECK_EQ(cr__backend_uring.probe(text, 0), -EPERM);
	CHECK_STR(text, "unused!");
	CHECK_EQ(cr__backend_uring.probe(text, sizeof text), -EPERM);
	CHECK_EQ(strlen(text), sizeof text - 1);
}

static void works_or_says_why(void)
{
	int r = probe();

	CHECK_EQ(cr__loop_open_wanted(&loop, CORAIL_BACKEND_AUTO, 0), 0);
	CHECK_STR(loop.backend->name, r == 0 ? "uring" : "epoll");
	cr__loop_close(&loop);
	CHECK_EQ(r == 0, why[0] == '\0');
}

static int nothing(int *arg)
{
	return *arg;
}

/*
 * Stands before liburing's: the kernel does part of a ring's end in the thread that owned it, and
 * interrupts what that thread waits for then, so there should be no more of them than needed.
 */
static int ring_count;

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	int (*real)(unsigned, struct io_uring *, struct io_uring_params *);

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	ring_count++;
	return real(entries, ring, p);
}

static void one_ring_for_a_run(void)
{
	int answer = 42;

	if (!works(&cr__backend_uring))
		return;
	for (int i = 0; i < 3; i++) {
		ring_count = 0;
		CHECK_EQ(cr_run(nothing, &answer), 42);
		CHECK_EQ(ring_count, 1);
	}
}

static void without_memory(void)
{
	if (!works(&cr__backend_uring))
		return;
	for (uint64_t n = 1; n < 10; n++) {
		int fds = test_open_fds(), r;

		cr__alloc_fail_at(n);
		r = cr__loop_open(&loop, &cr__backend_uring, 0);
		cr__alloc_fail_at(0);
		if (r == 0)
			cr__loop_close(&loop);
		else
			CHECK_EQ(r, -ENOMEM);
		CHECK_EQ(test_open_fds(), fds);
	}
}

#define APART(fn) (printf("- %s\n", #fn), apart(fn), (void)test_count++)

int main(void)
{
	unsetenv("CORAIL_BACKEND");
	APART(setup_forbidden);
	APART(enter_forbidden);
	APART(register_forbidden);
	APART(not_in_this_kernel);
	APART(no_memory);
	APART(no_descriptor);
	APART(short_answers);
	/* Last: a process that has seen the operations work does not look again. */
	RUN(works_or_says_why);
	RUN(one_ring_for_a_run);
	RUN(without_memory);
	return test_done();
}

#else

int main(void)
{
	SKIP("built without io_uring");
}

#endif
