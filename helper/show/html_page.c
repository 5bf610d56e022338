// SPDX-License-Identifier: Apache-2.0
// kvmwait report --html: one page that needs nothing but itself.
#include "show/html_page.h"

#include "base/output.h"
#include "base/text.h"
#include "ledger/timeline.h"
#include "show/html.h"
#include "show/html_account.h"
#include "show/html_facts.h"
#include "show/html_times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of the page, shared by its recordings: what keeps it below 2 MB. */
#define MAX_LINES 56
#define MAX_VMS 256
#define MAX_VCPUS 640
/* Of one recording, and of all: what bounds the memory. */
#define MAX_TRACKED 1024
#define MAX_TRACKED_OF_ALL 4096

struct recording_page {
	char *name;
	char *findings, *account, *places; /* sections; NULL: there is none */
	struct html_facts facts;
	struct timeline *timeline;
	struct states_lines *states;
	uint64_t end_ns; /* 0: there was no end record */
};

struct html_page {
	struct recording_page *items;
	size_t n;
};

struct html_page *html_page_new(void)
{
	return xcalloc(1, sizeof(struct html_page));
}

void html_page_free(struct html_page *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n; i++) {
		free(h->items[i].name);
		free(h->items[i].findings);
		free(h->items[i].places);
		free(h->items[i].account);
		html_facts_done(&h->items[i].facts);
		timeline_free(h->items[i].timeline);
		states_lines_free(h->items[i].states);
	}
	free(h->items);
	free(h);
}

static size_t tracked(const struct html_page *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += h->items[i].timeline->n_tracked;
	return n < MAX_TRACKED_OF_ALL ? MAX_TRACKED_OF_ALL - n : 0;
}

static struct recording_page *page_of(struct html_page *h, size_t recording)
{
	while (h->n <= recording) {
		size_t left = tracked(h);

		h->items = xrealloc(h->items, h->n + 1, sizeof(*h->items));
		h->items[h->n] = (struct recording_page){
			.facts.host = h->n,
			.timeline = timeline_new(left < MAX_TRACKED ? left : MAX_TRACKED),
			.states = states_lines_new(),
		};
		h->n++;
	}
	return &h->items[recording];
}

void html_page_name(struct html_page *h, size_t recording, const char *name)
{
	struct recording_page *p = page_of(h, recording);

	free(p->name);
	p->name = xstrdup(name);
}

void html_page_findings(struct html_page *h, size_t recording, char *section)
{
	page_of(h, recording)->findings = section;
}

void html_page_places(struct html_page *h, size_t recording, char *section)
{
	page_of(h, recording)->places = section;
}

void html_page_account(struct html_page *h, size_t recording, char *section)
{
	page_of(h, recording)->account = section;
}

void html_page_damage(struct html_page *h, size_t recording, const char *sentence)
{
	strings_add(&page_of(h, recording)->facts.damage, sentence);
}

/* The first of its kind is kept. */
static void keep(json_t **place, json_t *object)
{
	if (!*place)
		*place = json_incref(object);
}

static uint64_t positive(json_t *value)
{
	json_int_t n = json_integer_value(value);

	return n > 0 ? (uint64_t)n : 0;
}

static void take_lost(struct recording_page *p, json_t *object)
{
	uint64_t n = positive(json_object_get(object, "lost"));

	p->facts.lost += n;
	timeline_lost(p->timeline, positive(json_object_get(object, "ts")), n);
}

void html_page_take(struct html_page *h, size_t recording, const struct record *r)
{
	struct recording_page *p = page_of(h, recording);
	uint64_t boottime_ns;

	switch (r->type) {
	case RECORD_META:
		boottime_ns = positive(json_object_get(json_object_get(r->object, "clock"), "boottime"));
		keep(&p->facts.meta, r->object);
		if (boottime_ns)
			timeline_start(p->timeline, boottime_ns);
		break;
	case RECORD_STAT:
		states_lines_take(p->states, r->object);
		break;
	case RECORD_PLAN:
		keep(&p->facts.plan, r->object);
		break;
	case RECORD_BLAME:
		keep(&p->facts.blame, r->object);
		break;
	case RECORD_LOST:
		take_lost(p, r->object);
		break;
	case RECORD_END:
		keep(&p->facts.end, r->object);
		p->end_ns = positive(json_object_get(json_object_get(r->object, "clock"), "boottime"));
		break;
	default:
		timeline_take(p->timeline, r);
		break;
	}
}

/* ---- the page ---- */

static void put_title(FILE *f, const struct recording_page *p)
{
	const char *host = json_string_value(json_object_get(p->facts.meta, "host"));

	fputs("<bdi>", f);
	if (host)
		html_recleaned(f, host);
	else if (p->name)
		html_foreign(f, p->name);
	else
		fprintf(f, "recording %zu", p->facts.host + 1);
	fputs("</bdi>", f);
}

/* Nothing is fetched, nothing is sent, and no script or style runs but the two of this program. */
static void put_head(FILE *f)
{
	CLEANUP_FREE char *style = html_csp_hash(html_style);
	CLEANUP_FREE char *program = html_csp_hash(html_program);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", f);
	fprintf(f, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '%s'; script-src '%s'; "
		   "base-uri 'none'; form-action 'none'\">\n", style, program);
	fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<meta name=\"referrer\" content=\"no-referrer\">\n<title>kvmwait report</title>\n<style>", f);
	fputs(html_style, f);
	fputs("</style>\n</head>\n", f);
}

/* What a state or a bar is filled with: colour, and a pattern for those who do not see it. */
static void put_patterns(FILE *f)
{
	static const struct {
		const char *name, *marks;
	} patterns[] = {
		{ "spinning", "<path d=\"M-2 8L8 -2M2 12L12 2\"/>" },
		{ "yielding", "<path d=\"M3 0V10M8 0V10\"/>" },
		{ "ready", "<path d=\"M0 3H10M0 8H10\"/>" },
		{ "polled", "<circle cx=\"2.5\" cy=\"2.5\" r=\"1.1\"/><circle cx=\"7.5\" cy=\"7.5\" r=\"1.1\"/>" },
		{ "unwaited", "<path d=\"M-2 2L8 12M2 -2L12 8\"/>" },
		{ "unknown", "<circle cx=\"2.5\" cy=\"2.5\" r=\".8\"/>" },
	};

	fputs("<svg class=\"patterns\" aria-hidden=\"true\" focusable=\"false\" width=\"0\" height=\"0\"><defs>", f);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		fprintf(f, "<pattern id=\"p-%s\" class=\"p-%s\" width=\"10\" height=\"10\" patternUnits=\"userSpaceOnUse\"><rect width=\"10\" "
			   "height=\"10\"/><g>%s</g></pattern>", patterns[i].name, patterns[i].name, patterns[i].marks);
	fputs("</defs></svg>\n", f);
}

static void put_nav(FILE *f, const struct html_page *h)
{
	static const char *const sections[][2] = {
		{ "plan", "What was traced" }, { "lines", "Time by vCPU" },   { "rates", "Waits over time" },	{ "blame", "Blame" },
		{ "vms", "By VM" },	       { "halts", "HLT durations" }, { "vcpus", "By vCPU" },
	};

	fputs("<nav aria-label=\"Contents\"><ul>", f);
	for (size_t i = 0; i < h->n && h->n > 1; i++) {
		fprintf(f, "<li><a href=\"#h%zu\">", i);
		put_title(f, &h->items[i]);
		fputs("</a></li>", f);
	}
	if (h->n == 1 && h->items[0].findings)
		fputs("<li><a href=\"#h0-findings\">Findings</a></li>", f);
	if (h->n == 1 && h->items[0].account)
		fputs("<li><a href=\"#h0-account\">Account of each vCPU</a></li>", f);
	for (size_t i = 0; i < ARRAY_SIZE(sections) && h->n == 1; i++)
		fprintf(f, "<li><a href=\"#h0-%s\">%s</a></li>", sections[i][0], sections[i][1]);
	fputs("</ul></nav>\n", f);
}

/* Of a limit, for each of n. */
static size_t part_of(size_t limit, size_t n)
{
	return limit / n ? limit / n : 1;
}

static void put_recording(FILE *f, const struct html_page *h, size_t i)
{
	const struct recording_page *p = &h->items[i];
	struct html_times times = {
		.timeline = p->timeline,
		.host = i,
		.all_waits = html_facts_complete(&p->facts) && html_facts_all_events(&p->facts),
		.max_lines = part_of(MAX_LINES, h->n),
		.max_vms = part_of(MAX_VMS, h->n),
		.max_vcpus = part_of(MAX_VCPUS, h->n),
	};

	fprintf(f, "<article id=\"h%zu\" aria-labelledby=\"h%zu-title\"><h2 id=\"h%zu-title\">", i, i, i);
	put_title(f, p);
	fputs("</h2>\n", f);
	if (p->name && json_object_get(p->facts.meta, "host")) {
		fputs("<p class=\"file\">", f);
		html_foreign(f, p->name);
		fputs("</p>\n", f);
	}
	if (p->findings)
		fputs(p->findings, f);
	html_times_figures(f, &times);
	html_facts_top(f, &p->facts);
	if (p->account)
		fputs(p->account, f);
	html_account_lines(f, i, p->states, times.max_lines);
	html_times_lines(f, &times);
	html_facts_blame(f, &p->facts);
	if (p->places)
		fputs(p->places, f);
	html_times_tables(f, &times);
	fprintf(f, "<script type=\"application/json\" id=\"h%zu-data\">", i);
	html_times_data(f, &times);
	fputs("</script>\n", f);
	if (p->states->n_intervals) {
		fprintf(f, "<script type=\"application/json\" id=\"h%zu-states-data\">", i);
		html_account_data(f, p->states, times.max_lines);
		fputs("</script>\n", f);
	}
	fputs("</article>\n", f);
}

int html_page_write(struct html_page *h, FILE *f)
{
	put_head(f);
	fputs("<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n", f);
	put_patterns(f);
	fputs("<header><h1>kvmwait report</h1><p>Where the vCPUs of KVM guests wait or give way.</p></header>\n", f);
	put_nav(f, h);
	fputs("<main id=\"main\" tabindex=\"-1\">\n", f);
	for (size_t i = 0; i < h->n; i++) {
		timeline_end(h->items[i].timeline, h->items[i].end_ns ? h->items[i].end_ns : h->items[i].timeline->last_ns);
		put_recording(f, h, i);
	}
	fprintf(f, "</main>\n<footer><p>kvmwait %s. An event says that KVM reached the path, never that a target exists or a yield "
		   "succeeded.</p></footer>\n<script>", KVMWAIT_VERSION);
	fputs(html_program, f);
	fputs("</script>\n</body>\n</html>\n", f);
	return output_flush(f);
}
