// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page with the account of each vCPU.
#include "show/html_account.h"

#include "base/memory.h"
#include "show/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS 256 /* of each of the two tables: what keeps the page below 2 MB */

/* The order of the bars: what costs first, on the common line. */
static const struct {
	enum counts_state state;
	const char *class, *meaning;
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

static void put_table(FILE *f, const char *name, const struct counts_row *const *list, size_t n)
{
	struct counts_times others = { 0 };

	fputs("<div class=\"scroll\" role=\"region\" aria-label=\"Account of each vCPU\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">vCPU</th>"
	      "<th scope=\"col\" class=\"wide\">share of time</th>", f);
	for (size_t i = 0; i < COUNTS_STATES; i++)
		fprintf(f, "<th class=\"n\" scope=\"col\">%s %%</th>", counts_state_names[states[i].state]);
	fprintf(f, "<th class=\"n\" scope=\"col\">in all</th></tr></thead><tbody data-table=\"%s\">\n", name);
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
