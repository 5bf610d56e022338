// SPDX-License-Identifier: Apache-2.0
// kvmwait report: the tables of kvmwait stat from recordings, each file for itself, and how each is accounted for; or
// all of them on one page of HTML.
#include "base/clean_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/output.h"
#include "base/privilege.h"
#include "base/progress.h"
#include "base/text.h"
#include "bundle/read.h"
#include "cmd/command.h"
#include "cmd/live_options.h"
#include "ledger/account.h"
#include "record/balance.h"
#include "record/recording_read.h"
#include "show/blame_show.h"
#include "show/counts_show.h"
#include "show/html_page.h"
#include "show/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct settings {
	struct account_settings window;
	const struct counts_format *format;
	const struct counts_column *top;
	const char *output;
	unsigned int by;
	bool hist, html, json;
};

/* What is cumulative is of a running trace. */
static bool is_of_recordings(const void *row)
{
	const struct counts_format *format = row;

	return !format->counters;
}

static const struct choices formats = CHOICES(counts_formats, .allows = is_of_recordings);

static const struct option_row options[] = {
	{ 'i', "interval", "SEC", "a table for every so many seconds as well (fractions too)", TO_SECONDS(window.interval_ns),
	  .min = MIN_INTERVAL_NS },
	OPTION_BY,
	OPTION_TOP,
	OPTION_HIST,
	{ 0, "from", "SEC", "leave out what came before, in seconds since the recording began", TO_SECONDS(window.from_ns) },
	{ 0, "to", "SEC", "leave out what came after", TO_SECONDS(window.to_ns) },
	{ 'f', "format", "FORMAT", "output format (default: table)", TO_CHOICE(format, struct counts_format, &formats) },
	{ 0, "json", NULL, "the same as -f json", TO_FLAG(json) },
	{ 0, "html", NULL, "one page with pictures and tables, for a browser; needs nothing but itself", TO_FLAG(html) },
	{ 'o', "output", "FILE", "write there instead of standard output", TO_TEXT(output) },
	{ 0 },
};

/* One recording: of a file, or where several stand in one file one of these. */
struct run {
	const struct settings *s;
	FILE *out;
	const char *path;
	char *name; /* the path, fit to print */
	unsigned int part; /* from 1 */
	struct recording *recording;
	struct account *account;
	struct vm_labels *labels; /* of the account's VMs */
	struct html_page *page; /* NULL: none was asked for */
	struct progress progress;
	bool begun;	/* csv has its heading, json its first file */
	size_t n_intervals;
	uint64_t of_counts; /* records of kvmwait stat */
	uint64_t runs;	    /* that were told */
	int error;	    /* of the output */
	int code;
};

static bool is_format(const struct run *r, const char *name)
{
	return !strcmp(r->s->format->name, name);
}

/* ---- what is wrong with a recording ---- */

__attribute__((format(printf, 2, 3))) static void add_problem(struct strings *problems, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	strings_add(problems, text);
	free(text);
}

/* "12.345" */
static char *seconds_text(uint64_t ns)
{
	return xasprintf("%" PRIu64 ".%03" PRIu64, ns / NS_PER_S, ns / NS_PER_MS % 1000);
}

static void find_cut(const struct run *r, bool at_end, struct strings *problems)
{
	const struct recording_state *state = recording_state(r->recording);
	const struct line_reader_state *in = state->input;
	CLEANUP_FREE char *until = seconds_text(account_until_ns(r->account) - account_began_ns(r->account));

	if (!account_balance(r->account)->have_end)
		add_problem(problems, "cut short after %s s: the end record is missing, so that events after that are missing, and what was "
			    "lost before is not known to the event", until);
	if (at_end && state->tail_bytes)
		add_problem(problems, "the last %" PRIu64 " bytes are no whole record", state->tail_bytes);
	if (at_end && in->frame_cut)
		add_problem(problems, "the last frame of the compressed file is not whole");
	if (in->damages)
		add_problem(problems, "damaged at byte %" PRIu64 "%s: what could not be decompressed is missing", in->damage_bytes,
			    in->damages > 1 ? ", and later" : "");
	if (state->malformed)
		add_problem(problems, "%" PRIu64 " lines are no records; %s", state->malformed, state->first_error);
}

/* What the end record states; the caller frees. */
static char *end_text(const struct account_balance *b)
{
	return balance_text(&(struct balance){
		.have_counted = b->have_counted,
		.counted = (uint64_t)b->counted,
		.received = (uint64_t)b->received,
		.lost = (uint64_t)b->lost,
	});
}

static void find_audit(const struct run *r, struct strings *problems)
{
	struct strings differ = { 0 };

	audit_texts(account_audit(r->account), NULL, &differ);
	for (size_t i = 0; i < differ.n; i++)
		add_problem(problems, "the audit differs: %s", differ.items[i]);
	strings_done(&differ);
}

static void find_imbalance(const struct run *r, struct strings *problems)
{
	const struct account_balance *b = account_balance(r->account);
	uint64_t seen = b->waits + b->outcomes + (uint64_t)b->sched;
	CLEANUP_FREE char *text = end_text(b);

	if (!b->have_end)
		return;
	if (seen != (uint64_t)b->received)
		add_problem(problems, "the end record speaks of %" PRId64 " records received, %" PRIu64 " are here", b->received, seen);
	if (!b->have_counted)
		add_problem(problems, "the kernel's count is not known: whether events were lost cannot be said");
	else if ((uint64_t)b->received + (uint64_t)b->lost != (uint64_t)b->counted)
		add_problem(problems, "%s", text);
	if (b->malformed)
		add_problem(problems, "%" PRId64 " lines of bpftrace were malformed when it was recorded", b->malformed);
	find_audit(r, problems);
}

static void find_problems(const struct run *r, bool at_end, struct strings *problems)
{
	find_cut(r, at_end, problems);
	find_imbalance(r, problems);
	if (account_overflow(r->account))
		add_problem(problems, "%" PRIu64 " waits are in no row: there are more vCPUs or sources than there is room for",
			    account_overflow(r->account));
}

/* ---- table ---- */

/* "2026-11-22 21:50:38 UTC", or nothing where it is not known; the caller frees. */
static char *time_text(const struct run *r, uint64_t boottime_ns)
{
	time_t seconds = (time_t)(account_realtime_ns(r->account, boottime_ns) / NS_PER_S);
	char text[40];
	struct tm tm;

	if (!seconds || !gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		return xstrdup("");
	return xstrdup(text);
}

static const char *host_of(const struct run *r)
{
	const char *host = account_origin(r->account)->host;

	return host && *host ? host : r->name;
}

static void put_head(const struct run *r)
{
	CLEANUP_FREE char *began = time_text(r, account_began_ns(r->account));

	if (r->part == 1)
		fprintf(r->out, "== %s: %s  %s\n", host_of(r), r->name, began);
	else
		fprintf(r->out, "== %s: %s (%u)  %s\n", host_of(r), r->name, r->part, began);
}

static void put_balance(const struct run *r, const struct strings *problems)
{
	const struct account_balance *b = account_balance(r->account);
	CLEANUP_FREE char *text = end_text(b);
	struct strings audit = { 0 };

	if (b->have_end && b->have_counted && !problems->n)
		fprintf(r->out, "%s; it ended: %s\n", text, account_why(r->account) ? account_why(r->account) : "?");
	else if (b->have_end)
		fprintf(r->out, "received %" PRId64 ", lost %" PRId64 "; it ended: %s\n", b->received, b->lost,
			account_why(r->account) ? account_why(r->account) : "?");
	else
		fprintf(r->out, "received %" PRIu64 ", lost %" PRIu64 " at least\n", b->waits + b->outcomes, b->lost_records);
	if (b->unwritten)
		fprintf(r->out, "of the lost, %" PRId64 " found the file full\n", b->unwritten);
	if (b->unseen)
		fprintf(r->out, "of %" PRIu64 " waits the end is not in it\n", b->unseen);
	audit_texts(account_audit(r->account), &audit, NULL);
	for (size_t i = 0; i < audit.n; i++)
		fprintf(r->out, "audit: %s\n", audit.items[i]);
	strings_done(&audit);
	for (size_t i = 0; i < problems->n; i++)
		fprintf(r->out, "WARNING: %s\n", problems->items[i]);
}

/* ---- rows ---- */

static void flush_output(struct run *r)
{
	if (!r->error)
		r->error = output_flush(r->out);
}

static void write_rows(struct run *r, struct counts_rows *rows, bool total)
{
	struct counts_report report = {
		.origin = account_origin(r->account),
		.labels = r->labels,
		.rows = rows,
		.by = r->s->by,
		.total = total,
		.hist = r->s->hist,
		.recorded = true,
		.no_outcomes = !account_has_outcomes(r->account),
		.file = r->name,
		.host = host_of(r),
		.lost_known = total && account_balance(r->account)->have_end,
		.lost = (uint64_t)account_balance(r->account)->lost,
	};

	if (r->s->top)
		counts_rows_sort(rows, r->s->top);
	if (r->s->format->begin && !r->begun)
		r->s->format->begin(r->out, &report);
	r->begun = true;
	r->s->format->write(r->out, &report);
	counts_rows_done(rows);
}

/* The members of a file's object before its intervals. */
static void open_json(struct run *r)
{
	fprintf(r->out, "%s\n{\"file\":", r->runs ? "," : "");
	stream_quoted(r->out, r->name);
	if (r->part > 1)
		fprintf(r->out, ",\"part\":%u", r->part);
	fputs(",\"host\":", r->out);
	stream_quoted(r->out, host_of(r));
	fputs(",\"meta\":", r->out);
	if (account_meta(r->account))
		json_dumpf(account_meta(r->account), r->out, JSON_COMPACT);
	else
		fputs("null", r->out);
	fputs(",\"intervals\":[", r->out);
}

static void write_interval(struct run *r, struct counts_rows *rows)
{
	if (is_format(r, "json")) {
		if (!r->n_intervals)
			open_json(r);
		else
			putc(',', r->out);
	} else if (is_format(r, "table")) {
		CLEANUP_FREE char *at = time_text(r, rows->from_ns);
		CLEANUP_FREE char *since = seconds_text(rows->from_ns - account_began_ns(r->account));

		if (!r->n_intervals)
			put_head(r);
		fprintf(r->out, "\nfrom %s s  %s\n", since, at);
	}
	r->n_intervals++;
	write_rows(r, rows, false);
	flush_output(r);
}

static void close_json(struct run *r, const struct strings *problems)
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
	fputs(",\"balance\":", r->out);
	json_dumpf(balance, r->out, JSON_COMPACT);
	json_decref(balance);
	if (account_blame(r->account)) {
		fputs(",\"blame\":", r->out);
		json_dumpf(account_blame(r->account), r->out, JSON_COMPACT);
	}
	putc('}', r->out);
}

/* ---- one recording ---- */

static void say_problems(struct run *r, const struct strings *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		fail(EXIT_UNBALANCED, "'%s': %s", r->name, problems->items[i]);
	if (problems->n)
		r->code = EXIT_UNBALANCED;
}

/* The page holds all of the recordings, and is written when the last has been read. */
static void end_page(struct run *r, const struct strings *problems)
{
	html_page_name(r->page, r->runs, r->path);
	for (size_t i = 0; i < problems->n; i++)
		html_page_damage(r->page, r->runs, problems->items[i]);
	say_problems(r, problems);
}

static void write_tables(struct run *r, const struct strings *problems)
{
	struct counts_rows rows;

	if (is_format(r, "table")) {
		if (!r->n_intervals)
			put_head(r);
		else
			putc('\n', r->out);
		put_balance(r, problems);
	} else if (is_format(r, "json")) {
		if (!r->n_intervals)
			open_json(r);
		fputs("],\"total\":", r->out);
	}
	account_total(r->account, r->s->by, &rows);
	write_rows(r, &rows, true);
	if (is_format(r, "json"))
		close_json(r, problems);
	if (is_format(r, "table")) {
		putc('\n', r->out);
		if (account_blame(r->account)) {
			fputs("who had the CPU of a vCPU that was spun for:\n", r->out);
			blame_print(r->out, account_blame(r->account));
			putc('\n', r->out);
		}
	}
	flush_output(r);
	say_problems(r, problems);
}

static void end_run(struct run *r, bool at_end)
{
	struct strings problems = { 0 };
	struct counts_rows rows;

	progress_end(&r->progress);
	while (account_last_interval(r->account, r->s->by, &rows))
		write_interval(r, &rows);
	find_problems(r, at_end, &problems);
	if (r->page)
		end_page(r, &problems);
	else
		write_tables(r, &problems);
	strings_done(&problems);
	r->runs++;
	r->n_intervals = 0;
}

static void take_record(struct run *r, const struct record *record)
{
	struct counts_rows rows;

	if (record->type == RECORD_META && r->account && account_meta(r->account)) { /* another one stands behind the first */
		end_run(r, false);
		account_free(r->account);
		r->account = NULL;
		r->part++;
	}
	if (!r->account) {
		vm_labels_free(r->labels);
		r->labels = vm_labels_new();
		r->account = account_new(&r->s->window);
	}
	r->of_counts += record->type == RECORD_STAT;
	while (account_interval(r->account, record, r->s->by, &rows))
		write_interval(r, &rows);
	if (r->page)
		html_page_take(r->page, r->runs, record);
	account_take(r->account, record);
}

static int read_all(struct run *r)
{
	const struct line_reader_state *in = recording_state(r->recording)->input;
	struct record record;
	uint64_t n = 0;
	int more;

	while ((more = recording_next(r->recording, &record)) > 0) {
		take_record(r, &record);
		if (++n % 16384)
			continue;
		progress_share(&r->progress, r->name, in->read_bytes, in->size_bytes);
		if (r->error)
			return EXIT_OK;
	}
	progress_end(&r->progress);
	if (more)
		return fail(EXIT_FAILED, "the recording cannot be read: '%s': %s", r->name, strerror(-more));
	return EXIT_OK;
}

/* Is there something to tell of it? */
static int check_content(const struct run *r)
{
	const struct account_balance *b = r->account ? account_balance(r->account) : NULL;
	const struct line_reader_state *in = recording_state(r->recording)->input;

	if (!b && (in->frame_cut || in->damages))
		return fail(EXIT_FAILED, "nothing of it can be read: '%s': the compressed file is %s", r->name, in->damages ? "damaged" : "cut short");
	if (r->of_counts && (!b || !b->waits))
		return fail(EXIT_FAILED, "'%s' holds counts of 'kvmwait stat', and no events: it is a report already", r->name);
	if (!b)
		return fail(EXIT_FAILED, "'%s' is no recording: it holds no NDJSON of kvmwait", r->name);
	return EXIT_OK;
}

/* Opens the file, or the recording in it where it is a bundle. 0, or an exit code after the message. */
static int open_recording(struct run *r)
{
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *inside = NULL;
	CLEANUP_FD int fd = -1;
	int err;

	if (strcmp(r->path, "-") != 0 && bundle_is_one(r->path)) {
		if (bundle_open_member(r->path, BUNDLE_RECORD, &fd, &why))
			return fail(EXIT_FAILED, "'%s': %s", r->name, why);
		inside = xasprintf("/proc/self/fd/%d", fd);
	}
	err = recording_open(inside ? inside : r->path, &r->recording);
	return err ? fail(EXIT_FAILED, "cannot open the recording: '%s': %s", r->name, strerror(-err)) : EXIT_OK;
}

static int report_file(struct run *r)
{
	size_t n = strlen(r->path);
	int code;

	r->name = xcalloc(4 * n + 1, 1);
	text_clean(r->path, n, r->name);
	r->part = 1;
	r->code = EXIT_OK;
	r->of_counts = 0;
	r->recording = NULL;
	r->account = NULL;
	r->labels = NULL;
	progress_start(&r->progress);
	code = open_recording(r);
	if (!code)
		code = read_all(r);
	if (!code)
		code = check_content(r);
	if (!code && !r->error)
		end_run(r, true);
	account_free(r->account);
	vm_labels_free(r->labels);
	recording_close(r->recording);
	free(r->name);
	return code ? code : r->code;
}

/* ---- all of them ---- */

/* The graver of two exit codes. */
static int graver(int a, int b)
{
	return a == EXIT_FAILED || b == EXIT_FAILED ? EXIT_FAILED : a ? a : b;
}

static int report_all(const struct settings *s, FILE *out, char **paths, int n)
{
	struct run r = { .s = s, .out = out, .page = s->html ? html_page_new() : NULL };
	int code = EXIT_OK;

	if (is_format(&r, "json"))
		fprintf(out, "{\"kvmwait_report\":1,\"files\":[");
	for (int i = 0; i < n && !r.error; i++) {
		r.path = paths[i];
		code = graver(code, report_file(&r));
	}
	if (is_format(&r, "table") && r.runs)
		fputs("* only within waits: of other times a recording does not know; - not recorded, or nothing to tell\n", out);
	if (is_format(&r, "json"))
		fputs("]}\n", out);
	if (r.page && r.runs)
		r.error = html_page_write(r.page, out);
	html_page_free(r.page);
	flush_output(&r);
	if (!r.error)
		return code;
	if (r.error == -EPIPE)
		return EXIT_OK; /* whoever read has seen enough */
	return fail(EXIT_FAILED, "the output cannot be written: '%s': %s", s->output ? s->output : "standard output", strerror(-r.error));
}

static int check_options(struct settings *s)
{
	if (s->window.to_ns && s->window.to_ns <= s->window.from_ns)
		return fail(EXIT_USAGE, "--to is not after --from");
	if (s->html && (s->format || s->json || s->by || s->top || s->hist || s->window.interval_ns || s->window.from_ns || s->window.to_ns))
		return fail(EXIT_USAGE, "--html shows all of a recording: it cannot be combined with "
			    "-f, --json, -i, --by, --top, --hist, --from or --to");
	if (!s->by)
		s->by = COUNTS_BY_VM | COUNTS_BY_VCPU;
	if (s->json)
		s->format = counts_format_find("json");
	if (!s->format)
		s->format = counts_format_find(s->html ? "csv" : "table"); /* csv has nothing before and behind its rows */
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	CLEANUP_FILE FILE *opened = NULL;
	int code;

	if (!options_take(argc, argv, &command_report, &s, &code))
		return code;
	if (optind == argc)
		return fail(EXIT_USAGE, "report needs a recording: a file, or - for standard input");
	code = check_options(&s);
	for (int i = optind; i < argc && s.output && !code; i++)
		if (file_is_same(argv[i], s.output))
			code = fail(EXIT_USAGE, "the output is the input: '%s'", s.output);
	if (!code)
		code = open_output(s.output, &opened);
	if (!code) /* a recording may come from anybody */
		code = drop_root(PRIVILEGE_TO_READ);
	return code ? code : report_all(&s, opened ? opened : stdout, &argv[optind], argc - optind);
}

const struct command command_report = {
	.name = "report",
	.run = run,
	.arguments = "[OPTION]... FILE|-...",
	.help = "counts, rates and halts from recordings, host by host",
	.options = options,
	.more = "Several files are several hosts, or several times of one: they are kept apart. Needs no privilege.",
};
