// SPDX-License-Identifier: Apache-2.0
// Writes records as NDJSON, one object a line, as kvmwait-schema(7) has them.
#include "record/ndjson_write.h"

#include "base/line_writer.h"
#include "base/text.h"

#include <inttypes.h>

/* Cleaned text holds no control character: only quote and backslash need an escape. */
static void put_json_text(struct line_writer *l, const char *s, size_t n)
{
	line_char(l, '"');
	line_escaped(l, s, n, "\"\\", '\\');
	line_char(l, '"');
}

/* Without a name the TGID stands for the VM. */
static void put_json_vm(struct line_writer *l, const char *vm, uint32_t pid)
{
	if (vm) {
		put_json_text(l, vm, strlen(vm));
		return;
	}
	line_char(l, '"');
	line_u64(l, pid);
	line_char(l, '"');
}

static void put_json_callers(struct line_writer *l, const struct strings *callers)
{
	LINE_PUT(l, ",\"callers\":[");
	for (size_t i = 0; i < callers->n; i++) {
		if (i)
			line_char(l, ',');
		put_json_text(l, callers->items[i], strlen(callers->items[i]));
	}
	line_char(l, ']');
}

static void put_json_guest(struct line_writer *l, const struct guest_place *g)
{
	if (g->known & GUEST_IP) {
		LINE_PUT(l, ",\"guest_ip\":");
		line_i64(l, (int64_t)g->ip);
	}
	if (guest_mode_name(g)) {
		LINE_PUT(l, ",\"guest_mode\":\"");
		line_text(l, guest_mode_name(g));
		line_char(l, '"');
	}
	if (g->symbol) {
		char offset[24];

		snprintf(offset, sizeof(offset), "+0x%" PRIx64, g->offset);
		LINE_PUT(l, ",\"guest_symbol\":\"");
		line_text(l, g->symbol);
		line_text(l, offset);
		line_char(l, '"');
	}
}

/* All between CPU and target. */
static void put_json_who(struct line_writer *l, const struct wait_event *w)
{
	char clean[CLEAN_COMM_BYTES];
	size_t n;
	const char *comm = wait_comm(w, clean, &n);

	LINE_PUT(l, ",\"pid\":");
	line_u64(l, w->pid);
	LINE_PUT(l, ",\"tid\":");
	line_u64(l, w->tid);
	LINE_PUT(l, ",\"comm\":");
	put_json_text(l, comm, n);
	LINE_PUT(l, ",\"vm\":");
	put_json_vm(l, w->vm, w->pid);
	LINE_PUT(l, ",\"vcpu\":");
	line_i64(l, w->vcpu);
	LINE_PUT(l, ",\"event\":\"");
	line_text(l, w->event);
	LINE_PUT(l, "\",\"source\":\"");
	line_text(l, w->source);
	LINE_PUT(l, "\",\"target\":");
}

static void write_json_wait(FILE *f, const struct wait_event *w)
{
	struct line_writer l;

	line_begin(&l, f);
	LINE_PUT(&l, "{\"type\":\"wait\",\"ts\":");
	line_u64(&l, w->ts_ns);
	LINE_PUT(&l, ",\"cpu\":");
	line_u64(&l, w->cpu);
	put_json_who(&l, w);
	line_i64(&l, w->target);
	if (w->guest.known)
		put_json_guest(&l, &w->guest);
	if (w->callers)
		put_json_callers(&l, w->callers);
	LINE_PUT(&l, "}\n");
	line_end(&l);
}

static void put_json_field(struct line_writer *l, const char *name, uint64_t value)
{
	LINE_PUT(l, ",\"");
	line_text(l, name);
	LINE_PUT(l, "\":");
	line_u64(l, value);
}

static void put_json_end(struct line_writer *l, const struct outcome_event *o)
{
	if (outcome_is_halt(o)) {
		LINE_PUT(l, ",\"halt\":\"");
		line_text(l, halt_names[o->halt]);
		line_char(l, '"');
		put_json_field(l, "halt_ns", o->halt_ns);
		line_text(l, o->end == OUTCOME_RUN ? ",\"woken\":true" : ",\"woken\":false");
	} else {
		LINE_PUT(l, ",\"boosted\":");
		line_i64(l, o->boosted);
		put_json_field(l, "boosted_tid", o->boosted_tid);
	}
	put_json_field(l, "ns", o->ts_ns - o->wait_ns);
	put_json_field(l, "off_ns", o->off_ns);
	put_json_field(l, "ready_ns", o->ready_ns);
	put_json_field(l, "cpu_before", o->cpu_before);
	put_json_field(l, "cpu", o->cpu);
}

static void write_json_outcome(FILE *f, const struct outcome_event *o)
{
	struct line_writer l;

	line_begin(&l, f);
	LINE_PUT(&l, "{\"type\":\"outcome\",\"ts\":");
	line_u64(&l, o->ts_ns);
	put_json_field(&l, "wait_ts", o->wait_ns);
	put_json_field(&l, "pid", o->pid);
	put_json_field(&l, "tid", o->tid);
	LINE_PUT(&l, ",\"vm\":");
	put_json_vm(&l, o->vm, o->pid);
	LINE_PUT(&l, ",\"vcpu\":");
	line_i64(&l, o->vcpu);
	if (*o->event) {
		LINE_PUT(&l, ",\"event\":\"");
		line_text(&l, o->event);
		LINE_PUT(&l, "\",\"source\":\"");
		line_text(&l, o->source);
		line_char(&l, '"');
	}
	LINE_PUT(&l, ",\"end\":\"");
	line_text(&l, outcome_end_names[o->end]);
	line_char(&l, '"');
	if (o->end != OUTCOME_UNSEEN)
		put_json_end(&l, o);
	LINE_PUT(&l, "}\n");
	line_end(&l);
}

void ndjson_write(FILE *f, const struct record *r)
{
	if (r->type == RECORD_WAIT) {
		write_json_wait(f, &r->wait);
		return;
	}
	if (r->type == RECORD_OUTCOME) {
		write_json_outcome(f, &r->outcome);
		return;
	}
	json_dumpf(r->object, f, JSON_COMPACT);
	putc('\n', f);
}
