// SPDX-License-Identifier: Apache-2.0
// The program that bpftrace is given: a script fitted to one kernel, and its numeric parameters.
#ifndef KVMWAIT_PROGRAM_H
#define KVMWAIT_PROGRAM_H

#include "select.h"

#define PROGRAM_MAX_TGIDS 8
#define PROGRAM_VCPU_SPAN 63
#define PROGRAM_N_PARAMS 8

/* What is to be seen; zero means all. */
struct filter {
	unsigned int events; /* mask of event_bit() */
	uint32_t tgids[PROGRAM_MAX_TGIDS];
	size_t n_tgids;
	uint32_t vcpu_base; /* bit N of the mask is vCPU base + N */
	uint64_t vcpu_mask;
};

/*
 * The text of the chosen script with each function probe on the functions it was resolved to. Clauses that
 * serve nothing the kernel has, or no event that is wanted, are left out; nothing else is changed.
 * Only names that came from the kernel's own symbol table are put in. The caller frees.
 */
char *program_render(const struct verdict *v, const struct filter *filter);

/*
 * The positional parameters $1 to $8 as text; the caller frees with strings_done(). When the thread `stopper` ends,
 * the program reports no more; 0: never.
 */
void program_params(const struct filter *filter, uint32_t stopper, struct strings *ret);

/* Adds a vCPU to the filter. 0, or -ERANGE where the span is too wide. */
int filter_add_vcpu(struct filter *filter, uint32_t vcpu);

#endif
