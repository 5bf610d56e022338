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

/* Events and sources of the lines of events; each is counted on the line below it. */
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

/*
 * What a script becomes where all is wanted that it gives: itself, with the lines of its events made anew. The marks inside
 * clauses are gone, and with them all that is there for running by hand.
 */
static void check_whole(int line, const char *text, const char *original, const char *waits)
{
	CLEANUP_FREE char *found = waits_in(text);

	unit_check_str(line ? __FILE__ : NULL, line, "events", found, waits);
	CHECK(!strstr(text, "\n\t//@ ") && !strstr(text, "\n\t\t//@ ") && !strstr(text, "%rh") && !strstr(text, "kaddr(") && !strstr(text, "@stop"));
	CHECK_HAS(original, "\t//@ event ");
	CHECK_HAS(original, "%rh");
	CHECK_HAS(text, "\t$ts = nsecs;\n\tprintf(\"w %llu %u %u %u %lld ");
	check_frame(text, original);
}

static void all_resolved(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL;

	made_plan(&f, &m);
	text = program_render(&(struct program){ .script = m.plan.chosen });
	check_whole(__LINE__, text, script_text(&m, "x86-5.17.bt"), "hlt kvm, pv_yield hyperv, pv_yield xen, ple svm, pv_yield kvm");
	CHECK_HAS(text, "\tprintf(\"w %llu %u %u %u %lld pv_yield kvm %lld %llx:%llx.\\n\", $ts, cpu, pid, tid, $id, (int64)arg1, "
			"*(uint64 *)((uint64)curtask + 3000), *(uint64 *)((uint64)curtask + 3008));\n");
	CHECK_POINTS(&m, &everything,
		     "kprobe:kvm_emulate_halt, kprobe:kvm_emulate_halt_noskip, kprobe:handle_fastpath_hlt kprobe:kvm_hv_hypercall kprobe:kvm_xen_hypercall "
		     "kprobe:kvm_vcpu_on_spin kprobe:kvm_sched_yield tracepoint:sched:sched_process_exit");
	made_done(&m);
}

/* Of an event that names a source for each vendor, the one holds whose module is loaded; or which the CPU can have. */
static void vendors(void)
{
	static const char *const modules[] = { "kvm irqbypass kvm_amd", "kvm irqbypass kvm_intel", "kvm", "kvm", "kvm" };
	static const char *const flags[] = { NULL, NULL, "vmx", "svm", "sse" };
	static const char *const lines[] = { "ple svm -1", "ple vmx -1", "ple vmx -1", "ple svm -1", "ple svm -1" };
	static const char *const others[] = { "ple vmx -1", "ple svm -1", "ple svm -1", "ple vmx -1", "ple vmx -1" };

	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		struct fake f = fake_standard();
		struct made m;
		CLEANUP_FREE char *text = NULL;

		f.modules = modules[i];
		f.cpu_flags = flags[i];
		made_plan(&f, &m);
		text = program_render(&(struct program){ .script = m.plan.chosen });
		CHECK_HAS(text, lines[i]);
		CHECK(!strstr(text, others[i]));
		made_done(&m);
	}
}

static void xen_not_applicable(void)
{
	struct fake f = fake_standard();
	struct made m;
	CLEANUP_FREE char *text = NULL;

	fake_drop(&f, "kvm_xen_hypercall");
	fake_drop(&f, "kvm_xen_hvm_set_attr");
	made_plan(&f, &m);
	text = program_render(&(struct program){ .script = m.plan.chosen });
	check_whole(__LINE__, text, script_text(&m, "x86-5.17.bt"), "hlt kvm, pv_yield hyperv, pv_yield xen, ple svm, pv_yield kvm");
	CHECK(!strstr(text, "kprobe:kvm_xen"));
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
	CHECK_HAS(text, "\nkprobe:kvm_emulate_halt,\nkprobe:kvm_emulate_halt_noskip\n{\n");
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
	CHECK_HAS(text, "\nkprobe:kvm_vcpu_on_spin,\nkprobe:kvm_vcpu_on_spin.constprop.0\n{\n");
	CHECK_HAS(text, "\nkprobe:kvm_sched_yield.isra.0,\nkprobe:kvm_sched_yield.part.1\n{\n");
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
	check_whole(__LINE__, text, script_text(&m, "x86-tracepoint.bt"), "ple svm, hlt kvm, pv_yield kvm, pv_yield hyperv");
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
	"//@ format: 2\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n//@ cost: none\n"
	"//@ need halt: func halt\n//@ need spin: func spin\n//@ need gone: tracepoint a:gone\n//@ exact hlt kvm: halt gone\n//@ exact ple svm: spin\n"
	"\nBEGIN\n{\n\t@a = 1;\n\t@counted = count();\n}\n"
	"\nkprobe:halt\n{\n\t$id = 1;\n\t//@ filter $id\n\t//@ event hlt kvm\n\tprintf(\"by hand\");\n\t//@ end\n\t@z = 1;\n}\n"
	"\nkprobe:halt,\nkprobe:spin\n/@a/\n{\n\t//@ filter\n\tif (1) {\n\t\t//@ event ple svm $x + 1\n\t\tprintf(\"by hand\");\n\t\t//@ end\n\t}\n}\n"
	"\ntracepoint:a:gone\n{\n\t//@ stop\n\t@g = 1;\n}\n"
	"\nEND\n{\n\tclear(@a);\n}\n";
static const char part_text[] =
	"//@ format: 2\n//@ part: more\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n//@ cost: none\n"
	"//@ need enter: tracepoint kvm:enter\n//@ need leave: tracepoint kvm:leave\n//@ need load: func load\n"
	"//@ exact time kvm: enter load\n//@ exact end kvm: leave\n"
	"\nBEGIN\n{\n\t@m[0] = 0;\n}\n"
	"\nWAIT\n{\n\t@m[$line] = $ts;\n\t@n = 1;\n}\n"
	"\ntracepoint:kvm:enter\n{\n\tprintf(\"o\");\n\t@counted = count();\n}\n"
	"\nkretprobe:load\n{\n\t@l = 1;\n}\n\ntracepoint:kvm:leave\n{\n\t@x = 1;\n}\n\ninterval:s:1\n{\n\t@i = INTERVAL + $INTERVAL + INTERVALS + @INTERVAL;\n}\n"
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

/* Numbers for the bytes of a name, where it is known at which offset they lie. */
static void names_of_threads(void)
{
	struct script script;
	struct verdict v;
	struct program program = { .script = &v };
	CLEANUP_FREE char *text = replaced(base_text, "//@ exact hlt", "kvm", "//@ need comm: member task.name\n//@ exact hlt kvm");
	CLEANUP_FREE char *plain = NULL, *quicker = NULL;

	verdict_of("base.bt", text, &script, &v);
	v.needs[script.n_needs - 1].offset_bytes = 24;
	quicker = program_render(&program);
	CHECK_HAS(quicker, "%lld hlt kvm -1 %llx:%llx.\\n\", $ts, cpu, pid, tid, $id, *(uint64 *)((uint64)curtask + 24), *(uint64 *)((uint64)curtask + 32));\n");
	CHECK_HAS(quicker, "%lld ple svm %lld %llx:%llx.\\n\", $ts, cpu, pid, tid, $id, $x + 1, *(uint64 *)");
	v.needs[script.n_needs - 1].state = NEED_UNMET;
	plain = program_render(&program);
	CHECK_HAS(plain, "hlt kvm -1 %rh\\n\", $ts, cpu, pid, tid, $id, buf(comm, 16));\n");
	verdict_of_done(&script, &v);
}

#define HLT_LINE "\tprintf(\"w %llu %u %u %u %lld hlt kvm -1 %rh\\n\", $ts, cpu, pid, tid, $id, buf(comm, 16));\n"
#define PLE_LINE "\t\tprintf(\"w %llu %u %u %u %lld ple svm %lld %rh\\n\", $ts, cpu, pid, tid, $id, $x + 1, buf(comm, 16));\n"

/* What the user wants to see gets into the program as numbers. */
static void filters(void)
{
	struct script base;
	struct verdict v;
	struct program program = { .script = &v };
	CLEANUP_FREE char *all = NULL, *one = NULL, *some = NULL, *hlt = NULL, *ended = NULL;

	verdict_of("base.bt", base_text, &base, &v);
	all = program_render(&program);
	CHECK_HAS(all, "\nkprobe:halt\n{\n\t$id = 1;\n\t$ts = nsecs;\n" HLT_LINE "\t@counted = count();\n\t@z = 1;\n}\n");
	CHECK_HAS(all, "\nkprobe:spin\n/@a/\n{\n\tif (1) {\n\t\t$ts = nsecs;\n" PLE_LINE "\t\t@counted = count();\n\t}\n}\n");
	CHECK_HAS(all, "\ntracepoint:a:gone\n{\n\t@g = 1;\n}\n");
	CHECK(!strstr(all, "by hand") && !strstr(all, "@stop"));

	program.filter = (struct filter){ .tgids = { 4711 }, .n_tgids = 1, .vcpu_base = 7, .vcpu_mask = 1 };
	one = program_render(&program);
	CHECK_HAS(one, "\nkprobe:halt\n/pid == 4711/\n{\n\t$id = 1;\n\tif ($id != 7) {\n\t\treturn;\n\t}\n\t$ts = nsecs;\n");
	CHECK_HAS(one, "\nkprobe:spin\n/(pid == 4711) && (@a)/\n{\n\tif (1) {\n");
	CHECK_HAS(one, "\ntracepoint:a:gone\n{\n");

	program.filter = (struct filter){ .tgids = { 1, UINT32_MAX }, .n_tgids = 2, .vcpu_base = UINT32_MAX, .vcpu_mask = INT64_MAX };
	some = program_render(&program);
	CHECK_HAS(some, "\nkprobe:halt\n/pid == 1 || pid == 4294967295/\n{\n\t$id = 1;\n"
			"\tif ($id < 4294967295 || $id >= 4294967358 || ((9223372036854775807 >> ($id - 4294967295)) & 1) == 0) {\n");
	CHECK_HAS(some, "\n/(pid == 1 || pid == 4294967295) && (@a)/\n");

	program.filter = (struct filter){ .events = event_bit("hlt") };
	hlt = program_render(&program);
	CHECK_HAS(hlt, HLT_LINE);
	CHECK(!strstr(hlt, "kprobe:spin") && !strstr(hlt, "ple svm %lld"));

	program.stopper = 815;
	ended = program_render(&program);
	CHECK_HAS(ended, "\t$id = 1;\n\tif (@stop != 0) {\n\t\treturn;\n\t}\n\t$ts = nsecs;\n");
	CHECK_HAS(ended, "\n{\n\tif (tid == 815) {\n\t\t@stop = (int64)nsecs;\n\t}\n\t@g = 1;\n}\n");
	CHECK_HAS(ended, "\n\t@counted = count();\n\t@stop = (int64)0;\n}\n");
	CHECK_HAS(ended, "\nEND\n{\n\tclear(@a);\n\tclear(@stop);\n}\n");
	verdict_of_done(&base, &v);
}

/* A script that keeps nothing has no END: a part has one all the same. */
static void no_end(void)
{
	struct script base, part;
	struct verdict vb, vp;
	struct program program = { .script = &vb, .parts = { &vp }, .n_parts = 1 };
	CLEANUP_FREE char *short_text = replaced(base_text, "\nEND\n", "}\n", "");
	CLEANUP_FREE char *text = NULL, *alone = NULL;

	verdict_of("base.bt", short_text, &base, &vb);
	verdict_of("more.part", part_text, &part, &vp);
	text = program_render(&program);
	CHECK_HAS(text, "\nEND\n{\n\tclear(@m);\n\tclear(@stop);\n}\n");
	program.n_parts = 0;
	alone = program_render(&program);
	CHECK(!strstr(alone, "END\n"));
	verdict_of_done(&part, &vp);
	verdict_of_done(&base, &vb);
}

/* A choice that is cut short, or not ended, does no harm beyond its clause. */
static void odd_choices(void)
{
	static const char *const bodies[] = {
		"\t//@ have", "\t//@ have ", "\t//@ have nothing", "\t//@ have nothing\n", "\t//@ have halt\n", "\t//@ else", "\t//@ end\n",
		"\t//@ have halt\n\t@x = 1;\n\t//@ else\n\t@y = 1;\n", "\t//@ have nothing\n\t@y = 1;\n}\n", "\t//@ filter", "\t//@ stop",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct script script;
		struct verdict v;
		struct program program = { .script = &v };
		CLEANUP_FREE char *whole = replaced(base_text, "\t@z = 1;\n}\n", "}\n", "\t@z = 1;\n\t//@ have nothing\n}\n");
		CLEANUP_FREE char *text = xasprintf("%s\nkprobe:spin\n{\n%s", whole, bodies[i]);
		CLEANUP_FREE char *rendered = NULL;

		verdict_of("base.bt", text, &script, &v);
		rendered = program_render(&program);
		CHECK_HAS(rendered, "ple svm %lld");
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
	"//@ format: 2\n//@ part: place\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n//@ cost: none\n"
	"//@ need load: func load\n//@ exact ip kvm: load\n//@ append spin: @%llx:%llu@ | $ip, $what\n"
	"\nSPIN\n{\n\t$ip = $line;\n\t$what = $event;\n}\n";

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
	chain.append = (struct append){ .format = xstrdup("%s"), .values = xstrdup("kstack") };
	text = program_render(&program);
	CHECK_HAS(text, "\t$line = (int64)0;\n\t$event = (int64)2;\n\tprintf(\"w %llu %u %u %u %lld hlt kvm -1 %rh%s\\n\", $ts, cpu, pid, tid, $id, buf(comm, 16), kstack);\n");
	CHECK_HAS(text, "\tif (1) {\n\t\t$ts = nsecs;\n\t\t$line = (int64)1;\n\t\t$event = (int64)1;\n\t\t$ip = $line;\n\t\t$what = $event;\n"
			"\t\tprintf(\"w %llu %u %u %u %lld ple svm %lld %rh@%llx:%llu@%s\\n\", $ts, cpu, pid, tid, $id, $x + 1, buf(comm, 16), "
			"$ip, $what, kstack);\n\t\t@counted = count();\n");
	CHECK(!strstr(text, "SPIN\n"));
	chain.lines_none = true;
	silent = program_render(&program);
	CHECK_HAS(silent, "\t\t$ip = $line;\n\t\t$what = $event;\n\t\t@counted = count();\n");
	verdict_of_done(&chain, &vc);
	verdict_of_done(&part, &vp);
	verdict_of_done(&base, &vb);
}

static void malformed_spins(void)
{
	static const char *const bad[] = { "append spin: ", "append spin: %u", "append spin: %u |", "append spin:  | $x", "append spin: \"%u | $x",
					   "append spin: %u\\n | $x", "append halt: %u | $x", "append spin: %u | $x\n//@ append spin: %u | $y",
					   "without: more", "append: ", "append: %s", "append: %s |", "append:  | $x", "append: %s\\n | $x" };

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
	CHECK_HAS(text, "\nBEGIN\n{\n\t@a = 1;\n\t@counted = count();\n\t@m[0] = 0;\n\t@stop = (int64)0;\n}\n");
	CHECK_HAS(text, "\t$line = (int64)0;\n\t$event = (int64)2;\n" HLT_LINE "\t@counted = count();\n\t@m[$line] = $ts;\n\t@n = 1;\n\t@z = 1;\n}\n");
	CHECK_HAS(text, "\t\t$line = (int64)1;\n\t\t$event = (int64)1;\n" PLE_LINE "\t\t@counted = count();\n\t\t@m[$line] = $ts;\n\t\t@n = 1;\n\t}\n}\n");
	CHECK_HAS(text, "\t@i = 1000000000 + $INTERVAL + INTERVALS + @INTERVAL;\n");
	CHECK_HAS(text, "\ntracepoint:kvm:enter\n{\n\tprintf(\"o\");\n\t@counted = count();\n}\n"); /* not an event */
	CHECK_HAS(text, "\nkretprobe:load\n");
	CHECK_HAS(text, "\ninterval:s:1\n");
	CHECK(!strstr(text, "\ntracepoint:kvm:leave\n")); /* nothing rests on it */
	CHECK(!strstr(text, "WAIT\n"));
	CHECK_HAS(text, "\nEND\n{\n\tclear(@a);\n\tclear(@m);\n\tclear(@stop);\n}\n");
	CHECK(strstr(strstr(text, "\nEND\n") + 1, "\nEND\n") == NULL);
	CHECK(strstr(strstr(text, "\nBEGIN\n") + 1, "\nBEGIN\n") == NULL);

	/* numbers stay those of the text where clauses are left out */
	program.filter.events = event_bit("ple");
	only = program_render(&program);
	CHECK(!strstr(only, "kprobe:halt"));
	CHECK_HAS(only, "$line = (int64)1;");
	CHECK(!strstr(only, "$line = (int64)0;"));

	part.lines_none = true;
	program.filter.events = 0;
	silent = program_render(&program);
	CHECK(!strstr(silent, "printf(\"w "));
	CHECK_HAS(silent, "\t$event = (int64)2;\n\t@counted = count();\n\t@m[$line] = $ts;\n");
	part.lines_none = false;

	program.n_parts = 0;
	alone = program_render(&program);
	CHECK(!strstr(alone, "$line") && !strstr(alone, "$event"));
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
	CLEANUP_FREE char *text = xasprintf("//@ format: 2\n//@ arch: x86_64\n//@ range: 5.17..\n//@ module: kvm\n"
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
		"kprobe:f,\n", "kprobe:f,", "kprobe:f,\nkprobe", "kprobe:f,\nkprobe\nx:f\n{\n}\n", "kprobe:f\n{\n\t//@ event ple svm\n\t//@ end", "kprobe:f\n{\n\t//@ filter", "BEGIN\n{\n", "END\n",
		"//@ raw: a\n//@ raw: a\n",
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
	struct program program = { 0 };
	struct wait_name *waits;
	CLEANUP_FREE char *text = NULL, *events = NULL, *begin = NULL, *end = NULL, *hlt = NULL, *with_part = NULL;
	struct script part;
	struct verdict more;

	fake_drop(&f, "kvm_vcpu_on_spin");
	made_plan(&f, &m);
	program.script = m.plan.chosen;
	text = program_render(&program);
	events = waits_in(text);
	CHECK_STR(events, "hlt kvm, pv_yield kvm, ple svm, pv_yield hyperv");
	begin = block(text, "BEGIN");
	end = block(text, "END");
	CHECK_INT(count_of(text, "\nBEGIN\n"), 1);
	CHECK_INT(count_of(text, "\nEND\n"), 1);
	CHECK_INT(count_of(text, "kvmwait-wire"), 1);
	CHECK_INT(count_of(text, "#!"), 1);
	CHECK_HAS(begin, "\t@vcpu[(uint32)0] = (int64)0;\n}\n");
	CHECK_HAS(end, "\tclear(@vcpu);\n}\n");
	CHECK_INT(count_of(begin, "@counted"), 1);
	/* numbers of events go on through both: 6 and 5 */
	CHECK_INT(program_waits(m.plan.chosen, &waits), 11);
	CHECK_STR(waits[6].event, "ple");
	CHECK_STR(waits[7].source, "vmx");
	CHECK_STR(waits[10].source, "hyperv");
	free(waits);
	/* with a part that does something at each event: at as many as there are */
	verdict_of("more.part", part_text, &part, &more);
	program.parts[0] = &more;
	program.n_parts = 1;
	with_part = program_render(&program);
	CHECK_INT(count_of(with_part, "\t@n = 1;\n"), 4);
	CHECK_HAS(with_part, "\t$line = (int64)6;\n");
	CHECK_HAS(with_part, "\t$line = (int64)10;\n");
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
		/* each is counted below the line that prints it by hand */
		for (const char *p = scripts[i].text; (p = strstr(p, "printf(\"w ")); p++)
			CHECK(starts_with(skip_space(strchr(p, '\n')), "@counted = count();"));
		free(waits);
	}
	scripts_free(scripts, n);
}

/* ---- filters ---- */

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
	{ "names_of_threads", names_of_threads },
	{ "filters", filters },
	{ "no_end", no_end },
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
	{ "vcpus", vcpus },
	{ "vcpus_downwards", vcpus_downwards },
	{ "vcpus_random", vcpus_random },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
