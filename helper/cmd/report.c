// SPDX-License-Identifier: Apache-2.0
// kvmwait report: reads recordings and bundles, adds each one up and shows it.
#include "base/clean_text.h"
#include "base/file.h"
#include "base/privilege.h"
#include "base/progress.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/live_options.h"
#include "cmd/recording_input.h"
#include "ledger/account.h"
#include "ledger/recording_problems.h"
#include "ledger/rules.h"
#include "record/recording_read.h"
#include "show/report_show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
	struct account_settings window;
	const struct counts_format *format;
	const struct counts_column *top;
	const char *output;
	unsigned int by;
	struct guest_symbols *guest_symbols; /* NULL: none were given */
	struct rules rules;
	bool hist, html, json;
};

/* Cumulative counters need a running trace. */
static bool is_of_recordings(const void *row)
{
	const struct counts_format *format = row;

	return !format->counters;
}

static const struct choices formats = CHOICES(counts_formats, .allows = is_of_recordings);

static const struct option_row options[] = {
	{ 'i', "interval", "SEC", "print a table for every SEC seconds as well", TO_SECONDS(window.interval_ns),
	  .min = MIN_INTERVAL_NS },
	OPTION_BY,
	OPTION_TOP,
	OPTION_HIST,
	{ 0, "from", "SEC", "leave out the time before SEC seconds of the recording", TO_SECONDS(window.from_ns) },
	{ 0, "to", "SEC", "leave out the time after SEC seconds of the recording", TO_SECONDS(window.to_ns) },
	{ 'f', "format", "FORMAT", "output format (default: table)", TO_CHOICE(format, struct counts_format, &formats) },
	{ 0, "json", NULL, "the same as -f json", TO_FLAG(json) },
	OPTION_GUEST_SYMBOLS,
	{ 0, "html", NULL, "write one HTML page with pictures and tables, which needs no other file", TO_FLAG(html) },
	OPTION_OUTPUT,
	{ 0 },
};

/* One recording: a file, or one of several in a file. */
struct run {
	const struct settings *s;
	struct report_show *show;
	const char *path;
	char *name; /* the path, fit to print */
	unsigned int part; /* from 1 */
	struct recording *recording;
	struct account *account;
	struct progress progress;
	int code;
};

static void end_run(struct run *r, bool at_end)
{
	struct strings problems = { 0 };
	struct guest_ip_vm *guests;
	struct counts_rows rows;

	progress_end(&r->progress);
	while (account_last_interval(r->account, r->s->by, &rows))
		report_show_interval(r->show, &rows);
	recording_problems(r->account, recording_state(r->recording), at_end, &problems);
	report_show_end(r->show, &problems);
	if (!r->s->html && !strcmp(r->s->format->name, "csv") && guest_ips_vms(account_guest_ips(r->account), &guests))
		note("'%s': csv has no room for where guests spin: use -f table, -f json or --html", r->name);
	for (size_t i = 0; i < problems.n; i++)
		r->code = fail(EXIT_UNBALANCED, "'%s': %s", r->name, problems.items[i]);
	strings_done(&problems);
}

static void take_record(struct run *r, const struct record *record)
{
	struct counts_rows rows;

	if (record->type == RECORD_META && r->account && account_meta(r->account)) { /* the next recording in this file */
		end_run(r, false);
		account_free(r->account);
		r->account = NULL;
		r->part++;
	}
	if (!r->account) {
		r->account = account_new(&r->s->window);
		report_show_begin(r->show, r->name, r->part, r->account);
	}
	while (account_interval(r->account, record, r->s->by, &rows))
		report_show_interval(r->show, &rows);
	report_show_record(r->show, record);
	account_take(r->account, record);
}

static void put_notes(const struct run *r)
{
	const struct strings *notes = &recording_state(r->recording)->notes;

	for (size_t i = 0; i < notes->n; i++)
		note("'%s': %s", r->name, notes->items[i]);
}

static int read_all(struct run *r)
{
	const struct line_reader_state *in = recording_state(r->recording)->input;
	struct record record;
	uint64_t n = 0;
	int more;

	while ((more = recording_next(r->recording, &record)) > 0) {
		if (!n)
			put_notes(r);
		take_record(r, &record);
		if (++n % 16384)
			continue;
		progress_share(&r->progress, r->name, in->read_bytes, in->size_bytes);
		if (report_show_error(r->show))
			return EXIT_OK;
	}
	progress_end(&r->progress);
	if (more)
		return fail(EXIT_FAILED, "the recording cannot be read: '%s': %s", r->name,
			    more == -EBADMSG ? recording_state(r->recording)->failure : strerror(-more));
	return EXIT_OK;
}

/* Is there anything to show? */
static int check_content(const struct run *r)
{
	const struct account_balance *b = r->account ? account_balance(r->account) : NULL;
	const struct line_reader_state *in = recording_state(r->recording)->input;

	if (!b && (in->frame_cut || in->damages))
		return fail(EXIT_FAILED, "nothing of it can be read: '%s': the compressed file is %s", r->name, in->damages ? "damaged" : "cut short");
	if (recording_state(r->recording)->of_counts && (!b || !b->waits))
		return fail(EXIT_FAILED, "'%s' holds counts of 'kvmwait stat', and no events: it is a report already", r->name);
	if (!b)
		return fail(EXIT_FAILED, "'%s' is no recording: it holds no records of kvmwait, and no trace of trace-cmd, perf script or ftrace",
			    r->name);
	return EXIT_OK;
}

static int report_file(struct run *r)
{
	size_t n = strlen(r->path);
	int code;

	r->name = xcalloc(4 * n + 1, 1);
	text_clean(r->path, n, r->name);
	r->part = 1;
	r->code = EXIT_OK;
	r->recording = NULL;
	r->account = NULL;
	progress_start(&r->progress);
	code = recording_input_open(r->path, r->name, &r->recording);
	if (!code)
		code = read_all(r);
	if (!code)
		code = check_content(r);
	if (!code && !report_show_error(r->show))
		end_run(r, true);
	account_free(r->account);
	recording_close(r->recording);
	free(r->name);
	return code ? code : r->code;
}

/* The graver of two exit codes. */
static int graver(int a, int b)
{
	return a == EXIT_FAILED || b == EXIT_FAILED ? EXIT_FAILED : a ? a : b;
}

static int report_all(const struct settings *s, FILE *out, char **paths, int n)
{
	struct run r = { .s = s };
	int code = EXIT_OK, err;

	r.show = report_show_new(&(struct report_show_settings){
		.out = out, .format = s->format, .top = s->top, .by = s->by, .hist = s->hist, .html = s->html,
		.guest_symbols = s->guest_symbols, .rules = s->rules.n ? &s->rules : NULL });
	for (int i = 0; i < n && !report_show_error(r.show); i++) {
		r.path = paths[i];
		code = graver(code, report_file(&r));
	}
	err = report_show_finish(r.show);
	report_show_free(r.show);
	if (!err)
		return code;
	if (err == -EPIPE)
		return EXIT_OK; /* whoever read has seen enough */
	return fail(EXIT_FAILED, "the output cannot be written: '%s': %s", s->output ? s->output : "standard output", strerror(-err));
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

/* Findings are about all of a recording. A report without them is still one. */
static void load_rules(struct settings *s)
{
	CLEANUP_FREE char *path = share_path("why.list");
	CLEANUP_FREE char *why = NULL;

	if (s->window.from_ns || s->window.to_ns || (!s->html && !strcmp(s->format->name, "csv")))
		return;
	if (rules_load(path, &s->rules, &why))
		note("the report has no findings: %s", why);
}

static int report(struct settings *s, int argc, char **argv)
{
	CLEANUP_FILE FILE *opened = NULL;
	CLEANUP_FREE char *why = NULL;
	int code;

	if (optind == argc)
		return fail(EXIT_USAGE, "report needs a recording: a file, or - for standard input");
	code = check_options(s);
	for (int i = optind; i < argc && s->output && !code; i++)
		if (file_is_same(argv[i], s->output))
			code = fail(EXIT_USAGE, "the output is the input: '%s'", s->output);
	if (!code)
		code = open_output(s->output, &opened);
	if (!code) /* a recording may come from anybody, and so may the symbols of a guest */
		code = drop_root(PRIVILEGE_TO_READ);
	if (!code && guest_symbols_read(s->guest_symbols, false, &why))
		code = fail(EXIT_FAILED, "%s", why);
	if (!code)
		load_rules(s);
	return code ? code : report_all(s, opened ? opened : stdout, &argv[optind], argc - optind);
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	int code;

	if (options_take(argc, argv, &command_report, &s, &code))
		code = report(&s, argc, argv);
	guest_symbols_free(s.guest_symbols);
	rules_done(&s.rules);
	return code;
}

const struct command command_report = {
	.name = "report",
	.run = run,
	.arguments = "[OPTION]... FILE|-...",
	.help = "show counts, rates and halts of recordings, host by host",
	.options = options,
	.more = "Each file is reported by itself: files can come from several hosts, or from several times of one. Needs no privilege.",
};
