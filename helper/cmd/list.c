// SPDX-License-Identifier: Apache-2.0
// kvmwait list: the scripts, their ranges, what they give and what each of it needs.
#include "base/privilege.h"
#include "base/text.h"
#include "cmd/command.h"
#include "record/event.h"

#include <stdlib.h>
#include <string.h>

const struct option_help list_options[] = {
	{ 'j', "json", NULL, "print JSON", 'j' },
	{ 0 },
};

static char *need_text(const struct need *need)
{
	CLEANUP_FREE char *names = strings_join(&need->names, "|");
	CLEANUP_FREE char *fields = strings_join(&need->fields, " ");

	return xasprintf("%s %s%s%s%s%s%s%s%s%s", need_kind_name(need->kind), names, need->args ? "(" : "",
			 need->args ? need->args : "", need->args ? ")" : "", *fields ? " " : "", fields,
			 need->in_kernel ? " in vmlinux" : "", need->marker ? " if " : "", need->marker ? need->marker : "");
}

static void print_script(const struct script *s)
{
	CLEANUP_FREE char *archs = strings_join(&s->archs, ", ");

	printf("%s   %s, range %s\n  %s\n  cost: %s\n", s->name, archs, s->range, s->purpose ? s->purpose : "", s->cost);
	for (size_t i = 0; i < s->n_claims; i++) {
		const struct claim *claim = &s->claims[i];
		CLEANUP_FREE char *sources = strings_join(&claim->sources, ",");

		printf("  %-8s %-8s %-8s needs", fidelity_name(claim->fidelity), claim->event, sources);
		for (size_t j = 0; j < claim->n_needs; j++)
			printf(" %s", s->needs[claim->needs[j]].id);
		printf("%s%s\n", claim->note ? "; " : "", claim->note ? claim->note : "");
	}
	for (size_t i = 0; i < s->n_needs; i++) {
		CLEANUP_FREE char *text = need_text(&s->needs[i]);

		printf("    %-10s %s\n", s->needs[i].id, text);
	}
}

static json_t *script_json(const struct script *s)
{
	json_t *needs = json_object(), *claims = json_array();

	for (size_t i = 0; i < s->n_needs; i++) {
		CLEANUP_FREE char *text = need_text(&s->needs[i]);

		json_object_set_new(needs, s->needs[i].id, json_string(text));
	}
	for (size_t i = 0; i < s->n_claims; i++) {
		const struct claim *claim = &s->claims[i];
		json_t *ids = json_array();

		for (size_t j = 0; j < claim->n_needs; j++)
			json_array_append_new(ids, json_string(s->needs[claim->needs[j]].id));
		json_array_append_new(claims, json_pack("{s:s, s:s, s:o, s:o, s:s?}", "event", claim->event, "fidelity",
							fidelity_name(claim->fidelity), "sources", strings_json(&claim->sources), "needs", ids, "note",
							claim->note));
	}
	return json_pack("{s:s, s:s, s:s?, s:o, s:s, s:s, s:s, s:o, s:o}", "script", s->name, "sha256", s->sha256, "part", s->part,
			 "archs", strings_json(&s->archs), "range", s->range, "module", s->module, "cost", s->cost, "needs", needs, "claims", claims);
}

int cmd_list(int argc, char **argv)
{
	struct script *scripts;
	size_t n;
	bool json = false;
	CLEANUP_FREE char *why = NULL;
	int id;

	while ((id = next_option(argc, argv, "list")) != -1) {
		if (id != 'j')
			return id ? EXIT_USAGE : EXIT_OK;
		json = true;
	}
	if (optind < argc)
		return fail(EXIT_USAGE, "list takes no argument: '%s'", argv[optind]);
	if (drop_root(PRIVILEGE_TO_READ))
		return EXIT_FAILED;
	if (scripts_load(scripts_directory(), &scripts, &n, &why))
		return fail(EXIT_FAILED, "the scripts cannot be read: %s", why);
	if (json) {
		json_t *all = json_array();

		for (size_t i = 0; i < n; i++)
			json_array_append_new(all, script_json(&scripts[i]));
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	for (size_t i = 0; i < n && !json; i++) {
		if (i)
			putchar('\n');
		print_script(&scripts[i]);
	}
	scripts_free(scripts, n);
	return EXIT_OK;
}
