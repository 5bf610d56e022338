// SPDX-License-Identifier: Apache-2.0
// The VMCB with which a guest that is a hypervisor itself (AMD) runs its own guest.
#ifndef KVMWAIT_GUEST_X86_VMCB_H
#define KVMWAIT_GUEST_X86_VMCB_H

#include <stdint.h>

#include "code.h"

#define VMCB_EXIT_PAUSE	0x77
#define VMCB_EXIT_HLT	0x78

/* Fills the page at vmcb: a nested guest that starts at a snippet, with PAUSE and HLT intercepted. */
void vmcb_prepare(void *vmcb, enum code code);

#endif
