// SPDX-License-Identifier: Apache-2.0
// A bpftrace script, or a part that goes with one, and what its header says: which kernel it is for, what it
// needs, what it gives.
// The grammar of the header is in kvmwait-scripts(5).
#ifndef KVMWAIT_PLAN_SCRIPT_H
#define KVMWAIT_PLAN_SCRIPT_H

#include "base/text.h"

#define SCRIPT_FORMAT 2
#define SCRIPT_COUNTERS 4 /* at most, of a part */

enum fidelity {
	FIDELITY_ABSENT,
	FIDELITY_INFERRED,
	FIDELITY_EXACT,
};
const char *fidelity_name(enum fidelity f);

/* A kernel version as far as a range needs it. */
struct version {
	unsigned int major, minor;
};
/* Reads "6.12" or "6.12.107+deb13-amd64". 0 or -EINVAL. */
int version_parse(const char *text, struct version *ret);
int version_compare(struct version a, struct version b);

enum need_kind {
	NEED_FUNC,	 /* a function that can be probed, with these arguments */
	NEED_NO_FUNC,	 /* a function that must not exist */
	NEED_MEMBER,	 /* a member of a struct */
	NEED_TRACEPOINT, /* a tracepoint with these fields */
};
const char *need_kind_name(enum need_kind kind);

struct need {
	char *id;
	enum need_kind kind;
	struct strings names; /* functions: alternatives, the first that exists; else the one object */
	char *args;	      /* functions: "foo *, bool", or NULL where any will do */
	char *marker;	      /* the need applies only to kernels that have this function; or NULL */
	bool in_kernel;	      /* functions: in the kernel itself, not in the script's module */
	struct strings fields; /* tracepoints */
};

/*
 * One thing a script gives under some needs. Claims on one event and source stand best first. One of fidelity ABSENT says
 * that no other script may give the source either.
 */
struct claim {
	enum fidelity fidelity;
	char *event;
	struct strings sources; /* several: which one is decided by the vendor */
	size_t *needs;		/* indexes; the first is what the claim stands on */
	size_t n_needs;
	char *note; /* what is not exact about it, or NULL */
};

struct vendor {
	char *source; /* also the vendor's name */
	char *module;
};

/* What lines of events end in, as printf() has it. */
struct append {
	char *format, *values; /* NULL: nothing */
};

/* A counter that KVM keeps by itself and that moves with each event of one source; of a part. */
struct counter {
	char *event, *source;
	char *name; /* the file in KVM's debugfs directory of a VM */
	char *map;  /* a map of the script that counts what else moves it; NULL: nothing does */
};

struct script {
	char *name; /* x86-5.17.bt */
	char *text;
	size_t size;
	char sha256[65];
	char *untrusted; /* where this process is root: who else can change the file; NULL: nobody */
	char *purpose;
	char *part;	/* what it adds to another script that is run, "outcome"; NULL: it is run by itself */
	bool fallback;	 /* its sources stand in for those that the chosen script lacks */
	bool lines_none; /* of a part: with it, events are counted and no line is printed for them */
	struct append append;	 /* of a part: what the line of each event ends in */
	struct append spin;	 /* of a part: what the line of each spin ends in */
	struct strings without;		 /* of other scripts: parts that do not go with them */
	struct strings archs;
	char *range; /* as it stands in the header */
	struct version from, until;
	bool has_until;
	char *module;
	char *cost;
	struct vendor *vendors;
	size_t n_vendors;
	struct need *needs;
	size_t n_needs;
	struct claim *claims;
	size_t n_claims;
	struct counter *counters;
	size_t n_counters;
};

/*
 * Reads a script. On failure -errno, with ret_error (the caller frees) naming file, line and cause.
 * Source: the lines that begin with "//@ ".
 */
int script_parse(const char *name, const char *text, size_t size, struct script *ret, char **ret_error);
void script_done(struct script *s);

/*
 * Reads a file of the scripts' directory. As root by a way that nobody else can change; else, where that is not so, the
 * reason is kept beside the text: whoever is to run it has to refuse it. 0 or -errno.
 */
int script_read(const char *path, char **ret_text, size_t *ret_size, char **ret_untrusted);

/* The scripts (*.bt) and parts (*.part) of a directory, sorted by name; one that cannot be read is an error. */
int scripts_load(const char *directory, struct script **ret_scripts, size_t *ret_n, char **ret_error);
void scripts_free(struct script *scripts, size_t n);

#endif
