// SPDX-License-Identifier: Apache-2.0
// With which capabilities bpftrace is started, and what of its program and environment goes with them.
#ifndef KVMWAIT_LIVE_ATTEMPT_H
#define KVMWAIT_LIVE_ATTEMPT_H

#include "plan/kernel.h"
#include "plan/tracer.h"

#include <stdint.h>

struct attempt {
	uint64_t capabilities;
	bool kernel_btf_only; /* types come from the file of the kernel's BTF alone, which takes no capability */
	bool raw_tracepoints; /* the program has them */
};

#define ATTEMPTS_MAX 2

/*
 * The attempts in their order, for this bpftrace on this host: first with as few capabilities as it takes; then, where
 * this process is root and has it, with CAP_SYS_ADMIN as well. Returns how many.
 */
size_t attempts_make(const struct tracer *tracer, const struct kernel *kernel, struct attempt ret[ATTEMPTS_MAX]);

/* What goes with a set of capabilities. */
struct attempt attempt_of(const struct tracer *tracer, const struct kernel *kernel, uint64_t capabilities);

#endif
