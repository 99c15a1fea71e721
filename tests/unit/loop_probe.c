/* SPDX-License-Identifier: MIT */
/* Asking which backends could be used here. */

#include "support/test.h"

#include <corail/loop.h>

static char why[256];

static void names_are_those_of_the_environment(void)
{
	CHECK_EQ(cr_loop_probe("sim", why, sizeof why), 0);
	CHECK_STR(why, "");
	CHECK_EQ(cr_loop_probe("epoll", why, sizeof why), 0);
}

static void unknown_names_are_refused(void)
{
	CHECK_EQ(cr_loop_probe("kqueue", why, sizeof why), -EINVAL);
	CHECK_EQ(cr_loop_probe("", why, sizeof why), -EINVAL);
	CHECK_EQ(cr_loop_probe(NULL, why, sizeof why), -EINVAL);
}

/* What cannot be used says why; what can be used says nothing. */
static void a_refusal_has_a_reason(void)
{
	int r = cr_loop_probe("uring", why, sizeof why);

	if (r < 0 && r != -EINVAL)
		CHECK_GT(strlen(why), 10);
	if (r == 0)
		CHECK_STR(why, "");
	/* Without room for the reason, the answer is the same. */
	CHECK_EQ(cr_loop_probe("uring", NULL, 0), r);
}

int main(void)
{
	RUN(names_are_those_of_the_environment);
	RUN(unknown_names_are_refused);
	RUN(a_refusal_has_a_reason);
	return test_done();
}
