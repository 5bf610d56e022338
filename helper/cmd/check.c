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
#include "show/plan_show.h"

#include <errno.h>
#include <fnmatch.h>
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
	{ 0, "bpftrace", "PATH", "the bpftrace to use", TO_TEXT(bpftrace) },
	{ 0 },
};

#define INITIAL_PID_NAMESPACE 4026531836u

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

static void check_privilege(struct report *r)
{
	struct stat ns;

	if (geteuid() && privilege_suffices())
		find(r, LEVEL_NOTE, "privilege", "run it with sudo where bpftrace is older than " BPFTRACE_WITHOUT_ROOT,
		     "not root, with the capabilities that tracing takes");
	else if (geteuid())
		find(r, LEVEL_BAD, "privilege", "run it with sudo", "not root: nothing can attach");
	else if (!privilege_can_trace())
		find(r, LEVEL_BAD, "privilege", "give CAP_BPF and CAP_PERFMON, or leave the container",
		     "root without CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)");
	else
		find(r, LEVEL_OK, "privilege", NULL, "root, with the capabilities that tracing takes");
	if (!stat("/proc/self/ns/pid", &ns) && ns.st_ino != INITIAL_PID_NAMESPACE)
		find(r, LEVEL_NOTE, "namespace", "run it on the host itself",
		     "in a PID namespace of its own: TGIDs are those of the host with bpftrace before 0.23, of the namespace after");
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
	else if (!kernel_has_btf_of(k, p->scripts[0].module))
		find(r, LEVEL_NOTE, "BTF", "module BTF comes with Linux 5.11 and CONFIG_DEBUG_INFO_BTF_MODULES",
		     "of the kernel, not of its modules: arguments of functions are taken from the script's range");
	else
		find(r, LEVEL_OK, "BTF", NULL, "there, of the functions as well");
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

/* What the plan wants to probe, or any function, tried for real. */
static void check_probes(struct report *r, const struct loaded_plan *p)
{
	const struct verdict *v = p->plan.chosen;
	size_t tried = 0, refused = 0;
	int err;

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
			find(r, LEVEL_OK, "kprobes", NULL, geteuid() ? "there (not tried: not root)" : "there; %zu functions tried", tried);
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

static void check_bpftrace(struct report *r, const char *given)
{
	CLEANUP_FREE char *path = bpftrace_find(given);
	CLEANUP_FREE char *why = NULL;
	bool refused = path && bpftrace_check(path, &why);
	CLEANUP_FREE char *version = path && !refused ? bpftrace_version(path, &why) : NULL;

	if (refused)
		find(r, LEVEL_BAD, "bpftrace", "give the file and what is above it to root alone", "not root's alone: %s", why);
	else if (!path)
		find(r, LEVEL_BAD, "bpftrace", "install the package bpftrace", "'%s' is missing", given ? given : "/usr/bin/bpftrace");
	else if (!version)
		find(r, LEVEL_BAD, "bpftrace", "install the package bpftrace", "'%s': %s", path, why);
	else if (bpftrace_is_older(version, BPFTRACE_OLDEST))
		find(r, LEVEL_BAD, "bpftrace", "install bpftrace " BPFTRACE_OLDEST " or later",
		     "'%s' is version %s, older than " BPFTRACE_OLDEST, path, version);
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

/* One line of settings.list. True where it matched and was told. */
static bool check_setting(struct report *r, char *line)
{
	char *fields[5] = { line };
	CLEANUP_FREE char *value = NULL;
	enum level level;
	char *mark;

	for (size_t i = 1; i < ARRAY_SIZE(fields); i++) {
		char *bar = strchr(fields[i - 1], '|');

		if (!bar)
			return false;
		*bar = '\0';
		fields[i] = (char *)skip_space(bar + 1);
		trim_end(fields[i - 1]);
	}
	trim_end(fields[4]);
	value = file_line(fields[0]);
	if (!value || fnmatch(fields[1], value, 0))
		return false;
	level = !strcmp(fields[2], "bad") ? LEVEL_BAD : !strcmp(fields[2], "note") ? LEVEL_NOTE : LEVEL_OK;
	mark = strstr(fields[3], "%s");
	if (mark)
		find(r, level, "setting", fields[4], "%.*s%s%s", (int)(mark - fields[3]), fields[3], value, mark + 2);
	else
		find(r, level, "setting", fields[4], "%s", fields[3]);
	return true;
}

static void check_settings(struct report *r)
{
	CLEANUP_FREE char *path = xasprintf("%s/settings.list", scripts_directory());
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *told = xstrdup(""); /* the file whose line was told last */

	if (file_read(path, 1 << 20, &text, NULL))
		return;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");
		CLEANUP_FREE char *line = xstrndup(p, n);
		CLEANUP_FREE char *file = xstrndup(p, strcspn(line, " |"));

		if (*line == '/' && strcmp(file, told) && check_setting(r, line)) {
			free(told);
			told = xstrdup(file);
		}
		p += n + (p[n] == '\n');
	}
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
	check_privilege(&r);
	check_lockdown(&r);
	check_bpftrace(&r, bpftrace);
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
	.help = "say what this host allows and lacks, with the next step",
	.options = options,
};
