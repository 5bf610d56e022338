// SPDX-License-Identifier: Apache-2.0
// Whether BTF that came from a stranger is well-formed: libbpf reads it only then.
#ifndef KVMWAIT_PLAN_BTF_CHECK_H
#define KVMWAIT_PLAN_BTF_CHECK_H

#include <stddef.h>

struct btf;

/*
 * NULL where header, types and strings lie within the data and each type is whole; else what is wrong (borrowed).
 * Ids and offsets of names may still lead nowhere, and types may refer to themselves: libbpf bounds the ones, and
 * whoever follows references has to bound the others. The data is aligned as malloc() aligns.
 */
const char *btf_check(const void *data, size_t size);

/*
 * Hands data that passes the check to libbpf, with the kernel's BTF for that of a module. 0, or -errno with ret_why:
 * -ENOTSUP where a kernel newer than libbpf made it, with types of a kind whose size is not known.
 */
int btf_check_parse(const void *data, size_t size, struct btf *base, struct btf **ret, const char **ret_why);

#endif
