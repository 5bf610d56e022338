// SPDX-License-Identifier: Apache-2.0
// The list of what goes into a bundle (share/bundle.list, which says its own format), read strictly.
#ifndef KVMWAIT_BUNDLE_LIST_H
#define KVMWAIT_BUNDLE_LIST_H

#include "base/text.h"

enum bundle_kind {
	BUNDLE_FILE,	/* files, by pattern */
	BUNDLE_CGROUPS, /* files of these names, of the cgroups of the VMs */
	BUNDLE_LINES,	/* those lines of a file that hold one of some words */
	BUNDLE_RUN,	/* what a program writes to standard output, or into %out% */
	BUNDLE_TALK,	/* the same, and standard error with it */
	BUNDLE_VMS,	/* the VMs that run */
	BUNDLE_KINDS,
};
extern const char *const bundle_kind_names[BUNDLE_KINDS];

struct bundle_item {
	unsigned int line;	/* in the list */
	char *name;		/* of the member; with "/" at its end of the directory that holds several */
	unsigned int seconds;	/* how long it may take, */
	unsigned int durations;	/* and so many times the duration of the bundle */
	uint64_t size_bytes;	/* how much may come of it */
	enum bundle_kind kind;
	struct strings words;	/* patterns, or the program and its arguments with placeholders */
};

struct bundle_list {
	struct bundle_item *items;
	size_t n;
};

/* 0, or -errno with ret_error (the caller frees). */
int bundle_list_parse(const char *text, struct bundle_list *ret, char **ret_error);
int bundle_list_load(const char *path, struct bundle_list *ret, char **ret_error);
void bundle_list_done(struct bundle_list *list);

/* Does the item give several members? */
bool bundle_item_is_many(const struct bundle_item *item);
/* Are these files of this host, each copied as it is? */
bool bundle_item_copies(const struct bundle_item *item);
/* Does a program of it write into %out% itself? */
bool bundle_item_writes(const struct bundle_item *item);

/*
 * May a member be called so? Names are made of letters, digits and ._+:,=@-, in at most 16 parts that "/" parts, none
 * of which is empty or begins with a dot: nothing that leads out of a directory or means something to a shell.
 */
bool bundle_name_is_fine(const char *name);

#endif
