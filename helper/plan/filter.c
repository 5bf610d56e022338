// SPDX-License-Identifier: Apache-2.0
// What a user wants to see of a trace.
#include "plan/filter.h"

#include <errno.h>

int filter_add_vcpu(struct filter *filter, uint32_t vcpu)
{
	uint32_t base = filter->vcpu_base, shift;

	if (!filter->vcpu_mask) {
		filter->vcpu_base = vcpu;
		filter->vcpu_mask = 1;
		return 0;
	}
	if (vcpu >= base) {
		if (vcpu - base >= PROGRAM_VCPU_SPAN)
			return -ERANGE;
		filter->vcpu_mask |= UINT64_C(1) << (vcpu - base);
		return 0;
	}
	shift = base - vcpu;
	if (shift >= PROGRAM_VCPU_SPAN || filter->vcpu_mask >> (PROGRAM_VCPU_SPAN - shift))
		return -ERANGE;
	filter->vcpu_base = vcpu;
	filter->vcpu_mask = filter->vcpu_mask << shift | 1;
	return 0;
}
