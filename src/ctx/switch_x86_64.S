/* SPDX-License-Identifier: MIT */
/*
 * The context switch for x86-64, System V ABI (psABI 1.0, section 3.2.1).
 *
 * What a called function must preserve: rbx, rbp, r12 to r15 and rsp; the x87 control word and the
 * control bits of MXCSR. Every other register, vectors included, is dead across a call, and a
 * switch is a call. The floating-point control bits are left alone on purpose: they belong to the
 * loop's thread, and a task that changes its rounding mode restores it before it suspends.
 *
 * A suspended context is its stack pointer; above it lie errno (each task has its own), r15, r14,
 * r13, r12, rbx, rbp and the address to go on at: one cache line. tools/corail-gdb.py knows this
 * layout.
 *
 * Both ends leave by an indirect jump. The processor predicts `ret` from the calls it saw on its
 * way, and those were another stack's: a switch that ends in `ret` pays a misprediction each time.
 * `notrack`, because the place behind a call carries no endbr64. Shadow stacks (CET SHSTK) are not
 * supported: the object is not marked for them, so that the loader leaves them off.
 */

	.text

/*
 * int cr__ctx_switch(void **save_sp [rdi], const struct cr__slot *slot [rsi], int *errno_at [rdx])
 * Returns, in the context it resumes, the value that its resumer gave. Never called through a
 * pointer, so no endbr64 stands here.
 */
	.globl	cr__ctx_switch
	.hidden	cr__ctx_switch
	.type	cr__ctx_switch, @function
	.p2align 5
cr__ctx_switch:
	.cfi_startproc
	/* Below the stack pointer, in the red zone (section 3.2.2): no handler writes there. */
	movl	(%rdx), %r8d
	movq	%rbp, -8(%rsp)
	.cfi_offset %rbp, -16
	movq	%rbx, -16(%rsp)
	.cfi_offset %rbx, -24
	movq	%r12, -24(%rsp)
	.cfi_offset %r12, -32
	movq	%r13, -32(%rsp)
	.cfi_offset %r13, -40
	movq	%r14, -40(%rsp)
	.cfi_offset %r14, -48
	movq	%r15, -48(%rsp)
	.cfi_offset %r15, -56
	movq	%r8, -56(%rsp)
	leaq	-56(%rsp), %rax
	movq	%rax, (%rdi)
	/* Only now: a context may resume itself. */
	movl	12(%rsi), %eax
	movq	(%rsi), %rsi
	/* From here on the frame is the other context's, at rsi: the same places, from its end. */
	.cfi_def_cfa %rsi, 64
	movl	0(%rsi), %r8d
	movl	%r8d, (%rdx)
	movq	48(%rsi), %rbp
	.cfi_same_value %rbp
	movq	40(%rsi), %rbx
	.cfi_same_value %rbx
	movq	32(%rsi), %r12
	.cfi_same_value %r12
	movq	24(%rsi), %r13
	.cfi_same_value %r13
	movq	16(%rsi), %r14
	.cfi_same_value %r14
	movq	8(%rsi), %r15
	.cfi_same_value %r15
	movq	56(%rsi), %rdx
	leaq	64(%rsi), %rsp
	.cfi_def_cfa %rsp, 0
	.cfi_register %rip, %rdx
	notrack jmp *%rdx
	.cfi_endproc
	.size	cr__ctx_switch, . - cr__ctx_switch

/*
 * _Noreturn void cr__ctx_jump(void *load_sp [rdi], int value [esi], int *errno_at [rdx])
 * Resumes a context and forgets the current one.
 */
	.globl	cr__ctx_jump
	.hidden	cr__ctx_jump
	.type	cr__ctx_jump, @function
	.p2align 5
cr__ctx_jump:
	.cfi_startproc
	endbr64
	.cfi_def_cfa %rdi, 64
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	movl	0(%rdi), %r8d
	movl	%esi, %eax
	movl	%r8d, (%rdx)
	movq	48(%rdi), %rbp
	.cfi_same_value %rbp
	movq	40(%rdi), %rbx
	.cfi_same_value %rbx
	movq	32(%rdi), %r12
	.cfi_same_value %r12
	movq	24(%rdi), %r13
	.cfi_same_value %r13
	movq	16(%rdi), %r14
	.cfi_same_value %r14
	movq	8(%rdi), %r15
	.cfi_same_value %r15
	movq	56(%rdi), %rdx
	leaq	64(%rdi), %rsp
	.cfi_def_cfa %rsp, 0
	.cfi_register %rip, %rdx
	notrack jmp *%rdx
	.cfi_endproc
	.size	cr__ctx_jump, . - cr__ctx_jump

/*
 * Where a new context starts. cr__ctx_make() left its function in r12, the argument in r13, what to
 * call with the result in r14, and in r15 what to call first, or 0 (the sanitizers' arrival). The
 * stack pointer is a multiple of 16, as it must be before a call. The typed function is called
 * here, in assembly: no C expression ever calls it through a pointer of another type. A backtrace
 * ends here.
 */
	.globl	cr__ctx_entry
	.hidden	cr__ctx_entry
	.type	cr__ctx_entry, @function
	.p2align 5
cr__ctx_entry:
	.cfi_startproc
	.cfi_undefined %rip
	endbr64
	testq	%r15, %r15
	jz	1f
	callq	*%r15
1:	movq	%r13, %rdi
	callq	*%r12
	movl	%eax, %edi
	callq	*%r14
	ud2
	.cfi_endproc
	.size	cr__ctx_entry, . - cr__ctx_entry

	.section .note.GNU-stack, "", @progbits
