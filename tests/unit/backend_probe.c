/* SPDX-License-Identifier: MIT */
/* Whether io_uring can be used, what is said when it cannot, and that epoll takes over. */

#include "backend_drive.h"

#if CORAIL_WITH_URING

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
	const struct cr__backend *chosen;

	CHECK_EQ(cr__loop_backend_choose(CORAIL_BACKEND_AUTO, &chosen), 0);
	CHECK_STR(chosen->name, "epoll");
	CHECK_EQ(cr__loop_backend_choose(CORAIL_BACKEND_URING, &chosen), -ENOSYS);
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
	const struct cr__backend *chosen;
	int r = probe();

	CHECK_EQ(cr__loop_backend_choose(CORAIL_BACKEND_AUTO, &chosen), 0);
	CHECK_STR(chosen->name, r == 0 ? "uring" : "epoll");
	CHECK_EQ(r == 0, why[0] == '\0');
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
	RUN(works_or_says_why);
	APART(setup_forbidden);
	APART(enter_forbidden);
	APART(register_forbidden);
	APART(not_in_this_kernel);
	APART(no_memory);
	APART(no_descriptor);
	APART(short_answers);
	RUN(without_memory);
	return test_done();
}

#else

int main(void)
{
	SKIP("built without io_uring");
}

#endif
