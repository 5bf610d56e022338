// SPDX-License-Identifier: Apache-2.0
// Which kernel, host and script records come from, and how exact each event is: from a plan, or from a meta record.
#include "ledger/origin.h"

#include "base/clean_text.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void origin_of_plan(const struct plan *plan, struct origin *ret)
{
	const struct kernel *kernel = plan->kernel;

	*ret = (struct origin){
		.kernel = xstrdup(kernel->release),
		.vendor = xstrdup(plan->vendor ? plan->vendor : kernel->arch),
		.script = xstrdup(plan->chosen->script->name),
		.fidelity_known = true,
	};
	for (size_t i = 0; i < n_event_kinds && i < ARRAY_SIZE(ret->fidelity); i++)
		ret->fidelity[i] = plan_event_fidelity(plan->chosen, event_kinds[i].name);
}

static const char *text_of(json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

/* A text of the record, fit to print. */
static char *clean_or_unknown(json_t *meta, const char *field)
{
	return json_is_string(json_object_get(meta, field)) ? text_cleaned(text_of(meta, field)) : xstrdup("?");
}

static enum fidelity fidelity_named(const char *name)
{
	for (int f = FIDELITY_ABSENT; f <= FIDELITY_EXACT; f++)
		if (!strcmp(name, fidelity_name((enum fidelity)f)))
			return (enum fidelity)f;
	return FIDELITY_ABSENT;
}

/* The sources that a meta record lists; the caller frees the array, its texts are borrowed. */
static struct source_result *sources_of(json_t *probes, size_t *ret_n)
{
	struct source_result *sources = xcalloc(json_array_size(probes) + 1, sizeof(*sources));
	json_t *probe;
	size_t i;

	json_array_foreach(probes, i, probe) {
		sources[i].event = text_of(probe, "event");
		sources[i].fidelity = fidelity_named(text_of(probe, "fidelity"));
		sources[i].not_applicable = json_is_true(json_object_get(probe, "not_applicable"));
	}
	*ret_n = json_array_size(probes);
	return sources;
}

void origin_of_meta(json_t *meta, struct origin *ret)
{
	size_t n;
	CLEANUP_FREE struct source_result *sources = sources_of(json_object_get(meta, "probes"), &n);
	const char *host = json_string_value(json_object_get(meta, "host"));

	*ret = (struct origin){
		.kernel = clean_or_unknown(meta, "kernel"),
		.vendor = clean_or_unknown(meta, json_object_get(meta, "vendor") ? "vendor" : "arch"),
		.script = clean_or_unknown(meta, "script"),
		.host = host ? text_recleaned(host) : NULL,
		.fidelity_known = meta != NULL,
	};
	for (size_t i = 0; i < n_event_kinds && i < ARRAY_SIZE(ret->fidelity); i++)
		ret->fidelity[i] = sources_fidelity(sources, n, event_kinds[i].name);
}

void origin_done(struct origin *o)
{
	free(o->kernel);
	free(o->vendor);
	free(o->script);
	free(o->host);
	*o = (struct origin){ 0 };
}

bool origin_all_exact(const struct origin *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(o->fidelity); i++)
		if (o->fidelity[i] != FIDELITY_EXACT)
			return false;
	return o->fidelity_known;
}
