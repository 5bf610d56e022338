// SPDX-License-Identifier: Apache-2.0
// kvmwait list: the scripts, their ranges, what they give and what each of it needs; or the VMs that run.
#include "base/privilege.h"
#include "base/text.h"
#include "cmd/command.h"
#include "live/vm_list.h"
#include "record/event.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct settings {
	bool json, vms;
};

static const struct option_row options[] = {
	{ 'j', "json", NULL, "print JSON", TO_FLAG(json) },
	{ 0, "vms", NULL, "list the running VMs instead, with the names and ids that --vm accepts", TO_FLAG(vms) },
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

	printf("%s   %s, range %s%s\n  %s\n  cost: %s\n", s->name, archs, s->range, s->fallback ? ", a fallback" : "",
	       s->purpose ? s->purpose : "", s->cost);
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
	return json_pack("{s:s, s:s, s:s?, s:b, s:o, s:s, s:s, s:s, s:o, s:o}", "script", s->name, "sha256", s->sha256, "part", s->part,
			 "fallback", s->fallback, "archs", strings_json(&s->archs), "range", s->range, "module", s->module, "cost", s->cost, "needs", needs, "claims", claims);
}

static void print_all(const struct script *scripts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			putchar('\n');
		print_script(&scripts[i]);
	}
}

static void print_all_json(const struct script *scripts, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, script_json(&scripts[i]));
	print_json(all);
}

static void print_vms(const struct vmlist *list)
{
	printf("%7s %5s  %-24s %s\n", "PID", "VCPUS", "NAME", "IDS");
	for (size_t i = 0; i < list->n; i++) {
		const struct vm *vm = &list->items[i];
		CLEANUP_FREE char *ids = strings_join(&vm->ids, ", ");

		printf("%7" PRIu32 " %5zu  %-24s %s\n", vm->tgid, vm->n_vcpus, vm->name ? vm->name : "-", *ids ? ids : "-");
	}
}

static void print_vms_json(const struct vmlist *list)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct vm *vm = &list->items[i];

		json_array_append_new(all, json_pack("{s:I, s:s*, s:o, s:I}", "pid", (json_int_t)vm->tgid, "vm", vm->name, "ids",
						     strings_json(&vm->ids), "vcpus", (json_int_t)vm->n_vcpus));
	}
	print_json(all);
}

static int list_vms(bool json)
{
	struct vmlist list;
	int err = vmlist_read("", &list);

	if (err)
		return fail(EXIT_FAILED, "the running VMs cannot be listed: '/proc': %s", strerror(-err));
	(json ? print_vms_json : print_vms)(&list);
	if (list.n_hidden)
		note("%zu processes may not be looked at, and can hold more VMs: run it with sudo", list.n_hidden);
	vmlist_done(&list);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	struct script *scripts;
	size_t n;
	CLEANUP_FREE char *why = NULL;
	int code;

	if (!options_take(argc, argv, &command_list, &s, &code))
		return code;
	code = take_no_argument(argc, argv, "list");
	if (!code && s.vms)
		return list_vms(s.json);
	if (!code)
		code = drop_root(PRIVILEGE_TO_READ);
	if (code)
		return code;
	if (scripts_load(scripts_directory(), &scripts, &n, &why))
		return fail(EXIT_FAILED, "the scripts cannot be read: %s", why);
	(s.json ? print_all_json : print_all)(scripts, n);
	scripts_free(scripts, n);
	return EXIT_OK;
}

const struct command command_list = {
	.name = "list",
	.run = run,
	.arguments = "[OPTION]...",
	.help = "list the scripts with ranges, events and needs, or the running VMs",
	.options = options,
};
