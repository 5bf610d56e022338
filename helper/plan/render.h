// SPDX-License-Identifier: Apache-2.0
// The program that bpftrace is given: a script fitted to one kernel, with the parts that were asked for, and its
// numeric parameters.
#ifndef KVMWAIT_PLAN_RENDER_H
#define KVMWAIT_PLAN_RENDER_H

#include "base/text.h"
#include "plan/select.h"
#include "record/event.h"

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

#define PROGRAM_MAX_PARTS 6

struct program {
	const struct verdict *script; /* the chosen one; its fallbacks go with it */
	const struct verdict *parts[PROGRAM_MAX_PARTS];
	size_t n_parts;
	unsigned int interval_ms; /* how often clauses of parts that wait for it run; 0: they are left out */
	const char *vendor;	  /* whose module is loaded; NULL: the program finds out */
	bool raw_tracepoints;	  /* clauses that say so go to the raw tracepoint, which costs a quarter */
	struct filter filter;
};

bool program_has_part(const struct program *program, const char *part);

/*
 * The text of the script with each function probe on the functions it was resolved to. Clauses that serve nothing
 * the kernel has, or no event that is wanted, are left out; the parts are put in; nothing else is changed.
 * Only names that came from the kernel's own symbol table are put in. The caller frees.
 */
char *program_render(const struct program *program);

/* An event line of a script. Parts know it by its number: the first one in the text is 0. */
struct wait_name {
	char event[NAME_BYTES], source[NAME_BYTES];
};
/* All event lines of a chosen script and its fallbacks in that order; the caller frees. Returns how many. */
size_t program_waits(const struct verdict *chosen, struct wait_name **ret);

/*
 * The positional parameters $1 to $8 as text; the caller frees with strings_done(). When the thread `stopper` ends,
 * the program reports no more; 0: never.
 */
void program_params(const struct filter *filter, uint32_t stopper, struct strings *ret);

/* Adds a vCPU to the filter. 0, or -ERANGE where the span is too wide. */
int filter_add_vcpu(struct filter *filter, uint32_t vcpu);

#endif
