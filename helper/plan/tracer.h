// SPDX-License-Identifier: Apache-2.0
// What depends on the version of bpftrace, from scripts/bpftrace.list.
#ifndef KVMWAIT_PLAN_TRACER_H
#define KVMWAIT_PLAN_TRACER_H

#include "plan/script.h"

#include <stdbool.h>
#include <stddef.h>

enum tracer_property {
	TRACER_SUPPORT,
	TRACER_DEMANDS,
	TRACER_KERNEL_TYPES,
	TRACER_RAW_TRACEPOINTS,
	TRACER_BUFFERS,
	TRACER_MAP_KEYS,
	TRACER_FUNCTIONS,
	TRACER_DENIED,
	TRACER_PROPERTIES, /* how many */
};

/* One line of the list. */
struct tracer_row {
	enum tracer_property property;
	char *from, *below; /* "0.24"; "*": no limit */
	char *value;
};

struct tracer_list {
	struct tracer_row *rows;
	size_t n_rows;
	char *untrusted; /* where this process is root: who else can change the file; NULL: nobody */
};

/* Reads DIRECTORY/bpftrace.list. 0, or -errno with ret_error (the caller frees). */
int tracer_list_load(const char *directory, struct tracer_list *ret, char **ret_error);
/* The same from its text. */
int tracer_list_parse(const char *text, struct tracer_list *ret, char **ret_error);
void tracer_list_done(struct tracer_list *list);

/* The first version that has this value, "0.25", or NULL where none has, or all have; borrowed. */
const char *tracer_since(const struct tracer_list *list, enum tracer_property property, const char *value);

enum tracer_raw {
	TRACER_RAW_NO,
	TRACER_RAW_YES,
	TRACER_RAW_BY_ID, /* it reads the types of the module by id, which takes CAP_SYS_ADMIN */
};

/* One version; its texts are borrowed from the list. */
struct tracer {
	const char *why_not; /* kvmwait cannot use it; NULL: it can */
	bool demands_root;
	bool types_by_id; /* it needs to be told the file with the kernel's types, or CAP_SYS_ADMIN */
	enum tracer_raw raw_tracepoints;
	bool buffers_each_cpu;
	const char *map_keys;  /* a variable of the environment */
	const char *functions; /* the same, or an option: "--..." */
	const char *denied;    /* "TEXT; TEXT": what it says where a capability is missing */
};

/* 0, or -EINVAL where that is no version. */
int tracer_of(const struct tracer_list *list, const char *version, struct tracer *ret);

/* Does a text of bpftrace's say that a capability is missing? */
bool tracer_is_denied(const struct tracer *tracer, const char *text);

#endif
