// SPDX-License-Identifier: Apache-2.0
// Functions of a kernel by name, with the clones that compilers make of them (.isra, .constprop, .part, .cold).
#ifndef KVMWAIT_PLAN_SYMBOLS_H
#define KVMWAIT_PLAN_SYMBOLS_H

#include "base/text.h"

enum clone {
	CLONE_NONE,  /* the function itself */
	CLONE_RENAMED, /* the whole function under another name, as clang's ThinLTO has it: .llvm.NUMBER */
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

/* Does every call of the function pass there, with its arguments as they are written? */
bool symbol_is_whole(const struct symbol *s);

/*
 * Takes the functions whose name without suffixes is wanted from the text of kallsyms, and marks those that the text
 * of the list of traceable functions (available_filter_functions; may be NULL) holds. Parts that are no entry (.cold)
 * are left out. 0, or -E2BIG where there are more than any kernel has.
 */
int symbols_load(const char *kallsyms, const char *traceable, const struct strings *wanted, struct symbols *ret);
/* The traceable ones as lines of that list; NULL where none was read. The caller frees. */
char *symbols_traceable(const struct symbols *s);
void symbols_done(struct symbols *s);

#endif
