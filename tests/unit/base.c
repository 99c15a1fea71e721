/* SPDX-License-Identifier: MIT */
/* Durations, the seams for memory and time, and how a programmer error ends. */

#include "support/child.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"

#include <math.h>

static void durations_saturate(void)
{
	CHECK_EQ(cr_seconds(0.25), INT64_C(250000000));
	CHECK_EQ(cr_seconds(-1), 0);
	CHECK_EQ(cr_seconds(NAN), 0);
	CHECK_EQ(cr_seconds(INFINITY), CORAIL_NEVER);
	CHECK_EQ(cr_seconds(1e18), CORAIL_NEVER);
	CHECK_EQ(cr_seconds(1e-9), 1);
	CHECK_EQ(cr_millis(3), 3000000);
	CHECK_EQ(cr_millis(INT64_MAX), CORAIL_NEVER);
	CHECK_EQ(cr_millis(INT64_MAX / 1000000 - 1) < CORAIL_NEVER, 1);
	CHECK_EQ(cr_micros(3), 3000);
	CHECK_EQ(cr_micros(INT64_MAX / 1000), CORAIL_NEVER);
}

static void points_in_time_saturate(void)
{
	CHECK_EQ(cr__nsec_add(5, 7), 12);
	CHECK_EQ(cr__nsec_add(5, -7), 5);
	CHECK_EQ(cr__nsec_add(5, INT64_MIN), 5);
	CHECK_EQ(cr__nsec_add(5, CORAIL_NEVER), CORAIL_NEVER);
	CHECK_EQ(cr__nsec_add(CORAIL_NEVER, 1), CORAIL_NEVER);
	CHECK_EQ(cr__nsec_add(CORAIL_NEVER, CORAIL_NEVER), CORAIL_NEVER);
}

static void the_clock_never_goes_back(void)
{
	cr_nsec last = cr__clock_monotonic();

	CHECK_GT(last, 0);
	for (int i = 0; i < 1000; i++) {
		cr_nsec now = cr__clock_monotonic();

		CHECK_GE(now, last);
		last = now;
	}
	CHECK_GT(cr__clock_wall_seconds(), INT64_C(1700000000));
}

static void the_version_is_text(void)
{
	char expected[32];

	snprintf(expected, sizeof expected, "%d.%d.%d", CORAIL_VERSION_MAJOR, CORAIL_VERSION_MINOR,
	         CORAIL_VERSION_PATCH);
	CHECK_STR(cr_version(), expected);
}

static void memory_fails_when_told(void)
{
	void *first, *second;

	cr__alloc_fail_at(2);
	first = cr__alloc(16);
	second = cr__alloc(16);
	CHECK(first != NULL);
	CHECK(second == NULL);
	CHECK(cr__alloc_zero(1, 16) == NULL);
	CHECK(cr__realloc(NULL, 16) == NULL);
	CHECK(cr__alloc_text("text") == NULL);
	CHECK(cr__map_reserve(4096) == NULL);
	CHECK_EQ(cr__alloc_count(), 6);
	cr__alloc_fail_at(0);
	second = cr__realloc(first, 4096);
	CHECK(second != NULL);
	cr__free(second);
	cr__free(NULL);
}

static void zeroed_memory_is_zero(void)
{
	char *text = cr__alloc_text("corail"), *zero = cr__alloc_zero(3, 5);

	CHECK_STR(text, "corail");
	for (int i = 0; i < 15; i++)
		CHECK_EQ(zero[i], 0);
	cr__free(text);
	cr__free(zero);
}

static void reserved_pages_are_usable_once_committed(void)
{
	size_t size = 1 << 20;
	char *memory = cr__map_reserve(size);

	CHECK(memory != NULL);
	CHECK_EQ(cr__map_commit(memory + 8192, 4096), 0);
	memory[8192] = 1;
	memory[8192 + 4095] = 1;
	cr__alloc_fail_at(1);
	CHECK_EQ(cr__map_commit(memory, 4096), -ENOMEM);
	cr__alloc_fail_at(0);
	cr__map_release(memory, size);
	cr__map_release(NULL, size);
}

static int touch_reserved(void *unused)
{
	volatile char *memory = cr__map_reserve(1 << 20);

	(void)unused;
	signal(SIGSEGV, SIG_DFL);
	memory[0] = 1;
	return 0;
}

static void reserved_pages_fault_until_then(void)
{
	struct child c;

	child_run(&c, touch_reserved, NULL);
	CHECK_DIED(&c, SIGSEGV, "");
}

static void say_more(void)
{
	dprintf(STDERR_FILENO, "the hook\n");
	cr__panic("again");
}

static int break_invariant(void *unused)
{
	(void)unused;
	cr__panic_hook_set(say_more);
	CR__ASSERT(1 + 1 == 2);
	CR__ASSERT(1 + 1 == 3);
	return 0;
}

static void a_broken_invariant_says_where_and_aborts(void)
{
	struct child c;

	child_run(&c, break_invariant, NULL);
	CHECK_DIED(&c, SIGABRT, "broken invariant: 1 + 1 == 3");
	CHECK_SAYS(&c, "corail: ");
	CHECK_SAYS(&c, "base.c:");
	CHECK_SAYS(&c, "the hook");
	CHECK_SAYS(&c, "again");
}

static int panic_long(void *unused)
{
	char text[2000];

	(void)unused;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	cr__panic("%s", text);
}

static void a_long_message_is_cut(void)
{
	struct child c;

	child_run(&c, panic_long, NULL);
	CHECK_DIED(&c, SIGABRT, "corail: xxx");
	CHECK_LT(strlen(c.errors), 600);
}

int main(void)
{
	RUN(durations_saturate);
	RUN(points_in_time_saturate);
	RUN(the_clock_never_goes_back);
	RUN(the_version_is_text);
	RUN(memory_fails_when_told);
	RUN(zeroed_memory_is_zero);
	RUN(reserved_pages_are_usable_once_committed);
	RUN(reserved_pages_fault_until_then);
	RUN(a_broken_invariant_says_where_and_aborts);
	RUN(a_long_message_is_cut);
	return test_done();
}
