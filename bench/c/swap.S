/* SPDX-License-Identifier: MIT */
/*
 * void swap(void **save_sp, void *load_sp): the bare context switch that everything is compared
 * with. It saves the callee-saved registers of the ABI on the stack it leaves, loads those of the
 * stack it enters, and leaves by a jump: a `ret` would be predicted from the other stack's calls.
 */
	.text
	.globl swap
	.type swap, %function
	.p2align 6
swap:
#if defined(__x86_64__)
	/* System V AMD64: rbx, rbp, r12 to r15 are the caller's; `call` left the address. */
	leaq -48(%rsp), %rdx
	movq %r15, (%rdx)
	movq %r14, 8(%rdx)
	movq %r13, 16(%rdx)
	movq %r12, 24(%rdx)
	movq %rbx, 32(%rdx)
	movq %rbp, 40(%rdx)
	movq %rdx, (%rdi)
	movq (%rsi), %r15
	movq 8(%rsi), %r14
	movq 16(%rsi), %r13
	movq 24(%rsi), %r12
	movq 32(%rsi), %rbx
	movq 40(%rsi), %rbp
	leaq 56(%rsi), %rsp
	jmpq *48(%rsi)
#elif defined(__aarch64__)
	/* AAPCS64: x19 to x29 and d8 to d15 belong to the caller; x30 is where to go on. */
	stp x29, x30, [sp, #-160]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #16]
	ldp x21, x22, [sp, #32]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #64]
	ldp x27, x28, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	ldp x29, x9, [sp], #160
	br x9
#else
#error "no register swap for this processor"
#endif
	.size swap, .-swap
	.section .note.GNU-stack, "", %progbits
