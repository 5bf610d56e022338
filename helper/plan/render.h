// SPDX-License-Identifier: Apache-2.0
// The program that bpftrace is given: a script fitted to one kernel, with its fallbacks and the parts that were asked for.
#ifndef KVMWAIT_PLAN_RENDER_H
#define KVMWAIT_PLAN_RENDER_H

#include "base/text.h"
#include "plan/filter.h"
#include "plan/select.h"
#include "record/event.h"

#define PROGRAM_MAX_PARTS 6

/* Words in parts that numbers take the place of: ns from one report to the next, and the name of the current thread. */
#define PART_INTERVAL "INTERVAL"
#define PART_COMM "COMM"

struct program {
	const struct verdict *script; /* the chosen one; its fallbacks go with it */
	const struct verdict *parts[PROGRAM_MAX_PARTS];
	size_t n_parts;
	unsigned int interval_ms; /* how often clauses of parts that wait for it run; 0: they are left out */
	bool keeps_lines;	  /* event lines are printed though a part says "lines: none" */
	bool raw_tracepoints;	  /* clauses that say so go to the raw tracepoint, which costs a quarter */
	struct filter filter;
	uint32_t stopper; /* when this thread ends, no more is counted, so that what is on its way can be read; 0: none */
};

bool program_has_part(const struct program *program, const char *part);

/*
 * The text of the script with each function probe on the functions it was resolved to. Clauses that serve nothing
 * the kernel has, or no event that is wanted, are left out; the parts are put in, and filters as numbers.
 * Only names that came from the kernel's own symbol table are put in. The caller frees.
 */
char *program_render(const struct program *program);

/* An event of a script. Parts know it by its number: the first one in the text is 0, of several sources each has one. */
struct wait_name {
	char event[NAME_BYTES], source[NAME_BYTES];
};
/* All events of a chosen script and its fallbacks in that order; the caller frees. Returns how many. */
size_t program_waits(const struct verdict *chosen, struct wait_name **ret);

#endif
