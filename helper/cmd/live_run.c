// SPDX-License-Identifier: Apache-2.0
// What the commands that trace have in common: filters and other options, what a host has to have, how it ends.
#include "cmd/live_run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/privilege.h"
#include "base/progress.h"
#include "base/text.h"
#include "cmd/plan_load.h"
#include "live/child.h"
#include "live/probe_test.h"
#include "live/vm_list.h"
#include "show/counts_show.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MAX UINT64_C(1000000000)

int parse_seconds(const char *text, uint64_t *ret_ns)
{
	size_t whole = strspn(text, "0123456789");
	CLEANUP_FREE char *seconds = xstrndup(text, whole);
	uint64_t s, ns = 0, scale = NS_PER_S / 10;

	if (!whole && *text == '.')
		s = 0;
	else if (parse_u64(seconds, &s) || s > SECONDS_MAX)
		return -EINVAL;
	if (text[whole] == '.') {
		for (text += whole + 1; *text >= '0' && *text <= '9'; text++, scale /= 10)
			ns += (uint64_t)(*text - '0') * scale;
		whole = 0;
	}
	if (text[whole] || !(s * NS_PER_S + ns))
		return -EINVAL;
	*ret_ns = s * NS_PER_S + ns;
	return 0;
}

int take_by(const char *text, unsigned int *ret_by)
{
	struct strings words = { 0 };
	unsigned int by = 0;
	int code = EXIT_OK;

	strings_split(&words, text, ",");
	for (size_t i = 0; i < words.n && !code; i++) {
		if (!counts_by_bit(words.items[i]))
			code = fail(EXIT_USAGE, "rows cannot go by '%s'; there are vm, vcpu, event, source", words.items[i]);
		by |= counts_by_bit(words.items[i]);
	}
	if (!words.n)
		code = fail(EXIT_USAGE, "an empty list");
	strings_done(&words);
	if (!code)
		*ret_by = by;
	return code;
}

static int add_tgid(struct filter *f, const char *text)
{
	uint64_t value;

	if (parse_u64(text, &value) || !value || value > INT32_MAX)
		return fail(EXIT_USAGE, "no TGID: '%s'", text);
	if (f->n_tgids == PROGRAM_MAX_TGIDS)
		return fail(EXIT_USAGE, "more than %d TGIDs: leave -p out and filter the output by pid", PROGRAM_MAX_TGIDS);
	f->tgids[f->n_tgids++] = (uint32_t)value;
	return EXIT_OK;
}

static int add_vm(struct filter *f, const char *text)
{
	CLEANUP_FREE char *why = NULL;
	int err = vmlist_resolve("", text, f->tgids, PROGRAM_MAX_TGIDS, &f->n_tgids, &why);

	if (err)
		return fail(err == -EACCES ? EXIT_LACKING : err == -ERANGE ? EXIT_USAGE : EXIT_FAILED, "%s", why);
	return EXIT_OK;
}

static int add_vcpu(struct filter *f, const char *text)
{
	uint64_t value;

	if (parse_u64(text, &value) || value > 65535)
		return fail(EXIT_USAGE, "no vCPU id: '%s'", text);
	if (filter_add_vcpu(f, (uint32_t)value))
		return fail(EXIT_USAGE, "the vCPU ids lie too far apart at '%s': they have to be within %d of each other", text,
			    PROGRAM_VCPU_SPAN);
	return EXIT_OK;
}

static int add_event(struct filter *f, const char *text)
{
	if (!event_bit(text))
		return fail(EXIT_USAGE, "no such event: '%s'; there are ple, hlt, pv_yield", text);
	f->events |= event_bit(text);
	return EXIT_OK;
}

static int add_list(struct filter *f, const char *text, int (*add)(struct filter *, const char *))
{
	struct strings words = { 0 };
	int code = EXIT_OK;

	strings_split(&words, text, ",");
	if (!words.n)
		code = fail(EXIT_USAGE, "an empty list");
	for (size_t i = 0; i < words.n && !code; i++)
		code = add(f, words.items[i]);
	strings_done(&words);
	return code;
}

int tracing_take_option(struct tracing *t, int id)
{
	int code = EXIT_OK;

	switch (id) {
	case 'd':
		if (parse_seconds(optarg, &t->duration_ns))
			code = fail(EXIT_USAGE, "no duration in seconds: '%s'", optarg);
		break;
	case 'p':
		code = add_list(&t->filter, optarg, add_tgid);
		break;
	case OPT_VM:
		code = add_list(&t->filter, optarg, add_vm);
		break;
	case OPT_VCPU:
		code = add_list(&t->filter, optarg, add_vcpu);
		break;
	case 'e':
		code = add_list(&t->filter, optarg, add_event);
		break;
	case OPT_BPFTRACE:
		t->bpftrace = optarg;
		break;
	case OPT_WAIT:
		t->wait = true;
		break;
	case OPT_ATTACH_TIMEOUT:
		if (parse_seconds(optarg, &t->attach_ns))
			code = fail(EXIT_USAGE, "no time-out in seconds: '%s'", optarg);
		break;
	case 'v':
		t->verbose = true;
		break;
	default:
		return OPTION_OTHER;
	}
	return code ? code : OPTION_TAKEN;
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
		if (code) {
			*p = (struct loaded_plan){ 0 };
			return code;
		}
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

int tracing_command(int argc, char **argv, const char *name, int (*take)(void *settings, int id),
		    int (*start)(void *settings, char **command, const struct plan *plan), void *settings)
{
	struct loaded_plan planning;
	int id, code;

	while ((id = next_option(argc, argv, name)) != -1) {
		code = take(settings, id);
		if (code >= 0)
			return code;
	}
	if (optind < argc && strcmp(argv[optind - 1], "--"))
		return fail(EXIT_USAGE, "unexpected argument: '%s'; a command to run stands behind '--'", argv[optind]);
	code = plan_load("", &planning);
	if (code)
		return code;
	if (((const struct tracing *)settings)->wait)
		code = wait_for_modules(&planning);
	if (!code)
		code = start(settings, optind < argc ? &argv[optind] : NULL, &planning.plan);
	plan_unload(&planning);
	return code;
}

int tracing_open(const char *output, FILE **ret)
{
	CLEANUP_FREE char *why = NULL;

	*ret = NULL;
	if (output && output_open(output, ret, &why))
		return fail(EXIT_FAILED, "the output cannot be opened: '%s': %s", output, why);
	return EXIT_OK;
}

int tracing_open_replaced(const char *output, struct replaced_file *ret)
{
	CLEANUP_FREE char *why = NULL;

	if (replaced_file_open(output, ret, &why))
		return fail(EXIT_FAILED, "the output cannot be opened: '%s': %s", output, why);
	return EXIT_OK;
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
	return EXIT_OK;
}

/* What would come out as an error of bpftrace's that says nothing of the reason. */
static int check_kernel_allows(const struct program *program)
{
	CLEANUP_FREE char *kptr_restrict = file_line("/proc/sys/kernel/kptr_restrict");
	CLEANUP_FREE char *text = NULL;

	if (attach_is_locked())
		return fail(EXIT_LACKING, "the kernel is locked down (confidentiality), and lets no probe attach: boot it without "
			    "lockdown=confidentiality");
	if (!kptr_restrict || strcmp(kptr_restrict, "2"))
		return EXIT_OK;
	text = program_render(program);
	if (strstr(text, "kaddr(") || program_has_part(program, "callers"))
		return fail(EXIT_LACKING, "the kernel hides its addresses from root too, and %s needs them: set it to 1 for the time of the "
			    "trace: sysctl kernel.kptr_restrict=1", strstr(text, "kaddr(") ? program->script->script->name : "--callers");
	return EXIT_OK;
}

void live_print_message(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "bpftrace: %s\n", text);
}

int tracing_prepare(const struct tracing *t, const struct plan *plan, const char *const *parts, size_t n_parts,
		    struct session_options *ret_options)
{
	struct session_options options = {
		.plan = plan,
		.program = { .script = plan->chosen, .vendor = plan->vendor, .filter = t->filter },
		.duration_ns = t->duration_ns,
		.attach_ns = t->attach_ns,
		.command_stdout = STDERR_FILENO,
		.message = t->verbose ? live_print_message : NULL,
		.progress = !t->verbose,
	};
	int code;

	if (!plan->chosen)
		return say_why_not(plan);
	code = add_parts(plan, parts, n_parts, &options.program);
	if (code)
		return code;
	options.bpftrace = bpftrace_find(t->bpftrace);
	if (!options.bpftrace)
		return fail(EXIT_LACKING, "bpftrace is missing: '%s': install the package bpftrace, or say where it is with --bpftrace",
			    t->bpftrace ? t->bpftrace : "/usr/bin/bpftrace");
	if (geteuid() && !privilege_suffices()) {
		free(options.bpftrace);
		return fail(EXIT_LACKING, "attaching probes needs root: run it with sudo; or, with bpftrace " BPFTRACE_WITHOUT_ROOT " and later, "
			    "give CAP_BPF, CAP_PERFMON, CAP_SYSLOG, CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE");
	}
	code = check_kernel_allows(&options.program);
	if (code) {
		free(options.bpftrace);
		return code;
	}
	*ret_options = options;
	return EXIT_OK;
}

int tracing_run(const struct session_options *options, struct session_result *ret)
{
	CLEANUP_FREE char *why = NULL;
	int err = session_run(options, ret, &why);

	if (err == -EINTR)
		return fail(EXIT_FAILED, "%s", why);
	if (err == -ELIBACC)
		return fail(EXIT_LACKING, "%s", why);
	if (err == -EPERM)
		return fail(EXIT_LACKING, "%s", why);
	if (err == -ENOEXEC || err == -ENOENT || err == -EACCES)
		return fail(EXIT_LACKING, "bpftrace cannot be used: %s; 'kvmwait check' says more", why);
	if (err)
		return fail(EXIT_FAILED, "%s\n'kvmwait check' says what this host lacks", why);
	if (ret->command_error)
		note("the command could not be run: '%s': %s", options->command[0], strerror(-ret->command_error));
	return EXIT_OK;
}

int tracing_end_code(const struct session_result *r, const char *output)
{
	if (r->take_error == -EPIPE)
		return EXIT_OK; /* whoever read has seen enough */
	if (r->take_error)
		return fail(EXIT_FAILED, "the output cannot be written: '%s': %s; it ends early",
			    output ? output : "standard output", strerror(-r->take_error));
	if (r->unloaded)
		note("the module that is probed was unloaded, and its probes with it: the trace ends there");
	if (!r->balance.have_counted)
		return fail(EXIT_UNBALANCED, "the kernel's count is not known (%s; bpftrace ended with %d): whether events were lost cannot be said",
			    r->why, r->bpftrace_status);
	if (!session_balances(r))
		return fail(EXIT_UNBALANCED, "received %" PRIu64 " + lost %" PRIu64 " is not counted %" PRIu64 ", %" PRIu64 " lines malformed",
			    r->balance.received, r->balance.lost, r->balance.counted, r->balance.malformed);
	if (r->unloaded)
		return EXIT_FAILED;
	if (r->command_error)
		return EXIT_FAILED;
	return EXIT_OK;
}
