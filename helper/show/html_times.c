// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page that a timeline fills.
#include "show/html_times.h"

#include "base/memory.h"
#include "show/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VM_LINES 16
#define MAX_INTERVALS 24
#define MAX_HISTOGRAMS 8

/* The order in which states stand in every bar and picture: what costs first, on the common line. */
static const struct {
	enum timeline_state state;
	const char *class, *label;
} states[] = {
	{ TIME_SPINNING, "s-spinning", "spinning" },
	{ TIME_YIELDING, "s-yielding", "yielding" },
	{ TIME_READY, "s-ready", "ready" },
	{ TIME_BLOCKED, "s-blocked", "halted, blocked" },
	{ TIME_POLLED, "s-polled", "halted, polled" },
	{ TIME_UNWAITED, "s-unwaited", "halted, KVM did not wait" },
	{ TIME_BETWEEN, "s-between", "between waits" },
	{ TIME_UNKNOWN, "s-unknown", "unknown" },
};

static const char *event_name(size_t i)
{
	return i < n_event_kinds ? event_kinds[i].name : "other";
}

static void put_state_bar(FILE *f, const uint64_t *ns)
{
	struct html_part parts[ARRAY_SIZE(states)];
	uint64_t whole = 0;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		parts[i] = (struct html_part){ states[i].class, ns[states[i].state] };
		whole += parts[i].size;
	}
	html_bar(f, parts, ARRAY_SIZE(states), whole);
}

static void put_legend_item(FILE *f, const char *class, const char *label)
{
	fprintf(f, "<li><svg class=\"key\" aria-hidden=\"true\" focusable=\"false\"><rect class=\"%s\" width=\"100%%\" height=\"100%%\"/></svg>%s</li>",
		class, label);
}

static void put_legend(FILE *f, const struct html_times *p)
{
	fputs("<ul class=\"legend\" aria-label=\"Legend\">", f);
	for (size_t i = 0; i < ARRAY_SIZE(states) && p->timeline->has_outcomes; i++)
		put_legend_item(f, states[i].class, states[i].label);
	for (size_t i = 0; i < TIMELINE_EVENTS && !p->timeline->has_outcomes; i++) {
		CLEANUP_FREE char *class = xasprintf("e-%s", event_name(i));

		if (i < n_event_kinds || p->timeline->sums.waits[i])
			put_legend_item(f, class, event_name(i));
	}
	fputs("</ul>\n", f);
}

/* A table that can be wider than the page: it scrolls, by key as well. */
static void begin_table(FILE *f, const char *label)
{
	fprintf(f, "<div class=\"scroll\" role=\"region\" aria-label=\"%s\" tabindex=\"0\"><table>", label);
}

static void end_table(FILE *f)
{
	fputs("</tbody></table></div>\n", f);
}

/* ---- figures ---- */

static size_t count_vms(const struct timeline *t)
{
	CLEANUP_FREE const struct timeline_vcpu **list = NULL;
	size_t n = 0;

	timeline_by_vm(t, &list);
	for (size_t i = 0; i < t->n_vcpus; i++)
		n += i == 0 || !timeline_same_vm(list[i], list[i - 1]);
	return n;
}

void html_times_figures(FILE *f, const struct html_times *p)
{
	const struct timeline *t = p->timeline;

	fputs("<dl class=\"figures\"><div><dt>recorded</dt><dd>", f);
	html_duration(f, t->started ? t->last_ns - t->start_ns : 0);
	fprintf(f, "</dd></div><div><dt>VMs</dt><dd>%zu</dd></div><div><dt>vCPUs</dt><dd>%zu%s</dd></div>", count_vms(t), t->n_vcpus,
		t->beyond ? " and more" : "");
	for (size_t i = 0; i < TIMELINE_EVENTS; i++)
		if (i < n_event_kinds || t->sums.waits[i])
			fprintf(f, "<div><dt>%s</dt><dd>%" PRIu64 "</dd></div>", event_name(i), t->sums.waits[i]);
	fputs("</dl>\n", f);
}

/* ---- time lines ---- */

static void put_lines_notes(FILE *f, const struct html_times *p)
{
	const struct timeline_sums *sums = &p->timeline->sums;

	if (sums->open && p->timeline->has_outcomes)
		fprintf(f, "<p class=\"note\">%" PRIu64 " waits were still open at the end: their time is unknown.</p>\n", sums->open);
	if (sums->ends[OUTCOME_UNSEEN])
		fprintf(f, "<p class=\"note\">Of %" PRIu64 " waits the outcome was not seen: their time is unknown.</p>\n",
			sums->ends[OUTCOME_UNSEEN]);
	if (sums->contradictions)
		fprintf(f, "<p class=\"note\">%" PRIu64 " outcomes contradict themselves (ready for longer than in all): their time is unknown.</p>\n",
			sums->contradictions);
	if (p->timeline->beyond)
		fprintf(f, "<p class=\"note\">%" PRIu64 " records are of vCPUs beyond the first %d; they count in the figures of all.</p>\n",
			p->timeline->beyond, TIMELINE_VCPUS);
	if (p->timeline->n_vcpus > p->max_lines)
		fprintf(f, "<p class=\"note\">%zu of %zu vCPUs have a line of their own, those with most time spinning, yielding and "
			   "ready; the others stand together by VM, and in the tables below.</p>\n", p->max_lines, p->timeline->n_vcpus);
}

static void put_lines(FILE *f, const struct html_times *p)
{
	fprintf(f, "<section aria-labelledby=\"h%zu-lines\"><h3 id=\"h%zu-lines\">Time by vCPU</h3>\n", p->host, p->host);
	if (p->timeline->has_outcomes)
		fprintf(f, "<p class=\"hint\">Between waits is the time from the end of a wait to the next one: the vCPU ran, was ready%s; "
			   "waits do not tell which. Within a wait, the time ready is drawn as the end of it. What took any time at all is a "
			   "pixel high.</p>\n", p->all_waits ? " or slept elsewhere" : ", slept elsewhere or was in a wait that is not in the recording");
	else
		fputs("<p class=\"note\">No outcomes were recorded, so nothing is known of how long waits took; the lines show how "
		      "many there were. <code>kvmwait record</code> has them unless <code>--no-outcome</code> is given.</p>\n", f);
	put_legend(f, p);
	put_lines_notes(f, p);
	fprintf(f, "<div class=\"picture\" data-picture=\"lines\" data-host=\"%zu\"><p class=\"nojs\">The lines are drawn by the page's own "
		   "JavaScript. The tables below hold the same figures without it.</p></div></section>\n", p->host);
}

/* ---- rates ---- */

static void put_interval_row(FILE *f, const struct timeline *t, size_t from, size_t until)
{
	uint64_t ns[TIMELINE_STATES] = { 0 }, waits[TIMELINE_EVENTS] = { 0 }, lost = 0;

	for (size_t i = from; i < until; i++) {
		for (size_t s = 0; s < TIMELINE_STATES; s++)
			ns[s] += t->bins.ns[s][i];
		for (size_t e = 0; e < TIMELINE_EVENTS; e++)
			waits[e] += t->bins.waits[e][i];
		lost += t->lost[i];
	}
	fputs("<tr><th scope=\"row\">", f);
	html_duration_text(f, from * t->width_ns);
	fputs("</th>", f);
	for (size_t e = 0; e < n_event_kinds; e++)
		html_count_cell(f, waits[e]);
	html_count_cell(f, lost);
	if (t->has_outcomes) {
		fputs("<td class=wide>", f);
		put_state_bar(f, ns);
		fputs("</td>", f);
		for (size_t i = 0; i < ARRAY_SIZE(states); i++)
			html_duration_cell(f, ns[states[i].state]);
	}
	fputs("</tr>\n", f);
}

static void put_state_heads(FILE *f)
{
	fputs("<th scope=\"col\" class=\"wide\">share of time</th>", f);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		fprintf(f, "<th class=\"n\" scope=\"col\">%s</th>", states[i].label);
}

static void put_rates(FILE *f, const struct html_times *p)
{
	const struct timeline *t = p->timeline;
	size_t n = timeline_n_bins(t), step = (n + MAX_INTERVALS - 1) / MAX_INTERVALS;

	fprintf(f, "<section aria-labelledby=\"h%zu-rates\"><h3 id=\"h%zu-rates\">Waits over time</h3>\n", p->host, p->host);
	fprintf(f, "<div class=\"picture\" data-picture=\"rates\" data-host=\"%zu\"></div>\n", p->host);
	fputs("<details><summary>Table: the same by interval, all vCPUs together</summary>", f);
	begin_table(f, "Waits by interval");
	fputs("<thead><tr><th scope=\"col\">from</th>", f);
	for (size_t e = 0; e < n_event_kinds; e++)
		fprintf(f, "<th class=\"n\" scope=\"col\">%s</th>", event_name(e));
	fputs("<th class=\"n\" scope=\"col\">reported lost</th>", f);
	if (t->has_outcomes)
		put_state_heads(f);
	fputs("</tr></thead><tbody>\n", f);
	for (size_t i = 0; i < n; i += step)
		put_interval_row(f, t, i, i + step < n ? i + step : n);
	end_table(f);
	fputs("</details></section>\n", f);
}

/* ---- histograms ---- */

static void put_bucket_range(FILE *f, size_t bucket)
{
	if (!bucket) {
		fputs("below 1.02 µs", f);
		return;
	}
	html_duration_text(f, UINT64_C(1) << (bucket + COUNTS_LOG2_FIRST));
	if (bucket == COUNTS_BUCKETS - 1) {
		fputs(" and more", f);
		return;
	}
	fputs(" to ", f);
	html_duration_text(f, UINT64_C(1) << (bucket + COUNTS_LOG2_FIRST + 1));
}

static uint64_t bucket_size(const struct timeline_sums *sums, size_t bucket)
{
	return sums->buckets[HALT_BLOCKED][bucket] + sums->buckets[HALT_POLLED][bucket] + sums->buckets[HALT_NONE][bucket];
}

static void put_histogram_row(FILE *f, const struct timeline_sums *sums, size_t bucket, uint64_t most)
{
	const struct html_part parts[] = {
		{ "s-blocked", sums->buckets[HALT_BLOCKED][bucket] },
		{ "s-polled", sums->buckets[HALT_POLLED][bucket] },
		{ "s-unwaited", sums->buckets[HALT_NONE][bucket] },
	};

	fputs("<tr><th scope=\"row\">", f);
	put_bucket_range(f, bucket);
	fputs("</th><td class=\"wide\">", f);
	html_bar(f, parts, ARRAY_SIZE(parts), most);
	fputs("</td>", f);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		html_count_cell(f, parts[i].size);
	fputs("</tr>\n", f);
}

static void put_histogram(FILE *f, const struct timeline_sums *sums)
{
	size_t first = COUNTS_BUCKETS, last = 0;
	uint64_t most = 0;

	for (size_t i = 0; i < COUNTS_BUCKETS; i++) {
		uint64_t size = bucket_size(sums, i);

		if (!size)
			continue;
		first = first < i ? first : i;
		last = i;
		most = most > size ? most : size;
	}
	begin_table(f, "How long HLTs took");
	fputs("<thead><tr><th scope=\"col\">a HLT took</th><th scope=\"col\" class=\"wide\">HLTs</th><th class=\"n\" scope=\"col\">blocked</th>"
	      "<th class=\"n\" scope=\"col\">polled</th><th class=\"n\" scope=\"col\">not waited</th></tr></thead><tbody>\n", f);
	for (size_t i = first; i <= last; i++)
		put_histogram_row(f, sums, i, most);
	end_table(f);
}

static uint64_t ended_halts(const struct timeline_sums *sums)
{
	return sums->halts[HALT_NONE] + sums->halts[HALT_POLLED] + sums->halts[HALT_BLOCKED];
}

static struct timeline_sums vm_sums(const struct timeline_vcpu *const *list, size_t n, size_t *ret_n)
{
	struct timeline_sums sums = { 0 };
	size_t i = 0;

	for (; i < n && timeline_same_vm(list[i], list[0]); i++)
		timeline_add(&sums, &list[i]->sums);
	*ret_n = i;
	return sums;
}

static void put_vm_name(FILE *f, const struct timeline_vcpu *v)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, v->pid);
	fputs("<bdi>", f);
	html_recleaned(f, v->vm);
	fputs("</bdi>", f);
	if (strcmp(number, v->vm))
		fprintf(f, " <span class=\"pid\">pid %s</span>", number);
}

static void put_histograms(FILE *f, const struct html_times *p)
{
	const struct timeline *t = p->timeline;
	CLEANUP_FREE const struct timeline_vcpu **list = NULL;
	size_t n, shown = 0;

	fprintf(f, "<section aria-labelledby=\"h%zu-halts\"><h3 id=\"h%zu-halts\">How long HLTs took</h3>\n", p->host, p->host);
	if (!ended_halts(&t->sums)) {
		fprintf(f, "<p class=\"note\">%s</p></section>\n",
			t->has_outcomes ? "The end of no HLT was seen." : "Not known: no outcomes were recorded.");
		return;
	}
	fputs("<p class=\"hint\">From the HLT until the vCPU entered the guest again or user space got it; each row is twice as long as the "
	      "one before.</p>\n<div class=\"histograms\"><div><h4>All VMs</h4>", f);
	put_histogram(f, &t->sums);
	fputs("</div>\n", f);
	timeline_by_vm(t, &list);
	for (size_t i = 0; i < t->n_vcpus && shown < MAX_HISTOGRAMS; i += n) {
		struct timeline_sums sums = vm_sums(list + i, t->n_vcpus - i, &n);

		if (!ended_halts(&sums) || n == t->n_vcpus)
			continue;
		fputs("<div><h4>", f);
		put_vm_name(f, list[i]);
		fputs("</h4>", f);
		put_histogram(f, &sums);
		fputs("</div>\n", f);
		shown++;
	}
	fputs("</div></section>\n", f);
}

/* ---- tables ---- */

static void put_sums_heads(FILE *f, const struct html_times *p)
{
	for (size_t e = 0; e < n_event_kinds; e++)
		fprintf(f, "<th class=\"n\" scope=\"col\">%s</th>", event_name(e));
	if (!p->timeline->has_outcomes)
		return;
	fputs("<th class=\"n\" scope=\"col\">gave the CPU away</th>", f);
	put_state_heads(f);
	fputs("<th class=\"n\" scope=\"col\">HLT, half within</th><th class=\"n\" scope=\"col\">HLT, 99 % within</th><th class=\"n\" scope=\"col\">longest HLT</th>", f);
}

static void put_sums_cells(FILE *f, const struct html_times *p, const struct timeline_sums *sums)
{
	struct counts_halts halts = { .max_ns = sums->longest_halt_ns };

	for (size_t e = 0; e < n_event_kinds; e++)
		html_count_cell(f, sums->waits[e]);
	if (!p->timeline->has_outcomes)
		return;
	html_count_cell(f, sums->boosted);
	fputs("<td class=wide>", f);
	put_state_bar(f, sums->ns);
	fputs("</td>", f);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		html_duration_cell(f, sums->ns[states[i].state]);
	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		halts.buckets[i] = bucket_size(sums, i);
	html_duration_cell(f, counts_percentile(&halts, 50));
	html_duration_cell(f, counts_percentile(&halts, 99));
	html_duration_cell(f, sums->longest_halt_ns);
}

static void put_vms(FILE *f, const struct html_times *p, const struct timeline_vcpu *const *list)
{
	size_t total = p->timeline->n_vcpus, n, rows = 0, left = 0;
	struct timeline_sums others = { 0 };

	fprintf(f, "<section aria-labelledby=\"h%zu-vms\"><h3 id=\"h%zu-vms\">By VM</h3>\n", p->host, p->host);
	begin_table(f, "By VM");
	fputs("<thead><tr><th scope=\"col\">VM</th><th class=\"n\" scope=\"col\">vCPUs</th>", f);
	put_sums_heads(f, p);
	fputs("</tr></thead><tbody data-table=\"vms\">\n", f);
	for (size_t i = 0; i < total; i += n) {
		struct timeline_sums sums = vm_sums(list + i, total - i, &n);

		if (rows++ >= p->max_vms) {
			timeline_add(&others, &sums);
			left += n;
			continue;
		}
		fputs("<tr><th class=\"name\" scope=\"row\">", f);
		put_vm_name(f, list[i]);
		fputs("</th>", f);
		html_count_cell(f, n);
		put_sums_cells(f, p, &sums);
		fputs("</tr>\n", f);
	}
	if (left) {
		fprintf(f, "<tr><th class=\"name\" scope=\"row\">%zu other VMs</th>", rows - p->max_vms);
		html_count_cell(f, left);
		put_sums_cells(f, p, &others);
		fputs("</tr>\n", f);
	}
	fputs("</tbody><tfoot data-table=\"all\"><tr><th class=\"name\" scope=\"row\">all</th>", f);
	html_count_cell(f, total);
	put_sums_cells(f, p, &p->timeline->sums);
	fputs("</tr></tfoot></table></div></section>\n", f);
}

static void put_vcpus(FILE *f, const struct html_times *p, const struct timeline_vcpu *const *list)
{
	size_t total = p->timeline->n_vcpus, n = total < p->max_vcpus ? total : p->max_vcpus;
	size_t columns = 1 + n_event_kinds + (p->timeline->has_outcomes ? 1 + 1 + ARRAY_SIZE(states) + 3 : 0);

	fprintf(f, "<section aria-labelledby=\"h%zu-vcpus\"><h3 id=\"h%zu-vcpus\">By vCPU</h3>\n", p->host, p->host);
	if (n < total)
		fprintf(f, "<p class=\"note\">%zu of %zu vCPUs; the others count in their VM's row above.</p>\n", n, total);
	begin_table(f, "By vCPU");
	fputs("<thead><tr><th scope=\"col\">vCPU</th>", f);
	put_sums_heads(f, p);
	fputs("</tr></thead><tbody data-table=\"vcpus\">\n", f);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !timeline_same_vm(list[i], list[i - 1])) {
			fprintf(f, "<tr class=\"group\"><th colspan=\"%zu\" scope=\"rowgroup\"><span>", columns);
			put_vm_name(f, list[i]);
			fputs("</span></th></tr>\n", f);
		}
		fprintf(f, "<tr><th scope=row>%" PRId64 "</th>", list[i]->vcpu);
		put_sums_cells(f, p, &list[i]->sums);
		fputs("</tr>\n", f);
	}
	end_table(f);
	fputs("</section>\n", f);
}

void html_times_lines(FILE *f, const struct html_times *p)
{
	put_lines(f, p);
	put_rates(f, p);
}

void html_times_tables(FILE *f, const struct html_times *p)
{
	CLEANUP_FREE const struct timeline_vcpu **list = NULL;

	timeline_by_vm(p->timeline, &list);
	put_vms(f, p, list);
	put_histograms(f, p);
	put_vcpus(f, p, list);
}

/* ---- data of the pictures ---- */

static bool any_ns(const uint64_t *ns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ns[i])
			return true;
	return false;
}

static void put_bins_states(FILE *f, const struct timeline_bins *bins, size_t n_bins, uint64_t whole_ns)
{
	const char *separator = "";

	fputs(",\"states\":{", f);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (!any_ns(bins->ns[states[i].state], n_bins))
			continue;
		fprintf(f, "%s\"%s\":", separator, timeline_state_names[states[i].state]);
		html_shares(f, bins->ns[states[i].state], n_bins, whole_ns);
		separator = ",";
	}
	putc('}', f);
}

/* Numbers with commas, and a 0 is nothing at all. */
static void put_bins_waits(FILE *f, const struct timeline_bins *bins, size_t n_bins)
{
	const char *separator = "";

	fputs(",\"waits\":{", f);
	for (size_t e = 0; e < TIMELINE_EVENTS; e++) {
		bool any = false;

		for (size_t i = 0; i < n_bins && !any; i++)
			any = bins->waits[e][i];
		if (!any)
			continue;
		fprintf(f, "%s\"%s\":\"", separator, event_name(e));
		for (size_t i = 0; i < n_bins; i++) {
			if (i)
				putc(',', f);
			if (bins->waits[e][i])
				fprintf(f, "%" PRIu32, bins->waits[e][i]);
		}
		putc('"', f);
		separator = ",";
	}
	putc('}', f);
}

static void put_line_data(FILE *f, const struct html_times *p, const struct timeline_line *line, size_t n_bins)
{
	const struct timeline *t = p->timeline;

	fprintf(f, "{\"n\":%zu", line->n_vcpus);
	if (line->vcpu) {
		fprintf(f, ",\"pid\":%" PRIu32 ",\"vm\":", line->vcpu->pid);
		html_json_recleaned(f, line->vcpu->vm);
		if (line->n_vcpus == 1 && line->bins == line->vcpu->bins)
			fprintf(f, ",\"vcpu\":\"%" PRId64 "\"", line->vcpu->vcpu);
	}
	put_bins_states(f, line->bins, n_bins, t->width_ns * (line->n_vcpus ? line->n_vcpus : 1));
	if (!t->has_outcomes)
		put_bins_waits(f, line->bins, n_bins);
	putc('}', f);
}

void html_times_data(FILE *f, const struct html_times *p)
{
	const struct timeline *t = p->timeline;
	struct timeline_line *lines;
	size_t n_bins = timeline_n_bins(t), n = timeline_lines(t, p->max_lines, MAX_VM_LINES, &lines);

	fprintf(f, "{\"width_ns\":%" PRIu64 ",\"length_ns\":%" PRIu64 ",\"bins\":%zu,\"outcomes\":%s", t->width_ns,
		t->started ? t->last_ns - t->start_ns : 0, n_bins, t->has_outcomes ? "true" : "false");
	fputs(",\"order\":[", f);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		fprintf(f, "%s[\"%s\",\"%s\"]", i ? "," : "", timeline_state_names[states[i].state], states[i].label);
	putc(']', f);
	put_bins_waits(f, &t->bins, n_bins);
	fputs(",\"lost\":\"", f);
	for (size_t i = 0; i < n_bins; i++) {
		if (i)
			putc(',', f);
		if (t->lost[i])
			fprintf(f, "%" PRIu64, t->lost[i]);
	}
	fputs("\",\"lines\":[", f);
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputs(",\n", f);
		put_line_data(f, p, &lines[i], n_bins);
	}
	fputs("]}", f);
	timeline_lines_free(lines, n);
}
