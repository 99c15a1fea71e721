/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_TEST_H
#define CORAIL_TESTS_SUPPORT_TEST_H

/*
 * The harness of every test program: plain C, no runtime.
 *
 * A test is one process. It ends with 0 (passed), 1 (failed) or 77 (skipped, with a reason).
 * The first failed check prints what was expected and ends the process at once with _exit():
 * a check may fail on any stack, in any thread, in the middle of a loop, and nothing that runs
 * after it would mean anything.
 *
 *	static void adds(void) { CHECK_EQ(1 + 1, 2); }
 *	int main(void) { RUN(adds); return test_done(); }
 *
 * CTest reads one optional line of a test's source (or script):
 *
 *	ctest: timeout=120 labels=notsan,slow needs=dns,http serial
 *
 * Labels with a meaning for tools/run-tests: notsan, noasan, novalgrind, noqemu (left out of that
 * configuration); serial: never beside another test; needs: uring, dns, http, not built without.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_FAIL 1
#define TEST_SKIP 77

static int test_count;

__attribute__((noreturn)) static inline void test_exit(int status)
{
	fflush(stdout);
	fflush(stderr);
	_exit(status);
}

/* An integer as text; small negative ones are most often an errno, so its name goes along. */
static inline const char *test_show(char *buf, size_t size, intmax_t value)
{
	const char *name = value < 0 && value > -4096 ? strerrorname_np((int)-value) : NULL;

	snprintf(buf, size, name ? "%jd (-%s)" : "%jd", value, name);
	return buf;
}

static inline void test_check(const char *file, int line, const char *expr, int ok)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, expr);
	test_exit(TEST_FAIL);
}

enum test_op { TEST_EQ, TEST_NE, TEST_LT, TEST_LE, TEST_GT, TEST_GE };

static inline int test_holds(enum test_op op, intmax_t a, intmax_t b)
{
	switch (op) {
	case TEST_EQ:
		return a == b;
	case TEST_NE:
		return a != b;
	case TEST_LT:
		return a < b;
	case TEST_LE:
		return a <= b;
	case TEST_GT:
		return a > b;
	case TEST_GE:
		return a >= b;
	}
	return 0;
}

static inline void test_compare(const char *file, int line, enum test_op op, const char *text,
                                intmax_t a, intmax_t b)
{
	char left[64], right[64];

	if (test_holds(op, a, b))
		return;
	fprintf(stderr, "%s:%d: %s failed: left is %s, right is %s\n", file, line, text,
	        test_show(left, sizeof left, a), test_show(right, sizeof right, b));
	test_exit(TEST_FAIL);
}

static inline void test_compare_str(const char *file, int line, const char *text, const char *a,
                                    const char *b)
{
	if (a == b || (a && b && strcmp(a, b) == 0))
		return;
	fprintf(stderr, "%s:%d: %s failed:\n  left:  \"%s\"\n  right: \"%s\"\n", file, line, text,
	        a ? a : "(null)", b ? b : "(null)");
	test_exit(TEST_FAIL);
}

static inline void test_compare_mem(const char *file, int line, const char *text, const void *a,
                                    const void *b, size_t size_bytes)
{
	const unsigned char *x = a, *y = b;
	size_t i = 0;

	if (size_bytes == 0 || memcmp(a, b, size_bytes) == 0)
		return;
	while (x[i] == y[i])
		i++;
	fprintf(stderr, "%s:%d: %s failed: byte %zu of %zu is %02x, not %02x\n", file, line, text,
	        i, size_bytes, x[i], y[i]);
	test_exit(TEST_FAIL);
}

/* Integers and pointers; each argument is evaluated once. */
#define CHECK_OP_(op, text, a, b)                                                                  \
	test_compare(__FILE__, __LINE__, op, text, (intmax_t)(a), (intmax_t)(b))
#define CHECK_EQ(a, b) CHECK_OP_(TEST_EQ, #a " == " #b, a, b)
#define CHECK_NE(a, b) CHECK_OP_(TEST_NE, #a " != " #b, a, b)
#define CHECK_LT(a, b) CHECK_OP_(TEST_LT, #a " < " #b, a, b)
#define CHECK_LE(a, b) CHECK_OP_(TEST_LE, #a " <= " #b, a, b)
#define CHECK_GT(a, b) CHECK_OP_(TEST_GT, #a " > " #b, a, b)
#define CHECK_GE(a, b) CHECK_OP_(TEST_GE, #a " >= " #b, a, b)
#define CHECK(expr) test_check(__FILE__, __LINE__, #expr, !!(expr))
#define CHECK_STR(a, b) test_compare_str(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define CHECK_MEM(a, b, size_bytes)                                                                \
	test_compare_mem(__FILE__, __LINE__, #a " == " #b, (a), (b), (size_bytes))

/* A path that must not be reached. */
#define FAIL(reason)                                                                               \
	do {                                                                                       \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (reason));                      \
		test_exit(TEST_FAIL);                                                              \
	} while (0)

/* The whole program is skipped; tools/run-tests lists the reason. */
#define SKIP(reason)                                                                               \
	do {                                                                                       \
		printf("SKIP: %s\n", (reason));                                                    \
		test_exit(TEST_SKIP);                                                              \
	} while (0)

/* Runs void fn(void). With TEST_ONLY=text in the environment, only names containing text. */
#define RUN(fn) test_run(#fn, fn)

static inline void test_run(const char *name, void (*fn)(void))
{
	const char *only = getenv("TEST_ONLY");

	if (only && !strstr(name, only))
		return;
	printf("- %s\n", name);
	fflush(stdout);
	fn();
	test_count++;
}

/* The exit status of main: a program that ran nothing has not passed. */
static inline int test_done(void)
{
	if (test_count == 0) {
		fprintf(stderr, "no test ran\n");
		return TEST_FAIL;
	}
	printf("%d passed\n", test_count);
	return 0;
}

/* How many descriptors this process holds: equal before and after means that none leaked. */
static inline int test_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		FAIL("/proc/self/fd cannot be read");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 3; /* ".", ".." and the directory's own descriptor */
}

#endif
