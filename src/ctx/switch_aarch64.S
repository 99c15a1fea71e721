/* SPDX-License-Identifier: MIT */
/*
 * The context switch for AArch64 (AAPCS64, sections 6.1.1 and 6.1.2).
 *
 * What a called function must preserve: x19 to x28, x29 (frame pointer), sp, and the low halves of
 * v8 to v15 (d8 to d15); x30 holds the address to go on at. FPCR is left alone: it belongs to the
 * thread. x18 is the platform's register and is not touched.
 *
 * A suspended context is its stack pointer; above it lie, in pairs, x29 x30 x19 .. x28 d8 .. d15,
 * then errno (each task has its own) and a word that keeps the frame a multiple of 16: 176 bytes.
 *
 * Both ends leave by `ret`, unlike x86-64: where branch target identification guards the caller's
 * pages, an indirect jump to the place behind a call would fault, because no `bti` stands there.
 * `ret` is exempt.
 */

#define FRAME 176
#define ERRNO 160

	.text

	.macro	save_frame
	stp	x29, x30, [sp, #-FRAME]!
	.cfi_adjust_cfa_offset FRAME
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x19, x20, [sp, #16]
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	stp	x21, x22, [sp, #32]
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	stp	x23, x24, [sp, #48]
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	stp	x25, x26, [sp, #64]
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	stp	x27, x28, [sp, #80]
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	stp	d8, d9, [sp, #96]
	.cfi_rel_offset d8, 96
	.cfi_rel_offset d9, 104
	stp	d10, d11, [sp, #112]
	.cfi_rel_offset d10, 112
	.cfi_rel_offset d11, 120
	stp	d12, d13, [sp, #128]
	.cfi_rel_offset d12, 128
	.cfi_rel_offset d13, 136
	stp	d14, d15, [sp, #144]
	.cfi_rel_offset d14, 144
	.cfi_rel_offset d15, 152
	.endm

	.macro	load_frame
	ldp	d14, d15, [sp, #144]
	.cfi_restore d14
	.cfi_restore d15
	ldp	d12, d13, [sp, #128]
	.cfi_restore d12
	.cfi_restore d13
	ldp	d10, d11, [sp, #112]
	.cfi_restore d10
	.cfi_restore d11
	ldp	d8, d9, [sp, #96]
	.cfi_restore d8
	.cfi_restore d9
	ldp	x27, x28, [sp, #80]
	.cfi_restore x27
	.cfi_restore x28
	ldp	x25, x26, [sp, #64]
	.cfi_restore x25
	.cfi_restore x26
	ldp	x23, x24, [sp, #48]
	.cfi_restore x23
	.cfi_restore x24
	ldp	x21, x22, [sp, #32]
	.cfi_restore x21
	.cfi_restore x22
	ldp	x19, x20, [sp, #16]
	.cfi_restore x19
	.cfi_restore x20
	ldp	x29, x30, [sp], #FRAME
	.cfi_restore x29
	.cfi_restore x30
	.cfi_adjust_cfa_offset -FRAME
	.endm

/*
 * int cr__ctx_switch(void **save_sp [x0], const struct cr__slot *slot [x1], int *errno_at [x2])
 * Returns, in the context it resumes, the value that its resumer gave.
 */
	.globl	cr__ctx_switch
	.hidden	cr__ctx_switch
	.type	cr__ctx_switch, %function
	.p2align 5
cr__ctx_switch:
	.cfi_startproc
	hint	#34			/* bti c */
	save_frame
	ldr	w9, [x2]
	str	w9, [sp, #ERRNO]
	mov	x9, sp
	str	x9, [x0]
	/* Only now: a context may resume itself. */
	ldr	w0, [x1, #12]
	ldr	x9, [x1]
	mov	sp, x9
	ldr	w9, [sp, #ERRNO]
	str	w9, [x2]
	load_frame
	ret
	.cfi_endproc
	.size	cr__ctx_switch, . - cr__ctx_switch

/*
 * _Noreturn void cr__ctx_jump(void *load_sp [x0], int value [w1], int *errno_at [x2])
 * Resumes a context and forgets the current one.
 */
	.globl	cr__ctx_jump
	.hidden	cr__ctx_jump
	.type	cr__ctx_jump, %function
	.p2align 5
cr__ctx_jump:
	.cfi_startproc
	hint	#34			/* bti c */
	mov	sp, x0
	.cfi_def_cfa sp, FRAME
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	ldr	w9, [sp, #ERRNO]
	str	w9, [x2]
	mov	w0, w1
	load_frame
	ret
	.cfi_endproc
	.size	cr__ctx_jump, . - cr__ctx_jump

/*
 * Where a new context starts. cr__ctx_make() left its function in x19, the argument in x20, what to
 * call with the result in x21, and in x22 what to call first, or 0. A backtrace ends here.
 */
	.globl	cr__ctx_entry
	.hidden	cr__ctx_entry
	.type	cr__ctx_entry, %function
	.p2align 5
cr__ctx_entry:
	.cfi_startproc
	.cfi_undefined x30
	hint	#36			/* bti j */
	cbz	x22, 1f
	blr	x22
1:	mov	x0, x20
	blr	x19
	blr	x21
	brk	#1
	.cfi_endproc
	.size	cr__ctx_entry, . - cr__ctx_entry

	.section .note.GNU-stack, "", %progbits
