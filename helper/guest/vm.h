// SPDX-License-Identifier: Apache-2.0
// Makes a VM of a flavour: its memory, its tables, its vCPUs in 64-bit mode.
#pragma once
#include <linux/kvm.h>
#include <stdint.h>

#include "code.h"
#include "host.h"
#include "ops.h"

/* The guest's memory, addresses as it sees them: virtual = physical. */
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

struct vm {
	const struct host *host;
	enum flavour flavour;
	int fd;
	unsigned char *memory;
	unsigned int vcpus;
	/* The call at which one of the functions below failed. */
	const char *failed_at;
};

struct vm_vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	struct control *control;	/* in the VM's memory */
};

/* 0 or -errno with vm->failed_at set. Nothing frees a VM: its process ends. */
int vm_init(struct vm *vm, const struct host *host, enum flavour flavour, unsigned int vcpus);
int vm_vcpu_init(struct vm *vm, unsigned int id, struct vm_vcpu *vcpu);
/* Puts the vCPU's segments and modes right, at CPL 0 or 3, and makes it runnable. 0 or -errno. */
int vm_vcpu_reset(struct vm_vcpu *vcpu, bool cpl3);
/* Sends the vCPU the interrupt that lets a HLT go on. 0 or -errno. */
int vm_interrupt(const struct vm *vm, unsigned int vcpu);
/* Whether the flavour has the interrupt controller in the kernel. */
bool vm_has_irqchip(enum flavour flavour);
