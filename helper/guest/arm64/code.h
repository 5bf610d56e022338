// SPDX-License-Identifier: Apache-2.0
// The snippets of machine code that run inside the guests: their registers, their names, where each begins.
#ifndef KVMWAIT_GUEST_ARM64_CODE_H
#define KVMWAIT_GUEST_ARM64_CODE_H

#include "control.h"

/*
 * A snippet is a loop. Registers it starts with:
 *	x19 its struct control, x20 rounds to go, x21 0, x22 the expected result, x24 the function of a call,
 *	x25 the address to write to when it is done, which KVM hands to user space
 * and ends with:
 *	x20 rounds not done, x21 rounds whose result was the expected one, x23 the last result
 */
#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

enum code {
	CODE_NOP,
	CODE_WFI,
	CODE_WFE,
	CODE_CALL_WAIT,	/* an HVC that waits for an interrupt */
	CODE_BUSY,	/* until the host says that it may end */
	CODE_COUNT,
};

extern const unsigned char guest_code[], guest_code_end[];

/* Where a snippet begins, from guest_code. */
uint64_t code_offset(enum code code);
/* Where the one instruction of it is at which KVM sees a spin; false where it has none. */
bool code_spins_at(enum code code, uint64_t *ret_offset);
#endif

#endif
