// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/findings.c and helper/show/finding_text.c: which rules hold for which rows, how rows are added up, and what cannot be asked.
#include "unit.h"

#include "show/finding_text.h"

static const char rules_text[] = "rule: lost\nscope: run\nneeds: hlt\nthreshold: lost >= 1 % of counted\nsource: s\nsay: lost {share}\nnext: n\n"
				 "rule: by-host\nscope: culprit\nneeds: hlt blame\nwhen: culprit.kind = host\nthreshold: all_ns >= 5 % of wall_ns\n"
				 "source: s\nsay: {vcpus} waited {share} for {culprit}: {all_ns}\nnext: n\n"
				 "rule: wasted\nscope: vcpu\nneeds: hlt\nwhen: bad_ns >= 80 % of poll_ns\nthreshold: bad_ns >= 10 % of wall_ns\n"
				 "source: s\nsay: {vcpus} {share} {bad_ns % of poll_ns} {hlt}\nnext: n\n"
				 "rule: waits-spinning\nscope: vm\nneeds: hlt\nsymptom: yes\nwhen: blamed >= 10 % of spins\n"
				 "threshold: spin_ns >= 10 % of wall_ns\nsource: s\nsay: {spins}\nnext: n\n"
				 "rule: spins\nscope: vm\nneeds: hlt\nwhen: blamed < 10 % of spins\nthreshold: spin_ns >= 10 % of wall_ns\n"
				 "source: s\nsay: {vcpus} {spins}\nnext: n\n";

static const char exact_meta[] = "{'probes': [{'event': 'hlt', 'source': 'kvm', 'fidelity': 'exact', 'functions': []},"
				 "{'event': 'blame', 'source': 'x', 'fidelity': 'exact', 'functions': []}]}";

/* JSON with ' for ". */
static json_t *json_of(const char *text)
{
	CLEANUP_FREE char *copy = text ? xstrdup(text) : NULL;
	json_t *object;

	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	object = json_loads(copy, 0, NULL);
	CHECK(object);
	return object;
}

/* The texts of all findings with " | " between them; then the gaps as "!NAME: WHY". The caller frees. */
static char *found(const char *meta_text, const char *stat_text, const char *blame_text, const char *end_text)
{
	json_t *meta = json_of(meta_text), *stat = json_of(stat_text), *blame = json_of(blame_text), *end = json_of(end_text);
	struct strings texts = { 0 };
	struct findings findings;
	struct rules rules = { 0 };
	char *error = NULL, *joined;

	CHECK_INT(rules_parse(rules_text, &rules, &error), 0);
	findings_make(&rules, meta, stat, blame, end, &findings);
	for (size_t i = 0; i < findings.n; i++) {
		const struct finding *f = &findings.items[i];
		CLEANUP_FREE char *say = finding_text(f, f->rule->say);
		CLEANUP_FREE char *text = xasprintf("%s %s: %s%s", f->rule->name, f->vm ? f->vm : "-", say, f->inferred ? " inferred" : "");

		strings_add(&texts, text);
	}
	for (size_t i = 0; i < findings.n_gaps; i++) {
		CLEANUP_FREE char *text = xasprintf("!%s: %s", findings.gaps[i].rule->name, findings.gaps[i].why);

		strings_add(&texts, text);
	}
	joined = strings_join(&texts, " | ");
	strings_done(&texts);
	findings_done(&findings);
	rules_done(&rules);
	json_decref(meta);
	json_decref(stat);
	json_decref(blame);
	json_decref(end);
	return joined;
}

#define FOUND(meta, stat, blame, end, expected)                                                                                  \
	do {                                                                                                                     \
		CLEANUP_FREE char *found_ = found(meta, stat, blame, end);                                                       \
		CHECK_STR(found_, expected);                                                                                     \
	} while (0)

#define ROW(vm, vcpu, more) "{'vm': '" vm "', 'pid': 7, 'vcpu': " #vcpu ", 'hlt': 3, 'wall_ns': 1000, " more "}"
#define QUIET "'bad_ns': 0, 'poll_ns': 100, 'spin_ns': 0"
#define WASTES "'bad_ns': 100, 'poll_ns': 125, 'spin_ns': 0"
#define BLAME(rows, vms) "{'rows': [" rows "], 'vms': [" vms "], 'vcpus': [" STATES("a", 7, 0) "," STATES("a", 7, 1) "," STATES("b", 8, 0) "]}"
#define STATES(vm, pid, vcpu)                                                                                                    \
	"{'vm': '" vm "', 'pid': " #pid ", 'vcpu': " #vcpu ", 'run_ns': 200, 'ready_ns': 300, 'blocked_ns': 400, 'unknown_ns': 100}"
#define VM_ROW(spins, blamed) "{'vm': 'a', 'pid': 7, 'vcpus': 3, 'unseen': 0, 'spins': " #spins ", 'blamed': " #blamed "}"
#define WAITED(vcpu, kind, tid, ns)                                                                                              \
	"{'vm': 'a', 'pid': 7, 'vcpu': " #vcpu ", 'culprit': {'kind': '" kind "', 'tid': " #tid ", 'comm': 'sh'}, 'all_ns': " #ns "}"

static void nothing_wrong(void)
{
	FOUND(exact_meta, "{'ns': 1000, 'rows': [" ROW("a", 0, QUIET) "]}", BLAME("", VM_ROW(0, 0)), "{'lost': 0, 'counted': 100}", "");
}

/* At the threshold it holds, one below it does not. */
static void the_threshold(void)
{
	FOUND(exact_meta, "{'ns': 1000, 'rows': [" ROW("a", 0, WASTES) "]}", BLAME("", VM_ROW(0, 0)), "{'lost': 1, 'counted': 100}",
	      "lost -: lost 1 % | wasted a: vCPU 0 10 % 80 % 3");
	FOUND(exact_meta, "{'ns': 1000, 'rows': [" ROW("a", 0, "'bad_ns': 99, 'poll_ns': 100, 'spin_ns': 0") "]}", BLAME("", VM_ROW(0, 0)),
	      "{'lost': 1, 'counted': 101}", "");
	FOUND(exact_meta, "{'ns': 1000, 'rows': [" ROW("a", 0, "'bad_ns': 100, 'poll_ns': 126, 'spin_ns': 0") "]}", BLAME("", VM_ROW(0, 0)),
	      "{'lost': 0, 'counted': 1}", "");
}

/* vCPUs of one VM for which a rule holds are one finding, and only their figures are added up. */
static void vcpus_together(void)
{
	FOUND(exact_meta,
	      "{'ns': 1000, 'rows': [" ROW("a", 2, WASTES) "," ROW("a", 0, WASTES) "," ROW("a", 1, QUIET) "," ROW("a", 3, WASTES) "]}",
	      BLAME("", VM_ROW(0, 0)), "{'lost': 0, 'counted': 1}", "wasted a: vCPUs 0, 2 and 3 10 % 80 % 9");
	FOUND(exact_meta, "{'ns': 1000, 'rows': [" ROW("a", 2, WASTES) "," ROW("a", 0, WASTES) "," ROW("a", 1, WASTES) "]}",
	      BLAME("", VM_ROW(0, 0)), "{'lost': 0, 'counted': 1}", "wasted a: vCPUs 0 to 2 10 % 80 % 9");
}

/* Each culprit is a finding, the worst first; a culprit of another kind is none. */
static void culprits(void)
{
	FOUND(exact_meta, "{'ns': 1000, 'rows': [" ROW("a", 0, QUIET) "," ROW("a", 1, QUIET) "]}",
	      BLAME(WAITED(0, "host", 5, 60) "," WAITED(1, "host", 6, 300) "," WAITED(1, "host", 5, 50) "," WAITED(0, "vcpu", 8, 500),
		    VM_ROW(0, 0)),
	      "{'lost': 0, 'counted': 1}", "by-host a: vCPU 1 waited 30 % for sh (6): 0 us | by-host a: vCPUs 0 and 1 waited 5.5 % for sh (5): 0 us");
}

/* The length of the stat record is the wall time of rows without one. */
static void no_wall_time(void)
{
	FOUND(exact_meta, "{'ns': 2000, 'rows': [{'vm': 'a', 'pid': 7, 'vcpu': 0, 'hlt': 1, 'bad_ns': 1000, 'poll_ns': 1000, 'spin_ns': 0}]}",
	      BLAME("", VM_ROW(0, 0)), "{'lost': 0, 'counted': 1}", "wasted a: vCPU 0 50 % 100 % 1");
}

static void a_vm(void)
{
	static const char spinning[] = "{'ns': 1000, 'rows': [" ROW("a", 0, "'bad_ns': 0, 'poll_ns': 1, 'spin_ns': 200") ","
				       ROW("a", 1, "'bad_ns': 0, 'poll_ns': 1, 'spin_ns': 0") "]}";

	FOUND(exact_meta, spinning, BLAME("", VM_ROW(1000, 99)), "{'lost': 0, 'counted': 1}", "spins a: vCPUs 1000");
	FOUND(exact_meta, spinning, BLAME("", VM_ROW(1000, 100)), "{'lost': 0, 'counted': 1}", "waits-spinning a: 1000");
	/* the cause stands before it, though it cost less; that of another VM does not */
	FOUND(exact_meta, spinning, BLAME(WAITED(1, "host", 5, 60), VM_ROW(1000, 100)), "{'lost': 0, 'counted': 1}",
	      "by-host a: vCPU 1 waited 6 % for sh (5): 0 us | waits-spinning a: 1000");
	FOUND(exact_meta, spinning,
	      BLAME("{'vm': 'b', 'pid': 8, 'vcpu': 0, 'culprit': {'kind': 'host', 'tid': 5, 'comm': 'sh'}, 'all_ns': 60}",
		    VM_ROW(1000, 100)),
	      "{'lost': 0, 'counted': 1}", "waits-spinning a: 1000 | by-host b: vCPU 0 waited 6 % for sh (5): 0 us");
}

/* Nothing is said of what was not measured, and that is said. */
static void gaps(void)
{
	FOUND(exact_meta, "{'ns': 1000, 'rows': [{'vm': 'a', 'pid': 7, 'vcpu': 0, 'hlt': 1}]}", NULL, "{'lost': 0}",
	      "!lost: 'counted' was not recorded | !by-host: not recorded | !wasted: 'bad_ns' was not recorded | !waits-spinning: 'spin_ns' was not recorded | !spins: 'spin_ns' was not recorded");
	FOUND("{'probes': [{'event': 'hlt', 'source': 'kvm', 'fidelity': 'absent', 'functions': [], 'why': 'gone'}]}", "{'ns': 1, 'rows': []}",
	      NULL, "{'lost': 0, 'counted': 1}",
	      "!lost: hlt cannot be measured on this kernel: gone | !by-host: not recorded | !wasted: hlt cannot be measured on this kernel: gone"
	      " | !waits-spinning: hlt cannot be measured on this kernel: gone | !spins: hlt cannot be measured on this kernel: gone");
	FOUND("{'probes': [{'event': 'hlt', 'source': 'kvm', 'fidelity': 'inferred', 'functions': []}]}",
	      "{'ns': 1, 'rows': [" ROW("a", 0, WASTES) "]}", NULL, "{'lost': 0, 'counted': 1}",
	      "wasted a: vCPU 0 10 % 80 % 3 inferred | !by-host: not recorded | !waits-spinning: 'blamed' was not recorded | !spins: 'blamed' was not recorded");
}

/* Records may come from anybody. */
static void hostile(void)
{
	FOUND(exact_meta, "{'rows': [1, null, {'vm': 3, 'pid': 'x', 'vcpu': [], 'bad_ns': -5, 'poll_ns': {}, 'spin_ns': 'y', 'wall_ns': 1}]}",
	      "{'rows': 7, 'vms': [[], {'blamed': 1, 'spins': 1}]}", "{'lost': -1, 'counted': 0}",
	      "!waits-spinning: 'blamed' was not recorded | !spins: 'blamed' was not recorded");
	FOUND("{'probes': [1, {'event': 2}, {'event': 'hlt', 'fidelity': 'exact'}, {'event': 'blame', 'fidelity': 'exact'}]}",
	      "{'rows': [" ROW("a", 0, "'bad_ns': 9223372036854775807, 'poll_ns': 9223372036854775807, 'spin_ns': 0") "]}",
	      BLAME("", VM_ROW(0, 0)), "{'lost': 0, 'counted': 1}", "wasted a: vCPU 0 1000000 % 100 % 3");
}

static const struct unit_test tests[] = {
	{ "nothing is wrong", nothing_wrong },
	{ "the threshold itself counts", the_threshold },
	{ "vCPUs of a VM are one finding", vcpus_together },
	{ "each culprit is a finding", culprits },
	{ "no wall time", no_wall_time },
	{ "a VM", a_vm },
	{ "what cannot be asked is said", gaps },
	{ "hostile records", hostile },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
