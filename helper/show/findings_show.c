// SPDX-License-Identifier: Apache-2.0
// What kvmwait why prints: the findings as sentences or as JSON.
#include "show/findings_show.h"

#include "base/clean_text.h"
#include "base/memory.h"
#include "show/finding_text.h"
#include "show/vm_label.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SHOWN 12 /* findings; three lines each are a screen */
#define MAX_BRIEF 3

const char *finding_fidelity(const struct finding *f)
{
	return f->inferred ? "inferred" : "measured";
}

bool findings_asked(const struct findings *findings, const struct rule *rule)
{
	for (size_t i = 0; i < findings->n_gaps; i++)
		if (findings->gaps[i].rule == rule)
			return false;
	return true;
}

/* ---- text ---- */

static void print_finding(FILE *f, struct vm_labels *labels, const struct finding *finding)
{
	CLEANUP_FREE char *vm = text_recleaned(finding->vm);
	CLEANUP_FREE char *say = finding_text(finding, finding->rule->say);
	CLEANUP_FREE char *next = finding_text(finding, finding->rule->next);

	if (finding->vm)
		fprintf(f, "%s: %s.  [%s]\n", vm_label(labels, vm, finding->pid), say, finding_fidelity(finding));
	else
		fprintf(f, "%s.  [%s]\n", say, finding_fidelity(finding));
	fprintf(f, "       next: %s%s%s\n", next, finding->rule->see ? "; " : "", finding->rule->see ? finding->rule->see : "");
}

static size_t count_vms_with_findings(const struct findings *findings)
{
	size_t n = 0, j;

	for (size_t i = 0; i < findings->n; i++) {
		for (j = 0; j < i; j++)
			if (findings->items[j].vm && findings->items[j].pid == findings->items[i].pid)
				break;
		n += findings->items[i].vm && j == i;
	}
	return n;
}

/* The names of the rules that were asked. */
static char *asked_text(const struct rules *rules, const struct findings *findings)
{
	struct strings names = { 0 };
	char *text;

	for (size_t i = 0; i < rules->n; i++)
		if (findings_asked(findings, &rules->items[i]))
			strings_add(&names, rules->items[i].name);
	text = strings_join(&names, ", ");
	strings_done(&names);
	return text;
}

/* The rules that could not be asked for one reason in one line. */
static void print_gaps(FILE *f, const struct findings *findings)
{
	size_t j;

	for (size_t i = 0; i < findings->n_gaps; i++) {
		CLEANUP_FREE char *why = text_recleaned(findings->gaps[i].why);

		for (j = 0; j < i; j++)
			if (!strcmp(findings->gaps[j].why, findings->gaps[i].why))
				break;
		if (j < i)
			continue;
		fputs("not looked for: ", f);
		for (; j < findings->n_gaps; j++)
			if (!strcmp(findings->gaps[j].why, findings->gaps[i].why))
				fprintf(f, "%s%s", j == i ? "" : ", ", findings->gaps[j].rule->name);
		fprintf(f, ": %s\n", why);
	}
}

char *findings_scope_text(const struct rules *rules, const struct findings *findings)
{
	size_t found = count_vms_with_findings(findings), others = findings->n_vms > found ? findings->n_vms - found : 0;

	if (!findings->n_vcpus)
		return xstrdup("no vCPU ran");
	if (findings->n_gaps == rules->n)
		return xstrdup("no rule can be applied: nothing that the rules need was recorded");
	if (!found)
		return xasprintf("nothing found in %zu VM%s with %zu vCPU%s", findings->n_vms, findings->n_vms == 1 ? "" : "s", findings->n_vcpus,
				 findings->n_vcpus == 1 ? "" : "s");
	return others ? xasprintf("nothing found in the other %zu VM%s", others, others == 1 ? "" : "s") : xstrdup("");
}

static void print_rules(FILE *f, const struct rules *rules, const struct findings *findings)
{
	CLEANUP_FREE char *asked = asked_text(rules, findings);

	if (*asked)
		fprintf(f, "looked for: %s\n", asked);
	print_gaps(f, findings);
}

void findings_print(FILE *f, const struct rules *rules, const struct findings *findings, const struct findings_frame *frame)
{
	struct vm_labels *labels = vm_labels_new();
	size_t max = frame->brief ? MAX_BRIEF : MAX_SHOWN;
	CLEANUP_FREE char *scope = findings_scope_text(rules, findings);

	if (frame->heading)
		fprintf(f, "== %s\n", frame->heading);
	for (size_t i = 0; i < findings->n; i++) {
		CLEANUP_FREE char *vm = text_recleaned(findings->items[i].vm);

		if (findings->items[i].vm)
			vm_label(labels, vm, findings->items[i].pid);
	}
	for (size_t i = 0; i < findings->n && i < max; i++)
		print_finding(f, labels, &findings->items[i]);
	if (findings->n > max)
		fprintf(f, "and %zu findings of smaller shares (%s-f json has all)\n", findings->n - max, frame->brief ? "'kvmwait why' shows more, " : "");
	if (*scope)
		fprintf(f, "%s\n", scope);
	if (!frame->brief)
		print_rules(f, rules, findings);
	else if (findings->n_gaps && findings->n_gaps < rules->n)
		fprintf(f, "%zu of %zu rules could not be applied ('kvmwait why' shows the reasons)\n", findings->n_gaps, rules->n);
	if (frame->have_tracer)
		fprintf(f, "the trace took %" PRIu64 ".%" PRIu64 " %% of the host's CPU time\n", frame->tracer_share / 100,
			frame->tracer_share / 10 % 10);
	vm_labels_free(labels);
}

/* ---- JSON ---- */

static json_t *json_of_finding(const struct finding *f)
{
	CLEANUP_FREE char *say = finding_text(f, f->rule->say);
	CLEANUP_FREE char *next = finding_text(f, f->rule->next);
	json_t *vcpus = json_array(), *culprit = json_object_get(f->figures, "culprit");
	json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s}", "rule", f->rule->name, "fidelity", finding_fidelity(f), "share",
				   (json_int_t)finding_share(f), "cost", (json_int_t)f->cost, "whole", (json_int_t)f->whole, "threshold",
				   f->rule->threshold.field, "text", say, "next", next);

	if (f->vm) {
		json_object_set_new(object, "vm", json_string(f->vm));
		json_object_set_new(object, "pid", json_integer(f->pid));
	}
	for (size_t i = 0; i < f->n_vcpus; i++)
		json_array_append_new(vcpus, json_integer(f->vcpus[i]));
	json_object_set_new(object, "vcpus", vcpus);
	if (culprit)
		json_object_set(object, "culprit", culprit);
	if (f->rule->see)
		json_object_set_new(object, "see", json_string(f->rule->see));
	return object;
}

json_t *findings_json(const struct rules *rules, const struct findings *findings, const struct findings_frame *frame)
{
	json_t *found = json_array(), *asked = json_array(), *gaps = json_array(), *object;

	for (size_t i = 0; i < findings->n; i++)
		json_array_append_new(found, json_of_finding(&findings->items[i]));
	for (size_t i = 0; i < rules->n; i++)
		if (findings_asked(findings, &rules->items[i]))
			json_array_append_new(asked, json_string(rules->items[i].name));
	for (size_t i = 0; i < findings->n_gaps; i++)
		json_array_append_new(gaps, json_pack("{s:s, s:s}", "rule", findings->gaps[i].rule->name, "why", findings->gaps[i].why));
	object = json_pack("{s:i, s:o, s:o, s:o, s:I, s:I}", "kvmwait_why", 1, "findings", found, "looked_for", asked, "not_looked_for", gaps,
			   "vms", (json_int_t)findings->n_vms, "vcpus", (json_int_t)findings->n_vcpus);
	if (frame->heading)
		json_object_set_new(object, "file", json_string(frame->heading));
	if (frame->have_tracer)
		json_object_set_new(object, "tracer_share", json_integer((json_int_t)frame->tracer_share));
	return object;
}

/* ---- the rules ---- */

static void print_percent(FILE *f, uint64_t hundredths)
{
	if (hundredths % 100)
		fprintf(f, "%" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
	else
		fprintf(f, "%" PRIu64, hundredths / 100);
}

void rules_print(FILE *f, const struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->items[i];

		fprintf(f, "%-22s %s >= ", r->name, r->threshold.field);
		print_percent(f, r->threshold.number);
		fprintf(f, " %% of %s\n%-22s %s\n", r->threshold.of, "", r->say);
	}
}
