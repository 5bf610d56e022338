// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page that single records fill.
#include "show/html_facts.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/text.h"
#include "ledger/origin.h"
#include "record/balance.h"
#include "record/event.h"
#include "show/html.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define MAX_BLAME_ROWS 200
#define MAX_PROGRAM_BYTES 131072
#define HASH_DIGITS 12 /* to tell scripts apart by eye; all of it stands in the title */

void html_facts_done(struct html_facts *p)
{
	json_decref(p->meta);
	json_decref(p->plan);
	json_decref(p->blame);
	json_decref(p->end);
	strings_done(&p->damage);
}

static const char *text_of(json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

/* ---- what is missing ---- */

static uint64_t lost(const struct html_facts *p)
{
	uint64_t said = json_count(p->end, "lost");

	return said > p->lost ? said : p->lost;
}

bool html_facts_complete(const struct html_facts *p)
{
	json_t *off = json_object_get(p->end, "unbalanced");

	return p->meta && p->end && off && !json_integer_value(off) && !lost(p) && !json_count(p->end, "malformed") &&
	       !json_count(p->end, "late") && !p->damage.n && !audit_differs(json_object_get(p->end, "audit"));
}

static bool asked_for(json_t *events, const char *event)
{
	json_t *name;
	size_t i;

	json_array_foreach(events, i, name)
		if (json_is_string(name) && !strcmp(json_string_value(name), event))
			return true;
	return !json_array_size(events);
}

bool html_facts_all_events(const struct html_facts *p)
{
	json_t *events = json_object_get(json_object_get(p->meta, "filters"), "events");
	struct origin origin;
	bool all;

	origin_of_meta(p->meta, &origin);
	all = origin_all_exact(&origin);
	origin_done(&origin);
	for (size_t i = 0; i < n_event_kinds && all; i++)
		all = asked_for(events, event_kinds[i].name);
	return all;
}

/* ---- the balance ---- */

static void put_audit(FILE *f, const json_t *audit)
{
	struct strings lines = { 0 }, differ = { 0 };

	audit_texts(audit, &lines, &differ);
	for (size_t i = 0; i < differ.n; i++) {
		fputs("</p>\n<p><strong>The audit differs: ", f);
		html_foreign(f, differ.items[i]);
		fputs("</strong>.", f);
	}
	for (size_t i = 0; i < lines.n; i++) {
		fputs("</p>\n<p>Audit: ", f);
		html_foreign(f, lines.items[i]);
		fputs(".", f);
	}
	strings_done(&lines);
	strings_done(&differ);
}

static void put_balance(FILE *f, const struct html_facts *p)
{
	CLEANUP_FREE char *text = NULL;
	struct balance balance;

	if (!p->end) {
		fprintf(f, "<p>The recording has no end record: how many events were lost is not known%s.</p>\n",
			p->lost ? ", beyond those below" : "");
		if (p->lost)
			fprintf(f, "<p>%" PRIu64 " events were reported lost.</p>\n", p->lost);
		return;
	}
	balance_of_end(p->end, &balance);
	balance.lost = lost(p);
	text = balance_text(&balance);
	fprintf(f, "<p>%s.", text);
	if (json_count(p->end, "unreported"))
		fprintf(f, " Of the lost, bpftrace did not report %" PRIu64 ".", json_count(p->end, "unreported"));
	if (json_count(p->end, "unwritten"))
		fprintf(f, " Of the lost, %" PRIu64 " found the file full.", json_count(p->end, "unwritten"));
	if (json_count(p->end, "malformed"))
		fprintf(f, " %" PRIu64 " lines could not be read.", json_count(p->end, "malformed"));
	if (json_count(p->end, "late"))
		fprintf(f, " %" PRIu64 " records came too late to stand in order.", json_count(p->end, "late"));
	put_audit(f, json_object_get(p->end, "audit"));
	fputs("</p>\n<p>The trace ended because: ", f);
	html_foreign(f, text_of(p->end, "why"));
	fputs(".</p>\n", f);
}

static void put_completeness(FILE *f, const struct html_facts *p)
{
	bool complete = html_facts_complete(p);

	fprintf(f, "<div class=\"%s\"><p><strong>%s</strong></p>\n", complete ? "complete" : "incomplete",
		complete ? "<span aria-hidden=\"true\">✓</span> Complete: no event was lost" :
		lost(p) ? "<span aria-hidden=\"true\">!</span> Not complete: events were lost" :
			  "<span aria-hidden=\"true\">!</span> Not complete, or not known to be");
	put_balance(f, p);
	for (size_t i = 0; i < p->damage.n; i++) {
		fputs("<p>", f);
		html_foreign(f, p->damage.items[i]);
		fputs("</p>\n", f);
	}
	fputs("</div>\n", f);
}

/* ---- what was traced ---- */

static void put_fact(FILE *f, const char *name, const char *text)
{
	if (!*text)
		return;
	fprintf(f, "<div><dt>%s</dt><dd>", name);
	html_foreign(f, text);
	fputs("</dd></div>\n", f);
}

/* That of a text which was cleaned before it was saved. */
static void put_clean_fact(FILE *f, const char *name, const char *text)
{
	if (!*text)
		return;
	fprintf(f, "<div><dt>%s</dt><dd>", name);
	html_recleaned(f, text);
	fputs("</dd></div>\n", f);
}

static void put_when(FILE *f, json_t *clock)
{
	time_t seconds = (time_t)(json_count(clock, "realtime") / NS_PER_S);
	struct tm tm;
	char text[64];

	if (!seconds || !gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		return;
	put_fact(f, "began", text);
}

/* A list of strings and integers, or what stands for an empty one. */
static void put_list(FILE *f, const char *name, json_t *list, const char *empty)
{
	json_t *item;
	size_t i;

	fprintf(f, "<div><dt>%s</dt><dd>%s", name, json_array_size(list) ? "" : empty);
	json_array_foreach(list, i, item) {
		if (i)
			fputs(", ", f);
		if (json_is_integer(item))
			fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
		else
			html_foreign(f, json_string_value(item));
	}
	fputs("</dd></div>\n", f);
}

static void put_script(FILE *f, const char *name, const char *script, const char *hash)
{
	CLEANUP_FREE char *start = xstrndup(hash, strnlen(hash, HASH_DIGITS));

	fprintf(f, "<div><dt>%s</dt><dd>", name);
	html_foreign(f, script);
	fputs(" <code class=\"hash\" title=\"SHA-256 ", f);
	html_foreign(f, hash);
	fputs("\">", f);
	html_foreign(f, start);
	fputs("</code></dd></div>\n", f);
}

static void put_meta(FILE *f, json_t *meta)
{
	json_t *filters = json_object_get(meta, "filters"), *parts = json_object_get(meta, "parts"), *part;
	json_t *fallbacks = json_object_get(meta, "fallbacks");
	size_t i;

	fputs("<dl class=\"facts\">", f);
	put_clean_fact(f, "host", text_of(meta, "host"));
	put_when(f, json_object_get(meta, "clock"));
	put_fact(f, "kernel", text_of(meta, "kernel"));
	put_fact(f, "machine", text_of(meta, "arch"));
	put_fact(f, "vendor", text_of(meta, "vendor"));
	put_fact(f, "bpftrace", text_of(meta, "bpftrace"));
	put_fact(f, "kvmwait", text_of(meta, "kvmwait"));
	put_script(f, "script", text_of(meta, "script"), text_of(meta, "script_sha256"));
	json_array_foreach(fallbacks, i, part) {
		put_script(f, "fallback script", text_of(part, "script"), text_of(part, "sha256"));
	}
	json_array_foreach(parts, i, part) {
		put_script(f, "part", text_of(part, "script"), text_of(part, "sha256"));
	}
	put_list(f, "events asked for", json_object_get(filters, "events"), "all");
	put_list(f, "processes asked for", json_object_get(filters, "tgids"), "all");
	put_list(f, "vCPUs asked for", json_object_get(filters, "vcpus"), "all");
	fputs("</dl>\n", f);
}

static void put_functions(FILE *f, json_t *functions)
{
	json_t *name;
	size_t i;

	fputs("<td class=\"functions\">", f);
	json_array_foreach(functions, i, name) {
		fputs(i ? ", <code>" : "<code>", f);
		html_foreign(f, json_string_value(name));
		fputs("</code>", f);
	}
	fputs("</td>", f);
}

static bool any_why(json_t *probes)
{
	json_t *probe;
	size_t i;

	json_array_foreach(probes, i, probe)
		if (json_object_get(probe, "why"))
			return true;
	return false;
}

static void put_probe(FILE *f, json_t *probe, bool why)
{
	const char *fidelity = text_of(probe, "fidelity");

	fputs("<tr><th scope=\"row\">", f);
	html_foreign(f, text_of(probe, "event"));
	fputs("</th><td class=t>", f);
	html_foreign(f, text_of(probe, "source"));
	fprintf(f, "</td><td class=\"fidelity\"><span aria-hidden=\"true\">%s</span> ",
		!strcmp(fidelity, "exact") ? "●" : !strcmp(fidelity, "inferred") ? "◐" : "○");
	html_foreign(f, fidelity);
	fputs("</td>", f);
	put_functions(f, json_object_get(probe, "functions"));
	if (why) {
		fputs("<td class=\"why\">", f);
		html_foreign(f, text_of(probe, "why"));
		fputs("</td>", f);
	}
	fputs("</tr>\n", f);
}

static void put_probes(FILE *f, json_t *probes)
{
	bool why = any_why(probes);
	json_t *probe;
	size_t i;

	fprintf(f, "<div class=\"scroll\" role=\"region\" aria-label=\"Fidelity\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">event</th>"
		   "<th scope=\"col\">source</th><th scope=\"col\">fidelity</th><th scope=\"col\">rests on</th>%s</tr></thead><tbody>\n",
		why ? "<th scope=\"col\">why</th>" : "");
	json_array_foreach(probes, i, probe) {
		put_probe(f, probe, why);
	}
	fputs("</tbody></table></div>\n", f);
}

/* ---- the plan ---- */

static void put_verdicts(FILE *f, json_t *verdicts)
{
	json_t *verdict;
	size_t i;

	fputs("<div class=\"scroll\" role=\"region\" aria-label=\"Scripts\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">script</th>"
	      "<th scope=\"col\">for</th><th scope=\"col\">chosen</th><th scope=\"col\">why</th></tr></thead><tbody>\n", f);
	json_array_foreach(verdicts, i, verdict) {
		fputs("<tr><th scope=\"row\">", f);
		html_foreign(f, text_of(verdict, "script"));
		fputs("</th><td class=t>", f);
		html_foreign(f, text_of(verdict, "range"));
		fprintf(f, "</td><td class=t>%s</td><td class=\"why\">", json_is_true(json_object_get(verdict, "chosen")) ? "yes" : "no");
		html_foreign(f, text_of(verdict, "reason"));
		fputs("</td></tr>\n", f);
	}
	fputs("</tbody></table></div>\n", f);
}

/* Line by line, since a newline is none of the printable characters. */
static void put_program(FILE *f, const char *program)
{
	fputs("<details><summary>The program that bpftrace was given</summary><pre class=\"scroll\" role=\"region\" "
	      "aria-label=\"Program\" tabindex=\"0\">", f);
	for (const char *s = program; *s && s - program < MAX_PROGRAM_BYTES;) {
		size_t n = strcspn(s, "\n\t");
		CLEANUP_FREE char *line = xcalloc(4 * n + 1, 1);

		text_clean(s, n, line);
		for (char *p = line, *q = line; ; p++) { /* the backslashes of a program are its own */
			p += p[0] == '\\' && p[1] == '\\';
			*q++ = *p;
			if (!*p)
				break;
		}
		html_text(f, line);
		s += n;
		if (*s)
			putc(*s++, f);
	}
	fprintf(f, "</pre>%s</details>\n", strlen(program) > MAX_PROGRAM_BYTES ? "<p class=\"note\">The rest is left out.</p>" : "");
}

static void put_plan(FILE *f, const struct html_facts *p)
{
	json_t *verdicts = json_object_get(json_object_get(p->plan, "plan"), "scripts");
	const char *program = text_of(p->plan, "program");

	if (json_array_size(verdicts)) {
		fputs("<details><summary>Which scripts there were, and why this one</summary>\n", f);
		put_verdicts(f, verdicts);
		fputs("</details>\n", f);
	}
	if (*program)
		put_program(f, program);
}

void html_facts_top(FILE *f, const struct html_facts *p)
{
	put_completeness(f, p);
	fprintf(f, "<section aria-labelledby=\"h%zu-plan\"><h3 id=\"h%zu-plan\">What was traced, and how exactly</h3>\n", p->host, p->host);
	if (p->meta) {
		put_meta(f, p->meta);
		put_probes(f, json_object_get(p->meta, "probes"));
	} else {
		fputs("<p class=\"note\">The recording has no meta record: nothing is known of kernel, script and fidelity.</p>\n", f);
	}
	put_plan(f, p);
	fputs("</section>\n", f);
}

/* ---- blame ---- */

static void put_vm(FILE *f, json_t *object)
{
	uint64_t pid = json_count(object, "pid");
	char number[24];

	fputs("<bdi>", f);
	html_recleaned(f, text_of(object, "vm"));
	fputs("</bdi>", f);
	snprintf(number, sizeof(number), "%" PRIu64, pid);
	if (pid && strcmp(number, text_of(object, "vm")) != 0)
		fprintf(f, " <span class=\"pid\">pid %s</span>", number);
}

static void put_culprit(FILE *f, json_t *culprit)
{
	const char *kind = text_of(culprit, "kind");

	if (json_object_get(culprit, "vm")) {
		put_vm(f, culprit);
		fprintf(f, " vCPU %" PRIu64, json_count(culprit, "vcpu"));
	} else if (json_object_get(culprit, "cgroup")) {
		fputs("<bdi>", f);
		html_recleaned(f, text_of(culprit, "cgroup"));
		fputs("</bdi> (", f);
		html_duration(f, json_count(culprit, "quota_ns"));
		fputs(" of ", f);
		html_duration(f, json_count(culprit, "period_ns"));
		fputs(")", f);
	} else if (!json_object_get(culprit, "tid")) {
		fputs("(", f);
		html_foreign(f, kind);
		fputs(")", f);
	} else {
		fputs("<bdi>", f);
		html_recleaned(f, text_of(culprit, "comm"));
		fprintf(f, "</bdi> <span class=\"pid\">tid %" PRIu64 "</span>", json_count(culprit, "tid"));
	}
}

static void put_blame_row(FILE *f, json_t *row)
{
	json_t *culprit = json_object_get(row, "culprit");
	const struct html_part part = { "s-accent", json_count(row, "share") };

	fputs("<tr><th scope=\"row\">", f);
	put_vm(f, row);
	fprintf(f, " vCPU %" PRIu64 "</th><td class=t>", json_count(row, "vcpu"));
	html_foreign(f, text_of(culprit, "kind"));
	fputs("</td><td class=t>", f);
	put_culprit(f, culprit);
	fputs("</td>", f);
	html_count_cell(f, json_count(row, "spins"));
	fputs("<td class=wide>", f);
	html_bar(f, &part, 1, 10000);
	fprintf(f, "</td><td>%" PRIu64 ".%02" PRIu64 "</td>", part.size / 100, part.size % 100);
	html_duration_cell(f, json_count(row, json_object_get(row, "all_ns") ? "all_ns" : "ready_ns"));
	html_count_cell(f, json_count(row, "targeted"));
	fputs("</tr>\n", f);
}

/* An older recording has time between spins alone: there, rows without a spin are counted, not shown. */
static void put_blame_rows(FILE *f, json_t *rows, uint64_t more)
{
	uint64_t shown = 0, spinless = 0, spinless_ns = 0;
	json_t *row;
	size_t i;

	fputs("<div class=\"scroll\" role=\"region\" aria-label=\"Blame\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">waited for</th>"
	      "<th scope=\"col\">kind</th><th scope=\"col\">what occupied its CPU</th><th class=\"n\" scope=\"col\">spins</th>"
	      "<th scope=\"col\" class=\"wide\">share of the VM's spins</th><th class=\"n\" scope=\"col\">%</th><th class=\"n\" scope=\"col\">time ready</th>"
	      "<th class=\"n\" scope=\"col\">named by the guest</th></tr></thead><tbody data-table=\"blame\">\n", f);
	json_array_foreach(rows, i, row) {
		if (!json_count(row, "spins") && !json_count(row, "all_ns")) {
			spinless++;
			spinless_ns += json_count(row, "ready_ns");
		} else if (shown < MAX_BLAME_ROWS) {
			put_blame_row(f, row);
			shown++;
		} else {
			more++;
		}
	}
	fputs("</tbody></table></div>\n", f);
	if (more)
		fprintf(f, "<p class=\"note\">%" PRIu64 " more rows are left out.</p>\n", more);
	if (spinless) {
		fprintf(f, "<p class=\"note\">%" PRIu64 " rows without a spin are left out: threads that had the CPU only between two spins, for ",
			spinless);
		html_duration(f, spinless_ns);
		fputs(" in all.</p>\n", f);
	}
}

static void put_blame_vms(FILE *f, json_t *vms)
{
	json_t *vm;
	size_t i;

	fputs("<ul class=\"plain\">", f);
	json_array_foreach(vms, i, vm) {
		if (i == MAX_BLAME_ROWS)
			break;
		fputs("<li>", f);
		put_vm(f, vm);
		fprintf(f, ": %" PRIu64 " spins: %" PRIu64 " with a ready sibling, %" PRIu64 " with none, %" PRIu64 " unknown",
			json_count(vm, "spins"), json_count(vm, "blamed"), json_count(vm, "unblamed"), json_count(vm, "unknown"));
		if (json_count(vm, "unseen"))
			fprintf(f, "; %" PRIu64 " of its %" PRIu64 " vCPUs were not seen on a CPU", json_count(vm, "unseen"), json_count(vm, "vcpus"));
		fputs("</li>\n", f);
	}
	fputs("</ul>\n", f);
}

void html_facts_blame(FILE *f, const struct html_facts *p)
{
	json_t *rows = json_object_get(p->blame, "rows"), *vms = json_object_get(p->blame, "vms");

	fprintf(f, "<section aria-labelledby=\"h%zu-blame\"><h3 id=\"h%zu-blame\">Who or what occupied the CPU that a vCPU waited for</h3>\n",
		p->host, p->host);
	if (!p->blame) {
		fputs("<p class=\"note\">Not recorded: record with <code>--blame</code>.</p></section>\n", f);
		return;
	}
	fputs("<p class=\"hint\">At each spin every other vCPU of the VM is looked at: one that is ready is waited for, "
	      "and the thread that has this CPU stands in its row.</p>\n", f);
	if (json_array_size(rows))
		put_blame_rows(f, rows, json_count(p->blame, "more"));
	else
		fputs("<p class=\"note\">No spin was seen to wait for a vCPU without a CPU.</p>\n", f);
	if (json_array_size(vms))
		put_blame_vms(f, vms);
	fputs("</section>\n", f);
}
