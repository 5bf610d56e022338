// SPDX-License-Identifier: Apache-2.0
// The forms in which a stream of records leaves: table, json, ftrace, csv, perfetto.
#include "output.h"

#include "line.h"
#include "perfetto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define CLEAN_COMM_BYTES (4 * COMM_BYTES + 1)
#define FILE_BUFFER_BYTES 131072u
#define PIPE_BYTES 1048576

/* Does the text come out of text_clean() as it is? Most names do. */
static bool is_clean(const char *s, size_t n)
{
	unsigned int odd = 0;

	for (size_t i = 0; i < n; i++)
		odd |= (unsigned int)((unsigned char)(s[i] - ' ') > '~' - ' ') | (s[i] == '\\');
	return !odd;
}

/* The name of a thread as text_clean() has it, given to `put`. */
static void put_comm(struct line *l, const struct wait_event *w, void (*put)(struct line *l, const char *s, size_t n))
{
	size_t n = strnlen(w->comm, COMM_BYTES);
	char clean[CLEAN_COMM_BYTES];

	if (is_clean(w->comm, n)) {
		put(l, w->comm, n);
		return;
	}
	n = text_clean(w->comm, n, clean);
	put(l, clean, n);
}

/* ---- what was written of the same thread and event before ---- */

/* What a form writes of a wait but for its time, CPU and target. */
typedef void put_who_fn(struct line *l, const struct wait_event *w);

/*
 * A stream has few threads and many events of each. So what put_who_fn wrote is kept beside all that it comes from, and
 * used again where that is the same.
 */
#define WRITTEN_MOST 4096u
#define WRITTEN_BYTES 256u
#define WRITTEN_VM_BYTES 64u

static struct written {
	put_who_fn *put; /* NULL: nothing is kept here */
	struct wait_event wait;
	char vm[WRITTEN_VM_BYTES]; /* empty: wait.vm is NULL */
	size_t n;
	char text[WRITTEN_BYTES];
} written[WRITTEN_MOST];

static struct written *written_at(const struct wait_event *w)
{
	uint64_t h = ((uint64_t)w->tid << 32 | w->pid) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)w->vcpu;

	h = (h ^ (unsigned char)*w->event ^ (uint64_t)(unsigned char)*w->source << 8) * UINT64_C(0x9e3779b97f4a7c15);
	return &written[(h >> 32) % WRITTEN_MOST];
}

static bool is_written(const struct written *t, const struct wait_event *w, put_who_fn *put)
{
	const struct wait_event *k = &t->wait;

	return t->put == put && k->pid == w->pid && k->tid == w->tid && k->vcpu == w->vcpu && !memcmp(k->comm, w->comm, COMM_BYTES) &&
	       !memcmp(k->event, w->event, NAME_BYTES) && !memcmp(k->source, w->source, NAME_BYTES) && !strcmp(t->vm, w->vm ? w->vm : "");
}

static void put_who(struct line *l, const struct wait_event *w, put_who_fn *put)
{
	struct written *t = written_at(w);
	struct line made;

	if (w->vm && (!*w->vm || strlen(w->vm) >= WRITTEN_VM_BYTES)) {
		put(l, w);
		return;
	}
	if (is_written(t, w, put)) {
		line_bytes(l, t->text, t->n);
		return;
	}
	line_begin(&made, NULL); /* that much room is not needed: see WRITTEN_VM_BYTES */
	put(&made, w);
	t->n = (size_t)(made.p - made.bytes);
	line_bytes(l, made.bytes, t->n);
	t->put = t->n <= WRITTEN_BYTES ? put : NULL;
	if (!t->put)
		return;
	t->wait = *w;
	strcpy(t->vm, w->vm ? w->vm : "");
	memcpy(t->text, made.bytes, t->n);
}

/* Cleaned text holds no control character: only quote and backslash need an escape. */
static void put_json_text(struct line *l, const char *s, size_t n)
{
	line_char(l, '"');
	line_escaped(l, s, n, "\"\\", '\\');
	line_char(l, '"');
}

/* Without a name the TGID stands for the VM. */
static void put_json_vm(struct line *l, const char *vm, uint32_t pid)
{
	if (vm) {
		put_json_text(l, vm, strlen(vm));
		return;
	}
	line_char(l, '"');
	line_u64(l, pid);
	line_char(l, '"');
}

/* The name of a VM is cleaned when it is read. */
static const char *vm_text(const char *vm, uint32_t pid, char *number, size_t size)
{
	if (vm)
		return vm;
	snprintf(number, size, "%" PRIu32, pid);
	return number;
}

/* ---- json ---- */

/* Cleaned text holds no control character: only quote and backslash need an escape. */
void output_quoted(FILE *f, const char *s)
{
	putc_unlocked('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putc_unlocked('\\', f);
		putc_unlocked(*s, f);
	}
	putc_unlocked('"', f);
}

static void put_json_callers(struct line *l, const struct strings *callers)
{
	LINE_PUT(l, ",\"callers\":[");
	for (size_t i = 0; i < callers->n; i++) {
		if (i)
			line_char(l, ',');
		put_json_text(l, callers->items[i], strlen(callers->items[i]));
	}
	line_char(l, ']');
}

/* All between CPU and target. */
static void put_json_who(struct line *l, const struct wait_event *w)
{
	LINE_PUT(l, ",\"pid\":");
	line_u64(l, w->pid);
	LINE_PUT(l, ",\"tid\":");
	line_u64(l, w->tid);
	LINE_PUT(l, ",\"comm\":");
	put_comm(l, w, put_json_text);
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
	struct line l;

	line_begin(&l, f);
	LINE_PUT(&l, "{\"type\":\"wait\",\"ts\":");
	line_u64(&l, w->ts_ns);
	LINE_PUT(&l, ",\"cpu\":");
	line_u64(&l, w->cpu);
	put_who(&l, w, put_json_who);
	line_i64(&l, w->target);
	if (w->callers)
		put_json_callers(&l, w->callers);
	LINE_PUT(&l, "}\n");
	line_end(&l);
}

static bool is_halt(const struct outcome_event *o)
{
	return event_bit(o->event) == event_bit("hlt") || (!*o->event && o->halt != HALT_NONE);
}

static void put_json_field(struct line *l, const char *name, uint64_t value)
{
	LINE_PUT(l, ",\"");
	line_text(l, name);
	LINE_PUT(l, "\":");
	line_u64(l, value);
}

static void put_json_end(struct line *l, const struct outcome_event *o)
{
	if (is_halt(o)) {
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
	struct line l;

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

static void write_json(struct output *o, const struct record *r)
{
	if (r->type == RECORD_WAIT) {
		write_json_wait(o->file, &r->wait);
		return;
	}
	if (r->type == RECORD_OUTCOME) {
		write_json_outcome(o->file, &r->outcome);
		return;
	}
	json_dumpf(r->object, o->file, JSON_COMPACT);
	putc('\n', o->file);
}

/* ---- table ---- */

static void begin_table(struct output *o)
{
	fprintf(o->file, "%-11s %4s  %-16s %4s  %-9s %-7s %s\n", "TIME(s)", "CPU", "VM", "VCPU", "EVENT", "SOURCE", "TARGET");
}

void output_balance(FILE *f, json_t *end)
{
	json_t *counted = json_object_get(end, "counted");
	json_int_t received = json_integer_value(json_object_get(end, "received"));
	json_int_t lost = json_integer_value(json_object_get(end, "lost"));
	json_int_t off = json_integer_value(json_object_get(end, "unbalanced"));

	if (!counted) {
		const char *why = json_string_value(json_object_get(end, "why"));
		CLEANUP_FREE char *clean = xcalloc(4 * strlen(why) + 1, 1); /* a record can come from anywhere */

		text_clean(why, strlen(why), clean);
		fprintf(f, "received %" JSON_INTEGER_FORMAT ", lost %" JSON_INTEGER_FORMAT ": the kernel's count is not known (%s)\n",
			received, lost, clean);
	} else {
		fprintf(f, "received %" JSON_INTEGER_FORMAT " + lost %" JSON_INTEGER_FORMAT " %s counted %" JSON_INTEGER_FORMAT "\n",
			received, lost, off ? "does not make" : "=", json_integer_value(counted));
	}
}

/* The first columns, up to the vCPU. */
static void write_table_head(struct output *o, uint64_t ts_ns, uint32_t cpu, const char *vm, int64_t vcpu)
{
	uint64_t since_ns;

	if (!o->start_ns)
		o->start_ns = ts_ns;
	/* an event may precede the snapshot of the clock by a hair */
	since_ns = ts_ns > o->start_ns ? ts_ns - o->start_ns : 0;
	fprintf(o->file, "%4" PRIu64 ".%06" PRIu64 " %4" PRIu32 "  %-16s %4" PRId64 "  ", since_ns / 1000000000,
		since_ns / 1000 % 1000000, cpu, vm, vcpu);
}

static void put_us(FILE *f, const char *what, uint64_t ns)
{
	fprintf(f, "%s%" PRIu64 ".%" PRIu64 " us", what, ns / 1000, ns / 100 % 10);
}

/* "  -> hlt blocked, ran again after 180.2 us, off CPU 170.0 us, ready 4.1 us, CPU 3 to 5" */
static void write_table_outcome(struct output *o, const struct outcome_event *e)
{
	static const char *const ends[OUTCOME_ENDS] = {
		", ran again after ", ", went to user space after ", ", its thread ended after ", ", not seen what followed",
	};
	char number[16];
	FILE *f = o->file;

	write_table_head(o, e->ts_ns, e->cpu, vm_text(e->vm, e->pid, number, sizeof(number)), e->vcpu);
	fprintf(f, "-> %s", *e->event ? e->event : "(lost wait)");
	if (e->end == OUTCOME_UNSEEN) {
		fprintf(f, "%s\n", ends[e->end]);
		return;
	}
	if (is_halt(e))
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

static void write_table(struct output *o, const struct record *r)
{
	const struct wait_event *w = &r->wait;
	char number[16];

	switch (r->type) {
	case RECORD_META:
		o->start_ns = (uint64_t)json_integer_value(
			json_object_get(json_object_get(r->object, "clock"), "boottime"));
		return;
	case RECORD_WAIT:
		write_table_head(o, w->ts_ns, w->cpu, vm_text(w->vm, w->pid, number, sizeof(number)), w->vcpu);
		fprintf(o->file, "%-9s %-7s ", w->event, w->source);
		if (w->target == -1)
			fputs("     -\n", o->file);
		else
			fprintf(o->file, "%6" PRId64 "\n", w->target);
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
		output_balance(o->file, r->object);
		return;
	default:
		return;
	}
}

/* ---- ftrace ---- */

/* "%16s" */
static void put_right(struct line *l, const char *s, size_t n)
{
	for (size_t i = n; i < 16; i++)
		line_char(l, ' ');
	line_bytes(l, s, n);
}

/*
 * The frame of trace_print_context() in kernel/trace/trace_output.c with the fields this stream has: the
 * thread, the CPU, no flags, and CLOCK_BOOTTIME (trace_clock boot) in microseconds.
 */
static void write_ftrace(struct output *o, const struct record *r)
{
	const struct wait_event *w = &r->wait;
	uint64_t ts_us = (w->ts_ns + 500) / 1000; /* as ns2usecs() rounds */
	struct line l;

	if (r->type == RECORD_LOST)
		fprintf(o->file, "# lost %" JSON_INTEGER_FORMAT " events\n",
			json_integer_value(json_object_get(r->object, "lost")));
	if (r->type != RECORD_WAIT)
		return;
	line_begin(&l, o->file);
	put_comm(&l, w, put_right);
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

static void begin_ftrace(struct output *o)
{
	fputs("# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n#              | |         |   |||||     |         |\n",
	      o->file);
}

/* ---- csv ---- */

static void begin_csv(struct output *o)
{
	for (const struct field *f = record_schemas[RECORD_WAIT].fields; f->name && !f->optional; f++)
		fprintf(o->file, "%s%s", f == record_schemas[RECORD_WAIT].fields ? "" : ",", f->name);
	fputs("\n", o->file);
}

/* Text goes in quotes; a leading sign that a spreadsheet takes for a formula gets an apostrophe. */
void output_csv_text(FILE *f, const char *s)
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

static void put_csv_text(struct line *l, const char *s, size_t n)
{
	line_char(l, '"');
	if (n && strchr("=+-@", *s))
		line_char(l, '\'');
	line_escaped(l, s, n, "\"\"", '"');
	line_char(l, '"');
}

static void put_csv_who(struct line *l, const struct wait_event *w)
{
	line_char(l, ',');
	line_u64(l, w->pid);
	line_char(l, ',');
	line_u64(l, w->tid);
	line_char(l, ',');
	put_comm(l, w, put_csv_text);
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

static void write_csv(struct output *o, const struct record *r)
{
	const struct wait_event *w = &r->wait;
	struct line l;

	if (r->type != RECORD_WAIT)
		return;
	line_begin(&l, o->file);
	line_u64(&l, w->ts_ns);
	line_char(&l, ',');
	line_u64(&l, w->cpu);
	put_who(&l, w, put_csv_who);
	line_i64(&l, w->target);
	line_char(&l, '\n');
	line_end(&l);
}

/* ---- perfetto ---- */

static void begin_perfetto(struct output *o)
{
	o->state = perfetto_new(o->file);
}

static void write_perfetto(struct output *o, const struct record *r)
{
	perfetto_write(o->state, r);
}

static void end_perfetto(struct output *o)
{
	perfetto_free(o->state);
}

const struct output_format output_formats[] = {
	{ "table", "columns for a person; the default on a terminal", begin_table, write_table, NULL, false },
	{ "json", "NDJSON, one record a line; the default elsewhere", NULL, write_json, NULL, false },
	{ "ftrace", "text as the tracing file has it, event kvm_sched_event", begin_ftrace, write_ftrace, NULL, false },
	{ "csv", "the wait events, with a heading", begin_csv, write_csv, NULL, false },
	{ "perfetto", "a trace for Perfetto: tracks of VMs and vCPUs, waits as slices", begin_perfetto, write_perfetto, end_perfetto, true },
};
const size_t n_output_formats = ARRAY_SIZE(output_formats);

const struct output_format *output_format_find(const char *name)
{
	for (size_t i = 0; i < n_output_formats; i++)
		if (!strcmp(output_formats[i].name, name))
			return &output_formats[i];
	return NULL;
}

void output_init(struct output *o, const struct output_format *format, FILE *file)
{
	*o = (struct output){ .format = format, .file = file };
}

void output_buffer(FILE *file)
{
	static char buffer[FILE_BUFFER_BYTES];
	static bool taken;
	int fd = fileno(file);

	if (!taken && !isatty(fd))
		taken = !setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	/* A pipe of 64 KiB is full before its reader has been woken. Fails where it is none, or the user has too many. */
	if (fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES)
		fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

void output_begin(struct output *o)
{
	if (!o->begun && o->format->begin)
		o->format->begin(o);
	o->begun = true;
}

void output_write(struct output *o, const struct record *r)
{
	output_begin(o);
	o->format->write(o, r);
}

void output_end(struct output *o)
{
	if (o->format && o->format->end) /* a summary has none */
		o->format->end(o);
	o->state = NULL;
}

int output_flush(struct output *o)
{
	errno = 0;
	if (!fflush(o->file) && !ferror(o->file))
		return 0;
	return errno ? -errno : -EIO;
}
