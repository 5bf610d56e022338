// SPDX-License-Identifier: Apache-2.0
// kvmwait plan: the script for this kernel or a captured one, the fidelity of each event, and every reason.
#include "command.h"

#include <stdlib.h>
#include <string.h>

const struct option_help plan_options[] = {
	{ 'r', "root", "DIR", "a captured root instead of this system", 'r' },
	{ 'j', "json", NULL, "print JSON", 'j' },
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
	print_plan_lines(stdout, plan, NULL);
	if (plan->chosen) {
		printf("  %s\n\n  %-9s %-8s %-9s %s\n", plan->chosen->reason, "EVENT", "SOURCE", "FIDELITY", "FUNCTIONS");
		for (size_t i = 0; i < plan->chosen->n_sources; i++)
			print_source(&plan->chosen->sources[i]);
	}
	printf("\n%s\n", plan->chosen ? "rejected:" : "no script fits:");
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (&plan->verdicts[i] != plan->chosen)
			printf("  %-20s %s\n", plan->verdicts[i].script->name, plan->verdicts[i].reason);
}

int cmd_plan(int argc, char **argv)
{
	struct planning planning;
	const char *root = "";
	bool json = false;
	int id, code;

	while ((id = next_option(argc, argv, "plan")) != -1) {
		if (id == 'r')
			root = optarg;
		else if (id == 'j')
			json = true;
		else
			return id ? EXIT_USAGE : EXIT_OK;
	}
	if (optind < argc)
		return fail(EXIT_USAGE, "plan takes no argument: '%s'", argv[optind]);
	code = planning_make(root, &planning);
	if (code)
		return code;
	if (json) {
		json_t *object = plan_json(&planning.plan);

		json_dumpf(object, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(object);
	} else {
		print_plan(&planning.plan);
	}
	code = planning.plan.chosen ? EXIT_OK : EXIT_NO_SCRIPT;
	planning_done(&planning);
	return code;
}
