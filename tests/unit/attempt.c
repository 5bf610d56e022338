// SPDX-License-Identifier: Apache-2.0
// Tests of helper/live/attempt.c: what goes with the capabilities of bpftrace.
#include "unit.h"

#include "base/privilege.h"
#include "live/attempt.h"

#define FEW (PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_PERFMON))
#define MORE (FEW | PRIVILEGE(CAP_SYS_ADMIN))

static void is_made(const char *version, size_t n_btfs, uint64_t capabilities, bool kernel_btf_only, bool raw)
{
	CLEANUP_FREE char *why = NULL;
	struct kernel kernel = { .n_btfs = n_btfs };
	struct tracer_list list;
	struct tracer tracer;
	struct attempt a;

	CHECK_INT(tracer_list_load("scripts", &list, &why), 0);
	CHECK_INT(tracer_of(&list, version, &tracer), 0);
	a = attempt_of(&tracer, &kernel, capabilities);
	tracer_list_done(&list);
	CHECK_INT(a.capabilities, capabilities);
	if (a.kernel_btf_only != kernel_btf_only || a.raw_tracepoints != raw)
		unit_fail(__FILE__, __LINE__, "%s with %zu BTFs and %llx: the kernel's BTF alone %d, raw tracepoints %d", version, n_btfs,
			  (unsigned long long)capabilities, a.kernel_btf_only, a.raw_tracepoints);
}

/* Without CAP_SYS_ADMIN there are no types of modules. */
static void of_capabilities(void)
{
	is_made("0.16.0", 3, FEW, false, false);
	is_made("0.17.0", 3, FEW, true, false);
	is_made("0.17.0", 3, MORE, false, false);
	is_made("0.23.2", 3, FEW, false, true);
	is_made("0.23.2", 3, MORE, false, true);
	is_made("0.24.0", 3, FEW, false, false);
	is_made("0.24.0", 3, MORE, false, true);
	is_made("0.27.1", 3, FEW, false, false);
	is_made("0.27.1", 3, MORE, false, true);
}

/* KVM built in, or a kernel without BTF of modules. */
static void without_modules(void)
{
	is_made("0.17.0", 1, FEW, true, false);
	is_made("0.17.0", 1, MORE, true, false);
	is_made("0.23.2", 1, FEW, true, true);
	is_made("0.27.1", 1, FEW, true, false);
	is_made("0.27.1", 1, MORE, true, false);
}

static const struct unit_test tests[] = {
	{ "of_capabilities", of_capabilities },
	{ "without_modules", without_modules },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
