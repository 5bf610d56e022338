// SPDX-License-Identifier: Apache-2.0
// The program that bpftrace is given: a script fitted to one kernel, and its numeric parameters.
//
// The form of a script that this rests on: a clause begins in the first column with its attach points, one a
// line, and ends with a brace in the first column. "//@ only: NEED" above a clause names the one need it is
// there for; its other attach points then only keep the clause attachable when the script is run by hand.
#include "program.h"

#include "event.h"

#include <errno.h>

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ONLY_MARK "//@ only: "

struct renderer {
	const struct verdict *v;
	const bool *needed;
	FILE *out;
};

static bool wants_event(const struct filter *filter, const char *event)
{
	return !filter->events || (filter->events & event_bit(event));
}

/* The needs that what is wanted rests on. */
static bool *needs_in_use(const struct verdict *v, const struct filter *filter)
{
	bool *needed = xcalloc(v->script->n_needs, sizeof(*needed));

	for (size_t i = 0; i < v->n_sources; i++) {
		const struct claim *claim = v->sources[i].claim;

		if (!claim || !wants_event(filter, claim->event))
			continue;
		for (size_t j = 0; j < claim->n_needs; j++)
			needed[claim->needs[j]] = true;
	}
	return needed;
}

/* The need of this kind that an attach point's name or pattern is about, or NULL. */
static const struct need *need_of(const struct script *s, enum need_kind kind, const char *pattern)
{
	for (size_t i = 0; i < s->n_needs; i++) {
		if (s->needs[i].kind != kind)
			continue;
		for (size_t j = 0; j < s->needs[i].names.n; j++)
			if (!fnmatch(pattern, s->needs[i].names.items[j], 0))
				return &s->needs[i];
	}
	return NULL;
}

static bool is_probed(const struct renderer *r, const struct need *need)
{
	size_t i = (size_t)(need - r->v->script->needs);

	return r->needed[i] && (r->v->needs[i].state == NEED_MET || r->v->needs[i].state == NEED_WEAK);
}

/* Adds what one attach point becomes. */
static void fit_attach_point(const struct renderer *r, const char *point, const char *only, struct strings *fitted)
{
	size_t type_n = strcspn(point, ":") + 1;
	CLEANUP_FREE char *type = xstrndup(point, type_n);
	CLEANUP_FREE char *pattern = xstrndup(point + type_n, strcspn(point + type_n, ",\n"));
	enum need_kind kind = strcmp(type, "kprobe:") ? NEED_TRACEPOINT : NEED_FUNC;
	const struct need *need = need_of(r->v->script, kind, pattern);
	const struct need_result *result;

	if (!need || (only && strcmp(need->id, only)) || !is_probed(r, need))
		return;
	result = &r->v->needs[need - r->v->script->needs];
	for (size_t i = 0; i < result->functions.n; i++) {
		CLEANUP_FREE char *text = xasprintf("%s%s", type, result->functions.items[i]);

		strings_add(fitted, text);
	}
}

static size_t line_length(const char *p)
{
	size_t n = strcspn(p, "\n");

	return n + (p[n] == '\n');
}

/* Writes the clause that begins at p, or leaves it out; returns its length. */
static size_t render_clause(const struct renderer *r, const char *p, const char *only)
{
	const char *start = p;
	struct strings fitted = { 0 };
	bool more = true;

	while (more) {
		size_t n = line_length(p);

		fit_attach_point(r, p, only, &fitted);
		more = n >= 2 && p[n - 2] == ',';
		p += n;
	}
	if (fitted.n) {
		CLEANUP_FREE char *points = strings_join(&fitted, ",\n");

		fprintf(r->out, "%s\n", points);
	}
	while (*p) {
		size_t n = line_length(p);

		if (fitted.n)
			fwrite(p, 1, n, r->out);
		p += n;
		if (starts_with(p - n, "}"))
			break;
	}
	strings_done(&fitted);
	return (size_t)(p - start);
}

static bool begins_clause(const char *p)
{
	return starts_with(p, "kprobe:") || starts_with(p, "tracepoint:");
}

char *program_render(const struct verdict *v, const struct filter *filter)
{
	CLEANUP_FREE bool *needed = needs_in_use(v, filter);
	CLEANUP_FREE char *only = NULL;
	char *text = NULL;
	size_t size;
	struct renderer r = { .v = v, .needed = needed, .out = open_memstream(&text, &size) };

	if (!r.out)
		abort();
	for (const char *p = v->script->text; *p;) {
		size_t n = line_length(p);

		if (begins_clause(p)) {
			n = render_clause(&r, p, only);
			free(only);
			only = NULL;
		} else {
			if (starts_with(p, ONLY_MARK))
				only = xstrndup(p + strlen(ONLY_MARK), strcspn(p + strlen(ONLY_MARK), " \n"));
			fwrite(p, 1, n, r.out);
		}
		p += n;
	}
	fclose(r.out);
	return text;
}

static void add_number(struct strings *list, uint64_t number)
{
	CLEANUP_FREE char *text = xasprintf("%" PRIu64, number);

	strings_add(list, text);
}

void program_params(const struct filter *filter, uint32_t stopper, struct strings *ret)
{
	add_number(ret, filter->events);
	for (size_t i = 0; i < PROGRAM_MAX_TGIDS; i += 2)
		add_number(ret, (uint64_t)filter->tgids[i + 1] << 32 | filter->tgids[i]);
	add_number(ret, filter->vcpu_base);
	add_number(ret, filter->vcpu_mask);
	add_number(ret, stopper);
}

int filter_add_vcpu(struct filter *filter, uint32_t vcpu)
{
	uint32_t base = filter->vcpu_base, shift;

	if (!filter->vcpu_mask) {
		filter->vcpu_base = vcpu;
		filter->vcpu_mask = 1;
		return 0;
	}
	if (vcpu >= base) {
		if (vcpu - base >= PROGRAM_VCPU_SPAN)
			return -ERANGE;
		filter->vcpu_mask |= UINT64_C(1) << (vcpu - base);
		return 0;
	}
	shift = base - vcpu;
	if (shift >= PROGRAM_VCPU_SPAN || filter->vcpu_mask >> (PROGRAM_VCPU_SPAN - shift))
		return -ERANGE;
	filter->vcpu_base = vcpu;
	filter->vcpu_mask = filter->vcpu_mask << shift | 1;
	return 0;
}
