// SPDX-License-Identifier: Apache-2.0
// The program that bpftrace is given: a script fitted to one kernel, with the parts that were asked for, and its
// numeric parameters.
//
// The form of a script that this rests on: a clause begins in the first column with its attach points, one a
// line, and ends with a brace in the first column. "//@ only: NEED" above a clause names the one need it is
// there for; its other attach points then only keep the clause attachable when the script is run by hand.
// An event is a line printf("w ...") and the line "@counted = count();" below it. A part has clauses of its own;
// what its BEGIN and END hold goes to the end of the script's, what its WAIT holds below each event, and what its SPIN
// holds above each spin. The event line ends in EVENT_TAIL and its arguments in ARGUMENTS_TAIL, where a part can append
// some. In WAIT and SPIN the word WAIT stands for the number of the event line and EVENT for the bit of its event; the
// attach point interval:ms:INTERVAL for a clause that runs as often as the user wants, or not at all, and
// interval:ms:INTERVAL/N for one that runs N times as often. In a part's clauses INTERVAL is that time in ns, and a line
// with the name of a clause in capitals stands for what this clause holds.
// "//@ quick EXPRESSION: BASE NEED" in the header: where %rh is for EXPRESSION, two numbers of 64 bits take its place, from
// where the member lies. bpftrace before 0.24 takes twenty times as long to print bytes as all the rest of a line.
// A fallback script follows the chosen one, with the clauses for the sources that are taken from it: its BEGIN and END give
// what concerns maps that the chosen script has not. Event lines of sources that come from the other script are left out.
// Further in, "//@ if VENDOR: TEXT" gives way to TEXT where the vendor's module is loaded; then what stands between
// "//@ else" and "//@ end" is left out, which finds the vendor out where the script is run by hand. What stands between
// "//@ have NEED" and "//@ end" or "//@ else" is written where what is wanted rests on that need and the kernel meets it.
#include "plan/render.h"

#include "base/clock.h"
#include "base/text.h"
#include "plan/clause.h"
#include "plan/event_line.h"
#include "record/event.h"

#include <errno.h>

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ONLY_MARK "//@ only: "
#define RAW_MARK "//@ raw: "
#define IF_MARK "//@ if "
#define HAVE_MARK "//@ have "
#define ELSE_MARK "//@ else"
#define END_MARK "//@ end"
#define EVENT_TAIL "\\n\","
#define ARGUMENTS_TAIL ");"
#define COUNTED_MARK "@counted = count();"
#define NUMBER_MARK "WAIT"
#define EVENT_BIT_MARK "EVENT"
#define INTERVAL_MARK "INTERVAL"
#define INTERVAL_POINT "ms:" INTERVAL_MARK
#define DEFAULT_INTERVAL_MS 1000u /* of a part's arithmetic where nobody wants reports */
#define MAP_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

struct renderer {
	const struct verdict *v; /* of the script or part whose clauses are being written */
	const struct verdict *chosen; /* of the script; its sources say which script gives what */
	const struct filter *filter;
	const bool *needed;
	const struct verdict *const *parts;
	size_t n_parts;
	size_t n_waits; /* event lines seen so far */
	unsigned int event_bit; /* of the last of them */
	unsigned int interval_ms;
	bool keeps_lines, raw_tracepoints;
	const char *vendor; /* NULL: not known */
	bool omits_event;	/* its line was left out: so is the one that counts it */
	bool chooses;		/* between "have" and "end" */
	bool decided, skips;	/* between "if" or "have" and "end": what it is about was put in; the lines are left out */
	FILE *out;
};

/* What stands above a clause. */
struct marks {
	char *only; /* the need that it is there for; NULL: all */
	char *raw;  /* the tracepoint that may be a raw one; NULL: none */
};

static bool wants_event(const struct filter *filter, const char *event)
{
	return !filter->events || (filter->events & event_bit(event));
}

/* Is it a script that only gives some of the sources of the chosen one? */
static bool is_fallback(const struct renderer *r)
{
	return r->v != r->chosen && !r->v->script->part;
}

/* Does the source come from the script or part that is being written? */
static bool gives_source(const struct renderer *r, const struct source_result *source)
{
	return source->claim && source->fidelity != FIDELITY_ABSENT && source->from == (is_fallback(r) ? r->v : NULL);
}

/* The needs that what is wanted rests on. */
static bool *needs_in_use(const struct renderer *r)
{
	const struct verdict *v = is_fallback(r) ? r->chosen : r->v;
	bool *needed = xcalloc(r->v->script->n_needs, sizeof(*needed));

	for (size_t i = 0; i < v->n_sources; i++) {
		const struct claim *claim = v->sources[i].claim;

		if (!gives_source(r, &v->sources[i]) || (!v->script->part && !wants_event(r->filter, claim->event)))
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
	unsigned int ms = r->interval_ms;

	if (!starts_with(pattern, INTERVAL_POINT))
		return xasprintf("interval:%s", pattern);
	if (!ms)
		return NULL;
	if (*divisor == '/' && strtoul(divisor + 1, NULL, 10))
		ms /= (unsigned int)strtoul(divisor + 1, NULL, 10);
	return xasprintf("interval:ms:%u", ms ? ms : 1);
}

/* Adds what one attach point becomes. */
static void fit_attach_point(const struct renderer *r, const char *point, const struct marks *marks, struct strings *fitted)
{
	size_t type_n = strcspn(point, ":,\n");
	const char *rest = point + type_n + (point[type_n] == ':');
	CLEANUP_FREE char *type = xstrndup(point, (size_t)(rest - point));
	CLEANUP_FREE char *pattern = xstrndup(rest, strcspn(rest, ",\n"));
	const struct need *need = need_of(r->v->script, strcmp(type, "tracepoint:") ? NEED_FUNC : NEED_TRACEPOINT, pattern);
	const struct need_result *result;

	if (rest == point + type_n) /* no attach point */
		return;
	if (!strcmp(type, "interval:")) {
		CLEANUP_FREE char *whole = fit_interval(r, pattern);

		if (whole)
			strings_add(fitted, whole);
		return;
	}
	if (!need || (marks->only && strcmp(need->id, marks->only)) || !is_probed(r, need))
		return;
	result = &r->v->needs[need - r->v->script->needs];
	for (size_t i = 0; i < result->functions.n; i++) {
		CLEANUP_FREE char *text = attach_point(type, result->functions.items[i], r->raw_tracepoints && marks->raw && !strcmp(need->id, marks->raw));

		strings_add(fitted, text);
	}
}

/* Writes one line of a part further in, with the numbers that words stand for; or the clause that it names. */
static void write_part_line(const struct renderer *r, const char *text, const char *line, size_t n, int indent)
{
	static const char *const marks[] = { INTERVAL_MARK, NUMBER_MARK, EVENT_BIT_MARK };
	const uint64_t ms = r->interval_ms ? r->interval_ms : DEFAULT_INTERVAL_MS;
	const uint64_t values[] = { ms * NS_PER_MS, r->n_waits - 1, r->event_bit };
	const char *end = line + n, *body;
	size_t size = clause_of_line(text, line, n, &body);

	for (const char *p = body; size && p < body + size; p += clause_line_length(p))
		write_part_line(r, text, p, clause_line_length(p), indent + (int)strspn(line, "\t") - 1);
	if (size)
		return;
	for (int i = 0; i < indent; i++)
		putc('\t', r->out);
	while (line < end) {
		size_t i = 0;

		while (i < ARRAY_SIZE(marks) && strncmp(line, marks[i], strlen(marks[i])))
			i++;
		if (i == ARRAY_SIZE(marks)) {
			putc(*line++, r->out);
			continue;
		}
		fprintf(r->out, "%" PRIu64, values[i]);
		line += strlen(marks[i]);
	}
}

/* What the parts do at an event: "WAIT" below it, "SPIN" above it. */
static void write_wait(const struct renderer *r, const char *name, int indent)
{
	for (size_t i = 0; i < r->n_parts; i++) {
		const char *text = r->parts[i]->script->text, *body;
		size_t size = clause_find(text, name, &body);

		for (const char *p = body; size && p < body + size; p += clause_line_length(p))
			write_part_line(r, text, p, clause_line_length(p), indent);
	}
}

/* The fallbacks of which anything is wanted: number n, or NULL. */
static const struct verdict *fallback_in_use(const struct renderer *r, size_t n)
{
	const struct verdict *v;

	for (size_t i = 0; (v = verdict_fallback(r->chosen, i)); i++) {
		bool is_used = false;

		for (size_t j = 0; j < r->chosen->n_sources; j++)
			is_used |= r->chosen->sources[j].from == v && wants_event(r->filter, r->chosen->sources[j].event);
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
			if (is_new_map(r->chosen->script->text, p, clause_line_length(p)))
				fwrite(p, 1, clause_line_length(p), r->out);
	}
}

static void write_bodies(const struct renderer *r, const char *name)
{
	for (size_t i = 0; i < r->n_parts; i++) {
		const char *body;
		size_t size = clause_find(r->parts[i]->script->text, name, &body);

		if (size)
			fwrite(body, 1, size, r->out);
	}
}

static bool prints_events(const struct renderer *r)
{
	for (size_t i = 0; i < r->n_parts && !r->keeps_lines; i++)
		if (r->parts[i]->script->lines_none)
			return false;
	return true;
}

/* Is the event line that was seen last that of a spin? */
static bool spins(const struct renderer *r)
{
	return event_is_spin(r->event_bit);
}

/* The line of an event, with what parts append to it. */
static void write_event_line(const struct renderer *r, const char *p, size_t n)
{
	const char *tail = memmem(p, n, EVENT_TAIL, strlen(EVENT_TAIL)), *end = p + n;
	const char *close = end - strlen(ARGUMENTS_TAIL "\n");

	if (!tail || tail > close) {
		fwrite(p, 1, n, r->out);
		return;
	}
	fwrite(p, 1, (size_t)(tail - p), r->out);
	for (size_t i = 0; i < r->n_parts && spins(r); i++)
		if (r->parts[i]->script->spin_format)
			fputs(r->parts[i]->script->spin_format, r->out);
	for (size_t i = 0; i < r->n_parts; i++)
		if (r->parts[i]->script->append)
			fputs("%s", r->out);
	fwrite(tail, 1, (size_t)(close - tail), r->out);
	for (size_t i = 0; i < r->n_parts && spins(r); i++)
		if (r->parts[i]->script->spin_format)
			fprintf(r->out, ", %s", r->parts[i]->script->spin_values);
	for (size_t i = 0; i < r->n_parts; i++)
		if (r->parts[i]->script->append)
			fprintf(r->out, ", %s", r->parts[i]->script->append);
	fputs(ARGUMENTS_TAIL "\n", r->out);
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

/* Does the line belong to a choice by vendor or need, or is it left out by one? Puts in the text that is chosen. */
static bool take_choice(struct renderer *r, const char *p, size_t n)
{
	int indent = (int)strspn(p, "\t");
	const char *mark = p + indent, *name = mark + strlen(IF_MARK), *end = p + n, *colon, *text;

	if (starts_with(mark, HAVE_MARK)) {
		name = mark + strlen(HAVE_MARK);
		r->chooses = true;
		r->decided = have_need(r, name, strcspn(name, " \n"));
		r->skips = !r->decided;
		return true;
	}
	if (!r->vendor && !r->chooses)
		return false;
	if (starts_with(mark, IF_MARK)) {
		colon = memchr(name, ':', (size_t)(end - name));
		if (!colon || strlen(r->vendor) != (size_t)(colon - name) || !starts_with(name, r->vendor))
			return true;
		text = colon + 1 < end && colon[1] == ' ' ? colon + 2 : colon + 1;
		fprintf(r->out, "%.*s%.*s", indent, p, (int)(end - text), text);
		r->decided = true;
	} else if (starts_with(mark, ELSE_MARK)) {
		r->skips = r->decided;
	} else if (starts_with(mark, END_MARK)) {
		r->chooses = r->decided = r->skips = false;
	} else {
		return r->skips;
	}
	return true;
}

/*
 * Is this event line of the script for a source that another script gives, or none? One of a source that the kernel has not
 * never runs. */
static bool is_omitted(const struct renderer *r, const struct wait_name *name)
{
	for (size_t i = 0; i < r->chosen->n_sources; i++)
		if (!strcmp(r->chosen->sources[i].event, name->event) && !strcmp(r->chosen->sources[i].source, name->source))
			return !gives_source(r, &r->chosen->sources[i]) && !r->chosen->sources[i].not_applicable;
	return false;
}

/* Writes one line of a clause of the script; at an event what the parts do goes with it. */
static void write_clause_line(struct renderer *r, const char *p, size_t n)
{
	int indent = (int)strspn(p, "\t");
	CLEANUP_FREE char *quick = NULL;

	if (take_choice(r, p, n))
		return;
	quick = event_line_quick(r->v, p, n);
	if (quick) {
		p = quick;
		n = strlen(quick);
	}
	if (starts_with(p + indent, EVENT_LINE)) {
		struct wait_name name;

		event_line_read(p + indent, &name);
		r->event_bit = event_bit(name.event);
		r->n_waits++;
		r->omits_event = is_omitted(r, &name);
		if (r->omits_event)
			return;
		if (spins(r) && !r->v->script->part)
			write_wait(r, "SPIN", indent - 1);
		if (prints_events(r))
			write_event_line(r, p, n);
		return;
	}
	if (starts_with(p + indent, COUNTED_MARK) && r->omits_event) {
		r->omits_event = false;
		return;
	}
	if (r->v->script->part) {
		write_part_line(r, r->v->script->text, p, n, 0);
		return;
	}
	fwrite(p, 1, n, r->out);
	if (starts_with(p + indent, COUNTED_MARK))
		write_wait(r, "WAIT", indent - 1);
}

static size_t count_event_lines(const char *p, size_t n)
{
	size_t count = 0;

	for (const char *end = p + n; (p = memmem(p, (size_t)(end - p), EVENT_LINE, strlen(EVENT_LINE))); p++)
		count++;
	return count;
}

/* Writes the clause that begins at p, or leaves it out; returns its length. */
static size_t render_clause(struct renderer *r, const char *p, const struct marks *marks)
{
	const char *start = p;
	struct strings fitted = { 0 };
	bool more = true;

	r->chooses = r->decided = r->skips = false;
	while (more) {
		size_t n = clause_line_length(p);

		fit_attach_point(r, p, marks, &fitted);
		more = n >= 2 && p[n - 2] == ',';
		p += n;
	}
	if (fitted.n) {
		CLEANUP_FREE char *points = strings_join(&fitted, ",\n");

		fprintf(r->out, "%s\n", points);
	}
	while (*p) {
		size_t n = clause_line_length(p);

		if (fitted.n)
			write_clause_line(r, p, n);
		else
			r->n_waits += count_event_lines(p, n);
		p += n;
		if (starts_with(p - n, "}"))
			break;
	}
	strings_done(&fitted);
	return (size_t)(p - start);
}

/* BEGIN and END of the script pass with what fallbacks and parts add to them; those of the others have gone there. */
static size_t render_named(struct renderer *r, const char *p)
{
	CLEANUP_FREE char *name = xstrndup(p, clause_line_length(p) - 1);
	const char *start = p;

	for (; *p && !starts_with(p, "}"); p += clause_line_length(p))
		if (r->v == r->chosen && !take_choice(r, p, clause_line_length(p)))
			fwrite(p, 1, clause_line_length(p), r->out);
	if (r->v == r->chosen) {
		write_fallback_maps(r, name);
		write_bodies(r, name);
		fwrite(p, 1, clause_line_length(p), r->out);
	}
	return (size_t)(p - start) + clause_line_length(p);
}

/* The need that a mark names, where the line at p is one. */
static void take_mark(const char *p, const char *mark, char **id)
{
	if (!starts_with(p, mark))
		return;
	free(*id);
	*id = xstrndup(p + strlen(mark), strcspn(p + strlen(mark), " \n"));
}

static void marks_done(struct marks *marks)
{
	free(marks->only);
	free(marks->raw);
	*marks = (struct marks){ 0 };
}

static void render_script(struct renderer *r, const struct verdict *v)
{
	CLEANUP_FREE bool *needed = NULL;
	struct marks marks = { 0 };

	r->v = v;
	r->needed = needed = needs_in_use(r);
	for (const char *p = v->script->text; *p;) {
		size_t n = clause_line_length(p);

		if (clause_begins(p)) {
			n = render_clause(r, p, &marks);
			marks_done(&marks);
		} else if (clause_begins_named(p)) {
			n = render_named(r, p);
		} else if (!starts_with(p, "#!") || v == r->chosen) { /* bpftrace 0.27 takes that in the first line alone */
			take_mark(p, ONLY_MARK, &marks.only);
			take_mark(p, RAW_MARK, &marks.raw);
			fwrite(p, 1, n, r->out);
		}
		p += n;
	}
	marks_done(&marks);
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
	struct renderer r = {
		.chosen = program->script,
		.filter = &program->filter,
		.parts = program->parts,
		.n_parts = program->n_parts,
		.interval_ms = program->interval_ms,
		.keeps_lines = program->keeps_lines,
		.raw_tracepoints = program->raw_tracepoints,
		.vendor = program->vendor,
		.out = open_memstream(&text, &size),
	};

	if (!r.out)
		abort();
	render_script(&r, program->script);
	for (size_t i = 0; (fallback = fallback_in_use(&r, i)); i++)
		render_script(&r, fallback);
	for (size_t i = 0; i < program->n_parts; i++)
		render_script(&r, program->parts[i]);
	fclose(r.out);
	return text;
}

size_t program_waits(const struct verdict *chosen, struct wait_name **ret)
{
	const struct verdict *v = chosen;
	struct wait_name *waits = NULL;
	size_t n = 0;

	for (size_t i = 0; v; v = verdict_fallback(chosen, i++))
		for (const char *p = v->script->text; (p = strstr(p, EVENT_LINE)); p++) {
			waits = xrealloc(waits, n + 1, sizeof(*waits));
			event_line_read(p, &waits[n++]);
		}
	*ret = waits;
	return n;
}
