/* SPDX-License-Identifier: MIT */
/* The CORAIL_ variables: one that makes no sense is an error that names it, never ignored. */

#include "support/test.h"

#include "base/environment.h"

#include <corail/debug.h>
#include <corail/sim.h>
#include <corail/task.h>

#include <limits.h>

static const struct {
	const char *name, *good[6], *bad[10];
} variables[] = {
	{"CORAIL_BACKEND",
         {"", "auto", "sim"},
         {"nonsense", "SIM", "sim ", " sim", "sim epoll", "si"}},
	{"CORAIL_SEED",
         {"", "0", "42", "0x2a", "0XFF", "18446744073709551615"},
         {"lucky", "-1", "+1", " 1", "1 ", "0x", "1.5", "12a", "18446744073709551616",
          "0x1ffffffffffffffff"}},
	{"CORAIL_GUARD", {"", "madvise", "mprotect", "check"}, {"none", "0"}},
	{"CORAIL_DEBUG", {"", "0", "1"}, {"yes", "2", "off", "01"}},
	{"CORAIL_DEBUG_BLOCKED_MS", {"", "0", "100"}, {"1s", "-5", "9223372036855"}},
	{"CORAIL_DEBUG_IGNORED_MS", {"", "0", "100"}, {"1s", "-5", "9223372036855"}},
	{"CORAIL_DEBUG_IDLE_MS", {"", "0", "9223372036854"}, {"1s", "-5", "9223372036855"}},
	{"CORAIL_DEBUG_FD", {"", "2", "2147483647"}, {"stderr", "-1", "2147483648"}},
};

static int ran;

static int note(const int *unused)
{
	(void)unused;
	ran++;
	return 0;
}

static int run(void)
{
	static const int unused;

	ran = 0;
	return cr_run(note, &unused);
}

static void what_makes_sense_runs(void)
{
	char why[200];

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		for (size_t j = 0; j < 6 && variables[i].good[j]; j++) {
			setenv(variables[i].name, variables[i].good[j], 1);
			CHECK_EQ(cr_environment_check(why, sizeof why), 0);
			CHECK_STR(why, "");
			CHECK_EQ(run(), 0);
			CHECK_EQ(ran, 1);
		}
		unsetenv(variables[i].name);
	}
}

static void what_makes_none_is_named(void)
{
	char why[200];

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		for (size_t j = 0; j < 10 && variables[i].bad[j]; j++) {
			setenv(variables[i].name, variables[i].bad[j], 1);
			CHECK_EQ(cr_environment_check(why, sizeof why), -EINVAL);
			CHECK_EQ(strncmp(why, variables[i].name, strlen(variables[i].name)), 0);
			CHECK_EQ(why[strlen(variables[i].name)], ' ');
			CHECK_EQ(cr_environment_check(why, 3), -EINVAL);
			CHECK_STR(why, "CO");
			CHECK_EQ(cr_environment_check(NULL, 0), -EINVAL);
			CHECK_EQ(run(), -EINVAL);
			CHECK_EQ(ran, 0);
		}
		unsetenv(variables[i].name);
	}
	setenv("CORAIL_SEED", "-1", 1);
	cr_environment_check(why, sizeof why);
	CHECK_STR(why, "CORAIL_SEED is not a number from 0 to 18446744073709551615");
	unsetenv("CORAIL_SEED");
	setenv("CORAIL_DEBUG", "no", 1);
	cr_environment_check(why, sizeof why);
	CHECK_STR(why, "CORAIL_DEBUG is none of: 0 1");
	unsetenv("CORAIL_DEBUG");
	CHECK_EQ(run(), 0);
}

static void numbers_are_read(void)
{
	uint64_t number = 7;

	CHECK_EQ(cr__environment_number("CORAIL_SEED", &number), 0);
	setenv("CORAIL_SEED", "0x64", 1);
	CHECK_EQ(cr__environment_number("CORAIL_SEED", &number), 1);
	CHECK_EQ(number, 100);
	/* Not octal: whoever writes 010 means ten. */
	setenv("CORAIL_SEED", "010", 1);
	CHECK_EQ(cr__environment_number("CORAIL_SEED", &number), 1);
	CHECK_EQ(number, 10);
	unsetenv("CORAIL_SEED");
	/* Each has its own limit. */
	setenv("CORAIL_DEBUG_FD", "2147483648", 1);
	CHECK_EQ(cr__environment_number("CORAIL_DEBUG_FD", &number), -EINVAL);
	CHECK_EQ(number, 10);
	setenv("CORAIL_DEBUG_FD", "2147483647", 1);
	CHECK_EQ(cr__environment_number("CORAIL_DEBUG_FD", &number), 1);
	CHECK_EQ(number, INT_MAX);
	unsetenv("CORAIL_DEBUG_FD");
}

int main(void)
{
	RUN(what_makes_sense_runs);
	RUN(what_makes_none_is_named);
	RUN(numbers_are_read);
	return test_done();
}
