// SPDX-License-Identifier: Apache-2.0
// The machine code that runs inside the guests: 64-bit, position independent, no stack but for the interrupt.
#include "code.h"

#include <assert.h>
#include <stddef.h>

static_assert(offsetof(struct control, progress) == CTL_PROGRESS, "the assembler's offset is wrong");
static_assert(offsetof(struct control, want) == CTL_WANT, "the assembler's offset is wrong");
static_assert(offsetof(struct control, done) == CTL_DONE, "the assembler's offset is wrong");
static_assert(offsetof(struct control, irqs) == CTL_IRQS, "the assembler's offset is wrong");
static_assert(offsetof(struct control, leave) == CTL_LEAVE, "the assembler's offset is wrong");
static_assert(offsetof(struct control, poll_timeout) == offsetof(struct control, poll_ports) + 16,
	      "not Xen's struct sched_poll");

#define STR_(x)		#x
#define STR(x)		STR_(x)
#define CTL(field)	STR(CTL_##field) "(%r11)"

#define SNIPPET(name)	".globl " name "\n" name ":\n"
#define ROUND		"1:\n"
#define NEXT		"	incq	" CTL(PROGRESS) "\n" \
			"	dec	%r12\n" \
			"	jnz	1b\n" \
			"	out	%al, $" STR(GUEST_PORT) "\n"

/* Compares a result in rax. */
#define CHECK		"	mov	%rax, %r15\n" \
			"	cmp	%r14, %rax\n" \
			"	jne	2f\n" \
			"	inc	%r13\n" \
			"2:\n"

/* STI holds interrupts off for one instruction, so the HLT runs whatever is pending. */
#define HALT(prefix)	ROUND \
			"	incq	" CTL(WANT) "\n" \
			"	sti\n" \
			prefix \
			"	hlt\n" \
			"	cli\n" \
			"	incq	" CTL(DONE) "\n" \
			NEXT

/*
 * VMX exits from a PAUSE only when a loop of them has lasted longer than a window, of 4096 cycles or more. SVM's
 * filter may let any exit, and the emulators of SVM do so from each.
 */
#define PAUSES		"	mov	$4096, %r9d\n" \
			"3:	pause\n" \
			"	dec	%r9d\n" \
			"	jnz	3b\n"

#define CALL(insn, then) ROUND \
			"	mov	%rbp, %rax\n" \
			"	" insn "\n" \
			CHECK \
			then \
			NEXT

__asm__(
	".pushsection .rodata\n"
	".balign 16\n"
	SNIPPET("guest_code")

	SNIPPET("guest_nop")
	ROUND
	NEXT

	SNIPPET("guest_hlt")
	HALT("")

	/* KVM's handle_ud() takes these five bytes for a request to emulate what follows. */
	SNIPPET("guest_hlt_emulated")
	HALT("	ud2\n	.ascii	\"kvm\"\n")

	SNIPPET("guest_hlt_user")
	ROUND
	"	hlt\n"
	NEXT

	SNIPPET("guest_pause")
	ROUND
	"	pause\n"
	NEXT

	SNIPPET("guest_pauses")
	ROUND
	PAUSES
	NEXT

	SNIPPET("guest_vmmcall")
	CALL("vmmcall", "")
	SNIPPET("guest_vmcall")
	CALL("vmcall", "")
	SNIPPET("guest_vmmcall_pause")
	CALL("vmmcall", "	pause\n")
	SNIPPET("guest_vmcall_pauses")
	CALL("vmcall", PAUSES)

	/* The exit code is at 0x70 of the VMCB. An exit leaves GIF clear, STGI sets it again. */
	SNIPPET("guest_vmrun")
	ROUND
	"	mov	%rbx, %rax\n"
	"	vmrun	%rax\n"
	"	stgi\n"
	"	mov	0x70(%rbx), %rax\n"
	CHECK
	NEXT

	/* The exit leaves the RIP where it is: every VMRUN meets the same instruction again. */
	SNIPPET("guest_l2_hlt")
	ROUND
	"	hlt\n"
	"	jmp	1b\n"
	SNIPPET("guest_l2_pause")
	ROUND
	"	pause\n"
	"	jmp	1b\n"

	/* Neither exits nor waits. */
	SNIPPET("guest_busy")
	"	incq	" CTL(WANT) "\n"
	ROUND
	"3:	cmpq	$0, " CTL(LEAVE) "\n"
	"	je	3b\n"
	NEXT

	/* End of interrupt is register 0xb0 of the local APIC. */
	SNIPPET("guest_irq")
	"	incq	" CTL(IRQS) "\n"
	"	push	%rax\n"
	"	mov	$0xfee000b0, %eax\n"
	"	movl	$0, (%rax)\n"
	"	pop	%rax\n"
	"	iretq\n"

	SNIPPET("guest_code_end")
	".popsection\n");

extern const unsigned char guest_nop[], guest_hlt[], guest_hlt_emulated[], guest_hlt_user[], guest_pause[];
extern const unsigned char guest_pauses[], guest_vmmcall[], guest_vmcall[], guest_vmmcall_pause[], guest_vmcall_pauses[];
extern const unsigned char guest_vmrun[], guest_l2_hlt[], guest_l2_pause[], guest_busy[], guest_irq[];

static const struct {
	const unsigned char *svm, *vmx;
} snippets[CODE_COUNT] = {
	[CODE_NOP] = { guest_nop, guest_nop },
	[CODE_HLT] = { guest_hlt, guest_hlt },
	[CODE_HLT_EMULATED] = { guest_hlt_emulated, guest_hlt_emulated },
	[CODE_HLT_USER] = { guest_hlt_user, guest_hlt_user },
	[CODE_PAUSE] = { guest_pause, guest_pauses },
	[CODE_CALL] = { guest_vmmcall, guest_vmcall },
	[CODE_CALL_PAUSE] = { guest_vmmcall_pause, guest_vmcall_pauses },
	[CODE_VMRUN] = { guest_vmrun, guest_vmrun },
	[CODE_L2_HLT] = { guest_l2_hlt, guest_l2_hlt },
	[CODE_L2_PAUSE] = { guest_l2_pause, guest_l2_pause },
	[CODE_BUSY] = { guest_busy, guest_busy },
	[CODE_IRQ] = { guest_irq, guest_irq },
};

uint64_t code_offset(enum code code, bool vmx)
{
	const unsigned char *at = vmx ? snippets[code].vmx : snippets[code].svm;

	return (uintptr_t)at - (uintptr_t)guest_code;
}
