// SPDX-License-Identifier: Apache-2.0
// kvmwait check: what this host allows and lacks, each finding with the next step.
#include "base/file.h"
#include "base/privilege.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/plan_load.h"
#include "live/child.h"
#include "live/probe_test.h"
#include "live/vm_name.h"
#include "plan/kernel_btf.h"
#include "plan/obstacle.h"
#include "plan/render.h"
#include "show/plan_show.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
	const char *bpftrace;
	bool json;
};

static const struct option_row options[] = {
	{ 'j', "json", NULL, "print JSON", TO_FLAG(json) },
	{ 0, "bpftrace", "PATH", "use this bpftrace", TO_TEXT(bpftrace) },
	{ 0 },
};

enum level {
	LEVEL_OK,
	LEVEL_NOTE,
	LEVEL_BAD,
};

struct finding {
	enum level level;
	const char *what;
	char *text, *next; /* next may be NULL */
};

struct report {
	struct finding *findings;
	size_t n;
	bool lacking;
};

static const char *level_name(enum level level)
{
	static const char *const names[] = { [LEVEL_OK] = "ok", [LEVEL_NOTE] = "note", [LEVEL_BAD] = "BAD" };

	return names[level];
}

static void __attribute__((format(printf, 5, 6)))
find(struct report *r, enum level level, const char *what, const char *next, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	r->findings = xrealloc(r->findings, r->n + 1, sizeof(*r->findings));
	r->findings[r->n++] =
		(struct finding){ .level = level, .what = what, .text = text, .next = next && *next ? xstrdup(next) : NULL };
	r->lacking |= level == LEVEL_BAD;
}

/* ---- privileges and restrictions ---- */

static void check_privilege(struct report *r, const struct tracer_list *tracers)
{
	CLEANUP_FREE char *next = xasprintf("run it with sudo where bpftrace is older than %s", tracer_since(tracers, TRACER_DEMANDS, "capabilities"));

	if (geteuid() && privilege_suffices())
		find(r, LEVEL_NOTE, "privilege", next, "not root, with the capabilities that tracing takes");
	else if (geteuid())
		find(r, LEVEL_BAD, "privilege", "run it with sudo", "not root: nothing can attach");
	else if (!privilege_can_trace())
		find(r, LEVEL_BAD, "privilege", "give CAP_BPF and CAP_PERFMON, or leave the container",
		     "root without CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)");
	else
		find(r, LEVEL_OK, "privilege", NULL, "root, with the capabilities that tracing takes");
	if (privilege_is_namespaced())
		find(r, LEVEL_BAD, "namespace", "run it in the host's PID namespace (docker --pid=host, hostPID in Kubernetes)",
		     "in a PID namespace: thread numbers of the kernel differ from those of bpftrace and /proc");
}

static void check_lockdown(struct report *r)
{
	CLEANUP_FREE char *mode = file_line("/sys/kernel/security/lockdown");

	if (attach_is_locked())
		find(r, LEVEL_BAD, "lockdown", "boot without lockdown=confidentiality", "confidentiality: BPF may not read kernel memory");
	else
		find(r, LEVEL_OK, "lockdown", NULL, "%s", mode ? mode : "none");
}

/* ---- the kernel ---- */

static void check_kernel(struct report *r, const struct loaded_plan *p)
{
	const struct kernel *k = &p->kernel;

	find(r, LEVEL_OK, "kernel", NULL, "%s, %s", k->release, k->arch);
	if (!k->n_btfs)
		find(r, LEVEL_BAD, "BTF", "boot a kernel with CONFIG_DEBUG_INFO_BTF", "'/sys/kernel/btf/vmlinux' is missing");
	else if (!kernel_btf_covers(k, p->scripts[0].module))
		find(r, LEVEL_NOTE, "BTF", "module BTF comes with Linux 5.11 and CONFIG_DEBUG_INFO_BTF_MODULES",
		     "of the kernel, not of its modules: arguments of functions are taken from the script's range");
	else
		find(r, LEVEL_OK, "BTF", NULL, "available, for the functions of modules too");
	if (!k->tracefs)
		find(r, LEVEL_BAD, "tracefs", "mount -t tracefs tracefs /sys/kernel/tracing", "not mounted: no tracepoint can be attached");
	else if (!k->tracefs_readable)
		find(r, LEVEL_BAD, "tracefs", "run it with sudo", "'%s' cannot be read", k->tracefs);
	else
		find(r, LEVEL_OK, "tracefs", NULL, "'%s'", k->tracefs);
}

/* As root only what nobody else can change is run. */
static void check_scripts(struct report *r, const struct loaded_plan *p)
{
	for (size_t i = 0; i < p->n_scripts; i++) {
		if (p->scripts[i].untrusted) {
			find(r, LEVEL_BAD, "scripts", TRUSTED_NEXT, "not root's alone: %s", p->scripts[i].untrusted);
			return;
		}
	}
	if (p->tracers.untrusted) {
		find(r, LEVEL_BAD, "scripts", TRUSTED_NEXT, "not root's alone: %s", p->tracers.untrusted);
		return;
	}
	find(r, LEVEL_OK, "scripts", NULL, "'%s'", scripts_directory());
}

static void check_modules(struct report *r, const struct loaded_plan *p)
{
	const char *module = NULL;

	for (size_t i = 0; i < p->n_scripts && !module; i++)
		if (strings_have(&p->scripts[i].archs, p->kernel.arch))
			module = p->scripts[i].module;
	if (!module) {
		find(r, LEVEL_BAD, "module", NULL, "there is no script for %s", p->kernel.arch);
		return;
	}
	if (kernel_has_module(&p->kernel, module))
		find(r, LEVEL_OK, "module", NULL, "%s is loaded%s%s", module, p->plan.vendor ? ", vendor " : "",
		     p->plan.vendor ? p->plan.vendor : "");
	else if (!access("/dev/kvm", F_OK))
		find(r, LEVEL_NOTE, "module", NULL, "%s is not loaded as a module, and '/dev/kvm' exists: it is built in", module);
	else
		find(r, LEVEL_BAD, "module", "load the module of KVM for this CPU with modprobe", "%s is not loaded", module);
	if (p->plan.vendor || !kernel_has_module(&p->kernel, module))
		return;
	find(r, LEVEL_NOTE, "module", "load the vendor's module of KVM with modprobe", "no vendor's module is loaded: no VM can run");
}

/* What makes probes dead that attach. True where there is something. */
static bool check_obstacles(struct report *r, const struct plan *plan)
{
	CLEANUP_FREE char *program = NULL;
	struct obstacles obstacles;
	bool found;

	if (!plan->chosen)
		return false;
	program = program_render(&(struct program){ .script = plan->chosen });
	obstacles_find(plan->kernel, program, &obstacles);
	for (size_t i = 0; i < obstacles.n; i++)
		find(r, LEVEL_BAD, "kprobes", obstacles.items[i].next, "%s", obstacles.items[i].what);
	found = obstacles.n > 0;
	obstacles_done(&obstacles);
	return found;
}

/* What the plan wants to probe, or any function, tried for real. */
static void check_probes(struct report *r, const struct loaded_plan *p)
{
	const struct verdict *v = p->plan.chosen;
	size_t tried = 0, refused = 0;
	int err;

	/*
	 * A trampoline that is attached while ftrace is switched off leaves 6.12 with a wrong idea of that function: the next
	 * one there makes it disable ftrace until the next boot.
	 */
	if (check_obstacles(r, &p->plan))
		return;
	if (!p->kernel.have_kprobes) {
		find(r, LEVEL_BAD, "kprobes", "boot a kernel with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS",
		     "this kernel has none: no function can be probed");
	} else {
		for (size_t i = 0; v && i < v->script->n_needs; i++) {
			for (size_t j = 0; v->script->needs[i].kind == NEED_FUNC && j < v->needs[i].functions.n; j++) {
				const char *function = v->needs[i].functions.items[j];

				err = geteuid() ? 0 : attach_try_kprobe(function);
				tried++;
				refused += err != 0;
				if (err)
					find(r, LEVEL_BAD, "kprobes", "see the kernel's log", "'%s' cannot be probed: %s", function,
					     strerror(-err));
			}
		}
		if (!refused)
			find(r, LEVEL_OK, "kprobes", NULL, geteuid() ? "available (not tried: not root)" : "available; %zu functions tried", tried);
	}
	if (geteuid())
		return;
	err = attach_try_trampoline();
	if (err)
		find(r, LEVEL_NOTE, "trampolines", "kvmwait does not need them", "BPF trampolines (fentry) are refused: %s", strerror(-err));
	else
		find(r, LEVEL_OK, "trampolines", NULL, "BPF trampolines (fentry) attach");
}

/* ---- programs and devices ---- */

static void check_bpftrace(struct report *r, const struct tracer_list *tracers, const char *given)
{
	struct tracer tracer;
	CLEANUP_FREE char *path = bpftrace_find(given);
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *cat = bpftrace_command();
	bool refused = path && bpftrace_check(path, &why);
	CLEANUP_FREE char *version = path && !refused ? bpftrace_version(path, &why) : NULL;

	if (refused)
		find(r, LEVEL_BAD, "bpftrace", "let only root write the file and the directories above it", "not root's alone: %s", why);
	else if (!path)
		find(r, LEVEL_BAD, "bpftrace", "install the package bpftrace, or give its path with --bpftrace", "'%s' is missing%s",
		     given ? given : "bpftrace", given ? "" : NOT_FOUND);
	else if (!version)
		find(r, LEVEL_BAD, "bpftrace", "install the package bpftrace", "'%s': %s", path, why);
	else if (tracer_of(tracers, version, &tracer))
		find(r, LEVEL_BAD, "bpftrace", "install the package bpftrace", "'%s': no version: '%s'", path, version);
	else if (tracer.why_not)
		find(r, LEVEL_BAD, "bpftrace", NULL, "'%s', version %s, %s", path, version, tracer.why_not);
	else if (!cat)
		find(r, LEVEL_BAD, "bpftrace", "add the directory of cat to PATH", CAT_IS_MISSING);
	else
		find(r, LEVEL_OK, "bpftrace", NULL, "'%s', version %s", path, version);
}

static void check_device(struct report *r)
{
	struct stat st;

	if (stat("/dev/kvm", &st))
		find(r, LEVEL_NOTE, "/dev/kvm", "load the module of KVM for this CPU", "%s: no VM runs here, and selftest cannot",
		     strerror(errno));
	else
		find(r, LEVEL_OK, "/dev/kvm", NULL, "there%s", access("/dev/kvm", R_OK | W_OK) ? ", not ours to open" : "");
}

/* "'web' (1234)" for .../1234-17/halt_exits, where debugfs has the VM of process 1234. The caller frees. */
static char *vm_of_directory(const char *path)
{
	CLEANUP_FREE char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	const char *last = strrchr(directory, '/');
	unsigned int tgid = last ? (unsigned int)strtoul(last + 1, NULL, 10) : 0;
	CLEANUP_FREE char *name = vmname_of_process("", tgid);

	return name ? xasprintf("'%s' (%u)", name, tgid) : xasprintf("VM %u", tgid);
}

/* Fills in %s, the value; {vm}; and {NAME}, the file beside `path`, "?" where it is missing. The caller frees. */
static char *setting_text(const char *template, const char *path, const char *value)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	for (const char *p = template; *p; p++) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;
		CLEANUP_FREE char *name = end ? xstrndup(p + 1, (size_t)(end - p - 1)) : NULL;
		CLEANUP_FREE char *other = name ? xasprintf("%.*s/%s", (int)(strrchr(path, '/') - path), path, name) : NULL;
		CLEANUP_FREE char *filled = !name ? NULL : !strcmp(name, "vm") ? vm_of_directory(path) : file_line(other);

		if (name)
			fputs(filled ? filled : "?", f);
		else if (p[0] == '%' && p[1] == 's')
			fputs(value, f);
		else
			putc(*p, f);
		p = end ? end : p + (p[0] == '%' && p[1] == 's');
	}
	if (fclose(f))
		abort();
	return text;
}

/* One line of settings.list, for each file of its pattern that no line before it matched. */
static void check_setting(struct report *r, char *line, struct strings *matched)
{
	char *fields[5] = { line };
	glob_t found = { 0 };
	enum level level;

	for (size_t i = 1; i < ARRAY_SIZE(fields); i++) {
		char *bar = strchr(fields[i - 1], '|');

		if (!bar)
			return;
		*bar = '\0';
		fields[i] = (char *)skip_space(bar + 1);
		trim_end(fields[i - 1]);
	}
	trim_end(fields[4]);
	level = !strcmp(fields[2], "bad") ? LEVEL_BAD : !strcmp(fields[2], "note") ? LEVEL_NOTE : LEVEL_OK;
	if (glob(fields[0], 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		CLEANUP_FREE char *value = strings_have(matched, path) ? NULL : file_line(path);
		CLEANUP_FREE char *text = NULL;

		if (!value || fnmatch(fields[1], value, 0))
			continue;
		strings_add(matched, path);
		text = setting_text(fields[3], path, value);
		find(r, level, "setting", fields[4], "%s", text);
	}
	globfree(&found);
}

static void check_settings(struct report *r)
{
	CLEANUP_FREE char *path = xasprintf("%s/settings.list", scripts_directory());
	CLEANUP_FREE char *text = NULL;
	struct strings lines = { 0 }, matched = { 0 };

	if (file_read(path, 1 << 20, &text, NULL))
		return;
	strings_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (*lines.items[i] == '/')
			check_setting(r, lines.items[i], &matched);
	strings_done(&lines);
	strings_done(&matched);
}

/* ---- the report ---- */

static void print_findings(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->findings[i];

		printf("%-5s %-12s %s\n", level_name(f->level), f->what, f->text);
		if (f->next)
			printf("%18s -> %s\n", "", f->next);
	}
}

static json_t *findings_json(const struct report *r)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->findings[i];

		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s?}", "level", level_name(f->level), "what", f->what, "text",
						     f->text, "next", f->next));
	}
	return all;
}

static json_t *report_json(const struct report *r, const struct loaded_plan *p)
{
	return json_pack("{s:b, s:o, s:o}", "able", !r->lacking && p->plan.chosen, "findings", findings_json(r), "plan", plan_json(&p->plan));
}

static void report_done(struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->findings[i].text);
		free(r->findings[i].next);
	}
	free(r->findings);
}

static int check(bool json, const char *bpftrace)
{
	struct loaded_plan planning;
	struct report r = { 0 };
	int code = plan_load("", &planning);

	if (code)
		return code;
	check_kernel(&r, &planning);
	check_scripts(&r, &planning);
	check_modules(&r, &planning);
	check_probes(&r, &planning);
	check_privilege(&r, &planning.tracers);
	check_lockdown(&r);
	check_bpftrace(&r, &planning.tracers, bpftrace);
	check_device(&r);
	check_settings(&r);
	if (json)
		print_json(report_json(&r, &planning));
	else
		print_findings(&r);
	if (!json && !planning.plan.chosen)
		puts("\nno script fits this kernel: 'kvmwait plan' says why");
	else if (!json) {
		putchar('\n');
		plan_print_lines(stdout, &planning.plan, r.lacking ? "not able to trace yet" : "able to trace");
	}
	code = !planning.plan.chosen ? EXIT_NO_SCRIPT : r.lacking ? EXIT_LACKING : EXIT_OK;
	report_done(&r);
	plan_unload(&planning);
	return code;
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	int code;

	if (!options_take(argc, argv, &command_check, &s, &code))
		return code;
	code = take_no_argument(argc, argv, "check");
	return code ? code : check(s.json, s.bpftrace);
}

const struct command command_check = {
	.name = "check",
	.run = run,
	.arguments = "[OPTION]...",
	.help = "show whether this host can be traced, what is missing, and the next step",
	.options = options,
};
