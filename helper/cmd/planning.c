// SPDX-License-Identifier: Apache-2.0
// From the scripts and a root directory to a plan, and how a plan is told; for the commands that need one.
#include "base/text.h"
#include "cmd/command.h"
#include "record/event.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The tree that the program was built in, TREE/build/kvmwait; NULL: it was installed. The caller frees. */
static char *built_in(void)
{
	char exe[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	slash = strstr(exe, "/build/");
	return slash && !strchr(slash + 7, '/') ? xstrndup(exe, (size_t)(slash - exe)) : NULL;
}

const char *scripts_directory(void)
{
	static char *beside;
	const char *given = getenv("KVMWAIT_SCRIPTS");

	if (given && *given)
		return given;
	if (!beside) {
		CLEANUP_FREE char *tree = built_in();

		beside = tree ? xasprintf("%s/scripts", tree) : NULL;
	}
	return beside && !access(beside, F_OK) ? beside : KVMWAIT_DATADIR "/scripts";
}

char *share_path(const char *name)
{
	CLEANUP_FREE char *tree = built_in();
	CLEANUP_FREE char *beside = tree ? xasprintf("%s/share/%s", tree, name) : NULL;

	return beside && !access(beside, F_OK) ? xstrdup(beside) : xasprintf("%s/%s", KVMWAIT_DATADIR, name);
}

int planning_make(const char *root, struct planning *ret)
{
	struct planning p = { 0 };
	CLEANUP_FREE char *why = NULL;

	if (scripts_load(scripts_directory(), &p.scripts, &p.n_scripts, &why))
		return fail(EXIT_FAILED, "the scripts cannot be read: %s", why);
	if (kernel_load(root, p.scripts, p.n_scripts, &p.kernel, &why)) {
		scripts_free(p.scripts, p.n_scripts);
		return fail(EXIT_FAILED, "the kernel's facts cannot be read: %s", why);
	}
	*ret = p;
	plan_make(&ret->kernel, ret->scripts, ret->n_scripts, &ret->plan);
	return EXIT_OK;
}

void planning_done(struct planning *p)
{
	plan_done(&p->plan);
	kernel_done(&p->kernel);
	scripts_free(p->scripts, p->n_scripts);
}

void say_no_script(const struct plan *plan)
{
	fprintf(stderr, "kvmwait: no script fits kernel %s:\n", plan->kernel->release);
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (!plan->verdicts[i].script->part)
			fprintf(stderr, "  %-20s %s\n", plan->verdicts[i].script->name, plan->verdicts[i].reason);
	fputs("'kvmwait check' says what is in the way.\n", stderr);
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

void print_plan_lines(FILE *f, const struct plan *plan, const char *where)
{
	fprintf(f, "kvmwait %s   kernel %s%s%s%s%s\n", KVMWAIT_VERSION, plan->kernel->release, plan->vendor ? ", " : "",
		plan->vendor ? plan->vendor : "", where ? ", " : "", where ? where : "");
	if (!plan->chosen)
		return;
	fprintf(f, "script %s", plan->chosen->script->name);
	for (size_t i = 0; i < n_event_kinds; i++)
		print_event(f, plan->chosen, event_kinds[i].name);
	fputc('\n', f);
}

static json_t *source_json(const struct source_result *s)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:s?}", "event", s->event, "source", s->source, "fidelity",
			 fidelity_name(s->fidelity), "not_applicable", s->not_applicable, "functions", strings_json(&s->functions),
			 "why", s->why);
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
