// SPDX-License-Identifier: Apache-2.0
// The choice: from the facts of a kernel and the headers of the scripts to a plan, with a reason for everything.
// Pure: reads nothing but its arguments.
#ifndef KVMWAIT_PLAN_SELECT_H
#define KVMWAIT_PLAN_SELECT_H

#include "base/text.h"
#include "plan/kernel.h"
#include "plan/script.h"
#include "plan/tracer.h"

enum need_state {
	NEED_UNMET,
	NEED_NOT_APPLICABLE, /* the kernel is built without what the need is about */
	NEED_WEAK,	     /* usable, but not every call or not every argument is certain */
	NEED_MET,
};

struct need_result {
	enum need_state state;
	struct strings functions; /* what it was resolved to */
	unsigned int offset_bytes; /* of a member in its struct */
	char *why;		  /* why not, or what is to be known about it; may be NULL */
};

/* What a kernel gives of one event and source. */
struct source_result {
	const char *event;
	const char *source;
	enum fidelity fidelity;
	bool not_applicable;	   /* absent because the kernel cannot produce it */
	const struct claim *claim; /* NULL where absent; of fidelity ABSENT where no other script may give it */
	const struct verdict *from; /* a fallback script that gives it; NULL: the script itself does */
	struct strings functions;  /* and tracepoints, that it rests on */
	char *why;		   /* may be NULL where exact */
};

/* One script against one kernel. */
struct verdict {
	const struct script *script;
	bool fits;
	bool in_range;
	bool chosen; /* as the script, as a fallback for some of its sources, or as the part of its name */
	char *reason; /* why it was chosen, or not */
	struct need_result *needs;
	struct source_result *sources;
	size_t n_sources;
	const char *vendor; /* of sources that stand in one event the one that holds; NULL: the script has no vendors */
};

struct plan {
	const struct kernel *kernel;
	const struct tracer_list *tracers; /* what differs between versions of bpftrace; NULL where nothing is to be traced */
	const char *vendor; /* of the loaded module, or NULL */
	struct verdict *verdicts;
	size_t n_verdicts;
	const struct verdict *chosen; /* NULL: no script fits */
};

void plan_make(const struct kernel *kernel, const struct script *scripts, size_t n_scripts, struct plan *ret);
void plan_done(struct plan *plan);

/* The fallback scripts that sources of a chosen script are taken from: number n, or NULL. */
const struct verdict *verdict_fallback(const struct verdict *v, size_t n);

/* The chosen part of that name, or NULL; then the reason (borrowed) is that of its first candidate. */
const struct verdict *plan_find_part(const struct plan *plan, const char *part);
const char *plan_why_no_part(const struct plan *plan, const char *part);

/* The fidelity of an event: the worst of the sources that the kernel can produce; ABSENT where there is none. */
enum fidelity sources_fidelity(const struct source_result *sources, size_t n, const char *event);
enum fidelity plan_event_fidelity(const struct verdict *v, const char *event);

#endif
