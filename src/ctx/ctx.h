/* SPDX-License-Identifier: MIT */
#ifndef CR__CTX_CTX_H
#define CR__CTX_CTX_H

/* The context switch: three routines in assembly, and the frame that a new context starts from. */

#include <stddef.h>
#include <stdint.h>

/* A suspended context is its stack pointer; this is one that can be resumed. */
struct cr__slot {
	void *sp;
	union {
		struct {
			uint32_t index; /* whose it is: the scheduler's, not looked at here */
			int32_t value;  /* what its suspended call returns */
		};
		uint64_t resume; /* both: the index alone means the value 0 */
	};
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a slot's index is its low half");
_Static_assert(sizeof(struct cr__slot) == 16 && offsetof(struct cr__slot, value) == 12,
               "the assembly knows where the value lies");

/* In the same library always: a direct jump gets there. */
#pragma GCC visibility push(hidden)

/*
 * Suspends into *save_sp and resumes what *slot holds once *save_sp has been written. Returns when
 * somebody resumes what was saved, with the value that they gave. errno, whose address is the
 * thread's, is kept in each context.
 */
int cr__ctx_switch(void **save_sp, const struct cr__slot *slot, int *errno_at);

/* Resumes a context for good. */
_Noreturn void cr__ctx_jump(void *load_sp, int value, int *errno_at);

void cr__ctx_entry(void);

#pragma GCC visibility pop

typedef void (*cr__code)(void);

/*
 * Prepares a context on the memory below `top` and returns it: resumed, with errno zero, it calls
 * arrive() unless NULL, then int fn(arg), then finish(result), which must not return.
 */
static inline void *cr__ctx_make(void *top, cr__code fn, const void *arg,
                                 void (*finish)(int result), void (*arrive)(void))
{
	uintptr_t *frame = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15);

#if defined(__x86_64__)
	/*
	 * errno r15 r14 r13 r12 rbx rbp and the address: once popped, the stack is at a multiple of
	 * 16.
	 */
	frame -= 8;
	frame[0] = 0;
	frame[1] = (uintptr_t)arrive;
	frame[2] = (uintptr_t)finish;
	frame[3] = (uintptr_t)arg;
	frame[4] = (uintptr_t)fn;
	frame[5] = frame[6] = 0;
	frame[7] = (uintptr_t)cr__ctx_entry;
#elif defined(__aarch64__)
	/* x29 x30 x19 x20 x21 x22, registers whose first value does not matter, errno. */
	frame -= 22;
	frame[0] = 0;
	frame[1] = (uintptr_t)cr__ctx_entry;
	frame[2] = (uintptr_t)fn;
	frame[3] = (uintptr_t)arg;
	frame[4] = (uintptr_t)finish;
	frame[5] = (uintptr_t)arrive;
	frame[20] = 0;
#else
#error "no context switch for this architecture: see src/ctx"
#endif
	return frame;
}

#endif
