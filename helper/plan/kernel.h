// SPDX-License-Identifier: Apache-2.0
// The facts of one kernel, read below a root directory ("/" or a captured one). Names come from the scripts alone.
#ifndef KVMWAIT_PLAN_KERNEL_H
#define KVMWAIT_PLAN_KERNEL_H

#include "base/text.h"
#include "plan/script.h"
#include "plan/symbols.h"

struct kernel_btf;

struct kernel {
	char *root; /* without a slash at the end: "" is the running system */
	char *release;
	char *arch;
	struct version version;
	struct strings modules; /* loaded, and done with their start */
	struct strings cpu_flags; /* read where a vendor's module is missing */
	bool have_kprobes;
	char *tracefs; /* where its files are, below root; NULL where not mounted */
	bool tracefs_readable;
	struct symbols symbols;
	bool btf_is_newer; /* a file of BTF was left out, as libbpf cannot read it */
	struct kernel_btf *btfs;
	size_t n_btfs;
};

/*
 * Reads what the scripts may ask for. A part that is missing (no BTF, no tracefs) is a fact, not an error;
 * a part that is there and cannot be read is an error: -errno, with ret_error (the caller frees).
 */
int kernel_load(const char *root, const struct script *scripts, size_t n_scripts, struct kernel *ret, char **ret_error);

/*
 * Was a module that a script names loaded or unloaded on the running system since kernel_load()? Then the facts are partly
 * those before and partly those after. Tracepoints are read while a plan is made: ask after that.
 */
bool kernel_modules_changed(const struct kernel *k, const struct script *scripts, size_t n_scripts);
void kernel_done(struct kernel *k);

bool kernel_has_module(const struct kernel *k, const char *module);
/* Is it loaded on the running system by now, and done with its start? */
bool kernel_module_is_live(const char *module);

/* Is there the tracepoint "system:event" with all of the fields? 0, or -ENOENT with ret_why (the caller frees). */
int kernel_tracepoint(const struct kernel *k, const char *tracepoint, const struct strings *fields, char **ret_why);

#endif
