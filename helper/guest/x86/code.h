// SPDX-License-Identifier: Apache-2.0
// The machine code that runs inside the guests, and the memory it shares with the program outside.
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A snippet that is done says so by an OUT to this port. */
#define GUEST_PORT	0x7c
#define GUEST_VECTOR	0x40

/* Offsets in struct control, for the assembler. */
#define CTL_PROGRESS	0
#define CTL_WANT	8
#define CTL_DONE	16
#define CTL_IRQS	24
#define CTL_LEAVE	64

/* One of these a vCPU, in guest memory; the guest writes, the host reads. */
struct control {
	volatile uint64_t progress;	/* rounds finished */
	volatile uint64_t want;		/* HLTs about to be executed */
	volatile uint64_t done;		/* HLTs left behind */
	volatile uint64_t irqs;		/* interrupts taken */
	/* Xen's struct sched_poll, and the port it points to; the host writes these. */
	uint64_t poll_ports;
	uint32_t poll_nr_ports;
	uint32_t poll_pad;
	uint64_t poll_timeout;
	uint32_t poll_port;
	uint32_t pad;
	volatile uint64_t leave;	/* the host's word that a busy vCPU may end */
};

/*
 * A snippet is a loop. Registers it starts with, those of the call itself aside:
 *	r11 its struct control, r12 rounds to go, r13 0, r14 the expected result, rbp the value of rax for a call
 * and ends with:
 *	r12 rounds not done, r13 rounds whose result was the expected one, r15 the last result
 */
enum code {
	CODE_NOP,
	CODE_HLT,		/* with interrupts on, the handler lets it go on */
	CODE_HLT_EMULATED,	/* the same, through KVM's instruction emulator */
	CODE_HLT_USER,		/* with interrupts off */
	CODE_PAUSE,		/* VMX: a loop of them */
	CODE_CALL,		/* vmmcall or vmcall */
	CODE_CALL_PAUSE,	/* a call, then the same */
	CODE_VMRUN,		/* rbx: the VMCB */
	CODE_L2_HLT,		/* what the VMCB runs */
	CODE_L2_PAUSE,
	CODE_BUSY,		/* until the host says that it may end */
	CODE_IRQ,		/* the interrupt handler */
	CODE_COUNT,
};

extern const unsigned char guest_code[], guest_code_end[];

/* code_offset: where a snippet begins, from guest_code; vmx chooses the call instruction and how often to PAUSE. */
uint64_t code_offset(enum code code, bool vmx);
