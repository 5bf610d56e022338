// SPDX-License-Identifier: Apache-2.0
// The guest's memory, addresses as it sees them: virtual = physical. Its control registers.
#ifndef KVMWAIT_GUEST_X86_LAYOUT_H
#define KVMWAIT_GUEST_X86_LAYOUT_H

#define VM_PAGE			0x1000u
#define VM_SIZE			0x200000u
#define VM_PML4			0x1000u
#define VM_PDPT			0x2000u
#define VM_PD_LOW		0x3000u
#define VM_PD_APIC		0x4000u
#define VM_GDT			0x5000u
#define VM_IDT			0x6000u
#define VM_CODE			0x8000u
#define VM_HV_PAGE		0x9000u
#define VM_XEN_PAGE		0xa000u
#define VM_VCPU(v)		(0x10000u + (v) * 0x4000u)	/* control, stack, VMCB, the host save area */
#define VM_VCPU_STACK(v)	(VM_VCPU(v) + 0x1000u)
#define VM_VCPU_VMCB(v)		(VM_VCPU(v) + 0x2000u)
#define VM_VCPU_HSAVE(v)	(VM_VCPU(v) + 0x3000u)

#define VM_CODE_SELECTOR	0x08u
#define VM_DATA_SELECTOR	0x10u
#define VM_CR0			0x80050033u	/* PG AM WP NE ET MP PE */
#define VM_CR4			0x20u		/* PAE */
#define VM_EFER			0x500u		/* LMA LME */
#define VM_EFER_SVME		0x1000u

#endif
