// SPDX-License-Identifier: Apache-2.0
// Shows a plan: as two lines before a trace, as the reasons why no script fits, and as JSON.
#include "show/plan_show.h"

#include "record/event.h"

#include <string.h>

void plan_print_misfits(FILE *f, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (!plan->verdicts[i].script->part)
			fprintf(f, "  %-20s %s\n", plan->verdicts[i].script->name, plan->verdicts[i].reason);
}

/* "pv_yield exact (kvm, hyperv; no xen)" */
static void print_event(FILE *f, const struct verdict *v, const char *event)
{
	const char *separator = " (";

	fprintf(f, "   %s %s", event, fidelity_name(plan_event_fidelity(v, event)));
	for (size_t i = 0; i < v->n_sources; i++) {
		if (strcmp(v->sources[i].event, event) || v->sources[i].fidelity == FIDELITY_ABSENT)
			continue;
		fprintf(f, "%s%s", separator, v->sources[i].source);
		separator = ", ";
	}
	for (size_t i = 0; i < v->n_sources; i++) {
		if (strcmp(v->sources[i].event, event) || v->sources[i].fidelity != FIDELITY_ABSENT)
			continue;
		fprintf(f, "%sno %s", separator, v->sources[i].source);
		separator = ", ";
	}
	if (*separator == ',')
		fputc(')', f);
}

void plan_print_lines(FILE *f, const struct plan *plan, const char *where)
{
	const struct verdict *fallback;

	fprintf(f, "kvmwait %s   kernel %s%s%s%s%s\n", KVMWAIT_VERSION, plan->kernel->release, plan->vendor ? ", " : "",
		plan->vendor ? plan->vendor : "", where ? ", " : "", where ? where : "");
	if (!plan->chosen)
		return;
	fprintf(f, "script %s", plan->chosen->script->name);
	for (size_t i = 0; (fallback = verdict_fallback(plan->chosen, i)); i++)
		fprintf(f, " + %s", fallback->script->name);
	for (size_t i = 0; i < n_event_kinds; i++)
		print_event(f, plan->chosen, event_kinds[i].name);
	fputc('\n', f);
}

static json_t *source_json(const struct source_result *s)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:o, s:s?}", "event", s->event, "source", s->source, "fidelity",
				   fidelity_name(s->fidelity), "not_applicable", s->not_applicable, "functions",
				   strings_json(&s->functions), "why", s->why);

	if (s->from)
		json_object_set_new(object, "fallback", json_string(s->from->script->name));
	return object;
}

static json_t *verdict_json(const struct verdict *v)
{
	json_t *sources = json_array();

	for (size_t i = 0; i < v->n_sources; i++)
		json_array_append_new(sources, source_json(&v->sources[i]));
	return json_pack("{s:s, s:s, s:s?, s:s, s:b, s:b, s:s?, s:o}", "script", v->script->name, "sha256", v->script->sha256, "part",
			 v->script->part, "range", v->script->range, "chosen", v->chosen, "in_range", v->in_range, "reason", v->reason, "sources",
			 sources);
}

json_t *plan_json(const struct plan *plan)
{
	json_t *verdicts = json_array(), *events = json_object();
	const struct kernel *k = plan->kernel;

	for (size_t i = 0; i < plan->n_verdicts; i++)
		json_array_append_new(verdicts, verdict_json(&plan->verdicts[i]));
	for (size_t i = 0; i < n_event_kinds; i++)
		json_object_set_new(events, event_kinds[i].name,
				    json_string(fidelity_name(plan->chosen ? plan_event_fidelity(plan->chosen, event_kinds[i].name)
									   : FIDELITY_ABSENT)));
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o, s:o}", "kvmwait", KVMWAIT_VERSION, "kernel", k->release, "arch", k->arch,
			 "vendor", plan->vendor, "script", plan->chosen ? plan->chosen->script->name : NULL, "events", events,
			 "scripts", verdicts);
}
