// SPDX-License-Identifier: Apache-2.0
// kvmwait why: states in sentences what is wrong, from a short measurement or from recordings.
#include "base/clean_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/privilege.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/live_run.h"
#include "cmd/recording_input.h"
#include "ledger/account.h"
#include "ledger/blame.h"
#include "ledger/counts.h"
#include "show/blame_show.h"
#include "show/counts_show.h"
#include "show/evidence.h"
#include "show/findings_show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_DURATION_NS (10 * NS_PER_S)

static const char *const format_names[] = { "table", "json", "openmetrics", NULL };
static const struct choices formats = CHOICES(format_names);

struct settings {
	struct live_options live;
	const char *output, *rules_path;
	const char *const *format;
	struct strings thresholds; /* "RULE=PERCENT" */
	bool list;
};

static int take_threshold(void *strings, const char *word)
{
	strings_add(strings, word);
	return EXIT_OK;
}

static const struct option_row options[] = {
	OPTION_DURATION,
	OPTION_PID,
	OPTION_VM,
	{ 'f', "format", "FORMAT", "output format (default: table)", TO_CHOICE(format, char *const, &formats) },
	OPTION_OUTPUT,
	{ 0, "threshold", "RULE=PERCENT", "report RULE only from this share on (repeatable, or a list with commas)",
	  TO_EACH(thresholds, struct strings, take_threshold) },
	{ 0, "list", NULL, "show the rules and their thresholds, and exit", TO_FLAG(list) },
	{ 0, "rules", "FILE", "use the rules in FILE", TO_TEXT(rules_path) },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	OPTION_VERBOSE,
	{ 0 },
};

static bool is_format(const struct settings *s, const char *name)
{
	return !strcmp(*s->format, name);
}

/* ---- reading ---- */

/* 0, or an exit code after the message. */
static int read_evidence(const char *path, const char *name, struct evidence *e)
{
	struct account *account = account_new(&(struct account_settings){ 0 });
	struct recording *recording = NULL;
	struct record record;
	int code = recording_input_open(path, name, &recording), more = 0;

	while (!code && (more = recording_next(recording, &record)) > 0) {
		evidence_take(e, &record);
		account_take(account, &record);
	}
	if (!code && more)
		code = fail(EXIT_FAILED, "cannot read the recording: '%s': %s", name,
			    more == -EBADMSG ? recording_state(recording)->failure : strerror(-more));
	else if (!code && !e->meta)
		code = fail(EXIT_FAILED, "'%s' is no recording: it holds no records of kvmwait, and no trace of another tool", name);
	else if (!code)
		evidence_complete(e, account);
	recording_close(recording);
	account_free(account);
	return code;
}

/* ---- measuring ---- */

/* A trace with both parts at once: counts come as maps, what blame needs as records. */
struct measurement {
	struct counts *counts;
	struct blame *blame;
	struct vmnames *names;
	uint64_t began_ns;
	struct evidence evidence;
};

static bool take_line(void *context, const char *line, size_t n)
{
	struct measurement *m = context;
	enum counts_line taken = counts_take_line(m->counts, line, n);

	if (taken == COUNTS_VCPU) /* its process may have ended when the name is shown */
		vmnames_get(m->names, counts_newest_pid(m->counts));
	return taken != COUNTS_OTHER && taken != COUNTS_MALFORMED;
}

static uint64_t boottime_of(const struct record *r)
{
	return json_count(json_object_get(r->object, "clock"), "boottime");
}

/* The stat record of all the time. */
static json_t *stat_of_counts(const struct measurement *m, const struct plan *plan)
{
	struct counts_rows rows;
	struct origin origin;
	struct counts_report report = { .by = COUNTS_BY_VM | COUNTS_BY_VCPU, .total = true, .rows = &rows, .names = m->names,
					.has_account = true };
	json_t *object;

	origin_of_plan(plan, &origin);
	report.origin = &origin;
	counts_total(m->counts, report.by, m->began_ns, &rows);
	object = counts_report_json(&report);
	counts_rows_done(&rows);
	origin_done(&origin);
	return object;
}

static int take_record(void *context, const struct record *r)
{
	struct measurement *m = context;

	if (r->type == RECORD_META)
		m->began_ns = boottime_of(r);
	if (r->type == RECORD_END)
		counts_finish(m->counts, boottime_of(r));
	if (r->type == RECORD_WAIT || r->type == RECORD_SCHED)
		blame_take(m->blame, r);
	else
		evidence_take(&m->evidence, r);
	return 0;
}

/* CPU time of the processes that traced over that of all CPUs, in hundredths of a percent. */
static uint64_t tracer_share(uint64_t ns)
{
	uint64_t used_ns = 0, cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };

	for (size_t i = 0; i < ARRAY_SIZE(whose); i++) {
		struct rusage u;

		getrusage(whose[i], &u);
		used_ns += (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
			   (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
	}
	return ns && cpus ? used_ns * 10000 / (ns * cpus) : 0;
}

/* The measurement of a prepared run. 0, or an exit code after its message; then there can be evidence all the same. */
static int measure(struct live_run *l, struct evidence *e, struct findings_frame *frame)
{
	const struct plan *plan = &l->loaded.plan;
	CLEANUP_FREE struct wait_name *waits = NULL;
	size_t n_waits = program_waits(plan->chosen, &waits);
	struct measurement m = {
		.counts = counts_new(waits, n_waits),
		.blame = blame_new(blame_look_up, blame_look_up_cgroup, &l->sleep_rules, NULL),
		.names = vmnames_new(""),
	};
	uint64_t since_ns = monotonic_ns();
	int code;

	l->options.take = take_record;
	l->options.take_line = take_line;
	l->options.context = &m;
	l->options.hold = SESSION_HOLD_ALWAYS;
	l->options.map_keys = (unsigned int)l->max_vcpus * LIVE_VCPU_KEYS;
	l->options.reads_maps = true;
	l->options.program.keeps_lines = true;
	code = live_trace(l);
	if (!code) {
		frame->have_tracer = true;
		frame->tracer_share = tracer_share(monotonic_ns() - since_ns);
		*e = m.evidence;
		e->stat = stat_of_counts(&m, plan);
		e->blame = blame_record_json(m.blame, SIZE_MAX);
		code = live_end_code(l);
	}
	counts_free(m.counts);
	blame_free(m.blame);
	vmnames_free(m.names);
	return code;
}

/* ---- results ---- */

static void show(const struct settings *s, const struct rules *rules, const struct evidence *e, const struct findings_frame *frame, FILE *f)
{
	struct findings findings;

	evidence_findings(e, rules, &findings);
	if (is_format(s, "openmetrics")) {
		findings_write_openmetrics(f, rules, &findings, frame);
	} else if (is_format(s, "json")) {
		json_t *object = findings_json(rules, &findings, frame);

		json_dumpf(object, f, JSON_INDENT(2));
		putc('\n', f);
		json_decref(object);
	} else {
		findings_print(f, rules, &findings, frame);
	}
	findings_done(&findings);
}

static int of_recording(const struct settings *s, const struct rules *rules, const char *path, FILE *f)
{
	struct evidence e = { 0 };
	CLEANUP_FREE char *name = text_cleaned(path);
	int code = read_evidence(path, name, &e);

	if (!code)
		show(s, rules, &e, &(struct findings_frame){ .heading = name }, f);
	evidence_done(&e);
	return code;
}

static int load_rules(const struct settings *s, struct rules *rules)
{
	CLEANUP_FREE char *path = s->rules_path ? xstrdup(s->rules_path) : share_path("why.list");
	CLEANUP_FREE char *why = NULL;

	if (rules_load(path, rules, &why))
		return fail(EXIT_FAILED, "%s", why);
	for (size_t i = 0; i < s->thresholds.n; i++)
		if (rules_set_threshold(rules, s->thresholds.items[i], &why))
			return fail(EXIT_USAGE, "--threshold: %s", why);
	return EXIT_OK;
}

static int of_recordings(const struct settings *s, const struct rules *rules, char **paths, int n)
{
	CLEANUP_FILE FILE *opened = NULL;
	int code = open_output(s->output, &opened), err;
	FILE *f = opened ? opened : stdout;

	if (!code) /* a recording may come from anybody */
		code = drop_root(PRIVILEGE_TO_READ);
	for (int i = 0; i < n && !code; i++)
		code = of_recording(s, rules, paths[i], f);
	err = code ? 0 : output_flush(f);
	return err && err != -EPIPE ? fail(EXIT_FAILED, "the output cannot be written: '%s': %s", s->output ? s->output : "standard output",
					   strerror(-err)) :
				      code;
}

static int of_host(const struct settings *s, const struct rules *rules, int argc, char **argv)
{
	static const char *const parts[] = { "stat", "blame" };
	CLEANUP_LIVE struct live_run l = { 0 };
	struct findings_frame frame = { 0 };
	struct evidence e = { 0 };
	int code = live_plan(&l, &s->live, argc, argv);

	if (!code)
		code = live_prepare(&l, parts, ARRAY_SIZE(parts));
	if (!code)
		code = live_open(&l, s->output, NULL);
	if (code)
		return code;
	if (!l.options.duration_ns && !l.options.command)
		l.options.duration_ns = DEFAULT_DURATION_NS;
	code = measure(&l, &e, &frame);
	if (e.stat) {
		show(s, rules, &e, &frame, l.file);
		l.result.take_error = output_flush(l.file);
		code = l.result.take_error ? live_end_code(&l) : code;
	}
	evidence_done(&e);
	return code;
}

static int run(int argc, char **argv)
{
	struct settings s = { .format = format_names };
	struct rules rules = { 0 };
	int code;

	if (options_take(argc, argv, &command_why, &s, &code)) {
		code = load_rules(&s, &rules);
		if (!code && s.list)
			rules_print(stdout, &rules);
		else if (!code && optind < argc && strcmp(argv[optind - 1], "--") != 0)
			code = of_recordings(&s, &rules, &argv[optind], argc - optind);
		else if (!code)
			code = of_host(&s, &rules, argc, argv);
	}
	rules_done(&rules);
	strings_done(&s.thresholds);
	return code;
}

const struct command command_why = {
	.name = "why",
	.run = run,
	.arguments = "[OPTION]... [FILE]... | [OPTION]... -- COMMAND [ARG]...",
	.help = "state in sentences what keeps vCPUs from running",
	.options = options,
	.more = "Without FILE it measures this host for 10 seconds, or as long as COMMAND runs; this needs the privileges of\n"
		"kvmwait stat. A FILE is a recording, or the output of 'kvmwait stat -f json'; '-' is standard input.",
	.runs_command = true,
};
