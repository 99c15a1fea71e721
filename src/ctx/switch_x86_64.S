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
 * int cr__ctx_switch(void **save_sp [rdi], void *load_sp [rsi], int value [edx],
 *                    int *errno_at [rcx])
 * Returns, in the context it resumes, the value that its resumer gave.
 */
	.globl	cr__ctx_switch
	.hidden	cr__ctx_switch
	.type	cr__ctx_switch, @function
	.p2align 5
cr__ctx_switch:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	movl	(%rcx), %r8d
	pushq	%r8
	.cfi_adjust_cfa_offset 8
	movq	%rsp, (%rdi)
	/* From here on the frame is the other context's: same layout, same rules for it. */
	movq	%rsi, %rsp
	movl	%edx, %eax
	popq	%r8
	.cfi_adjust_cfa_offset -8
	movl	%r8d, (%rcx)
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	notrack jmp *%rcx
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
	movq	%rdi, %rsp
	movl	%esi, %eax
	.cfi_def_cfa %rsp, 64
	.cfi_offset %rip, -8
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	popq	%r8
	.cfi_adjust_cfa_offset -8
	movl	%r8d, (%rdx)
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	notrack jmp *%rcx
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
