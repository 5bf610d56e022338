// SPDX-License-Identifier: Apache-2.0
// Counts as a table for a terminal or a file, with how exact each event is above it.
#include "base/clock.h"
#include "base/memory.h"
#include "show/counts_show.h"
#include "show/guest_ips_show.h"

#include <inttypes.h>
#include <stdarg.h>

/* A line that is cut to the width of the terminal. */
struct cut_line {
	char text[512];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct cut_line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, format, args);
	va_end(args);
	l->n += (size_t)n < sizeof(l->text) - l->n ? (size_t)n : sizeof(l->text) - l->n - 1;
}

static void put_line(FILE *f, const struct counts_report *r, struct cut_line *l)
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
static void add_grouped(struct cut_line *l, int width, uint64_t value)
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
static void add_rate(struct cut_line *l, int width, uint64_t count, uint64_t ns)
{
	uint64_t hundredths = counts_rate(count, ns);

	if (!count || hundredths >= 1000)
		add_grouped(l, width, (hundredths + 50) / 100);
	else
		add(l, " %*" PRIu64 ".%" PRIu64, width - 2, (hundredths + 5) / 100, (hundredths + 5) / 10 % 10);
}

static void add_share(struct cut_line *l, int width, uint64_t part, uint64_t whole)
{
	unsigned int permille = counts_permille(part, whole);

	if (whole)
		add(l, " %*u.%u", width - 2, permille / 10, permille % 10);
	else
		add(l, " %*s", width, "-");
}

/* The states, which add up to 100.0. */
static void add_states(struct cut_line *l, const struct counts_times *t)
{
	unsigned int permilles[COUNTS_STATES];

	counts_permilles(t, permilles);
	for (size_t i = 0; i < COUNTS_STATES; i++)
		if (counts_wall_ns(t))
			add(l, " %4u.%u", permilles[i] / 10, permilles[i] % 10);
		else
			add(l, " %6s", "-");
}

static void add_us(struct cut_line *l, int width, uint64_t ns, bool there_are)
{
	if (there_are)
		add_grouped(l, width, (ns + 500) / 1000);
	else
		add(l, " %*s", width, "-");
}

/* "exact: ple hlt  " for the events of this fidelity, if any. */
static void add_fidelity(struct cut_line *l, const struct origin *o, enum fidelity wanted)
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
	struct cut_line l = { 0 };

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
	struct cut_line l = { 0 };

	if (r->by & COUNTS_BY_VM)
		add(&l, "%-16s ", "VM");
	else if (r->by & COUNTS_BY_HOST)
		add(&l, "%-5s", "HOST");
	if (r->by & COUNTS_BY_VCPU)
		add(&l, "%4s ", "VCPU");
	if (r->by & COUNTS_BY_EVENT)
		add(&l, "%-8s ", "EVENT");
	if (r->by & COUNTS_BY_SOURCE)
		add(&l, "%-7s", "SOURCE");
	if (counts_report_of_events(r))
		add(&l, " %12s %10s %7s", "COUNT", "RATE/s", "boost%");
	else if (r->has_account)
		add(&l, "%6s %6s %6s %6s %6s %6s %9s %7s %9s %7s %6s %9s %9s %9s %9s %7s", "run%", "spin%", "poll%", "halt%", "ready%",
		    "host%", "ple/s", "boost%", "hlt/s", "polled%", "waste%", "p50(us)", "p99(us)", "max(us)", "yield/s", "boost%");
	else
		add(&l, "%9s %7s %9s %6s %7s %9s %9s %9s %9s %7s %6s", "ple/s", "boost%", "hlt/s", "poll%", "halted%", "p50(us)",
		    "p99(us)", "max(us)", "yield/s", "boost%", r->recorded ? "ready*" : "ready%");
	put_line(f, r, &l);
}

static const char *label_of(const struct counts_report *r, const struct counts_row *row)
{
	char number[16];

	return vm_label(r->labels, counts_report_vm(r, row, number, sizeof(number)), row->pid);
}

static void put_table_row(FILE *f, const struct counts_report *r, const struct counts_row *row)
{
	uint64_t ns = r->rows->until_ns - r->rows->from_ns, ended = counts_n_halts(&row->halts);
	uint64_t vcpus_ns = outcome_of(r, ns * row->n_vcpus);
	struct cut_line l = { 0 };

	if (r->by & COUNTS_BY_VM)
		add(&l, "%-16s ", label_of(r, row));
	else if (r->by & COUNTS_BY_HOST)
		add(&l, "%-5s", "all");
	if (r->by & COUNTS_BY_VCPU)
		add(&l, "%4" PRId64 " ", row->vcpu);
	if (r->by & COUNTS_BY_EVENT)
		add(&l, "%-8s ", row->event);
	if (r->by & COUNTS_BY_SOURCE)
		add(&l, "%-7s", row->source);
	if (counts_report_of_events(r)) {
		add_grouped(&l, 12, row->waits);
		add_rate(&l, 10, row->waits, ns);
		add_share(&l, 7, row->boosted, outcome_of(r, row->waits - row->hlt));
		put_line(f, r, &l);
		return;
	}
	l.n -= l.n > 0; /* each number has a space before it */
	if (r->has_account)
		add_states(&l, &row->times);
	add_rate(&l, 9, row->ple, ns);
	add_share(&l, 7, row->ple_boosted, outcome_of(r, row->ple));
	add_rate(&l, 9, row->hlt, ns);
	add_share(&l, r->has_account ? 7 : 6, row->halts.ends[COUNTS_POLLED], ended);
	if (r->has_account)
		add_share(&l, 6, row->times.wasted_ns, counts_wall_ns(&row->times));
	else
		add_share(&l, 7, row->halts.halted_ns, vcpus_ns);
	add_us(&l, 9, counts_percentile(&row->halts, 50), ended);
	add_us(&l, 9, counts_percentile(&row->halts, 99), ended);
	add_us(&l, 9, row->halts.max_ns, row->halts.max_ns);
	add_rate(&l, 9, row->yields, ns);
	add_share(&l, 7, row->yields_boosted, outcome_of(r, row->yields));
	if (!r->has_account)
		add_share(&l, 6, row->ready_ns, vcpus_ns);
	put_line(f, r, &l);
}

/* "32.8 us" as whole numbers of the unit that fits. */
static void add_bound(struct cut_line *l, uint64_t ns)
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
	struct cut_line l = { 0 };

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

void counts_write_table(FILE *f, const struct counts_report *r)
{
	size_t left = r->max_lines;

	for (size_t i = 0; i < r->rows->n && r->by & COUNTS_BY_VM; i++)
		label_of(r, &r->rows->items[i]);
	put_table_title(f, r);
	put_table_heading(f, r);
	for (size_t i = 0; i < r->rows->n; i++) {
		if (r->max_lines && left <= 4 && i + 1 < r->rows->n) {
			fprintf(f, "... %zu more\n", r->rows->n - i);
			return;
		}
		left--;
		put_table_row(f, r, &r->rows->items[i]);
		if (r->hist && !counts_report_of_events(r) && !r->max_lines && !r->no_outcomes)
			put_table_hist(f, r, &r->rows->items[i]);
	}
	guest_ips_print(f, r->guests, r->n_guests, r->labels);
}
