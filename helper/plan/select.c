// SPDX-License-Identifier: Apache-2.0
// The choice: from the facts of a kernel and the headers of the scripts to a plan, with a reason for everything.
#include "plan/select.h"

#include "base/text.h"
#include "plan/kernel_btf.h"

#include <stdlib.h>
#include <string.h>

static bool release_in_range(const struct script *s, struct version v)
{
	return version_compare(v, s->from) >= 0 && (!s->has_until || version_compare(v, s->until) < 0);
}

/* Where a function is looked up: in the script's module, or in the kernel itself if the module is built in. */
struct scope {
	const struct kernel *k;
	const char *module; /* "" for the kernel itself */
};

static struct scope scope_of(const struct kernel *k, const struct script *s, bool in_kernel)
{
	return (struct scope){ k, !in_kernel && kernel_has_module(k, s->module) ? s->module : "" };
}

static bool symbol_is_in(struct scope scope, const struct symbol *symbol)
{
	return !strcmp(symbol->module, scope.module);
}

static size_t count_symbols(struct scope scope, const char *name, bool clones, const struct symbol **ret_last)
{
	size_t n = 0;

	for (size_t i = 0; i < scope.k->symbols.n; i++) {
		const struct symbol *symbol = &scope.k->symbols.items[i];

		if (strcmp(symbol->base, name) || symbol_is_whole(symbol) == clones || !symbol_is_in(scope, symbol))
			continue;
		*ret_last = symbol;
		n++;
	}
	return n;
}

/* Is this name in use elsewhere, so that a probe by name may land on the wrong function? */
static const struct symbol *find_namesake(struct scope scope, const char *name)
{
	for (size_t i = 0; i < scope.k->symbols.n; i++)
		if (!strcmp(scope.k->symbols.items[i].name, name) && !symbol_is_in(scope, &scope.k->symbols.items[i]))
			return &scope.k->symbols.items[i];
	return NULL;
}

/* The function and each clone of it have to take a probe, or else none does; NULL, or why not. */
static char *why_not_probed(struct scope scope, const char *name)
{
	for (size_t i = 0; i < scope.k->symbols.n; i++) {
		const struct symbol *symbol = &scope.k->symbols.items[i], *namesake;

		if (strcmp(symbol->base, name) || !symbol_is_in(scope, symbol))
			continue;
		namesake = find_namesake(scope, symbol->name);
		if (namesake)
			return xasprintf("%s exists in %s as well: a probe may land there", symbol->name,
					 *namesake->module ? namesake->module : "the kernel itself");
		if (!symbol->traceable)
			return xasprintf("%s cannot be traced (notrace)", symbol->name);
	}
	return NULL;
}

static bool has_function(struct scope scope, const char *name)
{
	const struct symbol *last;

	return count_symbols(scope, name, false, &last) || count_symbols(scope, name, true, &last);
}

static void weaken(struct need_result *r, char *why)
{
	free(r->why);
	r->why = why;
	r->state = NEED_WEAK;
}

/* The arguments have to be those the script reads: BTF says so, or else the range that was measured. */
static bool arguments_fit(const struct kernel *k, const struct script *s, const struct need *need, const char *name,
			  struct need_result *r)
{
	CLEANUP_FREE char *found = kernel_btf_arguments(k, need->in_kernel ? "vmlinux" : s->module, name);

	if (!need->args)
		return true;
	if (found && strcmp(found, need->args)) {
		r->why = xasprintf("%s takes (%s), not (%s)", name, found, need->args);
		return false;
	}
	if (found)
		return true;
	if (!release_in_range(s, k->version)) {
		r->why = xasprintf("no BTF says what %s takes, and %s is out of the range %s", name, k->release, s->range);
		return false;
	}
	r->why = xasprintf("no BTF says what %s takes: taken from the range %s", name, s->range);
	return true;
}

/* Resolves one name; false where it cannot be probed, with r->why. */
static bool resolve_name(const struct kernel *k, const struct script *s, const struct need *need, const char *name,
			 struct need_result *r)
{
	struct scope scope = scope_of(k, s, need->in_kernel);
	const struct symbol *whole = NULL, *clone = NULL;
	bool loaded = need->in_kernel || kernel_has_module(k, s->module);
	size_t n_whole = count_symbols(scope, name, false, &whole), n_clones = count_symbols(scope, name, true, &clone);

	if (!n_whole && !n_clones) {
		r->why = xasprintf("there is no function %s%s%s%s", name, loaded ? "" : " (module ", loaded ? "" : s->module,
				   loaded ? "" : " is not loaded)");
		return false;
	}
	if (n_whole > 1) {
		r->why = xasprintf("there are %zu functions %s", n_whole, name);
		return false;
	}
	r->why = why_not_probed(scope, name);
	if (r->why)
		return false;
	if (!k->have_kprobes) {
		r->why = xstrdup("the kernel has no kprobes");
		return false;
	}
	if (!arguments_fit(k, s, need, name, r))
		return false;
	r->state = NEED_MET;
	if (whole)
		strings_add(&r->functions, whole->name);
	for (size_t i = 0; i < k->symbols.n; i++) {
		const struct symbol *symbol = &k->symbols.items[i];

		if (strcmp(symbol->base, name) || symbol_is_whole(symbol) || !symbol_is_in(scope, symbol))
			continue;
		strings_add(&r->functions, symbol->name);
		weaken(r, symbol->clone == CLONE_PART
				  ? xasprintf("the compiler split %s: calls that stay in the inlined part are not seen", symbol->name)
				  : xasprintf("the compiler made the clone %s: its arguments are not certain", symbol->name));
	}
	return true;
}

static void resolve_function(const struct kernel *k, const struct script *s, const struct need *need, struct need_result *r)
{
	if (need->marker && !has_function(scope_of(k, s, need->in_kernel), need->marker)) {
		r->state = NEED_NOT_APPLICABLE;
		r->why = xasprintf("this kernel has no %s: built without it", need->marker);
		return;
	}
	for (size_t i = 0; i < need->names.n; i++) {
		free(r->why);
		r->why = NULL;
		if (resolve_name(k, s, need, need->names.items[i], r))
			return;
	}
}

static void resolve_need(const struct kernel *k, const struct script *s, const struct need *need, struct need_result *r)
{
	const char *object = need->names.items[0];
	CLEANUP_FREE char *why = NULL;

	*r = (struct need_result){ .state = NEED_UNMET };
	switch (need->kind) {
	case NEED_FUNC:
		resolve_function(k, s, need, r);
		return;
	case NEED_NO_FUNC:
		if (has_function(scope_of(k, s, false), object))
			r->why = xasprintf("there is %s: the kernel is of another range", object);
		else
			r->state = NEED_MET;
		return;
	case NEED_MEMBER:
		if (!kernel_btf_member(k, s->module, object, &r->offset_bytes, &why))
			r->state = NEED_MET;
		break;
	case NEED_TRACEPOINT:
		if (!kernel_tracepoint(k, object, &need->fields, &why)) {
			r->state = NEED_MET;
			strings_add(&r->functions, object);
		}
		break;
	}
	if (why)
		r->why = xasprintf("%s: %s", object, why);
}

/* ---- claims ---- */

/* The worst of the needs of a claim. One that does not apply is no hindrance, unless the claim stands on it. */
static enum need_state claim_state(const struct verdict *v, const struct claim *claim, const struct need_result **ret_worst)
{
	enum need_state worst = NEED_MET;

	*ret_worst = NULL;
	for (size_t i = 0; i < claim->n_needs; i++) {
		const struct need_result *r = &v->needs[claim->needs[i]];

		if (r->state == NEED_NOT_APPLICABLE && i)
			continue;
		if (r->state < worst || (r->why && !*ret_worst)) {
			worst = r->state < worst ? r->state : worst;
			*ret_worst = r;
		}
	}
	return worst;
}

static void take_functions(const struct verdict *v, const struct claim *claim, struct strings *functions)
{
	for (size_t i = 0; i < claim->n_needs; i++) {
		const struct need_result *r = &v->needs[claim->needs[i]];

		for (size_t j = 0; j < r->functions.n; j++)
			if (!strings_have(functions, r->functions.items[j]))
				strings_add(functions, r->functions.items[j]);
	}
}

static struct source_result *find_source(struct verdict *v, const char *event, const char *source)
{
	for (size_t i = 0; i < v->n_sources; i++)
		if (!strcmp(v->sources[i].event, event) && !strcmp(v->sources[i].source, source))
			return &v->sources[i];
	v->sources = xrealloc(v->sources, v->n_sources + 1, sizeof(*v->sources));
	v->sources[v->n_sources] = (struct source_result){ .event = event, .source = source };
	return &v->sources[v->n_sources++];
}

static void judge_claim(struct verdict *v, const struct claim *claim, const char *source)
{
	struct source_result *result = find_source(v, claim->event, source);
	const struct need_result *worst;
	bool applies = v->needs[claim->needs[0]].state != NEED_NOT_APPLICABLE; /* whatever else is unmet */
	enum need_state state = claim_state(v, claim, &worst);

	if (result->claim || (claim->fidelity == FIDELITY_ABSENT && result->not_applicable)) /* a better one holds */
		return;
	if (state == NEED_UNMET || state == NEED_NOT_APPLICABLE) {
		const struct need_result *reason = applies ? worst : &v->needs[claim->needs[0]];

		if (!result->why)
			result->why = xstrdup(reason && reason->why ? reason->why : "a need is not met");
		result->not_applicable |= !applies;
		return;
	}
	result->claim = claim;
	result->not_applicable = false;
	result->fidelity = state == NEED_WEAK && claim->fidelity == FIDELITY_EXACT ? FIDELITY_INFERRED : claim->fidelity;
	if (claim->note) {
		char *why = result->why ? xasprintf("%s (%s)", claim->note, result->why) : xstrdup(claim->note);

		free(result->why);
		result->why = why;
	} else if (worst && worst->why && !result->why) {
		result->why = xstrdup(worst->why);
	}
	if (claim->fidelity != FIDELITY_ABSENT)
		take_functions(v, claim, &result->functions);
}

/* The vendor: the one whose module is loaded. Both at once serve no machine; then it is the first. */
static const char *loaded_vendor(const struct kernel *k, const struct script *s)
{
	for (size_t i = 0; i < s->n_vendors; i++)
		if (kernel_has_module(k, s->vendors[i].module))
			return s->vendors[i].source;
	return NULL;
}

/* Where no vendor's module is loaded yet, the CPU decides which one can be: its flag has the vendor's name. */
static const char *vendor_to_come(const struct kernel *k, const struct script *s)
{
	for (size_t i = 0; i < s->n_vendors; i++)
		if (strings_have(&k->cpu_flags, s->vendors[i].source))
			return s->vendors[i].source;
	return s->n_vendors ? s->vendors[0].source : NULL;
}

/* Is the source that of a vendor whose module is not loaded, while another one's is? */
static bool is_other_vendor(const struct kernel *k, const struct script *s, const char *source)
{
	for (size_t i = 0; i < s->n_vendors; i++)
		if (!strcmp(s->vendors[i].source, source))
			return loaded_vendor(k, s) && !kernel_has_module(k, s->vendors[i].module);
	return false;
}

static size_t count_fidelity(const struct verdict *v, enum fidelity fidelity)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_sources; i++)
		n += v->sources[i].fidelity == fidelity;
	return n;
}

static void judge_script(const struct kernel *k, const struct script *s, struct verdict *v)
{
	*v = (struct verdict){ .script = s, .in_range = release_in_range(s, k->version) };
	v->needs = xcalloc(s->n_needs, sizeof(*v->needs));
	if (!strings_have(&s->archs, k->arch)) {
		CLEANUP_FREE char *archs = strings_join(&s->archs, ", ");

		v->reason = xasprintf("made for %s, the kernel is %s", archs, k->arch);
		return;
	}
	v->vendor = loaded_vendor(k, s);
	if (!v->vendor)
		v->vendor = vendor_to_come(k, s);
	for (size_t i = 0; i < s->n_needs; i++)
		resolve_need(k, s, &s->needs[i], &v->needs[i]);
	for (size_t i = 0; i < s->n_claims; i++)
		for (size_t j = 0; j < s->claims[i].sources.n; j++)
			if (!is_other_vendor(k, s, s->claims[i].sources.items[j]))
				judge_claim(v, &s->claims[i], s->claims[i].sources.items[j]);
	v->fits = count_fidelity(v, FIDELITY_EXACT) || count_fidelity(v, FIDELITY_INFERRED);
	if (!v->fits)
		v->reason = xstrdup(v->n_sources && v->sources[0].why ? v->sources[0].why : "nothing of it can be probed");
}

/* Is a better than b? More exact, then no fallback, then more inferred, then in range, then the younger range. */
static bool is_better(const struct verdict *a, const struct verdict *b)
{
	size_t exact_a = count_fidelity(a, FIDELITY_EXACT), exact_b = count_fidelity(b, FIDELITY_EXACT);
	size_t inferred_a = count_fidelity(a, FIDELITY_INFERRED), inferred_b = count_fidelity(b, FIDELITY_INFERRED);

	if (exact_a != exact_b)
		return exact_a > exact_b;
	if (a->script->fallback != b->script->fallback)
		return b->script->fallback;
	if (inferred_a != inferred_b)
		return inferred_a > inferred_b;
	if (a->in_range != b->in_range)
		return a->in_range;
	return version_compare(a->script->from, b->script->from) > 0;
}

/* NULL: is it a script that is run by itself? */
static bool is_part(const struct script *s, const char *part)
{
	return part ? s->part && !strcmp(s->part, part) : !s->part;
}

static char *losing_reason(const struct verdict *loser, const struct verdict *winner)
{
	for (size_t i = 0; i < loser->n_sources; i++)
		if (loser->sources[i].fidelity != FIDELITY_EXACT && loser->sources[i].why && !loser->sources[i].not_applicable)
			return xasprintf("%s gives more: here %s (%s) is %s: %s", winner->script->name, loser->sources[i].event,
					 loser->sources[i].source, fidelity_name(loser->sources[i].fidelity),
					 loser->sources[i].why);
	return xasprintf("%s gives as much and its range is nearer", winner->script->name);
}

/* Chooses among the scripts, or among the parts of one name, and gives each of them its reason. */
static struct verdict *choose(const struct kernel *kernel, struct verdict *verdicts, size_t n, const char *part)
{
	struct verdict *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (verdicts[i].fits && is_part(verdicts[i].script, part) && (!best || is_better(&verdicts[i], best)))
			best = &verdicts[i];
	if (!best)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (verdicts[i].fits && is_part(verdicts[i].script, part) && &verdicts[i] != best)
			verdicts[i].reason = losing_reason(&verdicts[i], best);
	best->chosen = true;
	best->reason = best->in_range ? xasprintf("the functions and types fit, and %s is in its range %s", kernel->release,
						   best->script->range)
				      : xasprintf("the functions and types fit, though %s is out of its range %s", kernel->release,
						   best->script->range);
	return best;
}

/* ---- fallbacks ---- */

static const struct source_result *source_given(const struct verdict *v, const char *event, const char *source)
{
	for (size_t i = 0; i < v->n_sources; i++)
		if (!strcmp(v->sources[i].event, event) && !strcmp(v->sources[i].source, source))
			return v->sources[i].fidelity == FIDELITY_ABSENT ? NULL : &v->sources[i];
	return NULL;
}

/* The best fallback for a source that the chosen script lacks; NULL: none. */
static struct verdict *find_fallback(struct plan *plan, const char *event, const char *source)
{
	struct verdict *best = NULL;

	for (size_t i = 0; i < plan->n_verdicts; i++) {
		struct verdict *v = &plan->verdicts[i];
		const struct source_result *a, *b;

		if (!v->fits || !v->script->fallback || v == plan->chosen || !(a = source_given(v, event, source)))
			continue;
		b = best ? source_given(best, event, source) : NULL;
		if (!b || a->fidelity > b->fidelity || (a->fidelity == b->fidelity && is_better(v, best)))
			best = v;
	}
	return best;
}

static void take_source(struct verdict *main, struct source_result *into, struct verdict *from)
{
	const struct source_result *given = source_given(from, into->event, into->source);
	char *why = xasprintf("from %s: %s%s%s%s", from->script->name, given->why ? given->why : fidelity_name(given->fidelity),
			      into->why ? " (" : "", into->why ? into->why : "", into->why ? ")" : "");

	if (!from->chosen) {
		free(from->reason);
		from->reason = xasprintf("%s lacks %s (%s)", main->script->name, into->event, into->source);
	}
	from->chosen = true;
	into->from = from;
	into->fidelity = given->fidelity;
	into->claim = given->claim;
	free(into->why);
	into->why = why;
	for (size_t i = 0; i < given->functions.n; i++)
		strings_add(&into->functions, given->functions.items[i]);
}

/* Each source that the chosen script lacks and the kernel can produce comes from a fallback script, if one has it. */
static void fill_sources(struct plan *plan, struct verdict *main)
{
	for (size_t i = 0; i < main->n_sources; i++) {
		struct source_result *s = &main->sources[i];
		struct verdict *from = s->claim || s->not_applicable ? NULL : find_fallback(plan, s->event, s->source);

		if (from)
			take_source(main, s, from);
	}
}

const struct verdict *verdict_fallback(const struct verdict *v, size_t n)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		const struct verdict *from = v->sources[i].from;
		size_t first = 0;

		while (v->sources[first].from != from)
			first++;
		if (from && first == i && !n--)
			return from;
	}
	return NULL;
}

/* Some parts do not go with every script: neither with the chosen one nor with a fallback of it. */
static void leave_out_part(struct verdict *v, const struct verdict *chosen)
{
	const struct verdict *with = chosen;

	for (size_t i = 0; with && v->fits && v->script->part; with = verdict_fallback(chosen, i++)) {
		if (!strings_have(&with->script->without, v->script->part))
			continue;
		v->fits = false;
		v->reason = xasprintf("does not go with %s", with->script->name);
	}
}

void plan_make(const struct kernel *kernel, const struct script *scripts, size_t n_scripts, struct plan *ret)
{
	struct plan plan = { .kernel = kernel, .n_verdicts = n_scripts };
	struct verdict *chosen;

	plan.verdicts = xcalloc(n_scripts, sizeof(*plan.verdicts));
	for (size_t i = 0; i < n_scripts; i++) {
		judge_script(kernel, &scripts[i], &plan.verdicts[i]);
		if (!plan.vendor && strings_have(&scripts[i].archs, kernel->arch))
			plan.vendor = loaded_vendor(kernel, &scripts[i]);
	}
	plan.chosen = chosen = choose(kernel, plan.verdicts, n_scripts, NULL);
	if (chosen)
		fill_sources(&plan, chosen);
	for (size_t i = 0; i < n_scripts && chosen; i++)
		leave_out_part(&plan.verdicts[i], chosen);
	for (size_t i = 0; i < n_scripts; i++)
		if (scripts[i].part && plan.verdicts[i].fits && !plan.verdicts[i].reason)
			choose(kernel, plan.verdicts, n_scripts, scripts[i].part);
	*ret = plan;
}

const struct verdict *plan_find_part(const struct plan *plan, const char *part)
{
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (plan->verdicts[i].chosen && is_part(plan->verdicts[i].script, part))
			return &plan->verdicts[i];
	return NULL;
}

const char *plan_why_no_part(const struct plan *plan, const char *part)
{
	for (size_t i = 0; i < plan->n_verdicts; i++)
		if (is_part(plan->verdicts[i].script, part))
			return plan->verdicts[i].reason;
	return "there is no such part among the scripts";
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_verdicts; i++) {
		struct verdict *v = &plan->verdicts[i];

		for (size_t j = 0; j < v->script->n_needs; j++) {
			strings_done(&v->needs[j].functions);
			free(v->needs[j].why);
		}
		for (size_t j = 0; j < v->n_sources; j++) {
			strings_done(&v->sources[j].functions);
			free(v->sources[j].why);
		}
		free(v->needs);
		free(v->sources);
		free(v->reason);
	}
	free(plan->verdicts);
	*plan = (struct plan){ 0 };
}

enum fidelity sources_fidelity(const struct source_result *sources, size_t n, const char *event)
{
	enum fidelity worst = FIDELITY_EXACT;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(sources[i].event, event) || sources[i].not_applicable)
			continue;
		any = true;
		if (sources[i].fidelity < worst)
			worst = sources[i].fidelity;
	}
	return any ? worst : FIDELITY_ABSENT;
}

enum fidelity plan_event_fidelity(const struct verdict *v, const char *event)
{
	return sources_fidelity(v->sources, v->n_sources, event);
}
