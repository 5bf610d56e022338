// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/render.c: a script fitted to a kernel and to what is asked for, and its parameters.
#include "fake.h"

#include "base/text.h"
#include "plan/render.h"
#include "record/event.h"

/* The real script of the newest range, as it stands. */
static const char *script_text(const struct made *m, const char *name)
{
	return made_verdict(m, name)->script->text;
}

/* The text with the part that begins at `from` and ends with `to` replaced; the caller frees. */
static char *replaced(const char *text, const char *from, const char *to, const char *with)
{
	const char *start = strstr(text, from), *end = start ? strstr(start, to) : NULL;

	if (!end)
		unit_fail(__FILE__, __LINE__, "the script has no <%s> ... <%s>", from, to);
	return xasprintf("%.*s%s%s", (int)(start - text), text, with, end + strlen(to));
}

/* The attach points, a space between them; the caller frees. */
static char *attach_points(const char *text)
{
	struct strings lines = { 0 }, points = { 0 };
	char *all;

	strings_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (starts_with(lines.items[i], "kprobe:") || starts_with(lines.items[i], "tracepoint:") ||
		    starts_with(lines.items[i], "rawtracepoint:"))
			strings_add(&points, lines.items[i]);
	all = strings_join(&points, " ");
	strings_done(&lines);
	strings_done(&points);
	return all;
}

static void check_points(int line, const struct made *m, const struct filter *filter, const char *expected)
{
	CLEANUP_FREE char *text = program_render(&(struct program){ .script = m->plan.chosen, .filter = *filter });
	CLEANUP_FREE char *points = attach_points(text);

	unit_check_str(__FILE__, line, "attach points", points, expected);
}
#define CHECK_POINTS(m, filter, expected) check_points(__LINE__, m, filter, expected)

/* A block in the first column: from its name to its brace. */
static char *block(const char *text, const char *name)
{
	CLEANUP_FREE char *start = xasprintf("\n%s\n{\n", name);
	const char *from = strstr(text, start), *to = from ? strstr(from, "\n}\n") : NULL;

	if (!to)
		unit_fail(__FILE__, __LINE__, "no block %s", name);
	return xstrndup(from, (size_t)(to - from) + 3);
}

/* BEGIN and END are those of the script; with a fallback its map at their end. */
static void check_frame(const char *text, const char *original)
{
	CLEANUP_FREE char *begin = block(original, "BEGIN"), *end = block(original, "END");

	if (!strstr(text, "Where vCPUs wait or give way in KVM, on x86 by tracepoints alone") || strstr(original, "@vcpu[")) {
		CHECK_HAS(text, begin);
		CHECK_HAS(text, end);
		return;
	}
	begin[strlen(begin) - 2] = end[strlen(end) - 2] = '\0';
	{
		CLEANUP_FREE char *longer = xasprintf("%s\t@vcpu[(uint32)0] = (int64)0;\n}\n", begin);
		CLEANUP_FREE char *longer_end = xasprintf("%s\tclear(@vcpu);\n}\n", end);

		CHECK_HAS(text, longer);
		CHECK_HAS(text, longer_end);
	}
}

static const struct filter everything;

#define XEN_POINTS "kprobe:kvm_hv_hypercall,\nkprobe:kvm_xen_hypercal*l\n"
#define FAST_POINTS "kprobe:kvm_emulate_halt_noskip,\nkprobe:handle_fastpath_hl*t\n"

static void all_resolved(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL, *expected = NULL, *fast = NULL;

	made_plan(&f, &m);
	text = program_render(&(struct program){ .script = m.plan.chosen });
	fast = replaced(script_text(&m, "x86-5.17.bt"), FAST_POINTS, "hl*t\n", "kprobe:kvm_emulate_halt_noskip,\nkprobe:handle_fastpath_hlt\n");
	expected = replaced(fast, XEN_POINTS, "hypercal*l\n", "kprobe:kvm_xen_hypercall\n");
	CHECK_STR(text, expected); /* nothing else is changed */
	CHECK_POINTS(&m, &everything,
		     "kprobe:kvm_emulate_halt, kprobe:kvm_emulate_halt_noskip, kprobe:handle_fastpath_hlt kprobe:kvm_hv_hypercall kprobe:kvm_xen_hypercall "
		     "kprobe:kvm_vcpu_on_spin kprobe:kvm_sched_yield tracepoint:sched:sched_process_exit");
	check_frame(text, script_text(&m, "x86-5.17.bt"));
	made_done(&m);
}

/* Where the vendor's module is loaded, nobody asks the CPU for it. */
static void vendors(void)
{
	static const char *const names[] = { "x86-5.3.bt", "x86-5.14.bt", "x86-5.17.bt" };
	struct fake f = fake_standard();
	struct made m;

	made_plan(&f, &m);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct program program = { .script = made_verdict(&m, names[i]), .vendor = "svm" };
		const char *original = script_text(&m, names[i]);
		CLEANUP_FREE char *svm = program_render(&program), *vmx = NULL, *neither = NULL;

		program.vendor = "vmx";
		vmx = program_render(&program);
		CHECK_HAS(original, "kaddr(");
		CHECK_HAS(svm, "\nBEGIN\n{\n\t@svm = (uint64)1;\n\t@tgid[");
		CHECK_HAS(vmx, "\nBEGIN\n{\n\t@svm = (uint64)0;\n\t@tgid[");
		CHECK(!strstr(svm, "kaddr(") && !strstr(vmx, "kaddr("));
		program.vendor = "sv"; /* neither that is named */
		neither = program_render(&program);
		CHECK_HAS(neither, "\n\t$cpu = (struct cpuinfo_x86 *)kaddr(\"boot_cpu_data\");\n");
		CHECK(!strstr(neither, "//@ if") && !strstr(neither, "(uint64)"));
	}
	made_done(&m);
}

static void xen_not_applicable(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL, *expected = NULL, *fast = NULL;

	fake_drop(&f, "kvm_xen_hypercall");
	fake_drop(&f, "kvm_xen_hvm_set_attr");
	made_plan(&f, &m);
	text = program_render(&(struct program){ .script = m.plan.chosen });
	fast = replaced(script_text(&m, "x86-5.17.bt"), FAST_POINTS, "hl*t\n", "kprobe:kvm_emulate_halt_noskip,\nkprobe:handle_fastpath_hlt\n");
	expected = replaced(fast, XEN_POINTS, "\n}\n", "");
	CHECK_STR(text, expected);
	CHECK_POINTS(&m, &everything,
		     "kprobe:kvm_emulate_halt, kprobe:kvm_emulate_halt_noskip, kprobe:handle_fastpath_hlt kprobe:kvm_hv_hypercall kprobe:kvm_vcpu_on_spin "
		     "kprobe:kvm_sched_yield tracepoint:sched:sched_process_exit");
	made_done(&m);
}

/* The first attach point of Xen's clause is for running by hand: it must not keep the clause alive. */
static void hyperv_not_applicable(void)
{
	struct fake f = fake_standard();
	struct made m;

	fake_drop(&f, "kvm_hv_hypercall");
	fake_drop(&f, "kvm_hv_set_msr_common");
	made_plan(&f, &m);
	CHECK_POINTS(&m, &everything,
		     "kprobe:kvm_emulate_halt, kprobe:kvm_emulate_halt_noskip, kprobe:handle_fastpath_hlt kprobe:kvm_xen_hypercall kprobe:kvm_vcpu_on_spin "
		     "kprobe:kvm_sched_yield tracepoint:sched:sched_process_exit");
	fake_drop(&f, "kvm_xen_hypercall");
	fake_drop(&f, "kvm_xen_hvm_set_attr");
	made_done(&m);
	made_plan(&f, &m);
	CHECK_POINTS(&m, &everything,
		     "kprobe:kvm_emulate_halt, kprobe:kvm_emulate_halt_noskip, kprobe:handle_fastpath_hlt kprobe:kvm_vcpu_on_spin kprobe:kvm_sched_yield "
		     "tracepoint:sched:sched_process_exit");
	made_done(&m);
}

/* HLT's fast path came with 6.12: before, the clause is the pair's. */
static void no_fast_path(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL;

	fake_drop(&f, "handle_fastpath_hlt");
	made_plan(&f, &m);
	text = program_render(&(struct program){ .script = m.plan.chosen });
	CHECK_HAS(text, "\nkprobe:kvm_emulate_halt,\nkprobe:kvm_emulate_halt_noskip\n/($8 == 0");
	CHECK(!strstr(text, "kprobe:handle_fastpath"));
	made_done(&m);
}

static void some_events(void)
{
	struct fake f = fake_standard();
	struct made m;
	struct filter filter = { .events = event_bit("hlt") };
	CLEANUP_FREE char *text = NULL;

	made_plan(&f, &m);
	CHECK_POINTS(&m, &filter, "kprobe:kvm_emulate_halt, kprobe:kvm_emulate_halt_noskip, kprobe:handle_fastpath_hlt tracepoint:sched:sched_process_exit");
	text = program_render(&(struct program){ .script = m.plan.chosen, .filter = filter });
	check_frame(text, script_text(&m, "x86-5.17.bt"));
	filter.events = event_bit("ple"); /* hypercalls have to be known to tell them from pause-loop exits */
	CHECK_POINTS(&m, &filter,
		     "kprobe:kvm_hv_hypercall kprobe:kvm_xen_hypercall kprobe:kvm_vcpu_on_spin tracepoint:sched:sched_process_exit");
	filter.events = event_bit("pv_yield");
	CHECK_POINTS(&m, &filter,
		     "kprobe:kvm_hv_hypercall kprobe:kvm_xen_hypercall kprobe:kvm_vcpu_on_spin kprobe:kvm_sched_yield "
		     "tracepoint:sched:sched_process_exit");
	filter.events = event_bit("hlt") | event_bit("ple") | event_bit("pv_yield");
	free(text);
	text = program_render(&(struct program){ .script = m.plan.chosen, .filter = filter });
	{
		CLEANUP_FREE char *all = program_render(&(struct program){ .script = m.plan.chosen });

		CHECK_STR(text, all);
	}
	made_done(&m);
}

static void clones(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL;

	fake_add(&f, "kvm_vcpu_on_spin.constprop.0", "kvm", NULL);
	*fake_find(&f, "kvm_sched_yield") = (struct fake_function){ .name = "kvm_sched_yield.isra.0", .module = "kvm" };
	fake_add(&f, "kvm_sched_yield.part.1", "kvm", NULL);
	made_plan(&f, &m);
	text = program_render(&(struct program){ .script = m.plan.chosen });
	CHECK_HAS(text, "\nkprobe:kvm_vcpu_on_spin,\nkprobe:kvm_vcpu_on_spin.constprop.0\n/($8 == 0");
	CHECK_HAS(text, "\nkprobe:kvm_sched_yield.isra.0,\nkprobe:kvm_sched_yield.part.1\n/($8 == 0");
	CHECK(!strstr(text, "kprobe:kvm_sched_yield\n"));
	made_done(&m);
}

/* A need that is not met leaves its clause out; the rest stays. */
static void not_met(void)
{
	struct fake f = fake_standard();
	struct made m;

	fake_find(&f, "kvm_sched_yield")->notrace = true;
	fake_find(&f, "kvm_emulate_halt")->args = "kvm *";
	made_plan(&f, &m);
	CHECK_POINTS(&m, &everything,
		     "kprobe:kvm_hv_hypercall kprobe:kvm_xen_hypercall kprobe:kvm_vcpu_on_spin tracepoint:sched:sched_process_exit "
		     "tracepoint:kvm:kvm_exit tracepoint:kvm:kvm_hypercall tracepoint:sched:sched_process_exit");
	made_done(&m);
}

/* Tracepoints that the kernel has not would keep the whole program from attaching. */
static void tracepoints(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL;
	struct filter filter = { .events = event_bit("pv_yield") };

	f.no_kprobes = true;
	made_plan(&f, &m);
	CHECK_STR(m.plan.chosen->script->name, "x86-tracepoint.bt");
	text = program_render(&(struct program){ .script = m.plan.chosen });
	CHECK_STR(text, script_text(&m, "x86-tracepoint.bt"));
	CHECK_POINTS(&m, &filter,
		     "tracepoint:kvm:kvm_exit tracepoint:kvm:kvm_hypercall tracepoint:kvm:kvm_hv_hypercall "
		     "tracepoint:sched:sched_process_exit");
	made_done(&m);
	f.tracepoints = "sched:sched_process_exit() kvm:kvm_exit(exit_reason isa vcpu_id) kvm:kvm_hypercall(nr a0)";
	made_plan(&f, &m);
	CHECK_POINTS(&m, &everything, "tracepoint:kvm:kvm_exit tracepoint:kvm:kvm_hypercall tracepoint:sched:sched_process_exit");
	made_done(&m);
}

/* What is rendered for every kernel and filter has no attach point that is no name of that kernel's. */
static void only_names(void)
{
	static const char *const droppable[] = { "kvm_xen_hypercall", "kvm_hv_hypercall", "kvm_sched_yield", "kvm_emulate_halt_noskip", "kvm_vcpu_on_spin",
					       "handle_fastpath_hlt" };

	for (unsigned int bits = 0; bits < 1u << ARRAY_SIZE(droppable); bits++) {
		struct fake f = fake_standard();
		struct made m;

		for (size_t i = 0; i < ARRAY_SIZE(droppable); i++)
			if (bits >> i & 1)
				fake_drop(&f, droppable[i]);
		made_plan(&f, &m);
		for (unsigned int events = 0; events < 8 && m.plan.chosen; events++) {
			struct filter filter = { .events = events };
			CLEANUP_FREE char *text = program_render(&(struct program){ .script = m.plan.chosen, .filter = filter }), *points = attach_points(text);
			struct strings list = { 0 };

			strings_split(&list, points, " ,");
			for (size_t i = 0; i < list.n; i++) {
				if (!starts_with(list.items[i], "kprobe:"))
					continue;
				CHECK(!strcmp(fake_find(&f, list.items[i] + 7)->module, "kvm"));
			}
			check_frame(text, script_text(&m, m.plan.chosen->script->name));
			strings_done(&list);
		}
		made_done(&m);
	}
}

/* ---- parts ---- */

static const char base_text[] =
	"//@ format: 1\n//@ wire: 1\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n//@ cost: none\n"
	"//@ need halt: func halt\n//@ need spin: func spin\n//@ exact hlt kvm: halt\n//@ exact ple svm: spin\n"
	"\nBEGIN\n{\n\t@a = 1;\n\t@counted = count();\n}\n"
	"\nkprobe:halt\n{\n\tprintf(\"w %llu %u %u %u %lld hlt kvm -1 %rh\\n\", $ts);\n\t@counted = count();\n}\n"
	"\nkprobe:spin\n{\n\tif (1) {\n\t\tprintf(\"w %llu %u %u %u %lld ple svm -1 %rh\\n\", $ts);\n\t\t@counted = count();\n\t}\n}\n"
	"\nEND\n{\n\tclear(@a);\n}\n";
static const char part_text[] =
	"//@ format: 1\n//@ wire: 1\n//@ part: more\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n//@ cost: none\n"
	"//@ need enter: tracepoint kvm:enter\n//@ need leave: tracepoint kvm:leave\n//@ need load: func load\n"
	"//@ exact time kvm: enter load\n//@ exact end kvm: leave\n"
	"\nBEGIN\n{\n\t@m[0] = 0;\n}\n"
	"\nWAIT\n{\n\t@m[WAIT] = $ts;\n\t@n = 1;\n}\n"
	"\ntracepoint:kvm:enter\n{\n\tprintf(\"o\");\n\t@counted = count();\n}\n"
	"\nkretprobe:load\n{\n\t@l = 1;\n}\n\ntracepoint:kvm:leave\n{\n\t@x = 1;\n}\n\ninterval:s:1\n{\n\t@i = 1;\n}\n"
	"\nEND\n{\n\tclear(@m);\n}\n";

/* A verdict of which each need is met, as the function or tracepoint that it names; but the last of a part is not. */
static void verdict_of(const char *name, const char *text, struct script *s, struct verdict *v)
{
	CLEANUP_FREE char *error = NULL;

	if (script_parse(name, text, strlen(text), s, &error))
		unit_fail(__FILE__, __LINE__, "%s", error);
	*v = (struct verdict){ .script = s, .fits = true, .n_sources = s->n_claims };
	v->needs = xcalloc(s->n_needs, sizeof(*v->needs));
	v->sources = xcalloc(s->n_claims, sizeof(*v->sources));
	for (size_t i = 0; i < s->n_needs; i++) {
		v->needs[i].state = strcmp(s->needs[i].id, "leave") ? NEED_MET : NEED_UNMET;
		strings_add(&v->needs[i].functions, s->needs[i].names.items[0]);
	}
	for (size_t i = 0; i < s->n_claims; i++) {
		v->sources[i] = (struct source_result){ .event = s->claims[i].event, .source = s->claims[i].sources.items[0] };
		if (strcmp(s->claims[i].event, "end")) {
			v->sources[i].fidelity = s->claims[i].fidelity;
			v->sources[i].claim = &s->claims[i];
		}
	}
}

static void verdict_of_done(struct script *s, struct verdict *v)
{
	for (size_t i = 0; i < s->n_needs; i++)
		strings_done(&v->needs[i].functions);
	free(v->needs);
	free(v->sources);
	script_done(s);
}

/* Numbers for bytes that are costly to print, where it is known at which offset they lie. */
static void quick(void)
{
	struct script script;
	struct verdict v;
	struct program program = { .script = &v };
	CLEANUP_FREE char *header = replaced(base_text, "//@ exact hlt", "kvm", "//@ need name: member task.name\n//@ quick buf(name, 16): here name\n//@ exact hlt kvm");
	CLEANUP_FREE char *text = replaced(header, "$ts", ");", "$ts, buf(name, 16));\n\tprintf(\"q %rh\\n\", buf(name, 16));");
	CLEANUP_FREE char *plain = NULL, *quicker = NULL;

	verdict_of("base.bt", text, &script, &v);
	v.needs[script.quick.need].offset_bytes = 24;
	quicker = program_render(&program);
	CHECK_HAS(quicker, "hlt kvm -1 %llx:%llx.\\n\", $ts, *(uint64 *)((uint64)here + 24), *(uint64 *)((uint64)here + 32));\n");
	CHECK_HAS(quicker, "\tprintf(\"q %llx:%llx.\\n\", *(uint64 *)((uint64)here + 24), *(uint64 *)((uint64)here + 32));\n"); /* no event */
	CHECK_HAS(quicker, "ple svm -1 %rh\\n\", $ts);\n"); /* of something else */
	v.needs[script.quick.need].state = NEED_UNMET;
	plain = program_render(&program);
	CHECK_HAS(plain, "hlt kvm -1 %rh\\n\", $ts, buf(name, 16));\n");
	verdict_of_done(&script, &v);
}

/* A choice by vendor that is cut short, or not ended, does no harm beyond its clause. */
static void odd_choices(void)
{
	static const char *const bodies[] = {
		"\t//@ if", "\t//@ if ", "\t//@ if svm", "\t//@ if svm:", "\t//@ if svm:\n", "\t//@ if svm: ", "\t//@ if svm:@x = 1;\n", "\t//@ else", "\t//@ end\n",
		"\t//@ if svm: @x = 1;\n\t//@ else\n\t@y = 1;\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct script script;
		struct verdict v;
		struct program program = { .script = &v, .vendor = "svm" };
		CLEANUP_FREE char *whole = replaced(base_text, "\t@counted = count();\n}\n\nkprobe:spin", "spin", "\t@counted = count();\n\t//@ else\n}\n\nkprobe:spin");
		CLEANUP_FREE char *text = xasprintf("%s\nkprobe:halt\n{\n%s", whole, bodies[i]);
		CLEANUP_FREE char *rendered = NULL;

		verdict_of("base.bt", text, &script, &v);
		rendered = program_render(&program);
		CHECK_HAS(rendered, "ple svm -1");
		CHECK(!strstr(rendered, "@y"));
		verdict_of_done(&script, &v);
	}
}

/* Raw where a clause says that it may be, and bpftrace can. */
static void raw_tracepoints(void)
{
	struct script base, part;
	struct verdict vb, vp;
	struct program program = { .script = &vb, .parts = { &vp }, .n_parts = 1 };
	CLEANUP_FREE char *marked = replaced(part_text, "\ntracepoint:kvm:enter", "{", "\n//@ raw: enter\ntracepoint:kvm:enter\n{");
	CLEANUP_FREE char *plain = NULL, *raw = NULL, *unmarked = NULL;

	verdict_of("base.bt", base_text, &base, &vb);
	verdict_of("more.part", marked, &part, &vp);
	plain = program_render(&program);
	CHECK_HAS(plain, "\ntracepoint:kvm:enter\n{");
	program.raw_tracepoints = true;
	raw = program_render(&program);
	CHECK_HAS(raw, "\nrawtracepoint:enter\n{");
	CHECK(!strstr(raw, "\ntracepoint:kvm:enter\n"));
	verdict_of_done(&part, &vp);
	verdict_of("more.part", part_text, &part, &vp);
	unmarked = program_render(&program);
	CHECK(!strstr(unmarked, "rawtracepoint:"));
	verdict_of_done(&part, &vp);
	verdict_of_done(&base, &vb);
}

static const char spin_text[] =
	"//@ format: 1\n//@ wire: 1\n//@ part: place\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n//@ cost: none\n"
	"//@ need load: func load\n//@ exact ip kvm: load\n//@ append spin: @%llx:%llu@ | $ip, $what\n"
	"\nSPIN\n{\n\t$ip = WAIT;\n\t$what = EVENT;\n}\n";

/* What a part does at spins alone stands above their lines, which end in what it appends. */
static void spins(void)
{
	struct script base, part, chain;
	struct verdict vb, vp, vc;
	struct program program = { .script = &vb, .parts = { &vc, &vp }, .n_parts = 2 };
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *silent = NULL;

	verdict_of("base.bt", base_text, &base, &vb);
	verdict_of("place.part", spin_text, &part, &vp);
	verdict_of("more.part", part_text, &chain, &vc);
	chain.append = xstrdup("kstack");
	text = program_render(&program);
	CHECK_HAS(text, "\nkprobe:halt\n{\n\tprintf(\"w %llu %u %u %u %lld hlt kvm -1 %rh%s\\n\", $ts, kstack);\n");
	CHECK_HAS(text, "\tif (1) {\n\t\t$ip = 1;\n\t\t$what = 1;\n"
			"\t\tprintf(\"w %llu %u %u %u %lld ple svm -1 %rh@%llx:%llu@%s\\n\", $ts, $ip, $what, kstack);\n\t\t@counted = count();\n");
	CHECK(!strstr(text, "SPIN\n"));
	chain.lines_none = true;
	silent = program_render(&program);
	CHECK_HAS(silent, "\tif (1) {\n\t\t$ip = 1;\n\t\t$what = 1;\n\t\t@counted = count();\n");
	verdict_of_done(&chain, &vc);
	verdict_of_done(&part, &vp);
	verdict_of_done(&base, &vb);
}

static void malformed_spins(void)
{
	static const char *const bad[] = { "append spin: ", "append spin: %u", "append spin: %u |", "append spin:  | $x", "append spin: \"%u | $x",
					   "append spin: %u\\n | $x", "append halt: %u | $x", "append spin: %u | $x\n//@ append spin: %u | $y",
					   "without: more" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *text = xasprintf("//@ part: more\n//@ %s\n", bad[i]);
		CLEANUP_FREE char *error = NULL;
		struct script s;

		CHECK_INT(script_parse("more.part", text, strlen(text), &s, &error), -EINVAL);
		CHECK_HAS(error, "malformed header line");
	}
}

static void parts(void)
{
	struct script base, part;
	struct verdict vb, vp;
	struct program program = { .script = &vb, .parts = { &vp }, .n_parts = 1 };
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *silent = NULL;
	CLEANUP_FREE char *alone = NULL;
	CLEANUP_FREE char *only = NULL;
	struct wait_name *waits;

	verdict_of("base.bt", base_text, &base, &vb);
	verdict_of("more.part", part_text, &part, &vp);
	CHECK(program_has_part(&program, "more") && !program_has_part(&program, "less"));
	text = program_render(&program);
	CHECK_HAS(text, "\nBEGIN\n{\n\t@a = 1;\n\t@counted = count();\n\t@m[0] = 0;\n}\n");
	CHECK_HAS(text, "hlt kvm -1 %rh\\n\", $ts);\n\t@counted = count();\n\t@m[0] = $ts;\n\t@n = 1;\n}\n");
	CHECK_HAS(text, "\t\t@counted = count();\n\t\t@m[1] = $ts;\n\t\t@n = 1;\n\t}\n}\n");
	CHECK_HAS(text, "\ntracepoint:kvm:enter\n{\n\tprintf(\"o\");\n\t@counted = count();\n}\n"); /* not an event */
	CHECK_HAS(text, "\nkretprobe:load\n");
	CHECK_HAS(text, "\ninterval:s:1\n");
	CHECK(!strstr(text, "\ntracepoint:kvm:leave\n")); /* nothing rests on it */
	CHECK(!strstr(text, "WAIT\n"));
	CHECK_HAS(text, "\nEND\n{\n\tclear(@a);\n\tclear(@m);\n}\n");
	CHECK(strstr(strstr(text, "\nEND\n") + 1, "\nEND\n") == NULL);
	CHECK(strstr(strstr(text, "\nBEGIN\n") + 1, "\nBEGIN\n") == NULL);

	/* numbers stay those of the text where clauses are left out */
	program.filter.events = event_bit("ple");
	only = program_render(&program);
	CHECK(!strstr(only, "kprobe:halt"));
	CHECK_HAS(only, "@m[1] = $ts;");
	CHECK(!strstr(only, "@m[0] = $ts;"));

	part.lines_none = true;
	program.filter.events = 0;
	silent = program_render(&program);
	CHECK(!strstr(silent, "printf(\"w "));
	CHECK_HAS(silent, "\nkprobe:halt\n{\n\t@counted = count();\n\t@m[0] = $ts;\n");

	program.n_parts = 0;
	alone = program_render(&program);
	CHECK_STR(alone, base_text);
	CHECK_INT(program_waits(&vb, &waits), 2);
	CHECK_STR(waits[0].event, "hlt");
	CHECK_STR(waits[0].source, "kvm");
	CHECK_STR(waits[1].event, "ple");
	CHECK_STR(waits[1].source, "svm");
	free(waits);
	verdict_of_done(&base, &vb);
	verdict_of_done(&part, &vp);
}

/* A verdict on which one function need is met, of a script with this body; the header is made here. */
static char *render_body(const char *body)
{
	CLEANUP_FREE char *text = xasprintf("//@ format: 1\n//@ wire: 1\n//@ arch: x86_64\n//@ range: 5.17..\n//@ module: kvm\n"
					    "//@ cost: none\n//@ need a: func f\n//@ exact ple svm: a\n%s", body);
	struct need_result need = { .state = NEED_MET };
	struct source_result source = { .event = "ple", .source = "svm", .fidelity = FIDELITY_EXACT };
	struct verdict v = { .fits = true, .needs = &need, .sources = &source, .n_sources = 1 };
	struct program program = { .script = &v };
	struct script s;
	char *error = NULL, *rendered;

	CHECK_INT(script_parse("made.bt", text, strlen(text), &s, &error), 0);
	v.script = &s;
	source.claim = &s.claims[0];
	strings_add(&need.functions, "f");
	rendered = program_render(&program);
	strings_done(&need.functions);
	script_done(&s);
	return rendered;
}

/* Scripts that end where they should not are read no further than they go. */
static void cut_short(void)
{
	static const char *const bodies[] = {
		"kprobe:f,\n", "kprobe:f,", "kprobe:f,\nkprobe", "kprobe:f,\nkprobe\nx:f\n{\n}\n", "kprobe:f\n{\n\tprintf(\"w ", "BEGIN\n{\n", "END\n",
		"//@ only: a\n//@ only: a\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		CLEANUP_FREE char *text = render_body(bodies[i]);

		CHECK_HAS(text, "//@ exact ple svm: a\n");
	}
	{
		CLEANUP_FREE char *text = render_body("kprobe:f,\nkprobe\nx:f\n{\n}\n");

		CHECK_HAS(text, "\nkprobe:f\n");
	}
}

/* Events and sources of the event lines; each is counted on the line below it. */
static char *waits_in(const char *text)
{
	struct strings found = { 0 };
	char *all;

	for (const char *p = text; (p = strstr(p, "printf(\"w ")); p++) {
		const char *words = strstr(p, "%lld ") + 5;
		CLEANUP_FREE char *name = xstrndup(words, strcspn(words, "%-") - 1);

		CHECK(starts_with(skip_space(strchr(p, '\n')), "@counted = count();"));
		strings_add(&found, name);
	}
	all = strings_join(&found, ", ");
	strings_done(&found);
	return all;
}

static size_t count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, part)); p++)
		n++;
	return n;
}

/* The fallback's clauses come along with what they need, and each event line stands in one of the two. */
static void fallback(void)
{
	struct fake f = fake_standard();
	struct made m;
	struct program program = { .vendor = "svm" };
	struct wait_name *waits;
	CLEANUP_FREE char *text = NULL, *events = NULL, *begin = NULL, *end = NULL, *hlt = NULL, *with_part = NULL;
	struct script part;
	struct verdict more;

	fake_drop(&f, "kvm_vcpu_on_spin");
	made_plan(&f, &m);
	program.script = m.plan.chosen;
	text = program_render(&program);
	events = waits_in(text);
	CHECK_STR(events, "hlt kvm, pv_yield kvm, ple svm, ple vmx, pv_yield hyperv");
	begin = block(text, "BEGIN");
	end = block(text, "END");
	CHECK_INT(count_of(text, "\nBEGIN\n"), 1);
	CHECK_INT(count_of(text, "\nEND\n"), 1);
	CHECK_INT(count_of(text, "kvmwait-wire"), 1);
	CHECK_INT(count_of(text, "#!"), 1);
	CHECK_HAS(begin, "\t@vcpu[(uint32)0] = (int64)0;\n}\n");
	CHECK_HAS(end, "\tclear(@vcpu);\n}\n");
	CHECK_INT(count_of(begin, "@counted"), 1);
	CHECK_INT(count_of(begin, "@stop"), 1);
	/* numbers of event lines go on through both: 6 and 6 */
	CHECK_INT(program_waits(m.plan.chosen, &waits), 12);
	CHECK_STR(waits[6].event, "ple");
	CHECK_STR(waits[11].source, "hyperv");
	free(waits);
	/* with a part that does something at each event: at as many as there are */
	verdict_of("more.part", part_text, &part, &more);
	program.parts[0] = &more;
	program.n_parts = 1;
	with_part = program_render(&program);
	CHECK_INT(count_of(with_part, "\t@n = 1;\n"), 5);
	CHECK_HAS(with_part, "\t@m[6] = $ts;\n");
	CHECK_HAS(with_part, "\t@m[11] = $ts;\n");
	verdict_of_done(&part, &more);
	program.n_parts = 0;
	/* nothing of it where nothing of it is wanted */
	program.filter.events = event_bit("hlt");
	hlt = program_render(&program);
	CHECK(!strstr(hlt, "kvm_exit\n") && !strstr(hlt, "@vcpu"));
	made_done(&m);
}

/* Every real script names its event lines so that a part can know them. */
static void waits_of_scripts(void)
{
	CLEANUP_FREE char *error = NULL;
	struct script *scripts;
	size_t n;

	CHECK_INT(scripts_load("scripts", &scripts, &n, &error), 0);
	for (size_t i = 0; i < n; i++) {
		struct wait_name *waits;
		struct verdict v = { .script = &scripts[i] };
		size_t n_waits = program_waits(&v, &waits);

		CHECK(scripts[i].part ? !n_waits : n_waits >= 2);
		for (size_t k = 0; k < n_waits; k++) {
			bool claimed = false;

			for (size_t c = 0; c < scripts[i].n_claims; c++)
				claimed |= !strcmp(scripts[i].claims[c].event, waits[k].event) &&
					   strings_have(&scripts[i].claims[c].sources, waits[k].source);
			CHECK(claimed);
		}
		/* each is counted on the line below it */
		for (const char *p = scripts[i].text; (p = strstr(p, "printf(\"w ")); p++)
			CHECK(starts_with(skip_space(strchr(p, '\n')), "@counted = count();"));
		free(waits);
	}
	scripts_free(scripts, n);
}

/* ---- parameters ---- */

static void check_params(int line, const struct filter *filter, const char *expected)
{
	struct strings params = { 0 };
	CLEANUP_FREE char *all = NULL;

	program_params(filter, 4711, &params);
	all = strings_join(&params, " ");
	CHECK_INT(params.n, PROGRAM_N_PARAMS);
	strings_done(&params);
	unit_check_str(__FILE__, line, "parameters", all, expected);
}
#define CHECK_PARAMS(filter, expected) check_params(__LINE__, filter, expected)

static void params(void)
{
	struct filter filter = { .events = 5, .tgids = { 1000 }, .n_tgids = 1 };

	CHECK_PARAMS(&everything, "0 0 0 0 0 0 0 4711");
	CHECK_PARAMS(&filter, "5 1000 0 0 0 0 0 4711");
	filter = (struct filter){ .tgids = { 1, 2, 3 }, .n_tgids = 3 };
	CHECK_PARAMS(&filter, "0 8589934593 3 0 0 0 0 4711"); /* the second in the upper 32 bits */
	filter = (struct filter){ .tgids = { 11, 12, 13, 14, 15, 16, 17, 4194304 }, .n_tgids = 8 };
	CHECK_PARAMS(&filter, "0 51539607563 60129542157 68719476751 18014398509482001 0 0 4711");
	filter = (struct filter){ .vcpu_base = 4294967295, .vcpu_mask = UINT64_C(0x7fffffffffffffff) };
	CHECK_PARAMS(&filter, "0 0 0 0 0 4294967295 9223372036854775807 4711");
}

static void vcpus(void)
{
	struct filter f = { 0 };

	CHECK_INT(filter_add_vcpu(&f, 100), 0);
	CHECK_U64(f.vcpu_base, 100);
	CHECK_U64(f.vcpu_mask, 1);
	CHECK_INT(filter_add_vcpu(&f, 100), 0); /* twice is once */
	CHECK_U64(f.vcpu_mask, 1);
	CHECK_INT(filter_add_vcpu(&f, 102), 0);
	CHECK_U64(f.vcpu_base, 100);
	CHECK_U64(f.vcpu_mask, 5);
	CHECK_INT(filter_add_vcpu(&f, 97), 0); /* the base moves down */
	CHECK_U64(f.vcpu_base, 97);
	CHECK_U64(f.vcpu_mask, 1 | 1 << 3 | 1 << 5);
	CHECK_INT(filter_add_vcpu(&f, 97 + 62), 0); /* 63 ids: bit 62 is the last */
	CHECK_U64(f.vcpu_base, 97);
	CHECK_U64(f.vcpu_mask, UINT64_C(1) << 62 | 1 | 1 << 3 | 1 << 5);
	CHECK_INT(filter_add_vcpu(&f, 97 + 63), -ERANGE);
	CHECK_INT(filter_add_vcpu(&f, 96), -ERANGE);
	CHECK_INT(filter_add_vcpu(&f, UINT32_MAX), -ERANGE);
	CHECK_INT(filter_add_vcpu(&f, 0), -ERANGE);
	CHECK_U64(f.vcpu_base, 97); /* unchanged by what failed */
	CHECK_U64(f.vcpu_mask, UINT64_C(1) << 62 | 1 | 1 << 3 | 1 << 5);
}

static void vcpus_downwards(void)
{
	struct filter f = { 0 };

	CHECK_INT(filter_add_vcpu(&f, 62), 0);
	CHECK_INT(filter_add_vcpu(&f, 0), 0);
	CHECK_U64(f.vcpu_base, 0);
	CHECK_U64(f.vcpu_mask, UINT64_C(1) << 62 | 1);
	CHECK_INT(filter_add_vcpu(&f, 63), -ERANGE);
	f = (struct filter){ 0 };
	CHECK_INT(filter_add_vcpu(&f, 63), 0);
	CHECK_INT(filter_add_vcpu(&f, 0), -ERANGE);
	CHECK_U64(f.vcpu_base, 63);
	CHECK_U64(f.vcpu_mask, 1);
	f = (struct filter){ 0 };
	for (uint32_t i = 63; i--;)
		CHECK_INT(filter_add_vcpu(&f, 1000 + i), 0);
	CHECK_U64(f.vcpu_base, 1000);
	CHECK_U64(f.vcpu_mask, INT64_MAX);
	CHECK_INT(filter_add_vcpu(&f, 999), -ERANGE);
	CHECK_INT(filter_add_vcpu(&f, 1063), -ERANGE);
	f = (struct filter){ 0 };
	CHECK_INT(filter_add_vcpu(&f, UINT32_MAX), 0);
	CHECK_INT(filter_add_vcpu(&f, UINT32_MAX - 62), 0);
	CHECK_U64(f.vcpu_mask, UINT64_C(1) << 62 | 1);
}

/* Any set within the span is taken in any order, and the mask says which they are. */
static void vcpus_random(void)
{
	unit_random_seed(9);
	for (unsigned int round = 0; round < 2000; round++) {
		uint32_t least = (uint32_t)unit_random(1000), span = 1 + (uint32_t)unit_random(63), ids[8];
		struct filter f = { 0 };
		uint64_t set = 0;
		uint32_t base = UINT32_MAX;

		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			ids[i] = least + (uint32_t)unit_random(span);
			CHECK_INT(filter_add_vcpu(&f, ids[i]), 0);
			base = ids[i] < base ? ids[i] : base;
		}
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			set |= UINT64_C(1) << (ids[i] - base);
		CHECK_U64(f.vcpu_base, base);
		CHECK_U64(f.vcpu_mask, set);
	}
}

static const struct unit_test tests[] = {
	{ "all_resolved", all_resolved },
	{ "vendors", vendors },
	{ "quick", quick },
	{ "odd_choices", odd_choices },
	{ "xen_not_applicable", xen_not_applicable },
	{ "hyperv_not_applicable", hyperv_not_applicable },
	{ "no_fast_path", no_fast_path },
	{ "some_events", some_events },
	{ "clones", clones },
	{ "not_met", not_met },
	{ "fallback", fallback },
	{ "tracepoints", tracepoints },
	{ "raw_tracepoints", raw_tracepoints },
	{ "only_names", only_names },
	{ "parts", parts },
	{ "spins", spins },
	{ "malformed_spins", malformed_spins },
	{ "cut_short", cut_short },
	{ "waits_of_scripts", waits_of_scripts },
	{ "params", params },
	{ "vcpus", vcpus },
	{ "vcpus_downwards", vcpus_downwards },
	{ "vcpus_random", vcpus_random },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
