// SPDX-License-Identifier: Apache-2.0
// The machine code that runs inside the guests, at EL1: position independent, no stack, interrupts masked throughout.
#include "code.h"

#include <assert.h>
#include <stddef.h>

static_assert(offsetof(struct control, progress) == CTL_PROGRESS, "the assembler's offset is wrong");
static_assert(offsetof(struct control, want) == CTL_WANT, "the assembler's offset is wrong");
static_assert(offsetof(struct control, done) == CTL_DONE, "the assembler's offset is wrong");
static_assert(offsetof(struct control, irqs) == CTL_IRQS, "the assembler's offset is wrong");
static_assert(offsetof(struct control, leave) == CTL_LEAVE, "the assembler's offset is wrong");

#define STR_(x)		#x
#define STR(x)		STR_(x)

/* Registers of the interrupt controller, by number: not every assembler knows their names. */
#define ICC_PMR		"S3_0_C4_C6_0"
#define ICC_IAR1	"S3_0_C12_C12_0"
#define ICC_EOIR1	"S3_0_C12_C12_1"
#define ICC_IGRPEN1	"S3_0_C12_C12_7"
#define IRQ_NONE	"1020"	/* and what is above */

#define SNIPPET(name)	".globl " name "\n" name ":\n"
#define ROUND		"1:\n"
#define COUNT(field)	"	ldr	x9, [x19, #" STR(CTL_##field) "]\n" \
			"	add	x9, x9, #1\n" \
			"	str	x9, [x19, #" STR(CTL_##field) "]\n"
#define NEXT		COUNT(PROGRESS) \
			"	subs	x20, x20, #1\n" \
			"	b.ne	1b\n" \
			"	dsb	sy\n" \
			"	str	w20, [x25]\n" \
			"	b	.\n"

/* Compares a result in x0. */
#define CHECK		"	mov	x23, x0\n" \
			"	cmp	x0, x22\n" \
			"	cinc	x21, x21, eq\n"

/* Lets interrupts through to this vCPU, though not to its PSTATE, and takes what an earlier snippet left. */
#define LISTEN		"	mov	x0, #0xff\n" \
			"	msr	" ICC_PMR ", x0\n" \
			"	mov	x0, #1\n" \
			"	msr	" ICC_IGRPEN1 ", x0\n" \
			"	isb\n" \
			"4:	mrs	x0, " ICC_IAR1 "\n" \
			"	dsb	sy\n" \
			"	cmp	w0, #" IRQ_NONE "\n" \
			"	b.hs	5f\n" \
			"	msr	" ICC_EOIR1 ", x0\n" \
			"	isb\n" \
			"	b	4b\n" \
			"5:\n"

/* A WFI may end for any reason: the interrupt is waited for, so that none is pending at the next one. */
#define WAIT(insn)	COUNT(WANT) \
			"	dsb	sy\n" \
			"	" insn "\n" \
			"2:	mrs	x10, " ICC_IAR1 "\n" \
			"	dsb	sy\n" \
			"	cmp	w10, #" IRQ_NONE "\n" \
			"	b.hs	2b\n" \
			"	msr	" ICC_EOIR1 ", x10\n" \
			"	isb\n" \
			COUNT(IRQS) \
			COUNT(DONE)

__asm__(
	".pushsection .rodata\n"
	".balign 16\n"
	SNIPPET("guest_code")

	SNIPPET("guest_nop")
	ROUND
	NEXT

	SNIPPET("guest_wfi")
	LISTEN
	ROUND
	WAIT("wfi")
	NEXT

	SNIPPET("guest_wfe")
	ROUND
	"	wfe\n"
	NEXT

	/* PSCI's CPU_SUSPEND: a state, an entry point, a context. */
	SNIPPET("guest_call_wait")
	LISTEN
	ROUND
	"	mov	x0, x24\n"
	"	mov	x1, #0\n"
	"	mov	x2, #0\n"
	"	mov	x3, #0\n"
	WAIT("hvc	#0")
	CHECK
	NEXT

	/* Neither exits nor waits. */
	SNIPPET("guest_busy")
	COUNT(WANT)
	ROUND
	"3:	ldr	x9, [x19, #" STR(CTL_LEAVE) "]\n"
	"	cbz	x9, 3b\n"
	NEXT

	SNIPPET("guest_code_end")
	".balign 8\n"
	".popsection\n");

extern const unsigned char guest_nop[], guest_wfi[], guest_wfe[], guest_call_wait[], guest_busy[];

uint64_t code_offset(enum code code)
{
	static const unsigned char *const snippets[CODE_COUNT] = {
		[CODE_NOP] = guest_nop,
		[CODE_WFI] = guest_wfi,
		[CODE_WFE] = guest_wfe,
		[CODE_CALL_WAIT] = guest_call_wait,
		[CODE_BUSY] = guest_busy,
	};

	return (uintptr_t)snippets[code] - (uintptr_t)guest_code;
}
