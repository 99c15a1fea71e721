/* SPDX-License-Identifier: MIT */
#ifndef CR__CTX_CTX_H
#define CR__CTX_CTX_H

/* The context switch: three routines in assembly, and the frame that a new context starts from. */

#include <stdint.h>

/* A suspended context. The assembly knows both offsets. */
struct cr__ctx {
	void *sp;      /* 0 */
	int32_t value; /* 8: what cr__ctx_switch() returns in it when it is resumed */
};

typedef void (*cr__code)(void);

/* Suspends into `from`, resumes `to`. Returns from->value when somebody resumes `from`. */
int cr__ctx_switch(struct cr__ctx *from, struct cr__ctx *to);

_Noreturn void cr__ctx_jump(struct cr__ctx *to);

void cr__ctx_entry(void);

/*
 * Prepares a context on the memory below `top`: resumed, it calls arrive() unless NULL, then
 * int fn(arg), then finish(result), which must not return.
 */
static inline void cr__ctx_make(struct cr__ctx *ctx, void *top, cr__code fn, const void *arg,
                                void (*finish)(int result), void (*arrive)(void))
{
	uintptr_t *frame = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15);

#if defined(__x86_64__)
	/* r15 r14 r13 r12 rbx rbp and the address: popping them leaves the stack at a multiple of 16. */
	frame -= 7;
	frame[0] = (uintptr_t)arrive;
	frame[1] = (uintptr_t)finish;
	frame[2] = (uintptr_t)arg;
	frame[3] = (uintptr_t)fn;
	frame[4] = frame[5] = 0;
	frame[6] = (uintptr_t)cr__ctx_entry;
#elif defined(__aarch64__)
	/* x29 x30 x19 x20 x21 x22, then registers whose first value does not matter. */
	frame -= 20;
	frame[0] = 0;
	frame[1] = (uintptr_t)cr__ctx_entry;
	frame[2] = (uintptr_t)fn;
	frame[3] = (uintptr_t)arg;
	frame[4] = (uintptr_t)finish;
	frame[5] = (uintptr_t)arrive;
#else
#error "no context switch for this architecture: see src/ctx"
#endif
	ctx->sp = frame;
}

#endif
