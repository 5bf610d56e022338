// SPDX-License-Identifier: Apache-2.0
// With which capabilities bpftrace is started, and what of its program and environment goes with them.
#include "live/attempt.h"

#include "base/privilege.h"

#include <unistd.h>

/* The kernel gives BTF by id (BPF_BTF_GET_FD_BY_ID) to CAP_SYS_ADMIN alone; without it bpftrace sees no types of modules. */
struct attempt attempt_of(const struct tracer *tracer, const struct kernel *kernel, uint64_t capabilities)
{
	bool reads_ids = capabilities & PRIVILEGE(CAP_SYS_ADMIN), have_modules = kernel->n_btfs > 1;

	return (struct attempt){
		.capabilities = capabilities,
		.kernel_btf_only = !have_modules || (tracer->types_by_id && !reads_ids),
		.raw_tracepoints = tracer->raw_tracepoints == TRACER_RAW_YES ||
				   (tracer->raw_tracepoints == TRACER_RAW_BY_ID && have_modules && reads_ids),
	};
}

size_t attempts_make(const struct tracer *tracer, const struct kernel *kernel, struct attempt ret[ATTEMPTS_MAX])
{
	uint64_t few = privilege_of_bpftrace(), more = few | PRIVILEGE(CAP_SYS_ADMIN);

	ret[0] = attempt_of(tracer, kernel, few);
	if (geteuid() || few == more || !(privilege_effective() & PRIVILEGE(CAP_SYS_ADMIN)))
		return 1;
	ret[1] = attempt_of(tracer, kernel, more);
	return 2;
}
