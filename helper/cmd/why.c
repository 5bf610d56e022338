// SPDX-License-Identifier: Apache-2.0
// kvmwait why: states in sentences what is wrong, from a short measurement or from recordings.
#include "base/clean_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/output.h"
#include "base/privilege.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/live_options.h"
#include "ledger/account.h"
#include "ledger/findings.h"
#include "record/recording_read.h"
#include "show/counts_show.h"
#include "show/findings_show.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_DURATION_NS (10 * NS_PER_S)
#define LONGEST_NS (24 * 3600 * NS_PER_S) /* of a command that says nothing of its duration */
#define OUTPUT_LIMIT_BYTES (256u << 20)

static const char *const format_names[] = { "table", "json", NULL };
static const struct choices formats = CHOICES(format_names);

struct settings {
	uint64_t duration_ns;
	const char *bpftrace, *output, *rules_path;
	const char *const *format;
	struct strings passed;	   /* options that stat and blame take as they stand */
	struct strings thresholds; /* "RULE=PERCENT" */
	bool list;
};

static int take_vm(void *strings, const char *word)
{
	strings_add(strings, "--vm");
	strings_add(strings, word);
	return EXIT_OK;
}

static int take_pid(void *strings, const char *word)
{
	strings_add(strings, "--pid");
	strings_add(strings, word);
	return EXIT_OK;
}

static int take_threshold(void *strings, const char *word)
{
	strings_add(strings, word);
	return EXIT_OK;
}

static const struct option_row options[] = {
	{ 'd', "duration", "SEC", "measure for so many seconds (default: 10)", TO_SECONDS(duration_ns), .min = 1 },
	{ 'p', "pid", "TGID", "only this process (repeatable, or a list with commas; 8 at most)",
	  TO_EACH(passed, struct strings, take_pid) },
	{ 0, "vm", "NAME", "only the running VMs of this name or id (repeatable, or a list with commas)",
	  TO_EACH(passed, struct strings, take_vm) },
	{ 'f', "format", "FORMAT", "output format (default: table)", TO_CHOICE(format, char *const, &formats) },
	{ 'o', "output", "FILE", "write there instead of standard output", TO_TEXT(output) },
	{ 0, "threshold", "RULE=PERCENT", "report this rule from this share on (repeatable, or a list with commas)",
	  TO_EACH(thresholds, struct strings, take_threshold) },
	{ 0, "list", NULL, "show the rules and their thresholds, and end", TO_FLAG(list) },
	{ 0, "rules", "FILE", "the rules to use", TO_TEXT(rules_path) },
	{ 0, "bpftrace", "PATH", "the bpftrace to use", TO_TEXT(bpftrace) },
	{ 0 },
};

/* The records of one host and time. */
struct evidence {
	json_t *meta, *stat, *blame, *end;
};

static void evidence_done(struct evidence *e)
{
	json_decref(e->meta);
	json_decref(e->stat);
	json_decref(e->blame);
	json_decref(e->end);
	*e = (struct evidence){ 0 };
}

static bool is_json(const struct settings *s)
{
	return !strcmp(*s->format, "json");
}

/* ---- reading ---- */

/* The total of an account as the stat record that kvmwait stat would have written. */
static json_t *stat_of_account(struct account *account)
{
	struct counts_rows rows;
	struct counts_report report = { .by = COUNTS_BY_VM | COUNTS_BY_VCPU, .total = true, .recorded = true, .rows = &rows };
	CLEANUP_FREE char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	report.origin = account_origin(account);
	report.no_outcomes = !account_has_outcomes(account);
	account_total(account, report.by, &rows);
	counts_write_json(f, &report);
	fclose(f);
	counts_rows_done(&rows);
	return json_loadb(text, size, 0, NULL);
}

static void keep(json_t **to, json_t *object)
{
	json_decref(*to);
	*to = json_incref(object);
}

static void take_evidence(struct evidence *e, const struct record *r)
{
	switch ((int)r->type) {
	case RECORD_META:
		keep(&e->meta, r->object);
		break;
	case RECORD_STAT:
		if (json_is_true(json_object_get(r->object, "total")))
			keep(&e->stat, r->object);
		break;
	case RECORD_BLAME:
		keep(&e->blame, r->object);
		break;
	case RECORD_END:
		keep(&e->end, r->object);
		break;
	default:
		break;
	}
}

/* Reads NDJSON: a recording, or what stat printed. 0, or an exit code after the message. */
static int read_evidence(const char *path, const char *name, struct evidence *e)
{
	struct account *account = account_new(&(struct account_settings){ 0 });
	struct recording *recording = NULL;
	struct record record;
	int more = recording_open(path, &recording);

	while (!more && (more = recording_next(recording, &record)) > 0) {
		take_evidence(e, &record);
		account_take(account, &record);
		more = 0;
	}
	if (more)
		fail(EXIT_FAILED, "cannot read the recording: '%s': %s", name, strerror(-more));
	else if (!e->meta && !e->stat)
		more = fail(EXIT_FAILED, "'%s' is no recording: it holds no NDJSON of kvmwait", name);
	else if (!e->stat)
		e->stat = stat_of_account(account);
	recording_close(recording);
	account_free(account);
	return more ? EXIT_FAILED : EXIT_OK;
}

/* What blame -f json printed is one object. */
static void read_blame(int fd, struct evidence *e)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	json_t *object;

	if (lseek(fd, 0, SEEK_SET) || file_read_open(fd, OUTPUT_LIMIT_BYTES, &text, &size))
		return;
	object = json_loadb(text, size, 0, NULL);
	if (!object)
		return;
	e->blame = json_pack("{s:s, s:O, s:O}", "type", "blame", "vms", json_object_get(object, "vms"), "rows",
			     json_object_get(object, "blame"));
	json_array_extend(json_object_get(e->meta, "probes"), json_object_get(json_object_get(object, "meta"), "probes"));
	json_decref(object);
}

/* ---- measuring ---- */

/* kvmwait stat or blame, which measure at the same time. */
struct measurement {
	pid_t pid;
	int out_fd, err_fd; /* files in memory */
	int code;
};

static void exec_measurement(const struct settings *s, const struct measurement *m, const char *name, pid_t parent, char *const *command)
{
	uint64_t duration_ns = s->duration_ns ? s->duration_ns : LONGEST_NS;
	CLEANUP_FREE char *seconds = xasprintf("%" PRIu64 ".%09" PRIu64, duration_ns / NS_PER_S, duration_ns % NS_PER_S);
	struct strings arguments = { 0 };
	const char *const fixed[] = { "kvmwait", name, "-f", "json" };

	process_begin(parent, SIGTERM);
	signal(SIGINT, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		strings_add(&arguments, fixed[i]);
	for (size_t i = 0; i < s->passed.n; i++)
		strings_add(&arguments, s->passed.items[i]);
	if (s->bpftrace) {
		strings_add(&arguments, "--bpftrace");
		strings_add(&arguments, s->bpftrace);
	}
	strings_add(&arguments, "-d");
	strings_add(&arguments, seconds);
	if (command)
		strings_add(&arguments, "--");
	for (; command && *command; command++)
		strings_add(&arguments, *command);
	arguments.items = xgrow(arguments.items, arguments.n, sizeof(*arguments.items));
	arguments.items[arguments.n] = NULL;
	if (dup2(m->out_fd, STDOUT_FILENO) >= 0 && dup2(m->err_fd, STDERR_FILENO) >= 0)
		execv("/proc/self/exe", arguments.items);
	_exit(127);
}

static int start(const struct settings *s, const char *name, char *const *command, struct measurement *m)
{
	pid_t parent = getpid();

	m->out_fd = memfd_create("out", MFD_CLOEXEC);
	m->err_fd = memfd_create("err", MFD_CLOEXEC);
	m->pid = m->out_fd < 0 || m->err_fd < 0 ? -1 : fork();
	if (!m->pid)
		exec_measurement(s, m, name, parent, command);
	return m->pid < 0 ? fail(EXIT_FAILED, "cannot start kvmwait %s: %s", name, strerror(errno)) : EXIT_OK;
}

/* What it said: the same words as on a terminal. */
static void pass_messages(const struct measurement *m)
{
	CLEANUP_FREE char *text = NULL;

	if (!lseek(m->err_fd, 0, SEEK_SET) && !file_read_open(m->err_fd, OUTPUT_LIMIT_BYTES, &text, NULL))
		fputs(text, stderr);
}

static void wait_for(struct measurement *m, struct progress *progress, uint64_t since_ns, uint64_t duration_ns)
{
	const struct timespec quarter = { .tv_nsec = 250 * (long)NS_PER_MS };
	int status;

	while (!process_has_ended(m->pid, &status)) {
		uint64_t passed_ns = monotonic_ns() - since_ns;

		if (duration_ns)
			progress_show(progress, "attaching, then measuring for %" PRIu64 " s: %" PRIu64 " s passed", duration_ns / NS_PER_S,
				      passed_ns / NS_PER_S);
		else
			progress_show(progress, "attaching, then measuring the command: %" PRIu64 " s passed", passed_ns / NS_PER_S);
		nanosleep(&quarter, NULL);
	}
	m->code = process_exit_code(status);
}

/* CPU time of the children over the CPU time that the host had, in hundredths of a percent. */
static uint64_t tracer_share(uint64_t ns)
{
	struct rusage usage;
	uint64_t used_ns, cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);

	getrusage(RUSAGE_CHILDREN, &usage);
	used_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
		  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
	return ns && cpus ? used_ns * 10000 / (ns * cpus) : 0;
}

/* Measures with stat and blame at once. 0, or an exit code after the message; EXIT_UNBALANCED comes with evidence. */
static int measure(const struct settings *s, char *const *command, struct evidence *e, struct findings_frame *frame)
{
	struct measurement stat, blame;
	struct progress progress;
	uint64_t since_ns = monotonic_ns();
	CLEANUP_FREE char *path = NULL;
	int code;

	signal(SIGINT, SIG_IGN); /* the measurements end with it, and then there is a result */
	code = start(s, "blame", NULL, &blame);
	if (code)
		return code;
	code = start(s, "stat", command, &stat);
	progress_start(&progress);
	if (!code)
		wait_for(&stat, &progress, since_ns, s->duration_ns);
	if (code || command)
		kill(blame.pid, SIGINT);
	wait_for(&blame, &progress, since_ns, s->duration_ns);
	progress_end(&progress);
	frame->have_tracer = true;
	frame->tracer_share = tracer_share(monotonic_ns() - since_ns);
	if (!code) {
		pass_messages(&stat);
		code = stat.code;
	}
	if (code && code != EXIT_UNBALANCED)
		return code;
	if (blame.code)
		pass_messages(&blame);
	path = xasprintf("/proc/self/fd/%d", stat.out_fd);
	if (read_evidence(path, "stat", e))
		return EXIT_FAILED;
	read_blame(blame.out_fd, e);
	return code ? code : blame.code == EXIT_UNBALANCED ? blame.code : EXIT_OK;
}

/* ---- results ---- */

static void show(const struct settings *s, const struct rules *rules, const struct evidence *e, const struct findings_frame *frame, FILE *f)
{
	struct findings findings;

	findings_make(rules, e->meta, e->stat, e->blame, e->end, &findings);
	if (is_json(s)) {
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

static int of_host(const struct settings *s, const struct rules *rules, char *const *command, FILE *f)
{
	struct findings_frame frame = { 0 };
	struct evidence e = { 0 };
	int code = measure(s, command, &e, &frame);

	if (e.stat)
		show(s, rules, &e, &frame, f);
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

static int conclude(const struct settings *s, const struct rules *rules, char **arguments, int n, bool is_command)
{
	CLEANUP_FILE FILE *opened = NULL;
	int code = open_output(s->output, &opened), err;
	FILE *f = opened ? opened : stdout;

	if (!code && (!n || is_command)) {
		code = of_host(s, rules, n ? arguments : NULL, f);
	} else if (!code) {
		code = drop_root(PRIVILEGE_TO_READ); /* a recording may come from anybody */
		for (int i = 0; i < n && !code; i++)
			code = of_recording(s, rules, arguments[i], f);
	}
	err = output_flush(f);
	if (err && err != -EPIPE)
		return fail(EXIT_FAILED, "the output cannot be written: '%s': %s", s->output ? s->output : "standard output", strerror(-err));
	return code;
}

static int run(int argc, char **argv)
{
	struct settings s = { .format = format_names };
	struct rules rules = { 0 };
	bool is_command;
	int code;

	if (options_take(argc, argv, &command_why, &s, &code)) {
		is_command = optind < argc && !strcmp(argv[optind - 1], "--");
		if (!s.duration_ns && !is_command)
			s.duration_ns = DEFAULT_DURATION_NS;
		code = load_rules(&s, &rules);
		if (!code && s.list)
			rules_print(stdout, &rules);
		else if (!code)
			code = conclude(&s, &rules, &argv[optind], argc - optind, is_command);
	}
	rules_done(&rules);
	strings_done(&s.passed);
	strings_done(&s.thresholds);
	return code;
}

const struct command command_why = {
	.name = "why",
	.run = run,
	.arguments = "[OPTION]... [FILE]... | [OPTION]... -- COMMAND [ARG]...",
	.help = "state in sentences what keeps vCPUs from running",
	.options = options,
	.more = "Without FILE it measures this host for 10 seconds, or as long as COMMAND runs, which needs the privileges of\n"
		"kvmwait stat. A FILE is a recording, or what 'kvmwait stat -f json' wrote; '-' is standard input.",
	.runs_command = true,
};
