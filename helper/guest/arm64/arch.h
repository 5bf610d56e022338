// SPDX-License-Identifier: Apache-2.0
// What the table of operations has of arm64.
#ifndef KVMWAIT_GUEST_ARM64_ARCH_H
#define KVMWAIT_GUEST_ARM64_ARCH_H

#include "code.h"

/* One kind of VM, and one process. */
enum flavour {
	FLAVOUR_KVM,
	FLAVOUR_COUNT,
};

struct site;	/* no operation needs more than its registers */

#endif
