// SPDX-License-Identifier: Apache-2.0
// Cumulative counters as OpenMetrics 1.0 and as the text format 0.0.4 of Prometheus. The samples are the same; the two
// differ in how they describe a counter: OpenMetrics names the family without the _total of its samples, and its parsers
// refuse other names, while the text format describes each sample under its own name and knows no units.
#include "base/clock.h"
#include "show/counts_show.h"
#include "show/stream.h"

#include <inttypes.h>
#include <string.h>

struct writer {
	FILE *f;
	const struct counts_report *r;
	bool openmetrics;
};

static void put_family(const struct writer *w, const char *name, const char *type, const char *unit, const char *help)
{
	const char *suffix = !w->openmetrics && !strcmp(type, "counter") ? "_total" : "";

	fprintf(w->f, "# HELP kvmwait_%s%s %s\n# TYPE kvmwait_%s%s %s\n", name, suffix, help, name, suffix, type);
	if (w->openmetrics && unit)
		fprintf(w->f, "# UNIT kvmwait_%s %s\n", name, unit);
}

/* "kvmwait_NAME{vm="web01",pid="4711",vcpu="0" without the brace that closes it; returns the separator before a further label. */
static const char *put_sample(const struct writer *w, const struct counts_row *row, const char *name, const char *suffix)
{
	const char *comma = "";
	char number[16];

	fprintf(w->f, "kvmwait_%s%s{", name, suffix);
	if (w->r->by & COUNTS_BY_VM) {
		fputs("vm=", w->f);
		stream_quoted(w->f, counts_report_vm(w->r, row, number, sizeof(number)));
		fprintf(w->f, ",pid=\"%" PRIu32 "\"", row->pid);
		comma = ",";
	}
	if (w->r->by & COUNTS_BY_VCPU) {
		fprintf(w->f, "%svcpu=\"%" PRId64 "\"", comma, row->vcpu);
		comma = ",";
	}
	return comma;
}

static void put_seconds(FILE *f, uint64_t ns)
{
	fprintf(f, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void put_events(const struct writer *w, const char *name, bool boosts)
{
	for (size_t i = 0; i < w->r->rows->n; i++) {
		const struct counts_row *row = &w->r->rows->items[i];
		const char *comma;

		if (boosts && row->hlt) /* a HLT gives its CPU to no other vCPU */
			continue;
		comma = put_sample(w, row, name, "_total");
		if (w->r->by & COUNTS_BY_EVENT) {
			fprintf(w->f, "%sevent=\"%s\"", comma, row->event);
			comma = ",";
		}
		if (w->r->by & COUNTS_BY_SOURCE)
			fprintf(w->f, "%ssource=\"%s\"", comma, row->source);
		fprintf(w->f, "} %" PRIu64 "\n", boosts ? row->boosted : row->waits);
	}
}

static void put_ends(const struct writer *w)
{
	put_family(w, "halts", "counter", NULL, "HLTs that ended, by how.");
	for (size_t i = 0; i < w->r->rows->n; i++)
		for (int end = 0; end < COUNTS_ENDS; end++) {
			const struct counts_row *row = &w->r->rows->items[i];
			const char *comma = put_sample(w, row, "halts", "_total");

			fprintf(w->f, "%send=\"%s\"} %" PRIu64 "\n", comma, counts_end_names[end], row->halts.ends[end]);
		}
}

static void put_time(const struct writer *w, const struct counts_row *row, const char *name, uint64_t ns)
{
	put_sample(w, row, name, "_total");
	fputs("} ", w->f);
	put_seconds(w->f, ns);
	putc('\n', w->f);
}

static void put_times(const struct writer *w)
{
	const struct counts_rows *rows = w->r->rows;

	put_family(w, "halted_seconds", "counter", "seconds", "Time halted.");
	for (size_t i = 0; i < rows->n; i++)
		put_time(w, &rows->items[i], "halted_seconds", rows->items[i].halts.halted_ns);
	put_family(w, "ready_seconds", "counter", "seconds", "Time runnable but not running.");
	for (size_t i = 0; i < rows->n; i++)
		put_time(w, &rows->items[i], "ready_seconds", rows->items[i].ready_ns);
}

static void put_states(const struct writer *w)
{
	const struct counts_rows *rows = w->r->rows;

	put_family(w, "state_seconds", "counter", "seconds", "Time of the vCPUs' threads by state; the states add up to the time that passed.");
	for (size_t i = 0; i < rows->n; i++)
		for (size_t state = 0; state < COUNTS_STATES; state++) {
			fprintf(w->f, "%sstate=\"%s\"} ", put_sample(w, &rows->items[i], "state_seconds", "_total"), counts_state_names[state]);
			put_seconds(w->f, rows->items[i].times.ns[state]);
			putc('\n', w->f);
		}
	put_family(w, "polled_seconds", "counter", "seconds", "Time that KVM polled in HLTs, by whether a wake-up ended the poll (paid) or not (wasted).");
	for (size_t i = 0; i < rows->n; i++)
		for (int paid = 1; paid >= 0; paid--) {
			const struct counts_times *t = &rows->items[i].times;

			fprintf(w->f, "%sresult=\"%s\"} ", put_sample(w, &rows->items[i], "polled_seconds", "_total"), paid ? "paid" : "wasted");
			put_seconds(w->f, paid ? t->paid_ns : t->wasted_ns);
			putc('\n', w->f);
		}
}

static void put_buckets(const struct writer *w, const struct counts_row *row)
{
	uint64_t n = 0;

	for (size_t i = 0; i + 1 < COUNTS_BUCKETS; i++) {
		n += row->halts.buckets[i];
		fprintf(w->f, "%sle=\"", put_sample(w, row, "halt_seconds", "_bucket"));
		put_seconds(w->f, UINT64_C(1) << (i + COUNTS_LOG2_FIRST + 1));
		fprintf(w->f, "\"} %" PRIu64 "\n", n);
	}
	/* the last bucket has no bound of its own */
	fprintf(w->f, "%sle=\"+Inf\"} %" PRIu64 "\n", put_sample(w, row, "halt_seconds", "_bucket"), counts_n_halts(&row->halts));
}

/* The sum is larger than that of the buckets: it includes the halts that are open. */
static void put_histogram(const struct writer *w)
{
	put_family(w, "halt_seconds", "histogram", "seconds", "How long HLTs took until the vCPU ran again.");
	for (size_t i = 0; i < w->r->rows->n; i++) {
		const struct counts_row *row = &w->r->rows->items[i];

		put_buckets(w, row);
		put_sample(w, row, "halt_seconds", "_sum");
		fputs("} ", w->f);
		put_seconds(w->f, row->halts.halted_ns);
		putc('\n', w->f);
		put_sample(w, row, "halt_seconds", "_count");
		fprintf(w->f, "} %" PRIu64 "\n", counts_n_halts(&row->halts));
	}
}

/* A gauge of each counter that has the number, or of each counter: whether it could be compared. */
static void put_audit_gauge(const struct writer *w, const char *name, const char *key, const char *help)
{
	bool described = false;
	const json_t *item;
	size_t index;

	json_array_foreach(w->r->audit, index, item) {
		const json_t *value = json_object_get(item, key);

		if (key && !value)
			continue;
		if (!described)
			put_family(w, name, "gauge", NULL, help);
		described = true;
		fprintf(w->f, "kvmwait_%s{counter=\"%s\",event=\"%s\",source=\"%s\"} %" JSON_INTEGER_FORMAT "\n", name,
			json_string_value(json_object_get(item, "counter")), json_string_value(json_object_get(item, "event")),
			json_string_value(json_object_get(item, "source")),
			key ? json_integer_value(value) : (json_int_t)!json_object_get(item, "why"));
	}
}

static void put_audit(const struct writer *w)
{
	put_audit_gauge(w, "audit_available", NULL, "Whether waits can be compared with the counter that KVM keeps by itself.");
	put_audit_gauge(w, "audit_seen", "seen", "Waits that the probes counted, for this comparison.");
	put_audit_gauge(w, "audit_kernel", "kernel", "What KVM's own counter moved by at least, up to an interval before.");
	put_audit_gauge(w, "audit_difference", "difference", "How far the two differ. Other than 0: the probes do not see all.");
}

static void write_metrics(const struct writer *w)
{
	if (counts_report_of_events(w->r)) {
		put_family(w, "waits", "counter", NULL, "Waits of vCPUs that KVM served.");
		put_events(w, "waits", false);
		if (w->r->no_outcomes)
			return;
		put_family(w, "boosts", "counter", NULL, "Waits that gave the CPU to another vCPU.");
		put_events(w, "boosts", true);
		return;
	}
	if (!w->r->no_outcomes) {
		put_ends(w);
		put_times(w);
	}
	if (w->r->has_account)
		put_states(w);
	if (w->r->hist)
		put_histogram(w);
	put_family(w, "maps_full", "gauge", NULL, "Whether a map has no room left, so that some is not counted.");
	fprintf(w->f, "kvmwait_maps_full %d\n", w->r->full);
	if (w->r->audit)
		put_audit(w);
	put_family(w, "counted_until_seconds", "gauge", "seconds", "When this was counted, in seconds of CLOCK_BOOTTIME.");
	fputs("kvmwait_counted_until_seconds ", w->f);
	put_seconds(w->f, w->r->rows->until_ns);
	fputs("\n# EOF\n", w->f); /* a comment in the text format: the file is whole */
}

void counts_write_openmetrics(FILE *f, const struct counts_report *r)
{
	write_metrics(&(struct writer){ .f = f, .r = r, .openmetrics = true });
}

void counts_write_prometheus(FILE *f, const struct counts_report *r)
{
	write_metrics(&(struct writer){ .f = f, .r = r });
}
