/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu,novalgrind,noasan,notsan */
/* Mappings are counted: a sanitizer's own would be among them. */
/* Guards, by each way of making them, and what happens when the kernel or the budget says no. */

#include "support/child.h"
#include "support/footprint.h"

#include "base/alloc.h"
#include "ctx/guard.h"
#include "ctx/sanitize.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { STRIDE = 65536, COUNT = 100 };

static char *memory;

static void begin(size_t count)
{
	memory = cr__map_reserve(count * STRIDE);
	CHECK(memory != NULL);
	CHECK_EQ(cr__map_commit(memory, count * STRIDE), 0);
}

static void end(size_t count)
{
	cr__map_release(memory, count * STRIDE);
}

/*
 * Whether a byte can be written, asked of the kernel: a read from a pipe into it fails where it
 * faults.
 */
static bool writable(char *address)
{
	int fds[2];
	ssize_t n;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	n = read(fds[0], address, 1);
	close(fds[0]);
	close(fds[1]);
	return n == 1;
}

static void check_guarded(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *base = memory + i * STRIDE;

		CHECK(!writable(base));
		CHECK(!writable(base + CR__GUARD_SIZE - 1));
		CHECK(writable(base + CR__GUARD_SIZE));
		CHECK(writable(base + STRIDE - 1));
	}
}

static void the_environment_may_ask_for_a_worse_way(void)
{
	enum cr__guard best;

	unsetenv("CORAIL_GUARD");
	best = cr__guard_choose();
	CHECK(best == CR__GUARD_MADVISE || best == CR__GUARD_MPROTECT);
	setenv("CORAIL_GUARD", "mprotect", 1);
	CHECK_EQ(cr__guard_choose(), CR__GUARD_MPROTECT);
	setenv("CORAIL_GUARD", "check", 1);
	CHECK_EQ(cr__guard_choose(), CR__GUARD_CHECK);
	setenv("CORAIL_GUARD", "madvise", 1);
	CHECK_EQ(cr__guard_choose(), best);
	setenv("CORAIL_GUARD", "nonsense", 1);
	CHECK_EQ(cr__guard_choose(), best);
	unsetenv("CORAIL_GUARD");
	CHECK_STR(cr__guard_name(CR__GUARD_MADVISE), "madvise");
	CHECK_STR(cr__guard_name(CR__GUARD_MPROTECT), "mprotect");
	CHECK_STR(cr__guard_name(CR__GUARD_CHECK), "check");
}

/* Guards that cost no mapping: that is what lets a hundred thousand stacks have one. */
static void madvise_guards_cost_no_mapping(void)
{
	size_t before;

	if (cr__guard_choose() != CR__GUARD_MADVISE) {
		printf("  this kernel has no MADV_GUARD_INSTALL\n");
		return;
	}
	begin(COUNT);
	before = footprint_mappings();
	CHECK_EQ(cr__guard_install(CR__GUARD_MADVISE, memory, STRIDE, COUNT), CR__GUARD_MADVISE);
	CHECK_EQ(footprint_mappings(), before);
	check_guarded(COUNT);
	/* Installing them again is harmless. */
	CHECK_EQ(cr__guard_install(CR__GUARD_MADVISE, memory, STRIDE, COUNT), CR__GUARD_MADVISE);
	check_guarded(COUNT);
	end(COUNT);
}

static void mprotect_guards_guard_too(void)
{
	size_t before;

	begin(COUNT);
	before = footprint_mappings();
	CHECK_EQ(cr__guard_install(CR__GUARD_MPROTECT, memory, STRIDE, COUNT), CR__GUARD_MPROTECT);
	CHECK_GE(footprint_mappings(), before + 2 * COUNT - 2);
	check_guarded(COUNT);
	end(COUNT);
	cr__guard_release(CR__GUARD_MPROTECT, COUNT);
}

static void checked_stacks_stay_as_they_are(void)
{
	begin(2);
	CHECK_EQ(cr__guard_install(CR__GUARD_CHECK, memory, STRIDE, 2), CR__GUARD_CHECK);
	CHECK(writable(memory));
	CHECK(writable(memory + STRIDE));
	cr__guard_release(CR__GUARD_CHECK, 2);
	end(2);
}

/* The budget leaves half of all mappings to the program; what is given back can be had again. */
static void the_budget_of_mappings_is_kept(void)
{
	enum { LARGE = 200000 };
	size_t taken = 0, before;

	begin(COUNT);
	before = footprint_mappings();
	while (cr__guard_install(CR__GUARD_MPROTECT, memory, STRIDE, COUNT) == CR__GUARD_MPROTECT) {
		taken += COUNT;
		CHECK_LT(taken, LARGE * 100);
	}
	CHECK_GT(taken, 0);
	CHECK_LE(footprint_mappings(), before + 2 * COUNT);
	end(COUNT);

	/* Used up: stacks without a guard, not an error. */
	begin(COUNT);
	CHECK_EQ(cr__guard_install(CR__GUARD_MPROTECT, memory, STRIDE, COUNT), CR__GUARD_CHECK);
	CHECK(writable(memory));
	cr__guard_release(CR__GUARD_MPROTECT, taken);
	CHECK_EQ(cr__guard_install(CR__GUARD_MPROTECT, memory, STRIDE, COUNT), CR__GUARD_MPROTECT);
	CHECK(!writable(memory));
	cr__guard_release(CR__GUARD_MPROTECT, COUNT);
	end(COUNT);
}

/* What cannot be guarded by advice (a mapping that is locked, madvise(2)) falls to the next way. */
static void a_refusal_falls_to_the_next_way(void)
{
	begin(2);
	if (cr__guard_choose() == CR__GUARD_MADVISE &&
	    syscall(SYS_mlock, memory, 2 * STRIDE) == 0) {
		CHECK_EQ(cr__guard_install(CR__GUARD_MADVISE, memory, STRIDE, 2),
		         CR__GUARD_MPROTECT);
		check_guarded(2);
		cr__guard_release(CR__GUARD_MPROTECT, 2);
	}
	end(2);
}

static void populated_pages_are_resident(void)
{
	unsigned char resident;
	size_t count = 0;

	begin(COUNT);
	cr__guard_populate(memory + STRIDE - 4096, STRIDE, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK_EQ(mincore(memory + i * STRIDE + STRIDE - 4096, 4096, &resident), 0);
		count += resident & 1;
		CHECK_EQ(memory[i * STRIDE + STRIDE - 1], 0);
	}
	/* All of them where process_madvise(2) can, none elsewhere. */
	CHECK(count == COUNT || count == 0);
	end(COUNT);
}

int main(void)
{
	RUN(the_environment_may_ask_for_a_worse_way);
	RUN(madvise_guards_cost_no_mapping);
	RUN(mprotect_guards_guard_too);
	RUN(checked_stacks_stay_as_they_are);
	RUN(the_budget_of_mappings_is_kept);
	RUN(a_refusal_falls_to_the_next_way);
	RUN(populated_pages_are_resident);
	return test_done();
}
