// SPDX-License-Identifier: Apache-2.0
// What the table of operations has of x86.
#ifndef KVMWAIT_GUEST_X86_ARCH_H
#define KVMWAIT_GUEST_X86_ARCH_H

#include <linux/kvm.h>
#include <stdint.h>

#include "code.h"

/* One kind of VM, and one process; see vm.c for what sets them apart. */
enum flavour {
	FLAVOUR_KVM,
	FLAVOUR_NOIRQCHIP,
	FLAVOUR_ENFORCE,
	FLAVOUR_HYPERV,
	FLAVOUR_XEN,
	FLAVOUR_XENPOLL,
	FLAVOUR_NESTED,
	FLAVOUR_COUNT,
};

/* Where a round of an operation is set up. */
struct site {
	unsigned int vcpu, vcpus;
	uint64_t target;
	uint64_t control_gpa, vmcb_gpa;
	struct control *control;
	void *vmcb;
	struct kvm_regs *regs;
};

#endif
