// SPDX-License-Identifier: Apache-2.0
// What a user wants to see of a trace.
#ifndef KVMWAIT_PLAN_FILTER_H
#define KVMWAIT_PLAN_FILTER_H

#include <stddef.h>
#include <stdint.h>

#define PROGRAM_MAX_TGIDS 8
#define PROGRAM_VCPU_SPAN 63

/* What is to be seen; zero means all. */
struct filter {
	unsigned int events; /* mask of event_bit() */
	uint32_t tgids[PROGRAM_MAX_TGIDS];
	size_t n_tgids;
	uint32_t vcpu_base; /* bit N of the mask is vCPU base + N */
	uint64_t vcpu_mask;
};

/* Adds a vCPU to the filter. 0, or -ERANGE where the span is too wide. */
int filter_add_vcpu(struct filter *filter, uint32_t vcpu);

#endif
