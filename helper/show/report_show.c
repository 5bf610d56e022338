// SPDX-License-Identifier: Apache-2.0
// What kvmwait report writes: the tables of each recording, as text, json or csv, or one page of HTML.
#include "show/report_show.h"

#include "base/clock.h"
#include "base/output.h"
#include "base/text.h"
#include "record/balance.h"
#include "show/blame_show.h"
#include "show/evidence.h"
#include "show/findings_show.h"
#include "show/guest_ips_show.h"
#include "show/html_account.h"
#include "show/html_page.h"
#include "show/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct report_show {
	struct report_show_settings settings;
	struct html_page *page; /* NULL: none was asked for */
	bool begun;		/* csv has its heading */
	uint64_t shown;		/* recordings */
	bool lacks_times;	/* one of the tables has no states */
	int error;		/* of the output */

	/* The recording that is shown now. */
	struct account *account; /* borrowed */
	char *name;
	unsigned int part;
	struct vm_labels *labels; /* of the account's VMs */
	size_t n_intervals;
	struct evidence evidence;
};

static bool is_format(const struct report_show *r, const char *name)
{
	return !strcmp(r->settings.format->name, name);
}

struct report_show *report_show_new(const struct report_show_settings *settings)
{
	struct report_show *r = xcalloc(1, sizeof(*r));

	r->settings = *settings;
	r->page = settings->html ? html_page_new() : NULL;
	if (is_format(r, "json"))
		fprintf(r->settings.out, "{\"kvmwait_report\":1,\"files\":[");
	return r;
}

void report_show_free(struct report_show *r)
{
	if (!r)
		return;
	html_page_free(r->page);
	vm_labels_free(r->labels);
	evidence_done(&r->evidence);
	free(r->name);
	free(r);
}

int report_show_error(const struct report_show *r)
{
	return r->error;
}

void report_show_begin(struct report_show *r, const char *name, unsigned int part, struct account *account)
{
	free(r->name);
	r->name = xstrdup(name);
	r->part = part;
	r->account = account;
	vm_labels_free(r->labels);
	r->labels = vm_labels_new();
	r->n_intervals = 0;
	evidence_done(&r->evidence);
}

void report_show_record(struct report_show *r, const struct record *record)
{
	if (r->page)
		html_page_take(r->page, r->shown, record);
	if (r->settings.rules)
		evidence_take(&r->evidence, record);
}

/* "2026-11-22 21:50:38 UTC", or nothing where it is not known; the caller frees. */
static char *time_text(const struct report_show *r, uint64_t boottime_ns)
{
	time_t seconds = (time_t)(account_realtime_ns(r->account, boottime_ns) / NS_PER_S);
	char text[40];
	struct tm tm;

	if (!seconds || !gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		return xstrdup("");
	return xstrdup(text);
}

static const char *host_of(const struct report_show *r)
{
	const char *host = account_origin(r->account)->host;

	return host && *host ? host : r->name;
}

static void put_head(const struct report_show *r)
{
	CLEANUP_FREE char *began = time_text(r, account_began_ns(r->account));

	if (r->part == 1)
		fprintf(r->settings.out, "== %s: %s  %s\n", host_of(r), r->name, began);
	else
		fprintf(r->settings.out, "== %s: %s (%u)  %s\n", host_of(r), r->name, r->part, began);
}

/* What to do with the findings of the recording: they are gone when it returns. */
typedef void put_findings_fn(struct report_show *r, const struct findings *findings);

static void with_findings(struct report_show *r, put_findings_fn *put)
{
	struct findings findings;

	if (!r->settings.rules)
		return;
	evidence_complete(&r->evidence, r->account);
	evidence_findings(&r->evidence, r->settings.rules, &findings);
	put(r, &findings);
	findings_done(&findings);
}

static void put_findings(struct report_show *r, const struct findings *findings)
{
	findings_print(r->settings.out, r->settings.rules, findings, &(struct findings_frame){ .brief = true });
	putc('\n', r->settings.out);
}

static void put_findings_json(struct report_show *r, const struct findings *findings)
{
	json_t *object = findings_json(r->settings.rules, findings, &(struct findings_frame){ 0 });

	fputs(",\"why\":", r->settings.out);
	json_dumpf(object, r->settings.out, JSON_COMPACT);
	json_decref(object);
}

static void put_findings_page(struct report_show *r, const struct findings *findings)
{
	char *section = NULL;
	size_t size;
	FILE *f = open_memstream(&section, &size);

	if (!f)
		abort();
	findings_write_html(f, r->settings.rules, findings, r->shown);
	fclose(f);
	html_page_findings(r->page, r->shown, section);
}

static void put_balance(const struct report_show *r, const struct strings *problems)
{
	const struct account_balance *b = account_balance(r->account);
	CLEANUP_FREE char *text = account_balance_text(r->account);
	struct strings audit = { 0 };

	if (b->have_end && b->have_counted && !problems->n)
		fprintf(r->settings.out, "%s; it ended: %s\n", text, account_why(r->account) ? account_why(r->account) : "?");
	else if (b->have_end)
		fprintf(r->settings.out, "received %" PRId64 ", lost %" PRId64 "; it ended: %s\n", b->received, b->lost,
			account_why(r->account) ? account_why(r->account) : "?");
	else
		fprintf(r->settings.out, "received %" PRIu64 ", lost %" PRIu64 " at least\n", b->waits + b->outcomes, b->lost_records);
	if (b->unwritten)
		fprintf(r->settings.out, "lost because the file was full: %" PRId64 "\n", b->unwritten);
	if (b->unseen)
		fprintf(r->settings.out, "waits without an outcome in this recording: %" PRIu64 "\n", b->unseen);
	audit_texts(account_audit(r->account), &audit, NULL);
	for (size_t i = 0; i < audit.n; i++)
		fprintf(r->settings.out, "audit: %s\n", audit.items[i]);
	strings_done(&audit);
	for (size_t i = 0; i < problems->n; i++)
		fprintf(r->settings.out, "WARNING: %s\n", problems->items[i]);
}

static void flush_output(struct report_show *r)
{
	if (!r->error)
		r->error = output_flush(r->settings.out);
}

/* VMs that spun, with the names that are known: most recordings have no addresses. */
static size_t name_guests(struct report_show *r, struct guest_ip_vm **ret)
{
	size_t n = guest_ips_vms(account_guest_ips(r->account), ret);

	guest_ips_name(*ret, n, NULL, r->settings.guest_symbols);
	return n;
}

static void write_rows(struct report_show *r, struct counts_rows *rows, bool total)
{
	struct counts_report report = {
		.origin = account_origin(r->account),
		.labels = r->labels,
		.rows = rows,
		.by = r->settings.by,
		.total = total,
		.hist = r->settings.hist,
		.recorded = true,
		.no_outcomes = !account_has_outcomes(r->account),
		.has_account = total && account_has_times(r->account),
		.file = r->name,
		.host = host_of(r),
		.lost_known = total && account_balance(r->account)->have_end,
		.lost = (uint64_t)account_balance(r->account)->lost,
	};
	struct guest_ip_vm *guests;

	if (total) {
		report.n_guests = name_guests(r, &guests);
		report.guests = report.n_guests ? guests : NULL;
	}
	r->lacks_times |= !report.has_account;
	if (r->settings.top)
		counts_rows_sort(rows, r->settings.top);
	if (r->settings.format->begin && !r->begun)
		r->settings.format->begin(r->settings.out, &report);
	r->begun = true;
	r->settings.format->write(r->settings.out, &report);
	counts_rows_done(rows);
}

/* The members of a file's object before its intervals. */
static void open_json(struct report_show *r)
{
	fprintf(r->settings.out, "%s\n{\"file\":", r->shown ? "," : "");
	stream_quoted(r->settings.out, r->name);
	if (r->part > 1)
		fprintf(r->settings.out, ",\"part\":%u", r->part);
	fputs(",\"host\":", r->settings.out);
	stream_quoted(r->settings.out, host_of(r));
	fputs(",\"meta\":", r->settings.out);
	if (account_meta(r->account))
		json_dumpf(account_meta(r->account), r->settings.out, JSON_COMPACT);
	else
		fputs("null", r->settings.out);
	fputs(",\"intervals\":[", r->settings.out);
}

void report_show_interval(struct report_show *r, struct counts_rows *rows)
{
	if (is_format(r, "json")) {
		if (!r->n_intervals)
			open_json(r);
		else
			putc(',', r->settings.out);
	} else if (is_format(r, "table")) {
		CLEANUP_FREE char *at = time_text(r, rows->from_ns);
		CLEANUP_FREE char *since = clock_seconds_text(rows->from_ns - account_began_ns(r->account));

		if (!r->n_intervals)
			put_head(r);
		fprintf(r->settings.out, "\nfrom %s s  %s\n", since, at);
	}
	r->n_intervals++;
	write_rows(r, rows, false);
	flush_output(r);
}

static void close_json(struct report_show *r, const struct strings *problems)
{
	const struct account_balance *b = account_balance(r->account);
	json_t *balance = json_pack("{s:I, s:I, s:I, s:b, s:b, s:o}", "waits", (json_int_t)b->waits, "outcomes", (json_int_t)b->outcomes,
				    "unseen", (json_int_t)b->unseen, "cut_short", !b->have_end, "balances", !problems->n, "problems",
				    strings_json(problems));

	if (b->have_counted)
		json_object_set_new(balance, "counted", json_integer(b->counted));
	if (b->have_end) {
		json_object_set_new(balance, "received", json_integer(b->received));
		json_object_set_new(balance, "lost", json_integer(b->lost));
		json_object_set_new(balance, "unwritten", json_integer(b->unwritten));
		json_object_set_new(balance, "late", json_integer(b->late));
		json_object_set_new(balance, "why", json_string(account_why(r->account) ? account_why(r->account) : ""));
	}
	if (account_audit(r->account))
		json_object_set(balance, "audit", account_audit(r->account));
	fputs(",\"balance\":", r->settings.out);
	json_dumpf(balance, r->settings.out, JSON_COMPACT);
	json_decref(balance);
	if (account_blame(r->account)) {
		fputs(",\"blame\":", r->settings.out);
		json_dumpf(account_blame(r->account), r->settings.out, JSON_COMPACT);
	}
	putc('}', r->settings.out);
}

static void end_tables(struct report_show *r, const struct strings *problems)
{
	struct counts_rows rows;

	if (is_format(r, "table")) {
		if (!r->n_intervals)
			put_head(r);
		else
			putc('\n', r->settings.out);
		with_findings(r, put_findings);
		put_balance(r, problems);
	} else if (is_format(r, "json")) {
		if (!r->n_intervals)
			open_json(r);
		fputs("],\"total\":", r->settings.out);
	}
	account_total(r->account, r->settings.by, &rows);
	write_rows(r, &rows, true);
	if (is_format(r, "json")) {
		with_findings(r, put_findings_json);
		close_json(r, problems);
	}
	if (is_format(r, "table")) {
		putc('\n', r->settings.out);
		if (account_blame(r->account)) {
			fputs("culprits that occupied the CPUs of ready vCPUs:\n", r->settings.out);
			blame_print(r->settings.out, account_blame(r->account));
			putc('\n', r->settings.out);
		}
	}
	flush_output(r);
}

static char *places_section(struct report_show *r)
{
	struct guest_ip_vm *guests;
	size_t n = name_guests(r, &guests), size;
	char *section = NULL;
	FILE *f;

	if (!n)
		return NULL;
	f = open_memstream(&section, &size);
	if (!f)
		abort();
	guest_ips_write_html(f, r->shown, guests, n, r->labels);
	fclose(f);
	return section;
}

static char *account_section(struct report_show *r)
{
	struct counts_rows rows;
	char *section;

	account_total(r->account, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	section = html_account_section(r->shown, &rows);
	counts_rows_done(&rows);
	return section;
}

/* The page holds all of the recordings, and is written when the last has been read. */
static void end_page(struct report_show *r, const struct strings *problems)
{
	html_page_name(r->page, r->shown, r->name);
	with_findings(r, put_findings_page);
	html_page_places(r->page, r->shown, places_section(r));
	html_page_account(r->page, r->shown, account_section(r));
	for (size_t i = 0; i < problems->n; i++)
		html_page_damage(r->page, r->shown, problems->items[i]);
}

void report_show_end(struct report_show *r, const struct strings *problems)
{
	if (r->page)
		end_page(r, problems);
	else
		end_tables(r, problems);
	r->shown++;
}

int report_show_finish(struct report_show *r)
{
	if (is_format(r, "table") && r->shown)
		fprintf(r->settings.out, "%s- not recorded, or nothing to report\n",
			r->lacks_times ? "* measured only during waits: the time of each vCPU by state is not in the recording, or not of this interval; " : "");
	if (is_format(r, "json"))
		fputs("]}\n", r->settings.out);
	if (r->page && r->shown)
		r->error = html_page_write(r->page, r->settings.out);
	flush_output(r);
	return r->error;
}
