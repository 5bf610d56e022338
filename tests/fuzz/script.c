// SPDX-License-Identifier: Apache-2.0
// The header of a script or a part, and the program that is made of it where all its needs are met.
// The first byte says which: a part goes into a script of this tree.
#include "fuzz.h"

#include "base/text.h"
#include "plan/render.h"

static struct strings names_of(const struct need *need)
{
	struct strings names = { 0 };

	for (size_t i = 0; i < need->names.n; i++)
		strings_add(&names, need->names.items[i]);
	return names;
}

/* A verdict as on a kernel that has everything. */
static struct verdict verdict_of(const struct script *s)
{
	struct verdict v = { .script = s, .fits = true, .needs = xcalloc(s->n_needs, sizeof(*v.needs)) };

	for (size_t i = 0; i < s->n_needs; i++)
		v.needs[i] = (struct need_result){ .state = NEED_MET, .functions = names_of(&s->needs[i]) };
	for (size_t i = 0; i < s->n_claims; i++) {
		v.sources = xrealloc(v.sources, v.n_sources + 1, sizeof(*v.sources));
		v.sources[v.n_sources++] = (struct source_result){
			.event = s->claims[i].event,
			.source = s->claims[i].sources.items[0],
			.fidelity = s->claims[i].fidelity,
			.claim = &s->claims[i],
		};
	}
	return v;
}

static void verdict_done(struct verdict *v)
{
	for (size_t i = 0; i < v->script->n_needs; i++)
		strings_done(&v->needs[i].functions);
	free(v->needs);
	free(v->sources);
}

static const struct script *host_script(void)
{
	static struct script *scripts;
	static size_t n;
	char *why = NULL;

	if (!scripts)
		MUST(!scripts_load("scripts", &scripts, &n, &why));
	for (size_t i = 0; i < n; i++)
		if (!scripts[i].part && scripts[i].n_claims > 2)
			return &scripts[i];
	abort();
}

static void render(const struct script *s, unsigned int events)
{
	const struct script *host = s->part ? host_script() : s;
	struct verdict own = verdict_of(s), other = verdict_of(host);
	struct program program = { .script = s->part ? &other : &own, .filter = { .events = events } };
	struct wait_name *waits;
	size_t n;
	char *text;

	if (s->part)
		program.parts[program.n_parts++] = &own;
	text = program_render(&program);
	MUST(text);
	n = program_waits(program.script, &waits);
	for (size_t i = 0; i < n; i++)
		MUST(strlen(waits[i].event) < NAME_BYTES && strlen(waits[i].source) < NAME_BYTES);
	free(waits);
	free(text);
	verdict_done(&own);
	verdict_done(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s;
	uint8_t kind = 0;
	char *why = NULL;

	fuzz_take(&data, &size, &kind, 1);
	if (script_parse(kind & 1 ? "fuzz.part" : "fuzz.bt", (const char *)data, size, &s, &why)) {
		MUST(why);
		free(why);
		return 0;
	}
	MUST(!why && s.archs.n && s.module && s.cost && s.range && s.n_claims);
	render(&s, kind >> 5);
	script_done(&s);
	return 0;
}
