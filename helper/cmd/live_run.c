// SPDX-License-Identifier: Apache-2.0
// The run of a command that traces: the plan, what the host must allow, the output, the trace, and its exit code.
#include "cmd/live_run.h"

#include "base/file.h"
#include "base/privilege.h"
#include "base/progress.h"
#include "base/text.h"
#include "cmd/command.h"
#include "live/child.h"
#include "live/probe_test.h"
#include "plan/obstacle.h"
#include "record/balance.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void live_print_message(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "bpftrace: %s\n", text);
}

/* ---- waiting for KVM ---- */

/* A script for this kernel's architecture; all of them name the same modules. */
static const struct script *script_of_arch(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (!plan->verdicts[i].script->part && strings_have(&plan->verdicts[i].script->archs, plan->kernel->arch))
			return plan->verdicts[i].script;
	return NULL;
}

/* Where the module is missing that is probed, so that it is no use to say which script does not fit: one that names it. */
static const struct script *script_without_module(const struct plan *plan)
{
	const struct script *s = script_of_arch(plan);

	return s && !plan->chosen && !kernel_has_module(plan->kernel, s->module) ? s : NULL;
}

/* The same where the module of a vendor is missing: that follows KVM's by a moment, and no VM runs before it is there. */
static const struct script *script_to_wait_for(const struct plan *plan)
{
	const struct script *s = script_of_arch(plan);

	if (s && s->n_vendors && !plan->vendor && kernel_has_module(plan->kernel, s->module))
		return s;
	return script_without_module(plan);
}

/* The modules of the vendors with "or" between them, or the module itself where no vendor has one; the caller frees. */
static char *modules_text(const struct script *s)
{
	struct strings modules = { 0 };
	char *text;

	for (size_t i = 0; i < s->n_vendors; i++)
		strings_add(&modules, s->vendors[i].module);
	if (!modules.n)
		strings_add(&modules, s->module);
	text = strings_join(&modules, " or ");
	strings_done(&modules);
	return text;
}

static bool is_there(const struct script *s)
{
	bool vendor = !s->n_vendors;

	for (size_t i = 0; i < s->n_vendors; i++)
		vendor |= kernel_module_is_live(s->vendors[i].module);
	return vendor && kernel_module_is_live(s->module);
}

/* Sleeps until the modules are there. 0, or the signal that came meanwhile. */
static int sleep_until_there(const struct script *s, const char *modules)
{
	const struct timespec moment = { .tv_nsec = 250000000 };
	struct progress progress;
	uint64_t quarters = 0;
	sigset_t set, old;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	progress_start(&progress);
	while (!sig && !is_there(s)) {
		progress_show(&progress, "waiting for %s, %" PRIu64 " s", modules, quarters++ / 4);
		sig = sigtimedwait(&set, NULL, &moment);
		if (sig < 0)
			sig = 0;
	}
	progress_end(&progress);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return sig;
}

static int wait_for_modules(struct loaded_plan *p)
{
	const struct script *s;

	while ((s = script_to_wait_for(&p->plan))) {
		CLEANUP_FREE char *modules = modules_text(s);
		int code;

		note("%s is not loaded: waiting for it", modules);
		if (sleep_until_there(s, modules))
			return fail(EXIT_FAILED, "stopped while it waited for %s", modules);
		plan_unload(p);
		code = plan_load("", p);
		if (code)
			return code;
	}
	return EXIT_OK;
}

static int say_why_not(const struct plan *plan)
{
	const struct script *s = script_without_module(plan);

	if (s) {
		CLEANUP_FREE char *modules = modules_text(s);

		return fail(EXIT_LACKING, "KVM is not loaded: load %s with modprobe, or wait for it with --wait", modules);
	}
	return fail_no_script(plan);
}

int live_plan(struct live_run *l, const struct live_options *settings, int argc, char **argv)
{
	int code;

	l->settings = settings;
	if (optind < argc && strcmp(argv[optind - 1], "--"))
		return fail(EXIT_USAGE, "unexpected argument: '%s'; a command to run stands behind '--'", argv[optind]);
	code = plan_load("", &l->loaded);
	if (!code && settings->wait)
		code = wait_for_modules(&l->loaded);
	l->options.plan = &l->loaded.plan;
	l->options.command = optind < argc ? &argv[optind] : NULL;
	return code;
}

void live_add_audit(const struct plan *plan, struct program *program)
{
	const struct verdict *v = plan_find_part(plan, "audit");

	if (v)
		program->parts[program->n_parts++] = v;
}

static int add_parts(const struct plan *plan, const char *const *parts, size_t n_parts, struct program *program)
{
	for (size_t i = 0; i < n_parts; i++) {
		const struct verdict *v = plan_find_part(plan, parts[i]);

		if (!v)
			return fail(EXIT_NO_SCRIPT, "this kernel does not give the part '%s': %s; 'kvmwait plan' says more", parts[i],
				    plan_why_no_part(plan, parts[i]));
		program->parts[program->n_parts++] = v;
	}
	live_add_audit(plan, program);
	return EXIT_OK;
}

/* Probes that attach and never fire would give a stream that balances and is empty. */
static int check_obstacles(const struct plan *plan, const char *program)
{
	struct obstacles obstacles;
	int code = EXIT_OK;

	obstacles_find(plan->kernel, program, &obstacles);
	for (size_t i = 0; i < obstacles.n; i++)
		code = fail(EXIT_LACKING, "%s: %s", obstacles.items[i].what, obstacles.items[i].next);
	obstacles_done(&obstacles);
	return code;
}

int live_check_kernel(const struct plan *plan, const struct program *program)
{
	CLEANUP_FREE char *kptr_restrict = file_line("/proc/sys/kernel/kptr_restrict");
	CLEANUP_FREE char *text = program_render(program);
	int code;

	if (privilege_is_namespaced())
		return fail(EXIT_LACKING, "this is a PID namespace of its own, where the kernel numbers threads otherwise than bpftrace and /proc: "
			    "run it in that of the host (docker --pid=host, hostPID in Kubernetes)");
	if (attach_is_locked())
		return fail(EXIT_LACKING, "the kernel is locked down (confidentiality), and lets no probe attach: boot it without "
			    "lockdown=confidentiality");
	code = check_obstacles(plan, text);
	if (code || !kptr_restrict || strcmp(kptr_restrict, "2"))
		return code;
	if (program_has_part(program, "callers"))
		return fail(EXIT_LACKING, "the kernel hides its addresses from root too, and --callers needs them: set it to 1 for the time of the "
			    "trace: sysctl kernel.kptr_restrict=1");
	return EXIT_OK;
}

void live_print_remark(const char *text)
{
	note("%s", text);
}

static void make_room(struct live_run *l)
{
	uint64_t n = 0;

	if (!vmlist_read("", &l->vms))
		for (size_t i = 0; i < l->vms.n; i++)
			n += 2 * l->vms.items[i].n_vcpus;
	l->max_vcpus = n < LIVE_VCPUS_LEAST ? LIVE_VCPUS_LEAST : n > LIVE_VCPUS_MOST ? LIVE_VCPUS_MOST : n;
	if (l->max_vcpus > LIVE_VCPUS_LEAST) /* maps go by thread, and bpftrace gives them 4,096 keys by itself */
		l->options.map_keys = (unsigned int)l->max_vcpus * 4;
}

static int load_sleep_rules(struct sleep_rules *ret)
{
	CLEANUP_FREE char *path = xasprintf("%s/sleep.list", scripts_directory());
	CLEANUP_FREE char *why = NULL;

	return sleep_rules_load(path, ret, &why) ? fail(EXIT_FAILED, "%s", why) : EXIT_OK;
}

int live_prepare(struct live_run *l, const char *const *parts, size_t n_parts)
{
	const struct plan *plan = &l->loaded.plan;
	const struct live_options *s = l->settings;
	struct session_options *o = &l->options;
	int code;

	if (!plan->chosen)
		return say_why_not(plan);
	o->program = (struct program){ .script = plan->chosen, .filter = s->filter };
	o->duration_ns = s->duration_ns;
	o->attach_ns = s->attach_ns;
	o->command_stdout = STDERR_FILENO;
	o->message = s->verbose ? live_print_message : NULL;
	o->remark = live_print_remark;
	o->progress = !s->verbose;
	code = add_parts(plan, parts, n_parts, &o->program);
	if (code)
		return code;
	o->bpftrace = bpftrace_find(s->bpftrace);
	if (!o->bpftrace)
		return fail(EXIT_LACKING, "bpftrace is missing%s%s%s: install the package bpftrace, or give its path with --bpftrace",
			    s->bpftrace ? ": '" : NOT_FOUND, s->bpftrace ? s->bpftrace : "", s->bpftrace ? "'" : "");
	if (geteuid() && !privilege_suffices())
		return fail(EXIT_LACKING, "attaching probes needs root: run it with sudo; or, with bpftrace %s and later, "
			    "give CAP_BPF, CAP_PERFMON, CAP_SYSLOG, CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE",
			    tracer_since(plan->tracers, TRACER_DEMANDS, "capabilities"));
	code = live_check_kernel(plan, &o->program);
	if (!code && program_has_part(&o->program, "blame"))
		code = load_sleep_rules(&l->sleep_rules);
	if (!code)
		make_room(l);
	return code;
}

int live_open(struct live_run *l, const char *output, struct replaced_file *replaced)
{
	CLEANUP_FREE char *why = NULL;

	l->output = output;
	if (!output) {
		l->file = stdout;
		return EXIT_OK;
	}
	l->options.command_stdout = STDOUT_FILENO;
	if (replaced ? replaced_file_open(output, replaced, &why) : output_open(output, &l->file, &why))
		return fail(EXIT_FAILED, "cannot open the output '%s': %s", output, why);
	return EXIT_OK;
}

int live_trace(struct live_run *l)
{
	CLEANUP_FREE char *why = NULL;
	int err = session_run(&l->options, &l->result, &why);

	if (err == -ELIBACC || err == -EPERM)
		return fail(EXIT_LACKING, "%s", why);
	if (err == -ENOEXEC || err == -ENOENT || err == -EACCES)
		return fail(EXIT_LACKING, "cannot use bpftrace: %s; 'kvmwait check' says more", why);
	if (err == -EINTR || err == -EBADMSG)
		return fail(EXIT_FAILED, "%s", why);
	if (err)
		return fail(EXIT_FAILED, "%s\n'kvmwait check' says what this host lacks", why);
	if (l->result.command_error)
		note("the command could not be run: '%s': %s", l->options.command[0], strerror(-l->result.command_error));
	return EXIT_OK;
}

int live_end_code(const struct live_run *l)
{
	const struct session_result *r = &l->result;
	CLEANUP_FREE char *balance = balance_text(&r->balance);

	if (r->take_error == -EPIPE)
		return EXIT_OK; /* the reader has closed the pipe */
	if (r->take_error)
		return fail(EXIT_FAILED, "cannot write the output: '%s': %s; it ends early", l->output ? l->output : "standard output",
			    strerror(-r->take_error));
	if (r->unloaded)
		note("the probed module was unloaded, and its probes with it: the trace ends there");
	if (!r->balance.have_counted)
		return fail(EXIT_UNBALANCED, "the kernel's count is not known (%s; bpftrace ended with %d): events may be lost", r->why,
			    r->bpftrace_status);
	if (!session_balances(r))
		return fail(EXIT_UNBALANCED, "%s, %" PRIu64 " lines malformed", balance, r->balance.malformed);
	if (*r->audit_differs)
		return fail(EXIT_UNBALANCED, "the audit fails: %s: on this kernel the probes are bypassed or do not work; run 'kvmwait check' "
			    "and 'kvmwait selftest'", r->audit_differs);
	if (r->unloaded)
		return EXIT_FAILED;
	if (r->command_error)
		return EXIT_FAILED;
	return EXIT_OK;
}

void live_done(struct live_run *l)
{
	free(l->options.bpftrace);
	vmlist_done(&l->vms);
	if (l->file && l->file != stdout)
		fclose(l->file);
	plan_unload(&l->loaded);
	sleep_rules_done(&l->sleep_rules);
}
