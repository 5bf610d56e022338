// SPDX-License-Identifier: Apache-2.0
// The snippets of machine code that run inside the guests: their registers, their names, where each begins.
#ifndef KVMWAIT_GUEST_X86_CODE_H
#define KVMWAIT_GUEST_X86_CODE_H

#include "control.h"

/* A snippet that is done says so by an OUT to this port. */
#define GUEST_PORT	0x7c
#define GUEST_VECTOR	0x40

/*
 * A snippet is a loop. Registers it starts with, those of the call itself aside:
 *	r11 its struct control, r12 rounds to go, r13 0, r14 the expected result, rbp the value of rax for a call
 * and ends with:
 *	r12 rounds not done, r13 rounds whose result was the expected one, r15 the last result
 */
#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

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

/* Where a snippet begins, from guest_code; vmx chooses the call instruction and how often to PAUSE. */
uint64_t code_offset(enum code code, bool vmx);
/* Where the one instruction of it is at which KVM sees a spin; false where it has none, or several. */
bool code_spins_at(enum code code, bool vmx, uint64_t *ret_offset);
#endif

#endif
