/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_SCARCE_H
#define CORAIL_TESTS_SUPPORT_SCARCE_H

/*
 * Torture of code that calls malloc(3) and its kin by itself, and of the libraries that it stands
 * on. The program that includes this replaces malloc() for everybody in the process, by glibc's or
 * the sanitizer's, so that the nth call can fail:
 *
 *	scarce_torture("a_query", a_query);   every suspension, every allocation of ours
 *	scarce_libraries("a_query", a_query); allocations of whoever, in strides
 *
 * Ours are the calls that come from the program itself, into which Corail is linked. A scenario has
 * two marks: torture_begin(), before which nothing is delivered (connecting to a server takes its
 * time), and torture_end(), after which it looks at what is left.
 */

#include "support/torture.h"

#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

extern char __executable_start, etext;

/* glibc's own, and the sanitizers', where there is one. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
__attribute__((weak)) void *__interceptor_malloc(size_t size);
__attribute__((weak)) void *__interceptor_calloc(size_t count, size_t size);
__attribute__((weak)) void *__interceptor_realloc(void *old, size_t size);

static struct {
	_Atomic uint64_t first, last, calls; /* first 0: nothing fails, and nothing is counted */
	_Atomic bool everybody;
	/* Where the C library's code is, and the sanitizers': those are always served. */
	struct {
		uintptr_t begin, end;
	} spared[16];
	int spared_count;
} scarce;

/* The sanitizers call malloc() before they are ready. */
#define SCARCE_PLAIN __attribute__((no_sanitize("address", "undefined", "thread")))

SCARCE_PLAIN static bool scarce_concerns(const void *caller)
{
	if ((const char *)caller >= &__executable_start && (const char *)caller < &etext)
		return true;
	if (!atomic_load(&scarce.everybody))
		return false;
	for (int i = 0; i < scarce.spared_count; i++)
		if ((uintptr_t)caller >= scarce.spared[i].begin &&
		    (uintptr_t)caller < scarce.spared[i].end)
			return false;
	return true;
}

SCARCE_PLAIN static bool scarce_fails(const void *caller)
{
	uint64_t first = atomic_load(&scarce.first), call;

	if (first == 0 || !scarce_concerns(caller))
		return false;
	call = atomic_fetch_add(&scarce.calls, 1) + 1;
	if (call < first || call > atomic_load(&scarce.last))
		return false;
	errno = ENOMEM;
	return true;
}

#define SCARCE_FAILS() scarce_fails(__builtin_return_address(0))
#define SCARCE_REPLACED SCARCE_PLAIN __attribute__((noinline, used))

SCARCE_REPLACED void *malloc(size_t size)
{
	if (SCARCE_FAILS())
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

SCARCE_REPLACED void *calloc(size_t count, size_t size)
{
	if (SCARCE_FAILS())
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(count, size)
	                            : __libc_calloc(count, size);
}

SCARCE_REPLACED void *realloc(void *old, size_t size)
{
	if (SCARCE_FAILS())
		return NULL;
	return __interceptor_realloc ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

SCARCE_REPLACED void *reallocarray(void *old, size_t count, size_t size)
{
	size_t total;

	if (SCARCE_FAILS() || __builtin_mul_overflow(count, size, &total))
		return NULL;
	return __interceptor_realloc ? __interceptor_realloc(old, total)
	                             : __libc_realloc(old, total);
}

/* These would call malloc() from the C library, and not be ours any more. */
SCARCE_REPLACED char *strndup(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	char *copy = SCARCE_FAILS()         ? NULL
	             : __interceptor_malloc ? __interceptor_malloc(length + 1)
	                                    : __libc_malloc(length + 1);

	if (!copy)
		return NULL;
	copy[length] = '\0';
	return memcpy(copy, text, length);
}

SCARCE_REPLACED char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = SCARCE_FAILS()         ? NULL
	             : __interceptor_malloc ? __interceptor_malloc(size)
	                                    : __libc_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

SCARCE_REPLACED int asprintf(char **ret_text, const char *format, ...)
{
	va_list args;
	int size;

	if (SCARCE_FAILS())
		return -1;
	va_start(args, format);
	size = vasprintf(ret_text, format, args);
	va_end(args);
	return size;
}

static void scarce_between(uint64_t first, uint64_t last)
{
	atomic_store(&scarce.first, 0);
	atomic_store(&scarce.calls, 0);
	atomic_store(&scarce.last, last);
	atomic_store(&scarce.first, first);
}

static void scarce_fail_at(uint64_t nth)
{
	scarce_between(nth, UINT64_MAX);
}

static void scarce_fail_once(uint64_t nth)
{
	scarce_between(nth, nth);
}

static uint64_t scarce_count(void)
{
	return atomic_load(&scarce.calls);
}

static int scarce_spare(struct dl_phdr_info *library, size_t size, void *unused)
{
	static const char *const names[] = {"/libc.", "/ld-", "/libasan.", "/libubsan.",
	                                    "/libtsan."};

	(void)size;
	(void)unused;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strstr(library->dlpi_name, names[i]))
			continue;
		for (int j = 0; j < library->dlpi_phnum && scarce.spared_count < 16; j++) {
			const ElfW(Phdr) *part = &library->dlpi_phdr[j];
			uintptr_t begin = library->dlpi_addr + part->p_vaddr;

			if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
				scarce.spared[scarce.spared_count].begin = begin;
				scarce.spared[scarce.spared_count++].end = begin + part->p_memsz;
			}
		}
	}
	return 0;
}

static void scarce_prepare(void)
{
	scarce.spared_count = 0;
	dl_iterate_phdr(scarce_spare, NULL);
	torture_memory = (struct torture_memory){scarce_fail_at, scarce_fail_once, scarce_count};
	torture_marked = 1;
}

static bool scarce_chosen(const char *name)
{
	const char *only = getenv("TEST_ONLY");

	signal(SIGALRM, torture_hung);
	scarce_prepare();
	return !only || strcmp(name, only) == 0;
}

/*
 * On both real backends, and in the simulator if `simulated`. What allocations there are does not
 * depend on it, so they fail on the first one only.
 */
__attribute__((unused)) static void scarce_torture(const char *name,
                                                   int (*scenario)(struct torture *t),
                                                   int simulated)
{
	static const char *const backends[] = {"uring", "epoll", "sim"};
	const char *mode_only = getenv("TEST_MODE");
	struct torture t = {.name = name, .scenario = scenario, .seed = 1};
	bool first = true;

	if (!scarce_chosen(name))
		return;
	for (int i = 0; i < 2 + simulated; i++) {
		char why[256];

		if (cr_loop_probe(backends[i], why, sizeof why) < 0)
			continue;
		setenv("CORAIL_BACKEND", backends[i], 1);
		printf("- %s (%s)\n", name, backends[i]);
		fflush(stdout);
		t.mode = TORTURE_COUNT;
		t.point = 0;
		torture_once(&t);
		TORTURE_CHECK(&t, t.result < 0 ? t.result : 0, 0);
		for (enum torture_mode mode = TORTURE_CANCEL; mode < TORTURE_MODES; mode++) {
			bool memory = mode == TORTURE_MEMORY || mode == TORTURE_ONCE;

			if (mode_only && strcmp(mode_only, torture_mode_names[mode]) != 0)
				continue;
			if (mode != TORTURE_RESET && (!memory || first))
				torture_mode(&t, mode);
		}
		first = false;
	}
	test_count++;
}

/* Of the allocations of whoever about `points` fail; with TEST_DEEP all, one after the other. */
__attribute__((unused)) static void scarce_libraries(const char *name,
                                                     int (*scenario)(struct torture *t),
                                                     uint64_t points)
{
	const char *mode_only = getenv("TEST_MODE");
	struct torture t = {.name = name, .scenario = scenario, .seed = 1};

	if (!scarce_chosen(name))
		return;
	unsetenv("CORAIL_BACKEND");
	printf("- %s, libraries\n", name);
	fflush(stdout);
	atomic_store(&scarce.everybody, true);
	/* How many there are: none fails. */
	t.mode = TORTURE_MEMORY;
	t.point = UINT64_MAX;
	torture_once(&t);
	torture_stride = getenv("TEST_DEEP") ? 1 : t.allocations / points + 1;
	for (t.mode = TORTURE_MEMORY; t.mode < TORTURE_MODES; t.mode++)
		if (!mode_only || strcmp(mode_only, torture_mode_names[t.mode]) == 0)
			torture_mode(&t, t.mode);
	torture_stride = 1;
	atomic_store(&scarce.everybody, false);
	test_count++;
}

#endif
