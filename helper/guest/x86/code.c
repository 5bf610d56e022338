// SPDX-License-Identifier: Apache-2.0
// Finds the snippet of machine code for a code of the table of operations.
#include "code.h"

#include <stddef.h>

extern const unsigned char guest_nop[], guest_hlt[], guest_hlt_emulated[], guest_hlt_user[], guest_pause[];
extern const unsigned char guest_pauses[], guest_vmmcall[], guest_vmcall[], guest_vmmcall_pause[], guest_vmcall_pauses[];
extern const unsigned char guest_pauses_at[], guest_vmmcall_at[], guest_vmcall_at[];
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

bool code_spins_at(enum code code, bool vmx, uint64_t *ret_offset)
{
	const unsigned char *at = code == CODE_PAUSE  ? vmx ? guest_pauses_at : guest_pause
				  : code == CODE_CALL ? vmx ? guest_vmcall_at : guest_vmmcall_at
						      : NULL;

	if (at)
		*ret_offset = (uintptr_t)at - (uintptr_t)guest_code;
	return at;
}
