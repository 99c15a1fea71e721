/* SPDX-License-Identifier: MIT */
#ifndef CR__CTX_SANITIZE_H
#define CR__CTX_SANITIZE_H

/*
 * What AddressSanitizer, ThreadSanitizer and Valgrind must be told about stacks and switches.
 * Outside their builds all of this is empty (Valgrind's requests are a few inert instructions at
 * the birth of a stack).
 */

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CR__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CR__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define CR__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CR__TSAN 1
#endif
#endif
#ifndef CR__ASAN
#define CR__ASAN 0
#endif
#ifndef CR__TSAN
#define CR__TSAN 0
#endif
#define CR__SANITIZED (CR__ASAN || CR__TSAN)

#if CR__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if CR__TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define CR__VALGRIND 1
#else
#define CR__VALGRIND 0
#endif

#if CR__SANITIZED

/* One for each context; the loop's own learns its bounds at the first switch away from it. */
struct cr__fiber {
	void *fake_stack;
	const void *bottom;
	size_t size;
	void *tsan;
};

static inline void cr__fiber_init(struct cr__fiber *fiber, const void *bottom, size_t size)
{
	fiber->fake_stack = NULL;
	fiber->bottom = bottom;
	fiber->size = size;
#if CR__ASAN
	/* Frames of an earlier task that never returned may have left their red zones behind. */
	__asan_unpoison_memory_region(bottom, size);
#endif
#if CR__TSAN
	fiber->tsan = __tsan_create_fiber(0);
#endif
}

/* The context that this thread runs on by itself. */
static inline void cr__fiber_init_thread(struct cr__fiber *fiber)
{
	*fiber = (struct cr__fiber){0};
#if CR__TSAN
	fiber->tsan = __tsan_get_current_fiber();
#endif
}

/* Before the switch. `ends`: `from` will never be resumed. */
static inline void cr__fiber_leave(struct cr__fiber *from, struct cr__fiber *to, bool ends)
{
#if CR__ASAN
	__sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#if CR__TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)from;
	(void)to;
	(void)ends;
}

/* First thing after it, on the new stack. `came_from` learns its bounds if it did not know them. */
static inline void cr__fiber_arrive(struct cr__fiber *self, struct cr__fiber *came_from)
{
#if CR__ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
	if (came_from && !came_from->bottom) {
		came_from->bottom = bottom;
		came_from->size = size;
	}
#endif
	(void)self;
	(void)came_from;
}

#endif

/* Valgrind: returns the stack's number. */
static inline unsigned cr__stack_register(const void *bottom, const void *top)
{
#if CR__VALGRIND
	return VALGRIND_STACK_REGISTER(bottom, top);
#else
	(void)bottom;
	(void)top;
	return 0;
#endif
}

static inline void cr__stack_deregister(unsigned number)
{
#if CR__VALGRIND
	VALGRIND_STACK_DEREGISTER(number);
#else
	(void)number;
#endif
}

static inline bool cr__on_valgrind(void)
{
#if CR__VALGRIND
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

#endif
