// SPDX-License-Identifier: Apache-2.0
// What a user wants to see of a trace, and the numeric parameters of a script that say so.
#include "plan/filter.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void add_number(struct strings *list, uint64_t number)
{
	CLEANUP_FREE char *text = xasprintf("%" PRIu64, number);

	strings_add(list, text);
}

void program_params(const struct filter *filter, uint32_t stopper, struct strings *ret)
{
	add_number(ret, filter->events);
	for (size_t i = 0; i < PROGRAM_MAX_TGIDS; i += 2)
		add_number(ret, (uint64_t)filter->tgids[i + 1] << 32 | filter->tgids[i]);
	add_number(ret, filter->vcpu_base);
	add_number(ret, filter->vcpu_mask);
	add_number(ret, stopper);
}

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
