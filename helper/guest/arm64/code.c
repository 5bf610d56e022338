// SPDX-License-Identifier: Apache-2.0
// Finds the snippet of machine code for a code of the table of operations.
#include "code.h"

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

bool code_spins_at(enum code code, uint64_t *ret_offset)
{
	if (code == CODE_WFE)
		*ret_offset = code_offset(code);
	return code == CODE_WFE;
}
