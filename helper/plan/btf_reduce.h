// SPDX-License-Identifier: Apache-2.0
// A small BTF out of a large one: what the scripts ask about, and what that is made of.
#ifndef KVMWAIT_PLAN_BTF_REDUCE_H
#define KVMWAIT_PLAN_BTF_REDUCE_H

#include "base/text.h"
#include "plan/kernel.h"

/* BTF data as a file has it; the caller frees data. */
struct btf_image {
	void *data;
	size_t size;
};

/*
 * Reduces all BTF of a kernel: the named structs whole (by value; what pointers lead to becomes a forward
 * declaration), the named functions of the kernel and every function of the modules, with their arguments.
 * ret_images has one image for each of k->btfs, in their order. 0 or -errno.
 */
int btf_reduce(const struct kernel *k, const struct strings *structs, const struct strings *functions,
	       struct btf_image *ret_images);

#endif
