// SPDX-License-Identifier: Apache-2.0
// The forms in which a stream of records leaves: table, json, ftrace, csv, perfetto.
#include "show/stream.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/line_writer.h"
#include "base/output.h"
#include "base/text.h"
#include "record/balance.h"
#include "record/ndjson_write.h"
#include "record/schema.h"
#include "show/perfetto.h"
#include "show/vm_label.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define FILE_BUFFER_BYTES 131072u
#define PIPE_BYTES 1048576

/* ---- json ---- */

/* Cleaned text holds no control character: only quote and backslash need an escape. */
void stream_quoted(FILE *f, const char *s)
{
	putc_unlocked('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putc_unlocked('\\', f);
		putc_unlocked(*s, f);
	}
	putc_unlocked('"', f);
}

static void write_json(struct stream *o, const struct record *r)
{
	ndjson_write(o->file, r);
}

/* ---- table ---- */

static void begin_table(struct stream *o)
{
	fprintf(o->file, "%-11s %4s  %-16s %4s  %-9s %-7s %s%s\n", "TIME(s)", "CPU", "VM", "VCPU", "EVENT", "SOURCE", "TARGET",
		o->guest ? "  MODE   ADDRESS" : "");
}

void stream_balance(FILE *f, json_t *end)
{
	CLEANUP_FREE char *why = text_cleaned(json_string_value(json_object_get(end, "why")));
	CLEANUP_FREE char *text = NULL;
	struct balance balance;

	balance_of_end(end, &balance);
	text = balance_text(&balance);
	if (balance.have_counted)
		fprintf(f, "%s\n", text);
	else
		fprintf(f, "%s (%s)\n", text, why);
}

void stream_audit(FILE *f, const json_t *end)
{
	struct strings lines = { 0 };

	audit_texts(json_object_get(end, "audit"), &lines, &lines);
	for (size_t i = 0; i < lines.n; i++)
		fprintf(f, "audit: %s\n", lines.items[i]);
	strings_done(&lines);
}

/* The first columns, up to the vCPU. */
static void write_table_head(struct stream *o, uint64_t ts_ns, uint32_t cpu, const char *vm, uint32_t pid, int64_t vcpu)
{
	uint64_t since_ns;

	if (!o->start_ns)
		o->start_ns = ts_ns;
	/* an event may precede the snapshot of the clock by a hair */
	since_ns = ts_ns > o->start_ns ? ts_ns - o->start_ns : 0;
	fprintf(o->file, "%4" PRIu64 ".%06" PRIu64 " %4" PRIu32 "  %-16s %4" PRId64 "  ", since_ns / NS_PER_S,
		since_ns / 1000 % 1000000, cpu, vm_label(o->state, vm, pid), vcpu);
}

static void put_us(FILE *f, const char *what, uint64_t ns)
{
	fprintf(f, "%s%" PRIu64 ".%" PRIu64 " us", what, ns / 1000, ns / 100 % 10);
}

/* "  -> hlt blocked, ran again after 180.2 us, off CPU 170.0 us, ready 4.1 us, CPU 3 to 5" */
static void write_table_outcome(struct stream *o, const struct outcome_event *e)
{
	static const char *const ends[OUTCOME_ENDS] = {
		", ran again after ", ", went to user space after ", ", its thread ended after ", ", not seen what followed",
	};
	FILE *f = o->file;

	write_table_head(o, e->ts_ns, e->cpu, e->vm, e->pid, e->vcpu);
	fprintf(f, "-> %s", *e->event ? e->event : "(lost wait)");
	if (e->end == OUTCOME_UNSEEN) {
		fprintf(f, "%s\n", ends[e->end]);
		return;
	}
	if (outcome_is_halt(e))
		fprintf(f, " %s", e->halt == HALT_NONE ? "not waited for" : halt_names[e->halt]);
	put_us(f, ends[e->end], e->ts_ns - e->wait_ns);
	put_us(f, ", off CPU ", e->off_ns);
	put_us(f, ", ready ", e->ready_ns);
	if (e->boosted >= 0)
		fprintf(f, ", boosted vCPU %" PRId64, e->boosted);
	else if (e->boosted_tid)
		fprintf(f, ", boosted thread %" PRIu32, e->boosted_tid);
	if (e->cpu != e->cpu_before)
		fprintf(f, ", CPU %" PRIu32 " to %" PRIu32, e->cpu_before, e->cpu);
	putc('\n', f);
}

/* "  kernel ffffffff8100123a queued_spin_lock_slowpath+0x1a" */
static void write_table_guest(FILE *f, const struct guest_place *g)
{
	fprintf(f, "  %-6s ", guest_mode_name(g) ? guest_mode_name(g) : "-");
	if (g->known & GUEST_IP)
		fprintf(f, "%016" PRIx64, g->ip);
	else
		putc('-', f);
	if (g->symbol)
		fprintf(f, " %s+0x%" PRIx64, g->symbol, g->offset);
}

static void write_table(struct stream *o, const struct record *r)
{
	const struct wait_event *w = &r->wait;

	if (!o->state)
		o->state = vm_labels_new();
	switch (r->type) {
	case RECORD_META:
		o->start_ns = (uint64_t)json_integer_value(
			json_object_get(json_object_get(r->object, "clock"), "boottime"));
		return;
	case RECORD_WAIT:
		write_table_head(o, w->ts_ns, w->cpu, w->vm, w->pid, w->vcpu);
		fprintf(o->file, "%-9s %-7s ", w->event, w->source);
		if (w->target == -1)
			fputs("     -", o->file);
		else
			fprintf(o->file, "%6" PRId64, w->target);
		if (w->guest.known)
			write_table_guest(o->file, &w->guest);
		putc('\n', o->file);
		if (w->callers && w->callers->n) {
			CLEANUP_FREE char *chain = strings_join(w->callers, " <- ");

			fprintf(o->file, "%40s%s\n", "", chain);
		}
		return;
	case RECORD_OUTCOME:
		write_table_outcome(o, &r->outcome);
		return;
	case RECORD_LOST:
		fprintf(o->file, "lost %" JSON_INTEGER_FORMAT " events\n", json_integer_value(json_object_get(r->object, "lost")));
		return;
	case RECORD_END:
		stream_balance(o->file, r->object);
		stream_audit(o->file, r->object);
		return;
	default:
		return;
	}
}

static void end_table(struct stream *o)
{
	vm_labels_free(o->state);
}

/* ---- ftrace ---- */

/* "%16s" */
static void put_right(struct line_writer *l, const char *s, size_t n)
{
	for (size_t i = n; i < 16; i++)
		line_char(l, ' ');
	line_bytes(l, s, n);
}

/*
 * The frame of trace_print_context() in kernel/trace/trace_output.c with the fields this stream has: the
 * thread, the CPU, no flags, and CLOCK_BOOTTIME (trace_clock boot) in microseconds.
 */
static void write_ftrace(struct stream *o, const struct record *r)
{
	const struct wait_event *w = &r->wait;
	uint64_t ts_us = (w->ts_ns + 500) / 1000; /* as ns2usecs() rounds */
	char clean[CLEAN_COMM_BYTES];
	const char *comm;
	struct line_writer l;
	size_t n;

	if (r->type == RECORD_LOST)
		fprintf(o->file, "# lost %" JSON_INTEGER_FORMAT " events\n",
			json_integer_value(json_object_get(r->object, "lost")));
	if (r->type != RECORD_WAIT)
		return;
	comm = wait_comm(w, clean, &n);
	line_begin(&l, o->file);
	put_right(&l, comm, n);
	line_char(&l, '-');
	line_u64_left(&l, w->tid, 7);
	LINE_PUT(&l, " [");
	line_u64_filled(&l, w->cpu, 3, '0');
	LINE_PUT(&l, "] ..... ");
	line_u64_filled(&l, ts_us / 1000000, 5, ' ');
	line_char(&l, '.');
	line_u64_filled(&l, ts_us % 1000000, 6, '0');
	LINE_PUT(&l, ": kvm_sched_event: vcpu ");
	line_u64(&l, (uint32_t)w->vcpu);
	LINE_PUT(&l, " event ");
	line_text(&l, w->event);
	LINE_PUT(&l, " target ");
	line_i64(&l, w->target);
	line_char(&l, '\n');
	line_end(&l);
}

static void begin_ftrace(struct stream *o)
{
	fputs("# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n#              | |         |   |||||     |         |\n",
	      o->file);
}

/* ---- csv ---- */

static void begin_csv(struct stream *o)
{
	for (const struct field *f = record_schemas[RECORD_WAIT].fields; f->name && !f->optional; f++)
		fprintf(o->file, "%s%s", f == record_schemas[RECORD_WAIT].fields ? "" : ",", f->name);
	fputs(o->guest ? ",guest_ip,guest_mode,guest_symbol\n" : "\n", o->file);
}

/* Text goes in quotes; a leading sign that a spreadsheet takes for a formula gets an apostrophe. */
void stream_csv_text(FILE *f, const char *s)
{
	putc('"', f);
	if (*s && strchr("=+-@", *s))
		putc('\'', f);
	for (; *s; s++) {
		if (*s == '"')
			putc('"', f);
		putc(*s, f);
	}
	putc('"', f);
}

static void put_csv_text(struct line_writer *l, const char *s, size_t n)
{
	line_char(l, '"');
	if (n && strchr("=+-@", *s))
		line_char(l, '\'');
	line_escaped(l, s, n, "\"\"", '"');
	line_char(l, '"');
}

static void put_csv_who(struct line_writer *l, const struct wait_event *w)
{
	char clean[CLEAN_COMM_BYTES];
	size_t n;
	const char *comm = wait_comm(w, clean, &n);

	line_char(l, ',');
	line_u64(l, w->pid);
	line_char(l, ',');
	line_u64(l, w->tid);
	line_char(l, ',');
	put_csv_text(l, comm, n);
	line_char(l, ',');
	if (w->vm) {
		put_csv_text(l, w->vm, strlen(w->vm));
	} else {
		line_char(l, '"');
		line_u64(l, w->pid);
		line_char(l, '"');
	}
	line_char(l, ',');
	line_i64(l, w->vcpu);
	line_char(l, ',');
	line_text(l, w->event);
	line_char(l, ',');
	line_text(l, w->source);
	line_char(l, ',');
}

/* What is not known is left empty. */
static void put_csv_guest(struct line_writer *l, const struct guest_place *g)
{
	char offset[24];

	line_char(l, ',');
	if (g->known & GUEST_IP)
		line_i64(l, (int64_t)g->ip);
	line_char(l, ',');
	if (guest_mode_name(g))
		line_text(l, guest_mode_name(g));
	line_char(l, ',');
	if (!g->symbol)
		return;
	snprintf(offset, sizeof(offset), "+0x%" PRIx64, g->offset);
	line_text(l, g->symbol);
	line_text(l, offset);
}

static void write_csv(struct stream *o, const struct record *r)
{
	const struct wait_event *w = &r->wait;
	struct line_writer l;

	if (r->type != RECORD_WAIT)
		return;
	line_begin(&l, o->file);
	line_u64(&l, w->ts_ns);
	line_char(&l, ',');
	line_u64(&l, w->cpu);
	put_csv_who(&l, w);
	line_i64(&l, w->target);
	if (o->guest)
		put_csv_guest(&l, &w->guest);
	line_char(&l, '\n');
	line_end(&l);
}

/* ---- perfetto ---- */

static void begin_perfetto(struct stream *o)
{
	o->state = perfetto_new(o->file);
}

static void write_perfetto(struct stream *o, const struct record *r)
{
	perfetto_write(o->state, r);
}

static void end_perfetto(struct stream *o)
{
	perfetto_free(o->state);
}

const struct stream_format stream_formats[] = {
	{ "table", "columns for a person; the default on a terminal", begin_table, write_table, end_table, false },
	{ "json", "NDJSON, one record a line; the default elsewhere", NULL, write_json, NULL, false },
	{ "ftrace", "text as the tracing file has it, event kvm_sched_event", begin_ftrace, write_ftrace, NULL, false },
	{ "csv", "the wait events, with a heading", begin_csv, write_csv, NULL, false },
	{ "perfetto", "a trace for Perfetto: tracks of VMs and vCPUs, waits as slices", begin_perfetto, write_perfetto, end_perfetto, true },
	{ 0 },
};

const struct stream_format *stream_format_find(const char *name)
{
	for (const struct stream_format *f = stream_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

void stream_init(struct stream *o, const struct stream_format *format, FILE *file)
{
	*o = (struct stream){ .format = format, .file = file };
}

void stream_buffer(FILE *file)
{
	static char buffer[FILE_BUFFER_BYTES];
	static bool taken;
	int fd = output_fd(file);

	if (!taken && !isatty(fd))
		taken = !setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	/* A pipe of 64 KiB is full before its reader has been woken. Fails where it is none, or the user has too many. */
	if (fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES)
		fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

void stream_meet_vm(struct stream *o, const char *vm, uint32_t pid)
{
	if (o->format->write != write_table)
		return;
	if (!o->state)
		o->state = vm_labels_new();
	vm_label(o->state, vm, pid);
}

void stream_begin(struct stream *o)
{
	if (!o->begun && o->format->begin)
		o->format->begin(o);
	o->begun = true;
}

void stream_write(struct stream *o, const struct record *r)
{
	stream_begin(o);
	o->format->write(o, r);
}

void stream_end(struct stream *o)
{
	if (o->format && o->format->end) /* a summary has none */
		o->format->end(o);
	o->state = NULL;
}

int stream_flush(struct stream *o)
{
	return output_flush(o->file);
}
