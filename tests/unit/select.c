// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/select.c and helper/plan/kernel.c: what made-up kernels can give, and the reasons.
#include "fake.h"

#include "base/text.h"
#include "plan/kernel_btf.h"

/* ---- checks ---- */

static const struct source_result *source_of(const struct verdict *v, const char *event, const char *source)
{
	for (size_t i = 0; i < v->n_sources; i++)
		if (!strcmp(v->sources[i].event, event) && !strcmp(v->sources[i].source, source))
			return &v->sources[i];
	return NULL;
}

/* One source of the script: its fidelity, whether it does not apply, and a part of the reason (NULL: none is given). */
static void check_source(int line, const struct verdict *v, const char *event, const char *source, enum fidelity fidelity,
			 bool not_applicable, const char *why)
{
	const struct source_result *r = source_of(v, event, source);

	unit_checks++;
	if (!r)
		unit_fail(__FILE__, line, "%s: no %s %s", v->script->name, event, source);
	if (r->fidelity != fidelity || r->not_applicable != not_applicable)
		unit_fail(__FILE__, line, "%s %s is %s%s: %s", event, source, fidelity_name(r->fidelity),
			  r->not_applicable ? " (not applicable)" : "", r->why ? r->why : "-");
	if (why ? !r->why || !strstr(r->why, why) : r->why != NULL)
		unit_fail(__FILE__, line, "%s %s: <%s> has no <%s>", event, source, r->why ? r->why : "-", why ? why : "-");
	if ((fidelity == FIDELITY_ABSENT) != (!r->claim || r->claim->fidelity == FIDELITY_ABSENT) || (fidelity == FIDELITY_ABSENT && r->functions.n))
		unit_fail(__FILE__, line, "%s %s: fidelity, claim and functions do not agree", event, source);
}
#define CHECK_EXACT(v, event, source) check_source(__LINE__, v, event, source, FIDELITY_EXACT, false, NULL)
#define CHECK_EXACT_WHY(v, event, source, why) check_source(__LINE__, v, event, source, FIDELITY_EXACT, false, why)
#define CHECK_INFERRED(v, event, source, why) check_source(__LINE__, v, event, source, FIDELITY_INFERRED, false, why)
/* Inferred by the tracepoints, as the script lacks it: the reason of that is told too. */
#define CHECK_FALLBACK(v, event, source, why)                                                                                        \
	do {                                                                                                                         \
		CHECK_INFERRED(v, event, source, why);                                                                               \
		CHECK(source_of(v, event, source)->from && verdict_fallback(v, 0) == source_of(v, event, source)->from);             \
		CHECK_STR(verdict_fallback(v, 0)->script->name, "x86-tracepoint.bt");                                                \
		CHECK(verdict_fallback(v, 0)->chosen && !verdict_fallback(v, 1));                                                    \
	} while (0)
#define CHECK_ABSENT(v, event, source, why) check_source(__LINE__, v, event, source, FIDELITY_ABSENT, false, why)
#define CHECK_NOT_APPLICABLE(v, event, source, why) check_source(__LINE__, v, event, source, FIDELITY_ABSENT, true, why)

static void check_functions(int line, const struct verdict *v, const char *event, const char *source, const char *expected)
{
	const struct source_result *r = source_of(v, event, source);
	CLEANUP_FREE char *all = r ? strings_join(&r->functions, " ") : NULL;

	unit_check_str(__FILE__, line, "functions", all, expected);
}
#define CHECK_FUNCTIONS(v, event, source, expected) check_functions(__LINE__, v, event, source, expected)

/* The chosen script, with a reason; and a reason for every other. */
static const struct verdict *chosen(const struct made *m, const char *script)
{
	for (size_t i = 0; i < m->plan.n_verdicts; i++) {
		CHECK(m->plan.verdicts[i].reason && *m->plan.verdicts[i].reason);
		for (size_t k = 0; k < m->plan.verdicts[i].n_sources; k++) {
			const struct source_result *r = &m->plan.verdicts[i].sources[k];

			CHECK(r->fidelity == FIDELITY_EXACT || r->why);
		}
	}
	CHECK_STR(m->plan.chosen ? m->plan.chosen->script->name : NULL, script);
	return m->plan.chosen;
}

/* ---- the real scripts ---- */

static void all_exact(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK(v->in_range && v->fits);
	CHECK_HAS(v->reason, "5.17..");
	CHECK_STR(m.plan.vendor, "svm");
	CHECK_EXACT(v, "ple", "svm");
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK_EXACT(v, "pv_yield", "kvm");
	CHECK_EXACT(v, "pv_yield", "hyperv");
	CHECK_EXACT(v, "pv_yield", "xen");
	CHECK_INT(v->n_sources, 5); /* and not ple vmx */
	CHECK_FUNCTIONS(v, "ple", "svm", "kvm_vcpu_on_spin kvm_hv_hypercall kvm_xen_hypercall sched:sched_process_exit");
	CHECK_FUNCTIONS(v, "hlt", "kvm", "kvm_emulate_halt kvm_emulate_halt_noskip handle_fastpath_hlt sched:sched_process_exit");
	CHECK_FUNCTIONS(v, "pv_yield", "kvm", "kvm_sched_yield sched:sched_process_exit");
	CHECK_INT(plan_event_fidelity(v, "ple"), FIDELITY_EXACT);
	CHECK_INT(plan_event_fidelity(v, "hlt"), FIDELITY_EXACT);
	CHECK_INT(plan_event_fidelity(v, "pv_yield"), FIDELITY_EXACT);
	CHECK_INT(plan_event_fidelity(v, "other"), FIDELITY_ABSENT);
	CHECK_ABSENT(made_verdict(&m, "x86-5.14.bt"), "hlt", "kvm", "kvm_emulate_halt_noskip");
	CHECK_ABSENT(made_verdict(&m, "x86-5.3.bt"), "pv_yield", "kvm", "kvm_sched_yield");
	made_done(&m);
}

static void vendors(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	f.modules = "kvm_intel kvm";
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_STR(m.plan.vendor, "vmx");
	CHECK_EXACT(v, "ple", "vmx");
	CHECK(!source_of(v, "ple", "svm"));
	made_done(&m);
	f.modules = "kvm"; /* neither: nothing speaks against one of them */
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK(!m.plan.vendor);
	CHECK_EXACT(v, "ple", "vmx");
	CHECK_EXACT(v, "ple", "svm");
	made_done(&m);
}

static void without_xen(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_drop(&f, "kvm_xen_hypercall");
	fake_drop(&f, "kvm_xen_hvm_set_attr");
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_NOT_APPLICABLE(v, "pv_yield", "xen", "built without");
	CHECK_EXACT_WHY(v, "ple", "svm", NULL);
	CHECK_EXACT(v, "pv_yield", "hyperv");
	CHECK_FUNCTIONS(v, "ple", "svm", "kvm_vcpu_on_spin kvm_hv_hypercall sched:sched_process_exit");
	CHECK_INT(plan_event_fidelity(v, "pv_yield"), FIDELITY_EXACT); /* of all that this kernel can produce */
	CHECK_INT(plan_event_fidelity(v, "ple"), FIDELITY_EXACT);
	made_done(&m);
}

/* HLT's fast path: a kernel before 6.12 has none; where it is there and cannot be probed, its HLTs can be missing. */
static void fast_path(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_find(&f, "handle_fastpath_hlt")->notrace = true;
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_INFERRED(v, "hlt", "kvm", "fast path can be missing");
	CHECK_HAS(source_of(v, "hlt", "kvm")->why, "handle_fastpath_hlt");
	CHECK_FUNCTIONS(v, "hlt", "kvm", "kvm_emulate_halt kvm_emulate_halt_noskip sched:sched_process_exit");
	CHECK_EXACT(v, "ple", "svm");
	made_done(&m);
	fake_drop(&f, "handle_fastpath_hlt");
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_EXACT_WHY(v, "hlt", "kvm", NULL);
	CHECK_FUNCTIONS(v, "hlt", "kvm", "kvm_emulate_halt kvm_emulate_halt_noskip sched:sched_process_exit");
	made_done(&m);
}

/* Xen is there, and cannot be probed: its yields cannot be told from pause-loop exits. */
static void xen_hidden(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_drop(&f, "kvm_xen_hypercall");
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_ABSENT(v, "pv_yield", "xen", "they come as ple (there is no function kvm_xen_hypercall)");
	CHECK_INFERRED(v, "ple", "svm", "come as ple");
	CHECK(!verdict_fallback(v, 0));
	CHECK_HAS(source_of(v, "ple", "svm")->why, "kvm_xen_hypercall");
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK_EXACT(v, "pv_yield", "kvm");
	CHECK_INT(plan_event_fidelity(v, "pv_yield"), FIDELITY_ABSENT); /* a part of it is not seen */
	CHECK_INT(plan_event_fidelity(v, "ple"), FIDELITY_INFERRED);
	made_done(&m);
}

static void clones(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	*fake_find(&f, "kvm_sched_yield") = (struct fake_function){ .name = "kvm_sched_yield.isra.0", .module = "kvm" };
	fake_add(&f, "kvm_vcpu_on_spin.constprop.0", "kvm", NULL);
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_INFERRED(v, "pv_yield", "kvm", "kvm_sched_yield.isra.0");
	CHECK_FUNCTIONS(v, "pv_yield", "kvm", "kvm_sched_yield.isra.0 sched:sched_process_exit");
	CHECK_INFERRED(v, "ple", "svm", "kvm_vcpu_on_spin.constprop.0");
	CHECK_FUNCTIONS(v, "ple", "svm", "kvm_vcpu_on_spin kvm_vcpu_on_spin.constprop.0 kvm_hv_hypercall kvm_xen_hypercall "
					 "sched:sched_process_exit");
	CHECK_EXACT(v, "hlt", "kvm");
	made_done(&m);
}

/* ThinLTO renames a static function that another unit calls: it is still the whole function. */
static void renamed_function(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_find(&f, "kvm_sched_yield")->name = "kvm_sched_yield.llvm.1234";
	fake_find(&f, "kvm_vcpu_on_spin")->name = "kvm_vcpu_on_spin.llvm.77";
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_EXACT(v, "pv_yield", "kvm");
	CHECK_FUNCTIONS(v, "pv_yield", "kvm", "kvm_sched_yield.llvm.1234 sched:sched_process_exit");
	CHECK_EXACT(v, "ple", "svm");
	made_done(&m);
	/* two of one name: which one is probed would be a guess */
	fake_add(&f, "kvm_sched_yield.llvm.5", "kvm", NULL);
	made_plan(&f, &m);
	CHECK_FALLBACK(chosen(&m, "x86-5.17.bt"), "pv_yield", "kvm", "there are 2 functions kvm_sched_yield");
	made_done(&m);
	/* other arguments than the script reads */
	f = fake_standard();
	*fake_find(&f, "kvm_sched_yield") = (struct fake_function){ .name = "kvm_sched_yield.llvm.1234", .module = "kvm", .args = "kvm_vcpu *" };
	made_plan(&f, &m);
	CHECK_FALLBACK(chosen(&m, "x86-5.17.bt"), "pv_yield", "kvm", "kvm_sched_yield takes (kvm_vcpu *)");
	made_done(&m);
}

static void split_function(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_add(&f, "kvm_hv_hypercall.part.0", "kvm", NULL);
	fake_add(&f, "kvm_sched_yield.cold", "kvm", NULL); /* no entry: no matter */
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_INFERRED(v, "pv_yield", "hyperv", "kvm_hv_hypercall.part.0");
	CHECK_INFERRED(v, "ple", "svm", "kvm_hv_hypercall.part.0");
	CHECK_EXACT(v, "pv_yield", "xen");
	CHECK_EXACT(v, "pv_yield", "kvm");
	made_done(&m);
}

static void namesakes(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_add(&f, "kvm_sched_yield", "other", NULL);
	fake_add(&f, "kvm_emulate_halt", "", NULL);
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "pv_yield", "kvm", "kvm_sched_yield exists in other");
	CHECK_FALLBACK(v, "hlt", "kvm", "kvm_emulate_halt exists in the kernel itself");
	CHECK_EXACT(v, "ple", "svm");
	made_done(&m);
}

/* A clone's own name can be in use elsewhere as well. */
static void namesake_clones(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	*fake_find(&f, "kvm_sched_yield") = (struct fake_function){ .name = "kvm_sched_yield.isra.0", .module = "kvm" };
	fake_add(&f, "kvm_sched_yield.isra.0", "other", NULL);
	fake_add(&f, "kvm_emulate_halt.isra.0", "other", NULL); /* not a name that is probed here */
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "pv_yield", "kvm", "kvm_sched_yield.isra.0 exists in other");
	CHECK_EXACT(v, "hlt", "kvm");
	made_done(&m);
}

static void same_name_twice(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_add(&f, "kvm_sched_yield", "kvm", NULL);
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "pv_yield", "kvm", "there are 2 functions kvm_sched_yield");
	made_done(&m);
}

static void notrace(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_find(&f, "kvm_sched_yield")->notrace = true;
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "pv_yield", "kvm", "notrace");
	CHECK_EXACT(v, "pv_yield", "hyperv");
	made_done(&m);
	f.no_list = true; /* nobody says so */
	made_plan(&f, &m);
	CHECK_EXACT(chosen(&m, "x86-5.17.bt"), "pv_yield", "kvm");
	made_done(&m);
}

/* One of several clones that cannot be probed is one too many, whichever. */
static void notrace_clones(void)
{
	for (unsigned int which = 0; which < 3; which++) {
		struct fake f = fake_standard();
		struct made m;

		fake_add(&f, "kvm_sched_yield.isra.0", "kvm", NULL);
		fake_add(&f, "kvm_sched_yield.constprop.0", "kvm", NULL);
		fake_find(&f, which == 0   ? "kvm_sched_yield"
			      : which == 1 ? "kvm_sched_yield.isra.0"
					   : "kvm_sched_yield.constprop.0")
			->notrace = true;
		made_plan(&f, &m);
		CHECK_FALLBACK(chosen(&m, "x86-5.17.bt"), "pv_yield", "kvm", "notrace");
		made_done(&m);
	}
}

static void no_kprobes(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	f.no_kprobes = true;
	made_plan(&f, &m);
	v = chosen(&m, "x86-tracepoint.bt");
	CHECK_INFERRED(v, "ple", "svm", "nested");
	CHECK_INFERRED(v, "hlt", "kvm", "nested");
	CHECK_INFERRED(v, "pv_yield", "kvm", "rejects");
	CHECK_ABSENT(made_verdict(&m, "x86-5.17.bt"), "hlt", "kvm", "the kernel has no kprobes");
	CHECK(!made_verdict(&m, "x86-5.17.bt")->fits);
	made_done(&m);
	f.tracepoints = "sched:sched_process_exit()";
	made_plan(&f, &m);
	CHECK(!chosen(&m, NULL));
	made_done(&m);
}

static void tracepoint_fields(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	f.no_kprobes = true;
	f.tracepoints = "sched:sched_process_exit() kvm:kvm_exit(exit_reason isa vcpu_id_more) kvm:kvm_hypercall(nr a0) kvm:kvm_hv_hypercall(code)";
	made_plan(&f, &m);
	CHECK(!chosen(&m, NULL));
	v = made_verdict(&m, "x86-tracepoint.bt");
	CHECK_ABSENT(v, "hlt", "kvm", "kvm:kvm_exit: it has no field vcpu_id");
	made_done(&m);
}

static void wrong_prototype(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_find(&f, "kvm_sched_yield")->args = "kvm *, unsigned long";
	fake_find(&f, "kvm_emulate_halt")->args = "kvm_vcpu *, bool";
	fake_find(&f, "kvm_xen_hypercall")->args = "";
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "pv_yield", "kvm", "kvm_sched_yield takes (kvm *, unsigned long), not (kvm_vcpu *, unsigned long)");
	CHECK_FALLBACK(v, "hlt", "kvm", "kvm_emulate_halt takes (kvm_vcpu *, bool), not (kvm_vcpu *)");
	CHECK_ABSENT(v, "pv_yield", "xen", "kvm_xen_hypercall takes (), not (kvm_vcpu *)");
	CHECK_EXACT(v, "pv_yield", "hyperv");
	made_done(&m);
}

static void same_prototype(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_find(&f, "kvm_vcpu_on_spin")->args = "const kvm_vcpu *, _Bool"; /* neither makes a difference to a probe */
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_EXACT(v, "ple", "svm");
	made_done(&m);
}

static void no_module_btf(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	f.no_module_btf = true;
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_EXACT_WHY(v, "hlt", "kvm", "taken from the range 5.17..");
	CHECK_EXACT_WHY(v, "ple", "svm", "taken from the range 5.17..");
	made_done(&m);
	f.release = "5.16.0"; /* out of the range: nothing vouches for the arguments */
	f.tracepoints = "sched:sched_process_exit()";
	made_plan(&f, &m);
	CHECK(!chosen(&m, NULL));
	CHECK_ABSENT(made_verdict(&m, "x86-5.17.bt"), "hlt", "kvm", "out of the range 5.17..");
	made_done(&m);
}

static void no_btf(void)
{
	struct fake f = fake_standard();
	struct made m;

	f.no_btf = true;
	made_plan(&f, &m);
	chosen(&m, "x86-tracepoint.bt");
	CHECK_ABSENT(made_verdict(&m, "x86-5.17.bt"), "hlt", "kvm", "the kernel has no BTF");
	made_done(&m);
}

static void other_machine(void)
{
	struct fake f = fake_standard();
	struct made m;

	f.arch = "aarch64";
	made_plan(&f, &m);
	CHECK(!chosen(&m, NULL));
	CHECK_HAS(made_verdict(&m, "x86-5.17.bt")->reason, "made for x86_64, the kernel is aarch64");
	CHECK_INT(made_verdict(&m, "x86-5.17.bt")->n_sources, 0);
	CHECK(!m.plan.vendor);
	made_done(&m);
}

static void module_not_loaded(void)
{
	struct fake f = fake_standard();
	struct made m;

	f.modules = "irqbypass";
	f.n_functions = 0;
	f.tracepoints = "sched:sched_process_exit()";
	f.no_module_btf = true;
	made_plan(&f, &m);
	CHECK(!chosen(&m, NULL));
	CHECK_ABSENT(made_verdict(&m, "x86-5.17.bt"), "hlt", "kvm", "module kvm is not loaded");
	made_done(&m);
}

static void built_in(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	f.modules = "irqbypass";
	f.no_module_btf = true;
	for (size_t i = 0; i < f.n_functions; i++)
		f.functions[i].module = "";
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK(kernel_btf_covers(&m.kernel, "kvm"));
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK_EXACT(v, "pv_yield", "kvm");
	CHECK_EXACT(v, "ple", "svm");
	CHECK_EXACT(v, "ple", "vmx");
	made_done(&m);
	fake_find(&f, "kvm_sched_yield")->args = "kvm *, unsigned long";
	made_plan(&f, &m);
	CHECK_FALLBACK(chosen(&m, "x86-5.17.bt"), "pv_yield", "kvm", "takes (kvm *, unsigned long)");
	made_done(&m);
}

/* Probes read by the kernel's types: a module that was built with others makes them read wrongly. */
static void member_moved(void)
{
	struct fake f = fake_standard();
	struct made m;

	f.moved_bits = 1; /* a copy, laid out alike */
	made_plan(&f, &m);
	CHECK_EXACT(chosen(&m, "x86-5.17.bt"), "hlt", "kvm");
	made_done(&m);
	f.moved_bits = 1 + 32;
	made_plan(&f, &m);
	chosen(&m, "x86-tracepoint.bt");
	CHECK_ABSENT(made_verdict(&m, "x86-5.17.bt"), "hlt", "kvm", "kvm_vcpu.vcpu_id: struct kvm_vcpu is laid out otherwise in module kvm");
	CHECK_ABSENT(made_verdict(&m, "x86-5.17.bt"), "pv_yield", "kvm", "kvm_vcpu.vcpu_id");
	made_done(&m);
}

/* What the kernel shows decides, not its number: a distribution's 5.14 with the functions of 5.17. */
static void backport(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	f.release = "5.14.0-427.el9.x86_64";
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK(!v->in_range);
	CHECK_HAS(v->reason, "5.14.0-427.el9.x86_64 is out of its range 5.17..");
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK(made_verdict(&m, "x86-5.14.bt")->in_range);
	CHECK_ABSENT(made_verdict(&m, "x86-5.14.bt"), "ple", "svm", "kvm_emulate_halt_noskip");
	made_done(&m);
}

/* Each source that the script lacks comes from the tracepoints, as far as they have it; what it has stays. */
static void fallback(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_drop(&f, "kvm_vcpu_on_spin");
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "ple", "svm", "exits of a nested guest are included (there is no function kvm_vcpu_on_spin)");
	CHECK_FUNCTIONS(v, "ple", "svm", "kvm:kvm_exit sched:sched_process_exit");
	CHECK_FALLBACK(v, "pv_yield", "hyperv", "from x86-tracepoint.bt: calls that KVM rejects are included");
	CHECK_ABSENT(v, "pv_yield", "xen", "there is no function kvm_vcpu_on_spin"); /* the tracepoints have none */
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK_EXACT(v, "pv_yield", "kvm");
	CHECK_INT(v->n_sources, 5);
	CHECK_INT(plan_event_fidelity(v, "ple"), FIDELITY_INFERRED);
	CHECK_INT(plan_event_fidelity(v, "hlt"), FIDELITY_EXACT);
	CHECK_STR(verdict_fallback(v, 0)->reason, "x86-5.17.bt lacks ple (svm)");
	made_done(&m);
	/* what the kernel cannot produce is not asked of the tracepoints */
	f = fake_standard();
	fake_drop(&f, "kvm_hv_hypercall");
	fake_drop(&f, "kvm_hv_set_msr_common");
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_NOT_APPLICABLE(v, "pv_yield", "hyperv", "built without it");
	CHECK(!verdict_fallback(v, 0));
	CHECK(!made_verdict(&m, "x86-tracepoint.bt")->chosen);
	made_done(&m);
	/* a script whose one source is inferred still comes before a fallback that has more of them */
	f = fake_standard();
	fake_drop(&f, "kvm_vcpu_on_spin");
	fake_drop(&f, "kvm_sched_yield");
	fake_find(&f, "kvm_emulate_halt")->name = "kvm_emulate_halt.isra.0";
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.17.bt");
	CHECK_INFERRED(v, "hlt", "kvm", "kvm_emulate_halt.isra.0");
	CHECK(!source_of(v, "hlt", "kvm")->from);
	CHECK_FALLBACK(v, "pv_yield", "kvm", "no function kvm_sched_yield");
	made_done(&m);
	/* nothing at all: the fallback is the script */
	f = fake_standard();
	f.no_kprobes = true;
	made_plan(&f, &m);
	v = chosen(&m, "x86-tracepoint.bt");
	CHECK(!verdict_fallback(v, 0));
	CHECK_INFERRED(v, "hlt", "kvm", "a HLT that KVM emulates is not");
	made_done(&m);
}

static void older_ranges(void)
{
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	fake_drop(&f, "kvm_emulate_halt_noskip");
	fake_drop(&f, "kvm_xen_hypercall");
	fake_drop(&f, "kvm_xen_hvm_set_attr");
	f.release = "5.15.0";
	made_plan(&f, &m); /* a kernel from 5.17 on which that function is inlined, whatever it calls itself */
	v = chosen(&m, "x86-5.17.bt");
	CHECK_FALLBACK(v, "hlt", "kvm", "no function kvm_emulate_halt_noskip");
	made_done(&m);
	f.before_5_17 = true;
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.14.bt");
	CHECK_EXACT(v, "ple", "svm");
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK_FUNCTIONS(v, "hlt", "kvm", "kvm_emulate_halt kvm_vcpu_halt sched:sched_process_exit");
	CHECK_EXACT(v, "pv_yield", "kvm");
	CHECK_EXACT(v, "pv_yield", "hyperv");
	made_done(&m);
	fake_find(&f, "kvm_sched_yield")->args = "kvm *, unsigned long";
	f.release = "5.10.0-32-amd64";
	f.no_module_btf = true; /* as 5.10 has none */
	made_plan(&f, &m);
	v = chosen(&m, "x86-5.3.bt");
	CHECK(v->in_range);
	CHECK_EXACT_WHY(v, "ple", "svm", "5.3..5.14");
	CHECK_EXACT_WHY(v, "hlt", "kvm", "5.3..5.14");
	CHECK_EXACT_WHY(v, "pv_yield", "kvm", "5.3..5.14");
	CHECK_EXACT_WHY(v, "pv_yield", "hyperv", "5.3..5.14");
	made_done(&m);
}

/* ---- made-up scripts ---- */

static void add_script(struct script **scripts, size_t *n, const char *name, const char *range, const char *rest)
{
	CLEANUP_FREE char *text = xasprintf("//@ format: 2\n//@ arch: x86_64\n//@ module: kvm\n//@ cost: none\n"
					    "//@ range: %s\n%s", range, rest);
	CLEANUP_FREE char *error = NULL;

	*scripts = xrealloc(*scripts, *n + 1, sizeof(**scripts));
	if (script_parse(name, text, strlen(text), &(*scripts)[*n], &error))
		unit_fail(__FILE__, __LINE__, "%s", error);
	++*n;
}

static void made_plan_one(const struct fake *f, const char *rest, struct made *ret)
{
	struct script *scripts = NULL;
	size_t n = 0;

	add_script(&scripts, &n, "one.bt", "5.0..", rest);
	made_plan_with(f, scripts, n, ret);
}

/* Scripts that give as much: the one whose range it is, then the younger. */
static void ties(void)
{
	static const struct {
		const char *release, *script;
	} cases[] = {
		{ "5.5.1", "old.bt" }, { "5.99", "old.bt" }, { "6.0", "new.bt" }, { "6.5-rc1", "new.bt" }, { "6.9", "newest.bt" },
		{ "4.19", "newest.bt" }, /* in none */
	};
	static const char rest[] = "//@ need halt: func kvm_emulate_halt(kvm_vcpu *)\n//@ exact hlt kvm: halt\n";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake f = fake_standard();
		struct script *scripts = NULL;
		size_t n = 0;
		struct made m;
		const struct verdict *v;

		f.release = cases[i].release;
		add_script(&scripts, &n, "new.bt", "6.0..", rest);
		add_script(&scripts, &n, "newest.bt", "6.9..", rest);
		add_script(&scripts, &n, "old.bt", "5.0..6.0", rest);
		made_plan_with(&f, scripts, n, &m);
		v = chosen(&m, cases[i].script);
		CHECK_INT(v->in_range, strcmp(cases[i].release, "4.19") != 0);
		made_done(&m);
	}
}

/* More exact sources go before the range, and inferred ones count after. */
static void more_wins(void)
{
	struct fake f = fake_standard();
	struct script *scripts = NULL;
	size_t n = 0;
	struct made m;

	add_script(&scripts, &n, "inferred.bt", "6.0..",
		   "//@ need halt: func kvm_emulate_halt\n//@ need spin: func kvm_vcpu_on_spin\n//@ exact hlt kvm: halt\n"
		   "//@ inferred ple svm: spin | so\n//@ inferred pv_yield xen: spin | so\n");
	add_script(&scripts, &n, "exact.bt", "4.0..5.0",
		   "//@ need halt: func kvm_emulate_halt\n//@ need spin: func kvm_vcpu_on_spin\n//@ exact hlt kvm: halt\n"
		   "//@ exact ple svm: spin\n");
	add_script(&scripts, &n, "less.bt", "6.0..", "//@ need halt: func kvm_emulate_halt\n//@ exact hlt kvm: halt\n");
	made_plan_with(&f, scripts, n, &m);
	chosen(&m, "exact.bt");
	CHECK_HAS(made_verdict(&m, "inferred.bt")->reason, "exact.bt gives more");
	made_done(&m);
}

static void alternatives(void)
{
	static const char rest[] = "//@ need core: func kvm_one|kvm_two|kvm_three(kvm_vcpu *)\n//@ exact hlt kvm: core\n";
	struct fake f = fake_standard();
	struct made m;

	made_plan_one(&f, rest, &m);
	CHECK(!chosen(&m, NULL));
	made_done(&m);
	fake_add(&f, "kvm_three", "kvm", "kvm_vcpu *");
	made_plan_one(&f, rest, &m);
	CHECK_FUNCTIONS(chosen(&m, "one.bt"), "hlt", "kvm", "kvm_three");
	made_done(&m);
	fake_add(&f, "kvm_two", "kvm", "kvm_vcpu *");
	made_plan_one(&f, rest, &m);
	CHECK_FUNCTIONS(chosen(&m, "one.bt"), "hlt", "kvm", "kvm_two");
	made_done(&m);
}

static void no_func(void)
{
	static const char rest[] = "//@ need halt: func kvm_emulate_halt\n//@ need older: no-func kvm_new\n//@ exact hlt kvm: halt older\n";
	struct fake f = fake_standard();
	struct made m;

	made_plan_one(&f, rest, &m);
	CHECK_EXACT(chosen(&m, "one.bt"), "hlt", "kvm");
	made_done(&m);
	fake_add(&f, "kvm_new", "other", NULL); /* not here */
	made_plan_one(&f, rest, &m);
	CHECK_EXACT(chosen(&m, "one.bt"), "hlt", "kvm");
	made_done(&m);
	fake_add(&f, "kvm_new.isra.0", "kvm", NULL); /* a clone tells as well that there is one */
	made_plan_one(&f, rest, &m);
	CHECK(!chosen(&m, NULL));
	CHECK_ABSENT(made_verdict(&m, "one.bt"), "hlt", "kvm", "kvm_new");
	made_done(&m);
}

/* A marker decides whether a need applies; what a claim stands on, or what stands beside it. */
static void markers(void)
{
	static const char rest[] = "//@ need halt: func kvm_emulate_halt\n//@ need hv: func kvm_x if kvm_x_marker\n//@ need hidden: func kvm_y\n"
				   "//@ exact hlt kvm: halt hv\n//@ exact pv_yield hyperv: hv halt\n//@ exact ple svm: halt hv hidden\n"
				   "//@ exact pv_yield xen: hv hidden\n";
	struct fake f = fake_standard();
	struct made m;
	const struct verdict *v;

	made_plan_one(&f, rest, &m);
	v = chosen(&m, "one.bt");
	CHECK_EXACT(v, "hlt", "kvm");
	CHECK_NOT_APPLICABLE(v, "pv_yield", "hyperv", "kvm_x_marker");
	CHECK_ABSENT(v, "ple", "svm", "kvm_y");
	CHECK_INT(plan_event_fidelity(v, "ple"), FIDELITY_ABSENT);
	made_done(&m);
	fake_add(&f, "kvm_x_marker.isra.0", "kvm", NULL); /* whatever form it has */
	made_plan_one(&f, rest, &m);
	v = made_verdict(&m, "one.bt");
	CHECK_ABSENT(v, "hlt", "kvm", "there is no function kvm_x");
	CHECK_ABSENT(v, "pv_yield", "hyperv", "there is no function kvm_x");
	made_done(&m);
}

static void members(void)
{
	static const struct {
		const char *path, *why; /* NULL: it is there */
	} cases[] = {
		{ "kvm_vcpu.vcpu_id", NULL }, /* in an anonymous struct */
		{ "kvm_vcpu.stat.exits", NULL },
		{ "kvm_vcpu.arch.regs", NULL },
		{ "kvm_vcpu.stat", NULL },
		{ "kvm_vcpu.stat.exit", "no such member" },
		{ "kvm_vcpu.stat.exits.x", "no such member" },
		{ "kvm_vcpu.exits", "no such member" },
		{ "kvm_vcpu.vcpu_i", "no such member" },
		{ "kvm_vcp.vcpu_id", "no struct kvm_vcp" },
		{ "bool.x", "no struct bool" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP_FREE char *rest = xasprintf("//@ need m: member %s\n//@ need halt: func kvm_emulate_halt\n//@ exact hlt kvm: halt m\n",
						    cases[i].path);
		struct fake f = fake_standard();
		struct made m;

		made_plan_one(&f, rest, &m);
		if (cases[i].why)
			CHECK_ABSENT(made_verdict(&m, "one.bt"), "hlt", "kvm", cases[i].why);
		else
			CHECK_EXACT(made_verdict(&m, "one.bt"), "hlt", "kvm");
		made_done(&m);
	}
}

/* ---- kernels that cannot be read ---- */

static void bad_roots(void)
{
	struct fake f = fake_standard();
	CLEANUP_FREE char *root = fake_make(&f), *nowhere = unit_path("nowhere"), *slash = xasprintf("%s//", root);
	CLEANUP_FREE char *error = NULL;
	struct kernel k = { 0 };

	CHECK_INT(kernel_load(nowhere, NULL, 0, &k, &error), -ENOENT);
	CHECK_HAS(error, "nowhere/proc/sys/kernel/osrelease");
	free(error);
	error = NULL;
	CHECK_INT(kernel_load(slash, NULL, 0, &k, &error), 0);
	CHECK_STR(k.root, root);
	CHECK_STR(k.release, "6.12.107+deb13-amd64");
	CHECK_INT(k.version.major, 6);
	CHECK_INT(k.version.minor, 12);
	CHECK(kernel_has_module(&k, "kvm_amd") && !kernel_has_module(&k, "kvm_am") && !kernel_has_module(&k, "kvm_intel"));
	kernel_done(&k);
	unit_write_text(root, "proc/modules", "kvm_amd 1 0 - Loading 0x0\nkvm 2 1 kvm_amd, Live 0x0\nkvm_intel 3 0 - Unloading 0x0\n");
	CHECK_INT(kernel_load(root, NULL, 0, &k, &error), 0);
	CHECK(kernel_has_module(&k, "kvm") && !kernel_has_module(&k, "kvm_amd") && !kernel_has_module(&k, "kvm_intel"));
	kernel_done(&k);
	unit_write_text(root, "sys/kernel/btf/vmlinux", "no BTF at all");
	CHECK(kernel_load(root, NULL, 0, &k, &error) < 0);
	CHECK_HAS(error, "btf/vmlinux");
	free(error);
	error = NULL;
	unit_write_text(root, "proc/sys/kernel/osrelease", "what?");
	CHECK_INT(kernel_load(root, NULL, 0, &k, &error), -EINVAL);
	CHECK_HAS(error, "what?");
	CHECK(!k.root);
}

static const struct unit_test tests[] = {
	{ "all_exact", all_exact },
	{ "vendors", vendors },
	{ "without_xen", without_xen },
	{ "fast_path", fast_path },
	{ "xen_hidden", xen_hidden },
	{ "clones", clones },
	{ "renamed_function", renamed_function },
	{ "split_function", split_function },
	{ "namesakes", namesakes },
	{ "namesake_clones", namesake_clones },
	{ "same_name_twice", same_name_twice },
	{ "notrace", notrace },
	{ "notrace_clones", notrace_clones },
	{ "fallback", fallback },
	{ "no_kprobes", no_kprobes },
	{ "tracepoint_fields", tracepoint_fields },
	{ "wrong_prototype", wrong_prototype },
	{ "same_prototype", same_prototype },
	{ "no_module_btf", no_module_btf },
	{ "no_btf", no_btf },
	{ "other_machine", other_machine },
	{ "module_not_loaded", module_not_loaded },
	{ "built_in", built_in },
	{ "member_moved", member_moved },
	{ "backport", backport },
	{ "older_ranges", older_ranges },
	{ "ties", ties },
	{ "more_wins", more_wins },
	{ "alternatives", alternatives },
	{ "no_func", no_func },
	{ "markers", markers },
	{ "members", members },
	{ "bad_roots", bad_roots },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
