// SPDX-License-Identifier: Apache-2.0
// The machine code that runs inside the guests, at EL1: position independent, no stack, interrupts masked throughout.
#include "code.h"

/* Registers of the interrupt controller, by number: not every assembler knows their names. */
#define ICC_PMR		S3_0_C4_C6_0
#define ICC_IAR1	S3_0_C12_C12_0
#define ICC_EOIR1	S3_0_C12_C12_1
#define ICC_IGRPEN1	S3_0_C12_C12_7
#define IRQ_NONE	1020	/* this number and all above it */

	.macro	snippet name
	.globl	\name
\name:
	.endm

	.macro	count offset
	ldr	x9, [x19, #\offset]
	add	x9, x9, #1
	str	x9, [x19, #\offset]
	.endm

	/* Ends a round, which begins at label 1. */
	.macro	next
	count	CTL_PROGRESS
	subs	x20, x20, #1
	b.ne	1b
	dsb	sy
	str	w20, [x25]
	b	.
	.endm

	/* Compares a result in x0. */
	.macro	check
	mov	x23, x0
	cmp	x0, x22
	cinc	x21, x21, eq
	.endm

	/* Enables interrupts for this vCPU (PSTATE still masks them) and acknowledges those of an earlier snippet. */
	.macro	listen
	mov	x0, #0xff
	msr	ICC_PMR, x0
	mov	x0, #1
	msr	ICC_IGRPEN1, x0
	isb
4:	mrs	x0, ICC_IAR1
	dsb	sy
	cmp	w0, #IRQ_NONE
	b.hs	5f
	msr	ICC_EOIR1, x0
	isb
	b	4b
5:
	.endm

	/* A WFI may end for any reason: the loop waits for the interrupt, so that none is pending at the next WFI. */
	.macro	wait insn:vararg
	count	CTL_WANT
	dsb	sy
	\insn
2:	mrs	x10, ICC_IAR1
	dsb	sy
	cmp	w10, #IRQ_NONE
	b.hs	2b
	msr	ICC_EOIR1, x10
	isb
	count	CTL_IRQS
	count	CTL_DONE
	.endm

	.section .rodata
	.balign	16
snippet	guest_code

snippet	guest_nop
1:	next

snippet	guest_wfi
	listen
1:	wait	wfi
	next

snippet	guest_wfe
1:	wfe
	next

	/* PSCI's CPU_SUSPEND: a state, an entry point, a context. */
snippet	guest_call_wait
	listen
1:	mov	x0, x24
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	wait	hvc #0
	check
	next

	/* Neither exits nor waits. */
snippet	guest_busy
	count	CTL_WANT
1:
3:	ldr	x9, [x19, #CTL_LEAVE]
	cbz	x9, 3b
	next

snippet	guest_code_end
	.balign	8

	.section .note.GNU-stack, "", %progbits
