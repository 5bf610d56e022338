// SPDX-License-Identifier: Apache-2.0
// The forms in which counts leave: table, json, csv, openmetrics.
#include "show/counts_show.h"

#include "base/clock.h"
#include "base/memory.h"
#include "show/stream.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>


const char *const counts_by_names[] = { "vm", "vcpu", "event", "source", NULL };

unsigned int counts_by_bit(const char *name)
{
	for (unsigned int i = 0; counts_by_names[i]; i++)
		if (!strcmp(counts_by_names[i], name))
			return 1u << i;
	return 0;
}

/* Are these rows of events, rather than of vCPUs with all that is told of them? */
static bool of_events(const struct counts_report *r)
{
	return r->by & (COUNTS_BY_EVENT | COUNTS_BY_SOURCE);
}

/* A name is cleaned when it is read; without one the TGID stands for the VM. */
static const char *vm_text(const struct counts_report *r, const struct counts_row *row, char *number, size_t size)
{
	const char *name = row->vm ? row->vm : r->names ? vmnames_get(r->names, row->pid) : NULL;

	if (name)
		return name;
	snprintf(number, size, "%" PRIu32, row->pid);
	return number;
}

/* ---- columns ---- */

static uint64_t get_waits(const struct counts_row *r)
{
	return r->waits;
}

static uint64_t get_boosted(const struct counts_row *r)
{
	return r->boosted;
}

static uint64_t get_ple(const struct counts_row *r)
{
	return r->ple;
}

static uint64_t get_ple_boosted(const struct counts_row *r)
{
	return r->ple_boosted;
}

static uint64_t get_yields(const struct counts_row *r)
{
	return r->yields;
}

static uint64_t get_yields_boosted(const struct counts_row *r)
{
	return r->yields_boosted;
}

static uint64_t get_hlt(const struct counts_row *r)
{
	return r->hlt;
}

static uint64_t get_polled(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_POLLED];
}

static uint64_t get_blocked(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_BLOCKED];
}

static uint64_t get_unwaited(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_UNWAITED];
}

static uint64_t get_gone(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_GONE];
}

static uint64_t get_halted(const struct counts_row *r)
{
	return r->halts.halted_ns;
}

static uint64_t get_p50(const struct counts_row *r)
{
	return counts_percentile(&r->halts, 50);
}

static uint64_t get_p99(const struct counts_row *r)
{
	return counts_percentile(&r->halts, 99);
}

static uint64_t get_max(const struct counts_row *r)
{
	return r->halts.max_ns;
}

static uint64_t get_ready(const struct counts_row *r)
{
	return r->ready_ns;
}

static uint64_t get_vcpus(const struct counts_row *r)
{
	return r->n_vcpus;
}

const struct counts_column counts_columns[] = {
	{ "waits", "events of all kinds", get_waits, false },
	{ "ple", "pause-loop exits", get_ple, false },
	{ "hlt", "HLTs", get_hlt, false },
	{ "yield", "paravirtual yields", get_yields, false },
	{ "boosted", "waits that gave the CPU to another vCPU", get_boosted, true },
	{ "halted", "time halted", get_halted, true },
	{ "ready", "time runnable but not running", get_ready, true },
	{ 0 },
};

const struct counts_column *counts_column_find(const char *name)
{
	for (const struct counts_column *c = counts_columns; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static int compare_columns(const void *a, const void *b, void *column)
{
	uint64_t x = ((const struct counts_column *)column)->get(a), y = ((const struct counts_column *)column)->get(b);

	return x > y ? -1 : x < y;
}

void counts_rows_sort(struct counts_rows *rows, const struct counts_column *column)
{
	struct counts_column by = *column;

	/* glibc's is a merge sort where there is memory, and so keeps the order of equals */
	qsort_r(rows->items, rows->n, sizeof(*rows->items), compare_columns, &by);
}

/* The numbers of a row in json and csv, in this order. */
static const struct number {
	const char *name;
	uint64_t (*get)(const struct counts_row *row);
	bool of_event;	 /* rows of events have it too */
	bool of_outcome; /* what followed the waits tells it */
} numbers[] = {
	{ "waits", get_waits, true, false },
	{ "boosted", get_boosted, true, true },
	{ "ple", get_ple, false, false },
	{ "ple_boosted", get_ple_boosted, false, true },
	{ "pv_yield", get_yields, false, false },
	{ "pv_yield_boosted", get_yields_boosted, false, true },
	{ "hlt", get_hlt, false, false },
	{ "polled", get_polled, false, true },
	{ "blocked", get_blocked, false, true },
	{ "unwaited", get_unwaited, false, true },
	{ "gone", get_gone, false, true },
	{ "halted_ns", get_halted, false, true },
	{ "p50_ns", get_p50, false, true },
	{ "p99_ns", get_p99, false, true },
	{ "max_ns", get_max, false, true },
	{ "ready_ns", get_ready, false, true },
	{ "vcpus", get_vcpus, false, false },
};

static bool has_number(const struct counts_report *r, const struct number *n)
{
	return (n->of_event || !of_events(r)) && !(n->of_outcome && r->no_outcomes);
}

/* ---- table ---- */

/* A line that is cut to the width of the terminal. */
struct line {
	char text[512];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, format, args);
	va_end(args);
	l->n += (size_t)n < sizeof(l->text) - l->n ? (size_t)n : sizeof(l->text) - l->n - 1;
}

static void put_line(FILE *f, const struct counts_report *r, struct line *l)
{
	size_t n = l->n, columns = 0;

	/* a character of UTF-8 is not cut in two */
	for (size_t i = 0; r->max_columns && i < l->n; i++) {
		if (((unsigned char)l->text[i] & 0xc0) != 0x80 && columns++ == r->max_columns) {
			n = i;
			break;
		}
	}
	fprintf(f, "%.*s\n", (int)n, l->text);
	l->n = 0;
}

/* "12 431" */
static void add_grouped(struct line *l, int width, uint64_t value)
{
	char digits[24], text[40];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value), out = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			text[out++] = ' ';
		text[out++] = digits[i];
	}
	text[out] = '\0';
	add(l, " %*s", width, text);
}

/* A rate a second: whole from 10 on. */
static void add_rate(struct line *l, int width, uint64_t count, uint64_t ns)
{
	uint64_t hundredths = counts_rate(count, ns);

	if (!count || hundredths >= 1000)
		add_grouped(l, width, (hundredths + 50) / 100);
	else
		add(l, " %*" PRIu64 ".%" PRIu64, width - 2, (hundredths + 5) / 100, (hundredths + 5) / 10 % 10);
}

static void add_share(struct line *l, int width, uint64_t part, uint64_t whole)
{
	unsigned int permille = counts_permille(part, whole);

	if (whole)
		add(l, " %*u.%u", width - 2, permille / 10, permille % 10);
	else
		add(l, " %*s", width, "-");
}

static void add_us(struct line *l, int width, uint64_t ns, bool there_are)
{
	if (there_are)
		add_grouped(l, width, (ns + 500) / 1000);
	else
		add(l, " %*s", width, "-");
}

/* "exact: ple hlt  " for the events of this fidelity, if any. */
static void add_fidelity(struct line *l, const struct origin *o, enum fidelity wanted)
{
	bool any = false;

	for (size_t i = 0; i < n_event_kinds; i++) {
		if (!o->fidelity_known || o->fidelity[i] != wanted)
			continue;
		if (!any)
			add(l, "%s:", fidelity_name(wanted));
		add(l, " %s", event_kinds[i].name);
		any = true;
	}
	if (any)
		add(l, "  ");
}

static uint64_t outcome_of(const struct counts_report *r, uint64_t whole)
{
	return r->no_outcomes ? 0 : whole;
}

static void put_table_title(FILE *f, const struct counts_report *r)
{
	uint64_t tenths = (r->rows->until_ns - r->rows->from_ns + NS_PER_S / 20) / (NS_PER_S / 10);
	const struct origin *o = r->origin;
	struct line l = { 0 };

	add(&l, "%s %s  %s  ", o->kernel, o->vendor, o->script);
	add_fidelity(&l, o, FIDELITY_EXACT);
	add_fidelity(&l, o, FIDELITY_INFERRED);
	add_fidelity(&l, o, FIDELITY_ABSENT);
	add(&l, "%s%" PRIu64 ".%" PRIu64 " s", r->total ? "total " : "", tenths / 10, tenths % 10);
	if (r->lost_known)
		add(&l, "  lost %" PRIu64, r->lost);
	else if (!r->recorded)
		add(&l, "  lost %s", r->full ? "some: the maps are full" : "0");
	put_line(f, r, &l);
}

static void put_table_heading(FILE *f, const struct counts_report *r)
{
	struct line l = { 0 };

	if (r->by & COUNTS_BY_VM)
		add(&l, "%-16s ", "VM");
	if (r->by & COUNTS_BY_VCPU)
		add(&l, "%4s ", "VCPU");
	if (r->by & COUNTS_BY_EVENT)
		add(&l, "%-8s ", "EVENT");
	if (r->by & COUNTS_BY_SOURCE)
		add(&l, "%-7s", "SOURCE");
	if (of_events(r))
		add(&l, " %12s %10s %7s", "COUNT", "RATE/s", "boost%");
	else
		add(&l, "%9s %7s %9s %6s %7s %9s %9s %9s %9s %7s %6s", "ple/s", "boost%", "hlt/s", "poll%", "halted%", "p50(us)",
		    "p99(us)", "max(us)", "yield/s", "boost%", r->recorded ? "ready*" : "ready%");
	put_line(f, r, &l);
}

static void put_table_row(FILE *f, const struct counts_report *r, const struct counts_row *row)
{
	uint64_t ns = r->rows->until_ns - r->rows->from_ns, ended = counts_n_halts(&row->halts);
	uint64_t vcpus_ns = outcome_of(r, ns * row->n_vcpus);
	struct line l = { 0 };
	char number[16];

	if (r->by & COUNTS_BY_VM)
		add(&l, "%-16s ", vm_text(r, row, number, sizeof(number)));
	if (r->by & COUNTS_BY_VCPU)
		add(&l, "%4" PRId64 " ", row->vcpu);
	if (r->by & COUNTS_BY_EVENT)
		add(&l, "%-8s ", row->event);
	if (r->by & COUNTS_BY_SOURCE)
		add(&l, "%-7s", row->source);
	if (of_events(r)) {
		add_grouped(&l, 12, row->waits);
		add_rate(&l, 10, row->waits, ns);
		add_share(&l, 7, row->boosted, outcome_of(r, row->waits - row->hlt));
		put_line(f, r, &l);
		return;
	}
	l.n -= l.n > 0; /* each number has a space before it */
	add_rate(&l, 9, row->ple, ns);
	add_share(&l, 7, row->ple_boosted, outcome_of(r, row->ple));
	add_rate(&l, 9, row->hlt, ns);
	add_share(&l, 6, row->halts.ends[COUNTS_POLLED], ended);
	add_share(&l, 7, row->halts.halted_ns, vcpus_ns);
	add_us(&l, 9, get_p50(row), ended);
	add_us(&l, 9, get_p99(row), ended);
	add_us(&l, 9, row->halts.max_ns, row->halts.max_ns);
	add_rate(&l, 9, row->yields, ns);
	add_share(&l, 7, row->yields_boosted, outcome_of(r, row->yields));
	add_share(&l, 6, row->ready_ns, vcpus_ns);
	put_line(f, r, &l);
}

/* "32.8 us" as whole numbers of the unit that fits. */
static void add_bound(struct line *l, uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t unit = 0;

	while (ns >= 10000 && unit + 1 < ARRAY_SIZE(units)) {
		ns = (ns + 500) / 1000;
		unit++;
	}
	add(l, "%6" PRIu64 " %-2s", ns, units[unit]);
}

#define BAR 40

static void put_table_hist(FILE *f, const struct counts_report *r, const struct counts_row *row)
{
	uint64_t most = 0;
	struct line l = { 0 };

	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		if (row->halts.buckets[i] > most)
			most = row->halts.buckets[i];
	for (size_t i = 0; i < COUNTS_BUCKETS; i++) {
		uint64_t n = row->halts.buckets[i];
		int bar = most ? (int)((unsigned __int128)n * BAR / most) : 0;

		if (!n)
			continue;
		add(&l, "    from ");
		add_bound(&l, i ? UINT64_C(1) << (i + COUNTS_LOG2_FIRST) : 0);
		add_grouped(&l, 12, n);
		add(&l, "  %.*s", bar, "########################################");
		put_line(f, r, &l);
	}
}

static void write_table(FILE *f, const struct counts_report *r)
{
	size_t left = r->max_lines;

	put_table_title(f, r);
	put_table_heading(f, r);
	for (size_t i = 0; i < r->rows->n; i++) {
		if (r->max_lines && left <= 4 && i + 1 < r->rows->n) {
			fprintf(f, "... %zu more\n", r->rows->n - i);
			return;
		}
		left--;
		put_table_row(f, r, &r->rows->items[i]);
		if (r->hist && !of_events(r) && !r->max_lines && !r->no_outcomes)
			put_table_hist(f, r, &r->rows->items[i]);
	}
}

/* ---- json ---- */

static void put_json_hist(FILE *f, const struct counts_row *row)
{
	const char *comma = "";

	fputs(",\"hist\":[", f);
	for (size_t i = 0; i < COUNTS_BUCKETS; i++) {
		if (!row->halts.buckets[i])
			continue;
		fprintf(f, "%s{\"from_ns\":%" PRIu64 ",\"count\":%" PRIu64 "}", comma, i ? UINT64_C(1) << (i + COUNTS_LOG2_FIRST) : 0,
			row->halts.buckets[i]);
		comma = ",";
	}
	putc(']', f);
}

static void put_json_row(FILE *f, const struct counts_report *r, const struct counts_row *row)
{
	const char *comma = "";
	char number[16];

	putc('{', f);
	if (r->by & COUNTS_BY_VM) {
		fputs("\"vm\":", f);
		stream_quoted(f, vm_text(r, row, number, sizeof(number)));
		fprintf(f, ",\"pid\":%" PRIu32, row->pid);
		comma = ",";
	}
	if (r->by & COUNTS_BY_VCPU) {
		fprintf(f, "%s\"vcpu\":%" PRId64, comma, row->vcpu);
		comma = ",";
	}
	if (r->by & COUNTS_BY_EVENT) {
		fprintf(f, "%s\"event\":\"%s\"", comma, row->event);
		comma = ",";
	}
	if (r->by & COUNTS_BY_SOURCE) {
		fprintf(f, "%s\"source\":\"%s\"", comma, row->source);
		comma = ",";
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!has_number(r, &numbers[i]))
			continue;
		fprintf(f, "%s\"%s\":%" PRIu64, comma, numbers[i].name, numbers[i].get(row));
		comma = ",";
	}
	if (r->hist && !of_events(r) && !r->no_outcomes)
		put_json_hist(f, row);
	putc('}', f);
}

static void write_json(FILE *f, const struct counts_report *r)
{
	const char *comma = "";

	fprintf(f, "{\"type\":\"stat\",\"ts\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"total\":%s,\"full\":%s,%s\"by\":[",
		r->rows->until_ns, r->rows->until_ns - r->rows->from_ns, r->total ? "true" : "false", r->full ? "true" : "false",
		r->recorded ? "\"recorded\":true," : "");
	for (unsigned int i = 0; counts_by_names[i]; i++) {
		if (!(r->by >> i & 1))
			continue;
		fprintf(f, "%s\"%s\"", comma, counts_by_names[i]);
		comma = ",";
	}
	fputs("],\"rows\":[", f);
	for (size_t i = 0; i < r->rows->n; i++) {
		if (i)
			putc(',', f);
		put_json_row(f, r, &r->rows->items[i]);
	}
	fputs("]}\n", f);
}

/* ---- csv ---- */

static void begin_csv(FILE *f, const struct counts_report *r)
{
	fputs(r->file ? "host,file,ts,ns,total" : "ts,ns,total", f);
	if (r->by & COUNTS_BY_VM)
		fputs(",vm,pid", f);
	for (unsigned int i = 1; counts_by_names[i]; i++)
		if (r->by >> i & 1)
			fprintf(f, ",%s", counts_by_names[i]);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].of_event || !of_events(r))
			fprintf(f, ",%s", numbers[i].name);
	putc('\n', f);
}

static void write_csv(FILE *f, const struct counts_report *r)
{
	char number[16];

	for (size_t i = 0; i < r->rows->n; i++) {
		const struct counts_row *row = &r->rows->items[i];

		if (r->file) {
			stream_csv_text(f, r->host);
			putc(',', f);
			stream_csv_text(f, r->file);
			putc(',', f);
		}
		fprintf(f, "%" PRIu64 ",%" PRIu64 ",%d", r->rows->until_ns, r->rows->until_ns - r->rows->from_ns, r->total);
		if (r->by & COUNTS_BY_VM) {
			putc(',', f);
			stream_csv_text(f, vm_text(r, row, number, sizeof(number)));
			fprintf(f, ",%" PRIu32, row->pid);
		}
		if (r->by & COUNTS_BY_VCPU)
			fprintf(f, ",%" PRId64, row->vcpu);
		if (r->by & COUNTS_BY_EVENT)
			fprintf(f, ",%s", row->event);
		if (r->by & COUNTS_BY_SOURCE)
			fprintf(f, ",%s", row->source);
		for (size_t j = 0; j < ARRAY_SIZE(numbers); j++)
			if (has_number(r, &numbers[j]))
				fprintf(f, ",%" PRIu64, numbers[j].get(row));
			else if (numbers[j].of_event || !of_events(r))
				putc(',', f); /* not known */
		putc('\n', f);
	}
}

/* ---- openmetrics ---- */

static void put_family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP kvmwait_%s %s\n# TYPE kvmwait_%s %s\n", name, help, name, type);
}

/* "kvmwait_NAME{vm="web01",pid="4711",vcpu="0" without the brace that closes it; returns what stands before a label. */
static const char *put_sample(FILE *f, const struct counts_report *r, const struct counts_row *row, const char *name)
{
	const char *comma = "";
	char number[16];

	fprintf(f, "kvmwait_%s{", name);
	if (r->by & COUNTS_BY_VM) {
		fputs("vm=", f);
		stream_quoted(f, vm_text(r, row, number, sizeof(number)));
		fprintf(f, ",pid=\"%" PRIu32 "\"", row->pid);
		comma = ",";
	}
	if (r->by & COUNTS_BY_VCPU) {
		fprintf(f, "%svcpu=\"%" PRId64 "\"", comma, row->vcpu);
		comma = ",";
	}
	return comma;
}

static void put_seconds(FILE *f, uint64_t ns)
{
	fprintf(f, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void put_event_counters(FILE *f, const struct counts_report *r, const char *name, uint64_t (*get)(const struct counts_row *))
{
	for (size_t i = 0; i < r->rows->n; i++) {
		const struct counts_row *row = &r->rows->items[i];
		const char *comma;

		if (get == get_boosted && row->hlt)
			continue;
		comma = put_sample(f, r, row, name);
		if (r->by & COUNTS_BY_EVENT) {
			fprintf(f, "%sevent=\"%s\"", comma, row->event);
			comma = ",";
		}
		if (r->by & COUNTS_BY_SOURCE)
			fprintf(f, "%ssource=\"%s\"", comma, row->source);
		fprintf(f, "} %" PRIu64 "\n", get(row));
	}
}

static void put_ends(FILE *f, const struct counts_report *r)
{
	put_family(f, "halts_total", "counter", "HLTs that ended, by how.");
	for (size_t i = 0; i < r->rows->n; i++)
		for (int end = 0; end < COUNTS_ENDS; end++) {
			const char *comma = put_sample(f, r, &r->rows->items[i], "halts_total");

			fprintf(f, "%send=\"%s\"} %" PRIu64 "\n", comma, counts_end_names[end], r->rows->items[i].halts.ends[end]);
		}
}

static void put_times(FILE *f, const struct counts_report *r, const char *name, const char *help,
		      uint64_t (*get)(const struct counts_row *))
{
	put_family(f, name, "counter", help);
	for (size_t i = 0; i < r->rows->n; i++) {
		put_sample(f, r, &r->rows->items[i], name);
		fputs("} ", f);
		put_seconds(f, get(&r->rows->items[i]));
		putc('\n', f);
	}
}

/* The last bucket has no bound of its own. The sum is not that of the buckets: it has the halts that are open too. */
static void put_histogram(FILE *f, const struct counts_report *r)
{
	put_family(f, "halt_seconds", "histogram", "How long HLTs took until the vCPU ran again.");
	for (size_t i = 0; i < r->rows->n; i++) {
		const struct counts_row *row = &r->rows->items[i];
		const char *comma;
		uint64_t n = 0;

		for (size_t j = 0; j + 1 < COUNTS_BUCKETS; j++) {
			n += row->halts.buckets[j];
			comma = put_sample(f, r, row, "halt_seconds_bucket");
			fprintf(f, "%sle=\"", comma);
			put_seconds(f, UINT64_C(1) << (j + COUNTS_LOG2_FIRST + 1));
			fprintf(f, "\"} %" PRIu64 "\n", n);
		}
		n = counts_n_halts(&row->halts);
		comma = put_sample(f, r, row, "halt_seconds_bucket");
		fprintf(f, "%sle=\"+Inf\"} %" PRIu64 "\n", comma, n);
		put_sample(f, r, row, "halt_seconds_sum");
		fputs("} ", f);
		put_seconds(f, row->halts.halted_ns);
		putc('\n', f);
		put_sample(f, r, row, "halt_seconds_count");
		fprintf(f, "} %" PRIu64 "\n", n);
	}
}

/*
 * HELP and TYPE name the sample itself, _total included: so the text format of Prometheus, which node_exporter and
 * promtool read, keeps the type.
 */
static void write_openmetrics(FILE *f, const struct counts_report *r)
{
	if (of_events(r)) {
		put_family(f, "waits_total", "counter", "Waits of vCPUs that KVM served.");
		put_event_counters(f, r, "waits_total", get_waits);
		if (r->no_outcomes)
			return;
		put_family(f, "boosts_total", "counter", "Waits that gave the CPU to another vCPU.");
		put_event_counters(f, r, "boosts_total", get_boosted);
		return;
	}
	if (!r->no_outcomes) {
		put_ends(f, r);
		put_times(f, r, "halted_seconds_total", "Time halted.", get_halted);
		put_times(f, r, "ready_seconds_total", "Time runnable but not running.", get_ready);
	}
	if (r->hist)
		put_histogram(f, r);
	put_family(f, "maps_full", "gauge", "Whether a map has no room left, so that some is not counted.");
	fprintf(f, "kvmwait_maps_full %d\n", r->full);
	put_family(f, "counted_until_seconds", "gauge", "When this was counted, in seconds of CLOCK_BOOTTIME.");
	fputs("kvmwait_counted_until_seconds ", f);
	put_seconds(f, r->rows->until_ns);
	fputs("\n# EOF\n", f);
}

const struct counts_format counts_formats[] = {
	{ "table", NULL, write_table, false },
	{ "json", NULL, write_json, false },
	{ "csv", begin_csv, write_csv, false },
	{ "openmetrics", NULL, write_openmetrics, true },
	{ 0 },
};

const struct counts_format *counts_format_find(const char *name)
{
	for (const struct counts_format *f = counts_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
