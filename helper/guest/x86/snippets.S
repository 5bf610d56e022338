// SPDX-License-Identifier: Apache-2.0
// The machine code that runs inside the guests: 64-bit, position independent, no stack except in the interrupt handler.
#include "code.h"

#define CTL(field)	CTL_##field(%r11)

	.macro	snippet name
	.globl	\name
\name:
	.endm

	/* Ends a round, which begins at label 1. */
	.macro	next
	incq	CTL(PROGRESS)
	dec	%r12
	jnz	1b
	out	%al, $GUEST_PORT
	.endm

	/* Compares a result in rax. */
	.macro	check
	mov	%rax, %r15
	cmp	%r14, %rax
	jne	2f
	inc	%r13
2:
	.endm

	/* STI holds interrupts off for one instruction, so the HLT runs even if an interrupt is pending. */
	.macro	halt emulated=0
1:	incq	CTL(WANT)
	sti
	.if \emulated
	/* KVM's handle_ud() takes these five bytes for a request to emulate the next instruction. */
	ud2
	.ascii	"kvm"
	.endif
	hlt
	cli
	incq	CTL(DONE)
	next
	.endm

	/*
	 * VMX exits from a PAUSE only when a loop of them has lasted longer than a window of 4096 cycles or more. SVM's
	 * filter may let any PAUSE exit, and the emulators of SVM exit on each.
	 */
	.macro	pauses at
	mov	$4096, %r9d
snippet	\at
3:	pause
	dec	%r9d
	jnz	3b
	.endm

	.macro	call_round insn, at, then:vararg
1:	mov	%rbp, %rax
snippet	\at
	\insn
	check
	\then
	next
	.endm

	.section .rodata
	.balign	16
snippet	guest_code

snippet	guest_nop
1:	next

snippet	guest_hlt
	halt

snippet	guest_hlt_emulated
	halt	emulated=1

snippet	guest_hlt_user
1:	hlt
	next

snippet	guest_pause
1:	pause
	next

snippet	guest_pauses
1:	pauses	guest_pauses_at
	next

snippet	guest_vmmcall
	call_round vmmcall, guest_vmmcall_at
snippet	guest_vmcall
	call_round vmcall, guest_vmcall_at
snippet	guest_vmmcall_pause
	call_round vmmcall, guest_vmmcall_first, pause
snippet	guest_vmcall_pauses
	call_round vmcall, guest_vmcall_first, pauses guest_pauses_behind

	/* The exit code is at 0x70 of the VMCB. An exit leaves GIF clear, STGI sets it again. */
snippet	guest_vmrun
1:	mov	%rbx, %rax
	vmrun	%rax
	stgi
	mov	0x70(%rbx), %rax
	check
	next

	/* The exit leaves RIP at the instruction: every VMRUN executes it again. */
snippet	guest_l2_hlt
1:	hlt
	jmp	1b
snippet	guest_l2_pause
1:	pause
	jmp	1b

	/* Neither exits nor waits. */
snippet	guest_busy
	incq	CTL(WANT)
1:
3:	cmpq	$0, CTL(LEAVE)
	je	3b
	next

	/* End of interrupt is register 0xb0 of the local APIC. */
snippet	guest_irq
	incq	CTL(IRQS)
	push	%rax
	mov	$0xfee000b0, %eax
	movl	$0, (%rax)
	pop	%rax
	iretq

snippet	guest_code_end

	.section .note.GNU-stack, "", %progbits
