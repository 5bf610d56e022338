// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/tracer.c: what depends on the version of bpftrace, and the list that says it.
#include "unit.h"

#include "base/text.h"
#include "plan/tracer.h"

#define REST                                    \
	"demands | * | 0.25 | root\n"           \
	"demands | 0.25 | * | capabilities\n"   \
	"kernel-types | * | * | file\n"         \
	"raw-tracepoints | * | 0.20 | no\n"     \
	"raw-tracepoints | 0.20 | 0.24 | yes\n" \
	"raw-tracepoints | 0.24 | * | id\n"     \
	"buffers | * | * | shared\n"            \
	"map-keys | * | * | BPFTRACE_KEYS\n"    \
	"functions | * | * | --functions\n"     \
	"denied | * | * | not allowed; no types\n"

static void is_refused(const char *text, const char *expected)
{
	struct tracer_list list;
	CLEANUP_FREE char *why = NULL;

	CHECK_INT(tracer_list_parse(text, &list, &why), -EINVAL);
	CHECK_STR(why, expected);
}

static void faults(void)
{
	is_refused("", "bpftrace.list: 'support' is missing");
	is_refused("support | * | yes\n", "bpftrace.list, line 1: not PROPERTY | FROM | BELOW | VALUE");
	is_refused("\n# x\nsupport | * | * | yes | no\n", "bpftrace.list, line 3: not PROPERTY | FROM | BELOW | VALUE");
	is_refused("color | * | * | blue\n", "bpftrace.list, line 1: there is no property 'color'");
	is_refused("support | 0.16 | * | yes\n", "bpftrace.list, line 1: 'support' begins at '0.16', not at '*'");
	is_refused("support | * | 0.16 | no\nsupport | 0.17 | * | yes\n", "bpftrace.list, line 2: 'support' begins at '0.17', not at '0.16'");
	is_refused("support | * | 0.16 | no\nsupport | 0.16 | 0.9 | yes\n", "bpftrace.list, line 2: '0.9' is not later than '0.16'");
	is_refused("support | * | 0.16 | no\nsupport | 0.16 | 0.16 | yes\n", "bpftrace.list, line 2: '0.16' is not later than '0.16'");
	is_refused("support | * | * | yes\nsupport | * | * | yes\n",
		   "bpftrace.list, line 2: 'support' has reached the newest version before this line");
	is_refused("support | * | new | yes\n", "bpftrace.list, line 1: 'new' is no version");
	is_refused("support | * | 0.16x | yes\n", "bpftrace.list, line 1: '0.16x' is no version");
	is_refused("support | * | * |\n", "bpftrace.list, line 1: 'support' has no value");
	is_refused("buffers | * | * | none\n", "bpftrace.list, line 1: 'buffers' cannot be 'none'");
	is_refused("map-keys | * | * | LD_PRELOAD\n", "bpftrace.list, line 1: 'LD_PRELOAD' is neither a variable of bpftrace nor an option");
	is_refused("map-keys | * | * | BPFTRACE_X=1\n", "bpftrace.list, line 1: 'BPFTRACE_X=1' is neither a variable of bpftrace nor an option");
	is_refused("functions | * | * | --a b\n", "bpftrace.list, line 1: '--a b' is neither a variable of bpftrace nor an option");
	is_refused("support | * | 0.16 | no\n" REST, "bpftrace.list: 'support' ends at '0.16', before the newest version");
}

static void of_version(void)
{
	CLEANUP_FREE char *why = NULL;
	struct tracer_list list;
	struct tracer t;

	CHECK_INT(tracer_list_parse("support | * | 0.16 | is too old\nsupport|0.16|*|yes\n" REST, &list, &why), 0);
	CHECK_INT(tracer_of(&list, "0.15.9", &t), 0);
	CHECK_STR(t.why_not, "is too old");
	CHECK(t.demands_root);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_NO);
	CHECK_INT(tracer_of(&list, "0.16.0", &t), 0);
	CHECK(!t.why_not);
	CHECK_STR(t.map_keys, "BPFTRACE_KEYS");
	CHECK_STR(t.functions, "--functions");
	CHECK_INT(tracer_of(&list, "0.23.2", &t), 0);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_YES);
	CHECK_INT(tracer_of(&list, "0.24.0", &t), 0);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_BY_ID);
	CHECK(t.demands_root);
	CHECK_INT(tracer_of(&list, "1.0", &t), 0);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_BY_ID);
	CHECK(!t.demands_root);
	CHECK(tracer_is_denied(&t, "ERROR: no types of kvm"));
	CHECK(tracer_is_denied(&t, "not allowed"));
	CHECK(!tracer_is_denied(&t, "syntax error"));
	CHECK_INT(tracer_of(&list, "new", &t), -EINVAL);
	CHECK_STR(tracer_since(&list, TRACER_DEMANDS, "capabilities"), "0.25");
	CHECK_STR(tracer_since(&list, TRACER_SUPPORT, "yes"), "0.16");
	CHECK(!tracer_since(&list, TRACER_BUFFERS, "shared"));
	tracer_list_done(&list);
}

/* The list that kvmwait ships, at the versions that the live tests run. */
static void shipped(void)
{
	CLEANUP_FREE char *why = NULL;
	struct tracer_list list;
	struct tracer t;

	if (tracer_list_load("scripts", &list, &why))
		unit_fail(__FILE__, __LINE__, "%s", why);
	CHECK_INT(tracer_of(&list, "0.15.0", &t), 0);
	CHECK(t.why_not && strstr(t.why_not, "install 0.16 or later"));
	CHECK_INT(tracer_of(&list, "0.17.0", &t), 0);
	CHECK(!t.why_not && t.demands_root && t.types_by_id && t.buffers_each_cpu);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_NO);
	CHECK_STR(t.map_keys, "BPFTRACE_MAP_KEYS_MAX");
	CHECK_STR(t.functions, "BPFTRACE_AVAILABLE_FUNCTIONS_TEST");
	CHECK(tracer_is_denied(&t, "/bpftrace/include/clang_workarounds.h:14:10: fatal error: 'linux/types.h' file not found"));
	CHECK_INT(tracer_of(&list, "0.23.2", &t), 0);
	CHECK(!t.why_not && t.demands_root && !t.types_by_id && !t.buffers_each_cpu);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_YES);
	CHECK_STR(t.map_keys, "BPFTRACE_MAX_MAP_KEYS");
	CHECK_INT(tracer_of(&list, "0.27.1", &t), 0);
	CHECK(!t.why_not && !t.demands_root && !t.types_by_id && !t.buffers_each_cpu);
	CHECK_INT(t.raw_tracepoints, TRACER_RAW_BY_ID);
	CHECK_STR(t.functions, "--traceable-functions");
	CHECK(tracer_is_denied(&t, "ERROR: No BTF found for kvm:kvm_entry."));
	CHECK(tracer_is_denied(&t, "/proc/self/fd/3:407:1-24: ERROR: Probe has no valid attach points. If this is expected, set"));
	tracer_list_done(&list);
}

static const struct unit_test tests[] = {
	{ "faults", faults },
	{ "of_version", of_version },
	{ "shipped", shipped },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
