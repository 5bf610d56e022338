// SPDX-License-Identifier: Apache-2.0
// kvmwait plan: the script for this kernel or a captured one, the fidelity of each event, and every reason.
#include "base/directory.h"
#include "base/privilege.h"
#include "base/text.h"
#include "bundle/read.h"
#include "cmd/command.h"
#include "cmd/plan_load.h"
#include "plan/render.h"
#include "show/plan_show.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
	const char *root, *program; /* NULL: not given */
	bool json;
};

static const struct option_row options[] = {
	{ 'r', "root", "PATH", "use a captured root or a bundle instead of this system", TO_TEXT(root) },
	{ 'j', "json", NULL, "print JSON", TO_FLAG(json) },
	{ 0, "program", "[PARTS]", "print the program for bpftrace, with these parts (a list with commas)", TO_TEXT(program) },
	{ 0 },
};

static void print_source(const struct source_result *s)
{
	CLEANUP_FREE char *functions = strings_join(&s->functions, ", ");

	printf("  %-9s %-8s %-9s %s\n", s->event, s->source, s->not_applicable ? "none" : fidelity_name(s->fidelity), functions);
	if (s->why)
		printf("  %29s %s\n", "", s->why);
}

static void print_plan(const struct plan *plan)
{
	plan_print_lines(stdout, plan, NULL);
	if (plan->chosen) {
		printf("  %s\n\n  %-9s %-8s %-9s %s\n", plan->chosen->reason, "EVENT", "SOURCE", "FIDELITY", "FUNCTIONS");
		for (size_t i = 0; i < plan->chosen->n_sources; i++)
			print_source(&plan->chosen->sources[i]);
	}
	for (size_t i = 0; i < plan->n_verdicts && plan->chosen; i++) {
		const struct verdict *v = &plan->verdicts[i];

		if (!v->chosen || !v->script->part)
			continue;
		printf("\nwith %s\n", v->script->name);
		for (size_t j = 0; j < v->n_sources; j++)
			print_source(&v->sources[j]);
	}
	printf("\n%s\n", plan->chosen ? "rejected:" : "no script fits:");
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (!plan->verdicts[i].chosen)
			printf("  %-20s %s\n", plan->verdicts[i].script->name, plan->verdicts[i].reason);
}

/* The program as it would run, for reading, or for running by hand. */
static int print_program(const struct plan *plan, const char *parts)
{
	struct program program = { .script = plan->chosen };
	struct strings names = { 0 };
	int code = EXIT_OK;

	strings_split(&names, parts, ",");
	for (size_t i = 0; i < names.n && plan->chosen && !code; i++) {
		const struct verdict *v = plan_find_part(plan, names.items[i]);

		if (!strcmp(names.items[i], "none")) /* no parts, before the argument became optional */
			continue;
		if (!v)
			code = fail(EXIT_NO_SCRIPT, "this kernel does not give the part '%s': %s", names.items[i],
				    plan_why_no_part(plan, names.items[i]));
		else if (program.n_parts == PROGRAM_MAX_PARTS)
			code = fail(EXIT_USAGE, "too many parts");
		else
			program.parts[program.n_parts++] = v;
	}
	strings_done(&names);
	if (!code && plan->chosen) {
		CLEANUP_FREE char *text = program_render(&program);

		fputs(text, stdout);
	}
	return code;
}

/* The root in a bundle: it is unpacked while the plan is made. A signal waits until nothing of that is left. */
static int plan_of_bundle(const char *bundle, struct loaded_plan *ret)
{
	static const char below[] = "capture/";
	const char *temporary = getenv("TMPDIR");
	CLEANUP_FREE char *directory = xasprintf("%s/kvmwait-plan.XXXXXX", temporary && *temporary == '/' ? temporary : "/var/tmp");
	CLEANUP_FREE char *root = NULL, *why = NULL;
	struct bundle_contents contents;
	sigset_t all, before;
	int code, err;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (!mkdtemp(directory)) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return fail(EXIT_FAILED, "a bundle cannot be unpacked to '%s': %s; name another directory in TMPDIR", directory, strerror(errno));
	}
	err = bundle_extract(bundle, below, directory, &contents, &why);
	if (err) {
		code = fail(err == -ENOSYS ? EXIT_LACKING : EXIT_FAILED, "'%s': %s", bundle, why);
	} else {
		bundle_contents_done(&contents);
		root = xasprintf("%s/%s", directory, below);
		code = access(root, F_OK) ? fail(EXIT_FAILED, "'%s': there is no capture of a kernel in it; 'kvmwait bundle --list' says why", bundle)
					  : plan_load(root, ret);
		directory_clear(directory);
	}
	rmdir(directory);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

static int load(const char *root, struct loaded_plan *ret)
{
	int code = root ? drop_root(PRIVILEGE_TO_READ) : EXIT_OK; /* a captured root may come from anybody */

	if (code)
		return code;
	return root && bundle_is_one(root) ? plan_of_bundle(root, ret) : plan_load(root ? root : "", ret);
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	struct loaded_plan loaded = { 0 };
	int code;

	if (!options_take(argc, argv, &command_plan, &s, &code))
		return code;
	code = take_no_argument(argc, argv, "plan");
	if (!code)
		code = load(s.root && *s.root ? s.root : NULL, &loaded);
	if (code)
		return code;
	if (s.program && loaded.plan.chosen)
		code = print_program(&loaded.plan, s.program);
	else if (s.json)
		print_json(plan_json(&loaded.plan));
	else
		print_plan(&loaded.plan);
	if (!code && !loaded.plan.chosen)
		code = EXIT_NO_SCRIPT;
	plan_unload(&loaded);
	return code;
}

const struct command command_plan = {
	.name = "plan",
	.run = run,
	.arguments = "[OPTION]...",
	.help = "show which script fits this kernel, and how exact each event is",
	.options = options,
};
