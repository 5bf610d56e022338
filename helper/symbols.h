// SPDX-License-Identifier: Apache-2.0
// Functions of a kernel by name, with the clones that compilers make of them (.isra, .constprop, .part, .cold).
#ifndef KVMWAIT_SYMBOLS_H
#define KVMWAIT_SYMBOLS_H

#include "util.h"

enum clone {
	CLONE_NONE,  /* the function itself */
	CLONE_ISRA,  /* arguments may be missing or passed otherwise */
	CLONE_PART,  /* the head was inlined into the callers: not every call passes here */
	CLONE_OTHER, /* constprop and the like: some calls pass here, arguments may be missing */
};

struct symbol {
	char *base;	/* the name without suffixes */
	char *name;	/* as the kernel has it */
	char *module;	/* "" for the kernel itself */
	enum clone clone;
	bool traceable; /* listed as a place for probes, or no list can be read */
};

struct symbols {
	struct symbol *items;
	size_t n;
	bool have_traceable; /* the list of traceable functions was read */
};

/*
 * Reads the functions whose name without suffixes is wanted, from a kallsyms file, and marks those that
 * the list of traceable functions (available_filter_functions; may be missing, or NULL) holds. Parts that are no
 * entry (.cold) are left out. 0 or -errno of kallsyms.
 */
int symbols_load(const char *kallsyms, const char *traceable, const struct strings *wanted, struct symbols *ret);
void symbols_done(struct symbols *s);

#endif
