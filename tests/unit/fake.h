// SPDX-License-Identifier: Apache-2.0
// A made-up kernel for tests: the files that kernel_load() reads, BTF included, written below a directory.
#ifndef KVMWAIT_FAKE_H
#define KVMWAIT_FAKE_H

#include "unit.h"

#include "base/file.h"
#include "base/text.h"
#include "plan/kernel.h"
#include "plan/select.h"

#include <bpf/btf.h>

/* A function of that kernel. Without arguments ("" for none) BTF does not know it. */
struct fake_function {
	const char *name, *module, *args;
	bool notrace;
};

struct fake {
	const char *release, *arch;
	const char *modules;	 /* loaded, a space between them */
	const char *cpu_flags;	 /* NULL: there is no /proc/cpuinfo */
	const char *tracepoints; /* "kvm:kvm_exit(a b) ...": with their fields */
	struct fake_function functions[40];
	size_t n_functions;
	bool no_kprobes, no_list, no_btf, no_module_btf;
	bool before_5_17;	 /* struct kvm_vcpu has what went then */
	unsigned int moved_bits; /* of vcpu_id in the module's own copy of struct kvm_vcpu; 0: it has no copy */
};

static inline void fake_add(struct fake *f, const char *name, const char *module, const char *args)
{
	CHECK(f->n_functions < ARRAY_SIZE(f->functions));
	f->functions[f->n_functions++] = (struct fake_function){ .name = name, .module = module, .args = args };
}

/* The first function of that name, to be changed. */
static inline struct fake_function *fake_find(struct fake *f, const char *name)
{
	for (size_t i = 0; i < f->n_functions; i++)
		if (!strcmp(f->functions[i].name, name))
			return &f->functions[i];
	unit_fail(__FILE__, __LINE__, "the made-up kernel has no %s", name);
}

static inline void fake_drop(struct fake *f, const char *name)
{
	*fake_find(f, name) = f->functions[f->n_functions - 1];
	f->n_functions--;
}

/* A kernel of the newest range on which everything is exact, on AMD. */
static inline struct fake fake_standard(void)
{
	struct fake f = {
		.release = "6.12.107+deb13-amd64",
		.arch = "x86_64",
		.modules = "kvm kvm_amd irqbypass",
		.tracepoints = "sched:sched_process_exit() kvm:kvm_exit(exit_reason isa vcpu_id) kvm:kvm_hypercall(nr a0) "
			       "kvm:kvm_hv_hypercall(code rep_cnt)",
	};

	fake_add(&f, "kvm_emulate_halt", "kvm", "kvm_vcpu *");
	fake_add(&f, "kvm_emulate_halt_noskip", "kvm", "kvm_vcpu *");
	fake_add(&f, "handle_fastpath_hlt", "kvm", "kvm_vcpu *");
	fake_add(&f, "kvm_vcpu_halt", "kvm", "kvm_vcpu *");
	fake_add(&f, "kvm_vcpu_on_spin", "kvm", "kvm_vcpu *, bool");
	fake_add(&f, "kvm_sched_yield", "kvm", "kvm_vcpu *, unsigned long");
	fake_add(&f, "kvm_emulate_hypercall", "kvm", "kvm_vcpu *");
	fake_add(&f, "kvm_hv_hypercall", "kvm", "kvm_vcpu *");
	fake_add(&f, "kvm_hv_set_msr_common", "kvm", "");
	fake_add(&f, "kvm_xen_hypercall", "kvm", "kvm_vcpu *");
	fake_add(&f, "kvm_xen_hvm_set_attr", "kvm", "");
	fake_add(&f, "schedule", "", "");
	return f;
}

/* ---- BTF ---- */

/* The ids of the types that arguments are made of. */
struct fake_types {
	int kvm_vcpu_ptr, const_kvm_vcpu_ptr, kvm_ptr, typedef_bool, plain_bool, unsigned_long, void_ptr;
};

/* struct kvm_vcpu { kvm *kvm; struct { int pad; int vcpu_id; }; stat { long halt_exits, exits; } stat; arch { long regs; } arch; } */
static inline int fake_vcpu(struct btf *btf, int kvm_ptr, int u32, int ulong_id, unsigned int moved_bits, bool before_5_17)
{
	int anonymous, stat, arch, vcpu;

	anonymous = btf__add_struct(btf, "", 16);
	CHECK_INT(btf__add_field(btf, "pad", u32, 0, 0), 0);
	CHECK_INT(btf__add_field(btf, "vcpu_id", u32, 32 + moved_bits, 0), 0);
	stat = btf__add_struct(btf, "kvm_vcpu_stat", 16);
	CHECK_INT(btf__add_field(btf, "halt_exits", ulong_id, 0, 0), 0);
	CHECK_INT(btf__add_field(btf, "exits", ulong_id, 64, 0), 0);
	arch = btf__add_struct(btf, "kvm_vcpu_arch", 8);
	CHECK_INT(btf__add_field(btf, "regs", ulong_id, 0, 0), 0);
	vcpu = btf__add_struct(btf, "kvm_vcpu", 64);
	CHECK_INT(btf__add_field(btf, "kvm", kvm_ptr, 0, 0), 0);
	CHECK_INT(btf__add_field(btf, "", anonymous, 64, 0), 0);
	CHECK_INT(btf__add_field(btf, "stat", stat, 192, 0), 0);
	CHECK_INT(btf__add_field(btf, "arch", arch, 320, 0), 0);
	if (before_5_17)
		CHECK_INT(btf__add_field(btf, "pre_pcpu", u32, 384, 0), 0);
	CHECK(anonymous > 0 && stat > 0 && arch > 0 && vcpu > 0);
	return vcpu;
}

static inline int fake_type(const struct fake_types *t, const char *text)
{
	const struct {
		const char *text;
		int id;
	} types[] = {
		{ "kvm_vcpu *", t->kvm_vcpu_ptr },   { "const kvm_vcpu *", t->const_kvm_vcpu_ptr },
		{ "kvm *", t->kvm_ptr },	     { "bool", t->typedef_bool },
		{ "_Bool", t->plain_bool },	     { "unsigned long", t->unsigned_long },
		{ "void *", t->void_ptr },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].text, text))
			return types[i].id;
	unit_fail(__FILE__, __LINE__, "no made-up type '%s'", text);
}

static inline void fake_proto(struct btf *btf, const struct fake_types *t, const struct fake_function *function)
{
	CLEANUP_FREE char *name = NULL;
	struct strings args = { 0 };
	int proto = btf__add_func_proto(btf, 0);

	CHECK(proto > 0);
	strings_split(&args, function->args, ",");
	for (size_t i = 0; i < args.n; i++)
		CHECK_INT(btf__add_func_param(btf, "a", fake_type(t, skip_space(args.items[i]))), 0);
	strings_done(&args);
	name = xstrndup(function->name, strcspn(function->name, ".")); /* as the source has it, whatever the compiler made of it */
	CHECK(btf__add_func(btf, name, BTF_FUNC_STATIC, proto) > 0);
}

static inline void fake_write_btf(const char *root, const char *name, const struct btf *btf)
{
	CLEANUP_FREE char *path = xasprintf("sys/kernel/btf/%s", name);
	uint32_t size;
	const void *data = btf__raw_data(btf, &size);

	CHECK(data != NULL);
	unit_write(root, path, data, size);
}

/* BTF of the kernel itself, with its own functions, and of module kvm on top, with those of the module. */
static inline void fake_make_btf(const struct fake *f, const char *root)
{
	struct btf *base = btf__new_empty(), *module;
	struct fake_types t;
	int u32, kvm, vcpu, constant;

	CHECK(base != NULL);
	u32 = btf__add_int(base, "unsigned int", 4, 0);
	t.unsigned_long = btf__add_int(base, "long unsigned int", 8, 0);
	t.plain_bool = btf__add_int(base, "_Bool", 1, BTF_INT_BOOL);
	t.typedef_bool = btf__add_typedef(base, "bool", t.plain_bool);
	kvm = btf__add_struct(base, "kvm", 8);
	t.kvm_ptr = btf__add_ptr(base, kvm);
	vcpu = fake_vcpu(base, t.kvm_ptr, u32, t.unsigned_long, 0, f->before_5_17);
	t.kvm_vcpu_ptr = btf__add_ptr(base, vcpu);
	constant = btf__add_const(base, vcpu);
	t.const_kvm_vcpu_ptr = btf__add_ptr(base, constant);
	t.void_ptr = btf__add_ptr(base, 0);
	CHECK(btf__add_struct(base, "task_struct", 3008) > 0);
	CHECK_INT(btf__add_field(base, "comm", u32, 24000, 0), 0);
	for (size_t i = 0; i < f->n_functions; i++)
		if (!*f->functions[i].module && f->functions[i].args)
			fake_proto(base, &t, &f->functions[i]);
	fake_write_btf(root, "vmlinux", base);
	module = btf__new_empty_split(base);
	CHECK(module != NULL);
	if (f->moved_bits)
		fake_vcpu(module, t.kvm_ptr, u32, t.unsigned_long, f->moved_bits - 1, f->before_5_17);
	for (size_t i = 0; i < f->n_functions; i++)
		if (!strcmp(f->functions[i].module, "kvm") && f->functions[i].args)
			fake_proto(module, &t, &f->functions[i]);
	if (!f->no_module_btf)
		fake_write_btf(root, "kvm", module);
	btf__free(module);
	btf__free(base);
}

/* ---- files ---- */

static inline void fake_make_tracepoints(const struct fake *f, const char *root)
{
	struct strings all = { 0 };

	strings_split(&all, f->tracepoints, ")");
	for (size_t i = 0; i < all.n; i++) {
		struct strings words = { 0 };
		CLEANUP_FREE char *path = NULL;
		CLEANUP_FREE char *format = xstrdup("name: x\nID: 1\nformat:\n");

		strings_split(&words, all.items[i], " :(");
		CHECK(words.n >= 2);
		path = xasprintf("sys/kernel/tracing/events/%s/%s/format", words.items[0], words.items[1]);
		for (size_t k = 2; k < words.n; k++) {
			char *more = xasprintf("%s\tfield:unsigned long %s;\toffset:%zu;\tsize:8;\tsigned:0;\n", format, words.items[k], 8 * k);

			free(format);
			format = more;
		}
		unit_write_text(root, path, format);
		strings_done(&words);
	}
	strings_done(&all);
}

/* Writes the kernel below a new directory; its path, which the caller frees. */
static inline char *fake_make(const struct fake *f)
{
	static unsigned int number;
	CLEANUP_FREE char *name = xasprintf("root%u", number++);
	char *root = unit_path(name);
	struct strings symbols = { 0 }, list = { 0 }, modules = { 0 }, lines = { 0 };
	CLEANUP_FREE char *symbols_text = NULL, *list_text = NULL, *modules_text = NULL;

	for (size_t i = 0; i < f->n_functions; i++) {
		const struct fake_function *function = &f->functions[i];
		bool own = !*function->module;
		CLEANUP_FREE char *symbol = xasprintf("0000000000000000 t %s%s%s%s", function->name, own ? "" : "\t[", function->module,
						      own ? "" : "]");
		CLEANUP_FREE char *place = xasprintf("%s%s%s%s", function->name, own ? "" : " [", function->module, own ? "" : "]");

		strings_add(&symbols, symbol);
		if (!function->notrace)
			strings_add(&list, place);
	}
	strings_split(&modules, f->modules, " ");
	for (size_t i = 0; i < modules.n; i++) {
		CLEANUP_FREE char *line = xasprintf("%s 1400832 0 - Live 0x0000000000000000\n", modules.items[i]);

		strings_add(&lines, line);
	}
	symbols_text = strings_join(&symbols, "\n");
	list_text = strings_join(&list, "\n");
	modules_text = strings_join(&lines, "");
	unit_write(root, "proc/sys/kernel/osrelease", f->release, strlen(f->release));
	unit_write(root, "proc/sys/kernel/arch", f->arch, strlen(f->arch));
	unit_write_text(root, "proc/modules", modules_text);
	unit_write_text(root, "proc/kallsyms", symbols_text);
	fake_make_tracepoints(f, root);
	if (f->cpu_flags) {
		CLEANUP_FREE char *cpu = xasprintf("processor\t: 0\nflags\t\t: fpu %s lm\nbugs\t\t: x\n", f->cpu_flags);

		unit_write_text(root, "proc/cpuinfo", cpu);
	}
	if (!f->no_list)
		unit_write_text(root, "sys/kernel/tracing/available_filter_functions", list_text);
	if (!f->no_kprobes)
		unit_write_text(root, "sys/bus/event_source/devices/kprobe/type", "8\n");
	if (!f->no_btf)
		fake_make_btf(f, root);
	strings_done(&symbols);
	strings_done(&list);
	strings_done(&modules);
	strings_done(&lines);
	return root;
}

/* ---- a plan for it ---- */

struct made {
	char *root;
	struct script *scripts;
	size_t n_scripts;
	struct kernel kernel;
	struct plan plan;
};

/* Plans with the scripts, which it takes over. */
static inline void made_plan_with(const struct fake *f, struct script *scripts, size_t n_scripts, struct made *ret)
{
	CLEANUP_FREE char *error = NULL;

	ret->root = fake_make(f);
	ret->scripts = scripts;
	ret->n_scripts = n_scripts;
	if (kernel_load(ret->root, scripts, n_scripts, &ret->kernel, &error))
		unit_fail(__FILE__, __LINE__, "%s", error);
	plan_make(&ret->kernel, scripts, n_scripts, &ret->plan);
}

/* Plans with these real scripts; one that is added to the tree changes no test. */
static inline void made_plan(const struct fake *f, struct made *ret)
{
	static const char *const names[] = { "x86-5.14.bt", "x86-5.17.bt", "x86-5.3.bt", "x86-tracepoint.bt" };
	struct script *scripts = xcalloc(ARRAY_SIZE(names), sizeof(*scripts));

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP_FREE char *path = xasprintf("scripts/%s", names[i]);
		CLEANUP_FREE char *text = NULL;
		CLEANUP_FREE char *error = NULL;
		size_t size;

		CHECK_INT(file_read(path, 1 << 20, &text, &size), 0);
		if (script_parse(names[i], text, size, &scripts[i], &error))
			unit_fail(__FILE__, __LINE__, "%s", error);
	}
	made_plan_with(f, scripts, ARRAY_SIZE(names), ret);
}

static inline void made_done(struct made *m)
{
	plan_done(&m->plan);
	kernel_done(&m->kernel);
	scripts_free(m->scripts, m->n_scripts);
	unit_remove(m->root);
	free(m->root);
}

static inline const struct verdict *made_verdict(const struct made *m, const char *script)
{
	for (size_t i = 0; i < m->plan.n_verdicts; i++)
		if (!strcmp(m->plan.verdicts[i].script->name, script))
			return &m->plan.verdicts[i];
	unit_fail(__FILE__, __LINE__, "no verdict on %s", script);
}

#endif
