// SPDX-License-Identifier: Apache-2.0
// The machine code that runs inside the guests, and the memory it shares with the program outside.
#pragma once
#include <stdint.h>

/* Offsets in struct control, for the assembler. */
#define CTL_PROGRESS	0
#define CTL_WANT	8
#define CTL_DONE	16
#define CTL_IRQS	24
#define CTL_LEAVE	32

/* One of these a vCPU, in guest memory; the guest writes, the host reads. */
struct control {
	volatile uint64_t progress;	/* rounds finished */
	volatile uint64_t want;		/* waits about to begin */
	volatile uint64_t done;		/* waits left behind */
	volatile uint64_t irqs;		/* interrupts taken */
	volatile uint64_t leave;	/* the host's word that a busy vCPU may end */
};

/*
 * A snippet is a loop. Registers it starts with:
 *	x19 its struct control, x20 rounds to go, x21 0, x22 the expected result, x24 the function of a call,
 *	x25 the address to write to when it is done, which KVM hands to user space
 * and ends with:
 *	x20 rounds not done, x21 rounds whose result was the expected one, x23 the last result
 */
enum code {
	CODE_NOP,
	CODE_WFI,
	CODE_WFE,
	CODE_CALL_WAIT,	/* an HVC that waits for an interrupt */
	CODE_BUSY,	/* until the host says that it may end */
	CODE_COUNT,
};

extern const unsigned char guest_code[], guest_code_end[];

/* code_offset: where a snippet begins, from guest_code. */
uint64_t code_offset(enum code code);
