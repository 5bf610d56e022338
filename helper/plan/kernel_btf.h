// SPDX-License-Identifier: Apache-2.0
// The BTF of a kernel and of its modules: loading it, argument types of functions, offsets of members.
#ifndef KVMWAIT_PLAN_KERNEL_BTF_H
#define KVMWAIT_PLAN_KERNEL_BTF_H

#include "plan/kernel.h"

struct btf;

/* BTF of the kernel itself or of one module. */
struct kernel_btf {
	char *name; /* "vmlinux" or the module's name */
	struct btf *btf;
	unsigned int first; /* id of its first own type */
};

/*
 * Loads the BTF of the kernel and of the modules that the scripts name. Missing BTF is no error. 0, or -errno with
 * ret_error (the caller frees).
 */
int kernel_btf_load(struct kernel *k, const struct script *scripts, size_t n_scripts, char **ret_error);
void kernel_btf_done(struct kernel *k);

/* Is there BTF for a module, or is the module part of the kernel and the kernel has BTF? */
bool kernel_btf_covers(const struct kernel *k, const char *module);

/*
 * The argument types of a function as a header writes them, "foo *, bool"; the caller frees.
 * NULL where no BTF has it.
 */
char *kernel_btf_arguments(const struct kernel *k, const char *module, const char *function);

/*
 * Looks for "struct.member.member" in the kernel's own BTF, where bpftrace takes types from, and sees that
 * a module's copy of the struct has it in the same place: ret_offset_bytes. 0, or -ENOENT with ret_why (the caller frees).
 */
int kernel_btf_member(const struct kernel *k, const char *module, const char *path, unsigned int *ret_offset_bytes, char **ret_why);

#endif
