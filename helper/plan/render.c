// SPDX-License-Identifier: Apache-2.0
// The program that bpftrace is given: a script fitted to one kernel and to what the user wants, with the parts that were asked
// for.
//
// kvmwait-scripts(5) has the form of scripts that this rests on. A clause begins in the first column with its attach points, one
// a line, and ends with a brace in the first column. What is inside a clause passes unchanged but for the marks "//@ ..."; what
// they become is in render_event.c.
// A part has clauses of its own; what its BEGIN and END hold goes to the end of the script's.
// A fallback script follows the chosen one, with the clauses for the sources that are taken from it: its BEGIN and END give
// what concerns maps that the chosen script has not. Events of sources that come from the other script are left out.
#include "plan/render.h"

#include "base/text.h"
#include "plan/clause.h"
#include "plan/render_event.h"
#include "record/event.h"

#include <errno.h>

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define RAW_MARK "//@ raw: "
#define INTERVAL_POINT "ms:" PART_INTERVAL
#define MAP_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

/* The needs that what is wanted rests on. */
static bool *needs_in_use(const struct renderer *r)
{
	const struct verdict *v = renderer_is_fallback(r) ? r->program->script : r->v;
	bool *needed = xcalloc(r->v->script->n_needs, sizeof(*needed));

	for (size_t i = 0; i < v->n_sources; i++) {
		const struct claim *claim = v->sources[i].claim;

		if (!renderer_gives_source(r, &v->sources[i]) || (!v->script->part && !renderer_wants_event(r, claim->event)))
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

/* "rawtracepoint:EVENT" of "CATEGORY:EVENT", or what it is otherwise; the caller frees. */
static char *attach_point(const char *type, const char *name, bool raw)
{
	const char *event = strchr(name, ':');

	return raw && event && !strcmp(type, "tracepoint:") ? xasprintf("raw%s%s", type, event + 1) : xasprintf("%s%s", type, name);
}

/* The attach point of an interval, which the caller frees; NULL where nobody wants reports. */
static char *fit_interval(const struct renderer *r, const char *pattern)
{
	const char *divisor = pattern + strlen(INTERVAL_POINT);
	unsigned int ms = r->program->interval_ms;

	if (!starts_with(pattern, INTERVAL_POINT))
		return xasprintf("interval:%s", pattern);
	if (!ms)
		return NULL;
	if (*divisor == '/' && strtoul(divisor + 1, NULL, 10))
		ms /= (unsigned int)strtoul(divisor + 1, NULL, 10);
	return xasprintf("interval:ms:%u", ms ? ms : 1);
}

/* Is it an attach point that a clause of this script further up has as well? Then it is there for running by hand. */
static bool stands_above(const struct renderer *r, const char *point, size_t n_above)
{
	for (size_t i = 0; i < n_above; i++)
		if (!strcmp(r->points.items[i], point))
			return true;
	return false;
}

/* Adds what one attach point becomes. n_above: how many attach points the clauses further up have. */
static void fit_attach_point(struct renderer *r, const char *line, const char *raw, size_t n_above, struct strings *fitted)
{
	CLEANUP_FREE char *point = xstrndup(line, strcspn(line, ",\n"));
	size_t type_n = strcspn(point, ":");
	const char *pattern = point + type_n + (point[type_n] == ':');
	CLEANUP_FREE char *type = xstrndup(point, (size_t)(pattern - point));
	const struct need *need = need_of(r->v->script, strcmp(type, "tracepoint:") ? NEED_FUNC : NEED_TRACEPOINT, pattern);
	const struct need_result *result;

	if (pattern == point + type_n) /* no attach point */
		return;
	strings_add(&r->points, point);
	if (!strcmp(type, "interval:")) {
		CLEANUP_FREE char *whole = fit_interval(r, pattern);

		if (whole)
			strings_add(fitted, whole);
		return;
	}
	if (!need || !is_probed(r, need) || (!r->v->script->part && stands_above(r, point, n_above)))
		return;
	result = &r->v->needs[need - r->v->script->needs];
	for (size_t i = 0; i < result->functions.n; i++) {
		CLEANUP_FREE char *text = attach_point(type, result->functions.items[i], r->program->raw_tracepoints && raw && !strcmp(need->id, raw));

		strings_add(fitted, text);
	}
}

/* The fallbacks of which anything is wanted: number n, or NULL. */
static const struct verdict *fallback_in_use(const struct renderer *r, size_t n)
{
	const struct verdict *chosen = r->program->script, *v;

	for (size_t i = 0; (v = verdict_fallback(chosen, i)); i++) {
		bool is_used = false;

		for (size_t j = 0; j < chosen->n_sources; j++)
			is_used |= chosen->sources[j].from == v && renderer_wants_event(r, chosen->sources[j].event);
		if (is_used && !n--)
			return v;
	}
	return NULL;
}

/* Is the first map in a line one that the text does not have? */
static bool is_new_map(const char *text, const char *line, size_t n)
{
	const char *at = memchr(line, '@', n);
	size_t length = at ? 1 + strspn(at + 1, MAP_LETTERS) : 0;
	CLEANUP_FREE char *map = at ? xstrndup(at, length) : NULL;

	for (const char *p = text; map && (p = strstr(p, map)); p += length)
		if (!strspn(p + length, MAP_LETTERS))
			return false;
	return map != NULL;
}

/* What BEGIN and END of the fallbacks do with maps that the chosen script does not have. */
static void write_fallback_maps(const struct renderer *r, const char *name)
{
	const struct verdict *v;

	for (size_t i = 0; (v = fallback_in_use(r, i)); i++) {
		const char *body;
		size_t size = clause_find(v->script->text, name, &body);

		for (const char *p = body; size && p < body + size; p += clause_line_length(p))
			if (is_new_map(r->program->script->script->text, p, clause_line_length(p)))
				fwrite(p, 1, clause_line_length(p), r->out);
	}
}

static void write_bodies(const struct renderer *r, const char *name)
{
	for (size_t i = 0; i < r->program->n_parts; i++) {
		const char *body;
		size_t size = clause_find(r->program->parts[i]->script->text, name, &body);

		if (size)
			fwrite(body, 1, size, r->out);
	}
}

/* Does what is wanted rest on the need of this id, and does the kernel meet it? */
static bool have_need(const struct renderer *r, const char *id, size_t n)
{
	const struct script *s = r->v->script;

	for (size_t i = 0; i < s->n_needs; i++)
		if (strlen(s->needs[i].id) == n && starts_with(id, s->needs[i].id))
			return is_probed(r, &s->needs[i]);
	return false;
}

/* Takes the line that begins, parts or ends what is written under a condition; false where it is another line. */
static bool take_choice(struct renderer *r, const struct mark *mark)
{
	switch (mark->kind) {
	case MARK_HAVE:
		r->in_choice = true;
		r->decided = have_need(r, mark->rest, mark->n);
		r->skips = !r->decided;
		return true;
	case MARK_ELSE:
		r->skips = r->in_choice && r->decided;
		return true;
	case MARK_END:
		if (!r->in_event)
			r->in_choice = r->decided = r->skips = false;
		r->in_event = false;
		return true;
	default:
		return r->in_event || r->skips;
	}
}

/* Writes one line of a clause of the script or part. */
static void write_clause_line(struct renderer *r, const char *p, size_t n)
{
	struct mark mark = mark_read(p, n);
	int indent = (int)strspn(p, "\t");

	if (take_choice(r, &mark))
		return;
	switch (mark.kind) {
	case MARK_EVENT:
		r->in_event = true;
		render_event(r, &mark, indent);
		break;
	case MARK_FILTER:
		render_filter(r, &mark, indent);
		break;
	case MARK_STOP:
		render_stop(r, indent);
		break;
	default:
		if (r->v->script->part)
			render_part_line(r, r->v->script->text, p, n, 0);
		else
			fwrite(p, 1, n, r->out);
	}
}

/* Has the clause a filter? p is behind its attach points. */
static bool has_filter(const char *p)
{
	for (; *p && !starts_with(p, "}"); p += clause_line_length(p))
		if (mark_read(p, clause_line_length(p)).kind == MARK_FILTER)
			return true;
	return false;
}

/* Writes the predicate of the clause, of which p is the next line: that of the filter, and the one that is there. Returns its length. */
static size_t write_predicate(const struct renderer *r, const char *p)
{
	CLEANUP_FREE char *filter = has_filter(p) ? render_predicate(&r->program->filter) : NULL;
	size_t n = *p == '/' ? clause_line_length(p) : 0;

	if (!filter)
		fwrite(p, 1, n, r->out);
	else if (n < 3)
		fprintf(r->out, "/%s/\n", filter);
	else
		fprintf(r->out, "/(%s) && (%.*s)/\n", filter, (int)(n - 3), p + 1);
	return n;
}

/* Writes the clause that begins at p, or leaves it out; returns its length. */
static size_t render_clause(struct renderer *r, const char *p, const char *raw)
{
	const char *start = p;
	struct strings fitted = { 0 };
	size_t n_above = r->points.n;
	bool more = true;

	r->in_event = r->in_choice = r->decided = r->skips = false;
	while (more) {
		size_t n = clause_line_length(p);

		fit_attach_point(r, p, raw, n_above, &fitted);
		more = n >= 2 && p[n - 2] == ',';
		p += n;
	}
	if (fitted.n) {
		CLEANUP_FREE char *points = strings_join(&fitted, ",\n");

		fprintf(r->out, "%s\n", points);
		p += write_predicate(r, p);
	}
	while (*p) {
		size_t n = clause_line_length(p);
		struct mark mark = mark_read(p, n);

		if (fitted.n)
			write_clause_line(r, p, n);
		else if (mark.kind == MARK_EVENT)
			render_skip_event(r, &mark);
		p += n;
		if (starts_with(p - n, "}"))
			break;
	}
	strings_done(&fitted);
	return (size_t)(p - start);
}

/* Does anything in the program look at the time at which the trace has ended? */
static bool has_stop(const struct renderer *r)
{
	return r->program->stopper || r->program->n_parts;
}

/* What fallbacks and parts add to BEGIN and END of the script. */
static void write_additions(const struct renderer *r, const char *name)
{
	write_fallback_maps(r, name);
	write_bodies(r, name);
	if (has_stop(r))
		fputs(strcmp(name, "BEGIN") ? "\tclear(@stop);\n" : "\t@stop = (int64)0;\n", r->out);
}

/* BEGIN and END of the script pass with what is added to them; those of the others have gone there. */
static size_t render_named(struct renderer *r, const char *p)
{
	CLEANUP_FREE char *name = xstrndup(p, clause_line_length(p) - 1);
	bool is_chosen = r->v == r->program->script;
	const char *start = p;

	for (; *p && !starts_with(p, "}"); p += clause_line_length(p))
		if (is_chosen)
			fwrite(p, 1, clause_line_length(p), r->out);
	if (is_chosen) {
		write_additions(r, name);
		fwrite(p, 1, clause_line_length(p), r->out);
	}
	return (size_t)(p - start) + clause_line_length(p);
}

/* A script that keeps nothing has no END of its own. */
static void write_missing_end(struct renderer *r)
{
	if (strstr(r->program->script->script->text, "\nEND\n{\n") || !has_stop(r))
		return;
	fputs("\nEND\n{\n", r->out);
	write_additions(r, "END");
	fputs("}\n", r->out);
}

/* The need that a mark names, where the line at p is one. */
static void take_mark(const char *p, const char *mark, char **id)
{
	if (!starts_with(p, mark))
		return;
	free(*id);
	*id = xstrndup(p + strlen(mark), strcspn(p + strlen(mark), " \n"));
}

static void render_script(struct renderer *r, const struct verdict *v)
{
	CLEANUP_FREE bool *needed = NULL;
	CLEANUP_FREE char *raw = NULL;

	r->v = v;
	r->needed = needed = needs_in_use(r);
	for (const char *p = v->script->text; *p;) {
		size_t n = clause_line_length(p);

		if (clause_begins(p)) {
			n = render_clause(r, p, raw);
			free(raw);
			raw = NULL;
		} else if (clause_begins_named(p)) {
			n = render_named(r, p);
		} else if (!starts_with(p, "#!") || v == r->program->script) { /* bpftrace 0.27 takes that in the first line alone */
			take_mark(p, RAW_MARK, &raw);
			fwrite(p, 1, n, r->out);
		}
		p += n;
	}
	strings_done(&r->points);
}

bool program_has_part(const struct program *program, const char *part)
{
	for (size_t i = 0; i < program->n_parts; i++)
		if (!strcmp(program->parts[i]->script->part, part))
			return true;
	return false;
}

char *program_render(const struct program *program)
{
	char *text = NULL;
	size_t size;
	const struct verdict *fallback;
	struct renderer r = { .program = program, .out = open_memstream(&text, &size) };

	if (!r.out)
		abort();
	render_script(&r, program->script);
	for (size_t i = 0; (fallback = fallback_in_use(&r, i)); i++)
		render_script(&r, fallback);
	for (size_t i = 0; i < program->n_parts; i++)
		render_script(&r, program->parts[i]);
	write_missing_end(&r);
	fclose(r.out);
	return text;
}

size_t program_waits(const struct verdict *chosen, struct wait_name **ret)
{
	const struct verdict *v = chosen;
	struct wait_name *waits = NULL;
	size_t n = 0;

	for (size_t i = 0; v; v = verdict_fallback(chosen, i++))
		for (const char *p = v->script->text; *p; p += clause_line_length(p)) {
			struct mark mark = mark_read(p, clause_line_length(p));
			struct event_mark e;

			if (mark.kind != MARK_EVENT || !event_mark_read(&mark, &e))
				continue;
			waits = xrealloc(waits, n + e.n_sources, sizeof(*waits));
			for (size_t s = 0; s < e.n_sources; s++, n++) {
				memcpy(waits[n].event, e.event, NAME_BYTES);
				memcpy(waits[n].source, e.sources[s], NAME_BYTES);
			}
		}
	*ret = waits;
	return n;
}
