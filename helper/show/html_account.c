// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page with the account of each vCPU.
#include "show/html_account.h"

#include "base/memory.h"
#include "show/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INTERVALS 24
#define MAX_ROWS 256 /* of each of the two tables: what keeps the page below 2 MB */

/* The order of the bars: what costs first, on the common line. */
static const struct {
	enum counts_state state;
	const char *class, *meaning; /* the class begins with "s-" */
} states[COUNTS_STATES] = {
	{ COUNTS_SPIN, "s-spinning", "from a pause-loop exit or yield to the next VM entry" },
	{ COUNTS_READY, "s-ready", "runnable and not on a CPU" },
	{ COUNTS_HOST, "s-unwaited", "blocked outside of a HLT" },
	{ COUNTS_HALT, "s-blocked", "blocked in a HLT" },
	{ COUNTS_POLL, "s-polled", "on a CPU, polling in a HLT" },
	{ COUNTS_RUN, "s-run", "on a CPU, in the guest or for it" },
};

static uint64_t costly_ns(const struct counts_row *row)
{
	return row->times.ns[COUNTS_SPIN] + row->times.ns[COUNTS_READY] + row->times.ns[COUNTS_HOST];
}

/* Worst first; equals by VM and vCPU, as they came. */
static int compare_worst(const void *a, const void *b)
{
	const struct counts_row *const *x = a, *const *y = b;

	if (costly_ns(*x) != costly_ns(*y))
		return costly_ns(*x) > costly_ns(*y) ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* Nothing to say: the figures of the row would be 0.0 but for run, halt and poll. */
static bool is_quiet(const struct counts_row *row)
{
	unsigned int permilles[COUNTS_STATES];

	counts_permilles(&row->times, permilles);
	return !row->waits && !permilles[COUNTS_SPIN] && !permilles[COUNTS_READY] && !permilles[COUNTS_HOST];
}

static void put_legend(FILE *f)
{
	fputs("<ul class=\"legend\" aria-label=\"Legend\">", f);
	for (size_t i = 0; i < COUNTS_STATES; i++)
		fprintf(f, "<li><svg class=\"key\" aria-hidden=\"true\" focusable=\"false\"><rect class=\"%s\" width=\"100%%\" height=\"100%%\"/></svg>"
			   "<strong>%s</strong> %s</li>", states[i].class, counts_state_names[states[i].state], states[i].meaning);
	fputs("</ul>\n", f);
}

static void put_cells(FILE *f, const struct counts_times *times)
{
	struct html_part parts[COUNTS_STATES];
	unsigned int permilles[COUNTS_STATES];
	uint64_t wall_ns = counts_wall_ns(times);

	counts_permilles(times, permilles);
	for (size_t i = 0; i < COUNTS_STATES; i++)
		parts[i] = (struct html_part){ states[i].class, times->ns[states[i].state] };
	fputs("<td class=wide>", f);
	html_bar(f, parts, COUNTS_STATES, wall_ns);
	fputs("</td>", f);
	for (size_t i = 0; i < COUNTS_STATES; i++) {
		unsigned int permille = permilles[states[i].state];

		fprintf(f, "<td%s><data value=%" PRIu64 ">%u.%u</data></td>", permille ? "" : " class=z", times->ns[states[i].state], permille / 10,
			permille % 10);
	}
	html_duration_cell(f, wall_ns);
	fputs("</tr>\n", f);
}

static void put_row(FILE *f, const struct counts_row *row)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, row->pid);
	fputs("<tr><th class=\"name\" scope=\"row\"><bdi>", f);
	html_recleaned(f, row->vm ? row->vm : number);
	fputs("</bdi>", f);
	if (row->vm && strcmp(row->vm, number) != 0)
		fprintf(f, " <span class=\"pid\">pid %s</span>", number);
	fprintf(f, " vCPU %" PRId64 "</th>", row->vcpu);
	put_cells(f, &row->times);
}

static void begin_table(FILE *f, const char *first, const char *name)
{
	fprintf(f, "<div class=\"scroll\" role=\"region\" aria-label=\"Account\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">%s</th>"
		   "<th scope=\"col\" class=\"wide\">share of time</th>", first);
	for (size_t i = 0; i < COUNTS_STATES; i++)
		fprintf(f, "<th class=\"n\" scope=\"col\">%s %%</th>", counts_state_names[states[i].state]);
	fprintf(f, "<th class=\"n\" scope=\"col\">in all</th></tr></thead><tbody data-table=\"%s\">\n", name);
}

static void put_table(FILE *f, const char *name, const struct counts_row *const *list, size_t n)
{
	struct counts_times others = { 0 };

	begin_table(f, "vCPU", name);
	for (size_t i = 0; i < n; i++) {
		if (i < MAX_ROWS)
			put_row(f, list[i]);
		else
			counts_times_add(&others, &list[i]->times);
	}
	if (n > MAX_ROWS) {
		fprintf(f, "<tr><th class=\"name\" scope=\"row\">%zu other vCPUs</th>", n - MAX_ROWS);
		put_cells(f, &others);
	}
	fputs("</tbody></table></div>\n", f);
}

static void put_section(FILE *f, size_t host, const struct counts_row *const *list, size_t n, size_t n_quiet)
{
	fprintf(f, "<section aria-labelledby=\"h%zu-account\"><h3 id=\"h%zu-account\">Account of each vCPU</h3>\n", host, host);
	fputs("<p class=\"hint\">Counted in the kernel over the recorded time. The six states of a vCPU add up to the time for which it was there; "
	      "most time spinning, ready or in the host first.</p>\n", f);
	put_legend(f);
	if (n > n_quiet)
		put_table(f, "account", list, n - n_quiet);
	if (n_quiet) {
		fprintf(f, "<details><summary>%zu vCPU%s without a wait, with 0.0 %% spin, ready and host</summary>", n_quiet, n_quiet == 1 ? "" : "s");
		put_table(f, "quiet", list + (n - n_quiet), n_quiet);
		fputs("</details>\n", f);
	}
	fputs("</section>\n", f);
}

char *html_account_section(size_t host, const struct counts_rows *rows)
{
	CLEANUP_FREE const struct counts_row **list = xcalloc(rows->n + 1, sizeof(struct counts_row *));
	size_t n = 0, n_loud, size;
	char *section = NULL;
	FILE *f;

	for (size_t i = 0; i < rows->n; i++)
		if (counts_wall_ns(&rows->items[i].times) && !is_quiet(&rows->items[i]))
			list[n++] = &rows->items[i];
	n_loud = n;
	for (size_t i = 0; i < rows->n; i++)
		if (counts_wall_ns(&rows->items[i].times) && is_quiet(&rows->items[i]))
			list[n++] = &rows->items[i];
	if (!n)
		return NULL;
	qsort(list, n_loud, sizeof(struct counts_row *), compare_worst);
	f = open_memstream(&section, &size);
	if (!f)
		abort();
	put_section(f, host, list, n, n - n_loud);
	fclose(f);
	return section;
}

/* ---- over time ---- */

static uint64_t bins_costly_ns(const struct states_bins *bins)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < STATES_BINS; i++)
		ns += bins->ns[COUNTS_SPIN][i] + bins->ns[COUNTS_READY][i] + bins->ns[COUNTS_HOST][i];
	return ns;
}

static int compare_worst_lines(const void *a, const void *b)
{
	const struct states_line *x = *(const struct states_line *const *)a, *y = *(const struct states_line *const *)b;
	uint64_t x_ns = bins_costly_ns(&x->bins), y_ns = bins_costly_ns(&y->bins);

	if (x_ns != y_ns)
		return x_ns > y_ns ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return strcmp(x->vm, y->vm);
}

static void put_interval(FILE *f, const struct states_lines *l, size_t from, size_t until)
{
	struct counts_times times = { 0 };

	for (size_t s = 0; s < COUNTS_STATES; s++)
		for (size_t i = from; i < until; i++)
			times.ns[s] += l->all.ns[s][i];
	fputs("<tr><th scope=\"row\">", f);
	html_duration_text(f, from * l->width_ns);
	fputs("</th>", f);
	put_cells(f, &times);
}

void html_account_lines(FILE *f, size_t host, const struct states_lines *l, size_t max_lines)
{
	size_t n = states_lines_n_bins(l), step = (n + MAX_INTERVALS - 1) / MAX_INTERVALS;

	if (!l->n_intervals)
		return;
	fprintf(f, "<section aria-labelledby=\"h%zu-states\"><h3 id=\"h%zu-states\">Account over time</h3>\n", host, host);
	fprintf(f, "<p class=\"hint\">From %zu recorded interval%s; how the time of an interval was distributed within it is not known, and it is drawn "
		   "evenly.</p>\n", l->n_intervals, l->n_intervals == 1 ? "" : "s");
	put_legend(f);
	if (l->n > max_lines || l->beyond)
		fprintf(f, "<p class=\"note\">%zu of %zu%s vCPUs have a line, those with most time spinning, ready or in the host.</p>\n",
			l->n < max_lines ? l->n : max_lines, l->n, l->beyond ? " and more" : "");
	fprintf(f, "<div class=\"picture\" data-picture=\"states\" data-host=\"%zu\"><p class=\"nojs\">The lines are drawn by the page's own "
		   "JavaScript.</p></div>\n", host);
	fputs("<details><summary>Table: the same by interval, all vCPUs together</summary>", f);
	begin_table(f, "from", "states");
	for (size_t i = 0; i < n; i += step)
		put_interval(f, l, i, i + step < n ? i + step : n);
	fputs("</tbody></table></div>\n</details></section>\n", f);
}

static void put_line(FILE *f, const struct states_lines *l, const struct states_line *line)
{
	fprintf(f, "{\"n\":1,\"pid\":%" PRIu32 ",\"vm\":", line->pid);
	html_json_recleaned(f, line->vm);
	fprintf(f, ",\"vcpu\":\"%" PRId64 "\",\"states\":{", line->vcpu);
	for (size_t i = 0; i < COUNTS_STATES; i++) {
		fprintf(f, "%s\"%s\":", i ? "," : "", states[i].class + 2);
		html_shares(f, line->bins.ns[states[i].state], states_lines_n_bins(l), l->width_ns);
	}
	fputs("}}", f);
}

void html_account_data(FILE *f, const struct states_lines *l, size_t max_lines)
{
	CLEANUP_FREE struct states_line **list = xcalloc(l->n + 1, sizeof(struct states_line *));

	memcpy(list, l->items, l->n * sizeof(struct states_line *));
	qsort(list, l->n, sizeof(struct states_line *), compare_worst_lines);
	fprintf(f, "{\"width_ns\":%" PRIu64 ",\"length_ns\":%" PRIu64 ",\"bins\":%zu,\"outcomes\":true,\"order\":[", l->width_ns,
		l->last_ns - l->start_ns, states_lines_n_bins(l));
	for (size_t i = 0; i < COUNTS_STATES; i++)
		fprintf(f, "%s[\"%s\",\"%s\"]", i ? "," : "", states[i].class + 2, counts_state_names[states[i].state]);
	fputs("],\"lines\":[", f);
	for (size_t i = 0; i < l->n && i < max_lines; i++) {
		if (i)
			fputs(",\n", f);
		put_line(f, l, list[i]);
	}
	fputs("]}", f);
}
