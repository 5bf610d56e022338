// SPDX-License-Identifier: Apache-2.0
// The VMCB with which a guest that is a hypervisor itself (AMD) runs its own guest.
#include "vmcb.h"

#include <string.h>

#include "common.h"
#include "layout.h"

/* Offsets by AMD's manual, volume 2, appendix B. */
enum {
	VMCB_INTERCEPT_3 = 0x00c,
	VMCB_INTERCEPT_4 = 0x010,
	VMCB_ASID = 0x058,
	VMCB_ES = 0x400,
	VMCB_CS = 0x410,
	VMCB_SS = 0x420,
	VMCB_DS = 0x430,
	VMCB_GDTR = 0x460,
	VMCB_IDTR = 0x480,
	VMCB_EFER = 0x4d0,
	VMCB_CR4 = 0x548,
	VMCB_CR3 = 0x550,
	VMCB_CR0 = 0x558,
	VMCB_DR7 = 0x560,
	VMCB_DR6 = 0x568,
	VMCB_RFLAGS = 0x570,
	VMCB_RIP = 0x578,
	VMCB_RSP = 0x5d8,
	VMCB_PAT = 0x668,
};

#define INTERCEPT_PAUSE	(1u << 23)
#define INTERCEPT_HLT	(1u << 24)
#define INTERCEPT_VMRUN	1u	/* VMRUN fails without */
#define ATTR_CODE64	0xa9b
#define ATTR_DATA	0xc93

static void put_segment(void *vmcb, unsigned int at, uint32_t selector, uint32_t attr, uint32_t limit)
{
	put32(vmcb, at, selector | attr << 16);
	put32(vmcb, at + 4, limit);
}

void vmcb_prepare(void *vmcb, enum code code)
{
	memset(vmcb, 0, VM_PAGE);
	put32(vmcb, VMCB_INTERCEPT_3, INTERCEPT_PAUSE | INTERCEPT_HLT);
	put32(vmcb, VMCB_INTERCEPT_4, INTERCEPT_VMRUN);
	put32(vmcb, VMCB_ASID, 1);
	put_segment(vmcb, VMCB_CS, VM_CODE_SELECTOR, ATTR_CODE64, UINT32_MAX);
	put_segment(vmcb, VMCB_ES, VM_DATA_SELECTOR, ATTR_DATA, UINT32_MAX);
	put_segment(vmcb, VMCB_SS, VM_DATA_SELECTOR, ATTR_DATA, UINT32_MAX);
	put_segment(vmcb, VMCB_DS, VM_DATA_SELECTOR, ATTR_DATA, UINT32_MAX);
	put64(vmcb, VMCB_EFER, VM_EFER | VM_EFER_SVME);
	put64(vmcb, VMCB_CR4, VM_CR4);
	put64(vmcb, VMCB_CR3, VM_PML4);
	put64(vmcb, VMCB_CR0, VM_CR0);
	put64(vmcb, VMCB_DR7, 0x400);
	put64(vmcb, VMCB_DR6, 0xffff0ff0);
	put64(vmcb, VMCB_RFLAGS, 2);
	put64(vmcb, VMCB_RIP, VM_CODE + code_offset(code, false));
	put64(vmcb, VMCB_PAT, 0x0007040600070406);
}
