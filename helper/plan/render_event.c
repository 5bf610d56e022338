// SPDX-License-Identifier: Apache-2.0
// The program text that the marks in clauses become: events, filters, the end of a trace. Only numbers of the user get into it.
#include "plan/render_event.h"

#include "base/clock.h"
#include "base/text.h"
#include "plan/clause.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define COMM_NEED "comm"	  /* a member of the current task: the name of the thread */
#define DEFAULT_INTERVAL_MS 1000u /* of a part's arithmetic where nobody wants reports */

bool renderer_is_fallback(const struct renderer *r)
{
	return r->v != r->program->script && !r->v->script->part;
}

bool renderer_gives_source(const struct renderer *r, const struct source_result *source)
{
	return source->claim && source->fidelity != FIDELITY_ABSENT && source->from == (renderer_is_fallback(r) ? r->v : NULL);
}

bool renderer_wants_event(const struct renderer *r, const char *event)
{
	return !r->program->filter.events || (r->program->filter.events & event_bit(event));
}

static void write_indent(const struct renderer *r, int indent)
{
	for (int i = 0; i < indent; i++)
		putc('\t', r->out);
}

/* Writes a line of its own. */
__attribute__((format(printf, 3, 4))) static void write_line(const struct renderer *r, int indent, const char *format, ...)
{
	va_list args;

	write_indent(r, indent);
	va_start(args, format);
	vfprintf(r->out, format, args);
	va_end(args);
	putc('\n', r->out);
}

/*
 * The name of the current thread as two numbers of 64 bits; the caller frees. bpftrace before 0.24 takes twenty times as long to
 * print bytes as all the rest of a line. NULL where it is not known where the name lies.
 */
static char *comm_numbers(const struct verdict *v)
{
	for (size_t i = 0; i < v->script->n_needs; i++) {
		const struct need *need = &v->script->needs[i];
		unsigned int at = v->needs[i].offset_bytes;

		if (need->kind == NEED_MEMBER && !strcmp(need->id, COMM_NEED) && v->needs[i].state == NEED_MET)
			return xasprintf("*(uint64 *)((uint64)curtask + %u), *(uint64 *)((uint64)curtask + %u)", at, at + 8);
	}
	return NULL;
}

/* Is there the word at the beginning of the rest of a line, and does no longer one begin there? */
static bool is_word(const char *line, const char *p, const char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - p) >= n && !memcmp(p, word, n) && (p == line || !(isalnum((unsigned char)p[-1]) || strchr("_$@", p[-1]))) &&
	       (p + n == end || !(isalnum((unsigned char)p[n]) || p[n] == '_'));
}

void render_part_line(const struct renderer *r, const char *text, const char *line, size_t n, int indent)
{
	const uint64_t ms = r->program->interval_ms ? r->program->interval_ms : DEFAULT_INTERVAL_MS;
	const char *end = line + n, *body;
	size_t size = clause_of_line(text, line, n, &body);

	for (const char *p = body; size && p < body + size; p += clause_line_length(p))
		render_part_line(r, text, p, clause_line_length(p), indent + (int)strspn(line, "\t") - 1);
	if (size)
		return;
	write_indent(r, indent);
	for (const char *p = line; p < end;) {
		if (is_word(line, p, end, PART_INTERVAL)) {
			fprintf(r->out, "%" PRIu64, ms * NS_PER_MS);
			p += strlen(PART_INTERVAL);
		} else if (is_word(line, p, end, PART_COMM)) {
			CLEANUP_FREE char *comm = comm_numbers(r->v);

			fputs(comm ? comm : "(uint64)0, (uint64)0", r->out);
			p += strlen(PART_COMM);
		} else {
			putc(*p++, r->out);
		}
	}
}

/* What the parts do at an event: WAIT below its line, SPIN above it. */
static void write_clauses(const struct renderer *r, const char *name, int indent)
{
	for (size_t i = 0; i < r->program->n_parts; i++) {
		const char *text = r->program->parts[i]->script->text, *body;
		size_t size = clause_find(text, name, &body);

		for (const char *p = body; size && p < body + size; p += clause_line_length(p))
			render_part_line(r, text, p, clause_line_length(p), indent - 1);
	}
}

static bool prints_events(const struct renderer *r)
{
	for (size_t i = 0; i < r->program->n_parts && !r->program->keeps_lines; i++)
		if (r->program->parts[i]->script->lines_none)
			return false;
	return true;
}

/* The line of an event, with what parts append to it. */
static void write_event_line(const struct renderer *r, const struct event_mark *e, const char *source, bool spins, int indent)
{
	const struct program *program = r->program;
	CLEANUP_FREE char *comm = comm_numbers(r->v);

	write_indent(r, indent);
	fprintf(r->out, "printf(\"w %%llu %%u %%u %%u %%lld %s %s %s %s", e->event, source, e->target_n ? "%lld" : "-1", comm ? "%llx:%llx." : "%rh");
	for (size_t i = 0; i < program->n_parts; i++)
		if (program->parts[i]->script->spin.format && spins)
			fputs(program->parts[i]->script->spin.format, r->out);
	for (size_t i = 0; i < program->n_parts; i++)
		if (program->parts[i]->script->append.format)
			fputs(program->parts[i]->script->append.format, r->out);
	fputs("\\n\", $ts, cpu, pid, tid, $id", r->out);
	if (e->target_n)
		fprintf(r->out, ", %.*s", (int)e->target_n, e->target);
	fprintf(r->out, ", %s", comm ? comm : "buf(comm, 16)");
	for (size_t i = 0; i < program->n_parts; i++)
		if (program->parts[i]->script->spin.format && spins)
			fprintf(r->out, ", %s", program->parts[i]->script->spin.values);
	for (size_t i = 0; i < program->n_parts; i++)
		if (program->parts[i]->script->append.format)
			fprintf(r->out, ", %s", program->parts[i]->script->append.values);
	fputs(");\n", r->out);
}

/* Does anything at the event ask for its time? To take it costs as much as to look a map up. */
static bool wants_time(const struct renderer *r)
{
	for (size_t i = 0; i < r->program->n_parts; i++)
		if (strstr(r->program->parts[i]->script->text, "$ts"))
			return true;
	return prints_events(r);
}

/* Which source of the event holds: the vendor's, or the first. */
static size_t source_of_vendor(const struct renderer *r, const struct event_mark *e)
{
	for (size_t i = 0; i < e->n_sources && r->v->vendor; i++)
		if (!strcmp(e->sources[i], r->v->vendor))
			return i;
	return 0;
}

/* Is this event of the script for a source that another script gives, or none? One of a source that the kernel has not never runs. */
static bool is_omitted(const struct renderer *r, const char *event, const char *source)
{
	const struct verdict *chosen = r->program->script;

	if (!renderer_wants_event(r, event))
		return true;
	for (size_t i = 0; i < chosen->n_sources; i++)
		if (!strcmp(chosen->sources[i].event, event) && !strcmp(chosen->sources[i].source, source))
			return !renderer_gives_source(r, &chosen->sources[i]) && !chosen->sources[i].not_applicable;
	return false;
}

void render_skip_event(struct renderer *r, const struct mark *mark)
{
	struct event_mark e;

	if (event_mark_read(mark, &e))
		r->n_waits += e.n_sources;
}

void render_event(struct renderer *r, const struct mark *mark, int indent)
{
	size_t number = r->n_waits, which;
	struct event_mark e;
	bool spins;

	render_skip_event(r, mark);
	if (!event_mark_read(mark, &e))
		return;
	which = source_of_vendor(r, &e);
	if (is_omitted(r, e.event, e.sources[which]))
		return;
	spins = event_is_spin(event_bit(e.event));
	if (wants_time(r))
		write_line(r, indent, "$ts = nsecs;");
	if (r->program->n_parts) {
		write_line(r, indent, "$line = (int64)%zu;", number + which);
		write_line(r, indent, "$event = (int64)%u;", event_bit(e.event));
	}
	if (spins)
		write_clauses(r, "SPIN", indent);
	if (prints_events(r))
		write_event_line(r, &e, e.sources[which], spins, indent);
	write_line(r, indent, "@counted = count();");
	write_clauses(r, "WAIT", indent);
}

/* The tests in which a vCPU is one that is not wanted. */
static void write_vcpu_test(const struct renderer *r, const char *id, int n)
{
	const struct filter *f = &r->program->filter;

	if (f->vcpu_mask == 1)
		fprintf(r->out, "%.*s != %" PRIu32, n, id, f->vcpu_base);
	else
		fprintf(r->out, "%.*s < %" PRIu32 " || %.*s >= %" PRIu64 " || ((%" PRIu64 " >> (%.*s - %" PRIu32 ")) & 1) == 0", n, id, f->vcpu_base, n,
			id, (uint64_t)f->vcpu_base + PROGRAM_VCPU_SPAN, f->vcpu_mask, n, id, f->vcpu_base);
}

void render_filter(const struct renderer *r, const struct mark *mark, int indent)
{
	bool by_vcpu = mark->n && r->program->filter.vcpu_mask, by_end = mark->n && r->program->stopper;

	if (!by_vcpu && !by_end)
		return;
	write_indent(r, indent);
	fputs("if (", r->out);
	if (by_end)
		fputs("@stop != 0", r->out);
	if (by_end && by_vcpu)
		fputs(" || ", r->out);
	if (by_vcpu)
		write_vcpu_test(r, mark->rest, (int)mark->n);
	fputs(") {\n", r->out);
	write_line(r, indent + 1, "return;");
	write_line(r, indent, "}");
}

void render_stop(const struct renderer *r, int indent)
{
	if (!r->program->stopper)
		return;
	write_line(r, indent, "if (tid == %" PRIu32 ") {", r->program->stopper);
	write_line(r, indent + 1, "@stop = (int64)nsecs;");
	write_line(r, indent, "}");
}

char *render_predicate(const struct filter *filter)
{
	struct strings tests = { 0 };
	char *all = NULL;

	for (size_t i = 0; i < filter->n_tgids; i++) {
		CLEANUP_FREE char *test = xasprintf("pid == %" PRIu32, filter->tgids[i]);

		strings_add(&tests, test);
	}
	if (tests.n)
		all = strings_join(&tests, " || ");
	strings_done(&tests);
	return all;
}
