// SPDX-License-Identifier: Apache-2.0
// kvmwait stat: counts from the kernel's maps, refreshed on a terminal, in plain lines elsewhere.
#include "base/clock.h"
#include "base/memory.h"
#include "base/output.h"
#include "cmd/command.h"
#include "cmd/live_run.h"
#include "ledger/counts.h"
#include "live/root_helper.h"
#include "show/counts_show.h"
#include "show/guest_ips_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* LIVE_VCPU_KEYS for eight event lines, where each CPU has a copy: 64 kB of values each for 1,024 vCPUs. */
#define COUNTS_VCPU_KEYS 8u
#define MAX_INTERVAL_NS (INT32_MAX * NS_PER_MS)
#define DEFAULT_INTERVAL_NS NS_PER_S

struct settings {
	struct live_options live;
	const struct counts_format *format;
	const struct counts_column *top;
	const char *output;
	uint64_t interval_ns;
	uint64_t max_vcpus; /* there is room for in the maps; 0: it follows from what runs */
	unsigned int by;
	struct guest_symbols *guest_symbols; /* NULL: none were given */
	bool hist;
	bool counts;
	bool guest_ip;
};

static const struct choices formats = CHOICES(counts_formats);

static const struct option_row options[] = {
	{ 'i', "interval", "SEC", "report every SEC seconds, such as 15 or 0.5 (default on a terminal: 1)", TO_SECONDS(interval_ns),
	  .min = MIN_INTERVAL_NS, .max = MAX_INTERVAL_NS },
	OPTION_DURATION,
	OPTION_BY,
	OPTION_TOP,
	OPTION_HIST,
	{ 0, "counts", NULL, "count waits without their outcomes, at a third of the cost", TO_FLAG(counts) },
	OPTION_GUEST_IP,
	OPTION_GUEST_SYMBOLS,
	{ 0, "max-vcpus", "N", "make room for N vCPUs (default: 1024 or twice the number that runs, whichever is more)", TO_NUMBER(max_vcpus),
	  .min = 1, .max = LIVE_VCPUS_MOST },
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_EVENT,
	{ 'f', "format", "FORMAT", "output format (default: table)", TO_CHOICE(format, struct counts_format, &formats) },
	{ 'o', "output", "FILE", "write to FILE instead of standard output; openmetrics and prometheus replace it at each interval", TO_TEXT(output) },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	OPTION_VERBOSE,
	{ 0 },
};

struct run {
	const struct settings *s;
	struct origin origin;
	struct vmnames *names;
	struct vm_labels *labels;
	struct counts *counts;
	struct kept_counters *kept; /* of the audit; NULL: there are none */
	struct guest_ips *guest_ips; /* NULL: not asked for */
	FILE *file;	/* NULL: the output is replaced each time */
	struct replaced_file replaced; /* of that */
	bool live;	/* what was drawn is drawn over */
	bool begun;	/* csv has its heading */
	size_t n_drawn; /* lines on the terminal */
	uint64_t running_ns;
	int error;
};

static bool is_on_terminal(const struct settings *s)
{
	return !s->output && !strcmp(s->format->name, "table") && isatty(STDOUT_FILENO);
}

static unsigned int map_keys(const struct settings *s)
{
	return (unsigned int)s->max_vcpus * (s->counts ? COUNTS_VCPU_KEYS : LIVE_VCPU_KEYS);
}

/* Which state a vCPU is in follows from all events. */
static bool has_account(const struct settings *s)
{
	unsigned int events = s->live.filter.events;

	for (size_t i = 0; events && i < n_event_kinds; i++)
		if (!(events & event_bit(event_kinds[i].name)))
			return false;
	return !s->counts;
}

/* ---- reports ---- */

static void make_rows(const struct run *r, bool total, unsigned int by, struct counts_rows *ret)
{
	if (r->s->format->counters)
		counts_cumulative(r->counts, by, ret);
	else if (total)
		counts_total(r->counts, by, r->running_ns, ret);
	else
		counts_interval(r->counts, by, ret);
	if (r->s->top)
		counts_rows_sort(ret, r->s->top);
}

static void write_rows(struct run *r, FILE *f, struct counts_report *report, bool total, unsigned int by)
{
	struct counts_rows rows;

	make_rows(r, total, by, &rows);
	report->rows = &rows;
	report->by = by;
	if (r->s->format->begin && !r->begun)
		r->s->format->begin(f, report);
	r->begun = true;
	r->s->format->write(f, report);
	counts_rows_done(&rows);
}

static void write_report(struct run *r, FILE *f, struct counts_report *report, bool total)
{
	unsigned int by = r->s->by;

	report->origin = &r->origin;
	report->names = r->names;
	report->labels = r->labels;
	report->total = total;
	report->hist = r->s->hist;
	report->no_outcomes = r->s->counts;
	report->has_account = has_account(r->s);
	report->full = counts_keys(r->counts) >= map_keys(r->s);
	if (r->s->format->counters) { /* by event and source first, then what is told of vCPUs */
		write_rows(r, f, report, total, by | COUNTS_BY_EVENT | COUNTS_BY_SOURCE);
		by &= COUNTS_BY_VM | COUNTS_BY_VCPU | COUNTS_BY_HOST;
	}
	write_rows(r, f, report, total, by);
}

/* The file has the old text or the new one, never a part. 0 or -errno. */
static int replace_file(struct run *r, struct counts_report *report, bool total)
{
	int fd = root_helper_file_create(&r->replaced), err;
	FILE *f;

	if (fd < 0)
		return fd;
	f = output_stream(fd);
	write_report(r, f, report, total);
	err = output_flush(f);
	if (!err && fsync(fd))
		err = -errno;
	if (fclose(f) && !err)
		err = -errno;
	if (!err)
		return root_helper_file_put(&r->replaced);
	root_helper_file_drop(&r->replaced);
	return err;
}

/* On a terminal: goes back over what was drawn, and no further. */
static void undraw(struct run *r)
{
	if (r->n_drawn)
		fprintf(r->file, "\033[%zuF\033[J", r->n_drawn);
	r->n_drawn = 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void draw(struct run *r, struct counts_report *report)
{
	CLEANUP_FREE char *text = NULL;
	struct winsize window = { 0 };
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	if (ioctl(output_fd(r->file), TIOCGWINSZ, &window) || window.ws_row < 6 || window.ws_col < 20)
		window = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	report->max_lines = window.ws_row;
	report->max_columns = window.ws_col;
	write_report(r, f, report, false);
	fclose(f);
	undraw(r);
	fputs(text, r->file);
	r->n_drawn = count_lines(text);
}

static uint64_t waits_of(void *context, const char *event, const char *source)
{
	const struct run *r = context;

	return counts_waits(r->counts, event, source);
}

static void take_audit(void *context, struct kept_counters *kept)
{
	((struct run *)context)->kept = kept;
}

static void account_interval(struct run *r)
{
	struct counts_report report = { 0 };
	json_t *audit = r->s->format->counters
				? kept_counters_judge_running(r->kept, counts_until_ns(r->counts), waits_of, r)
				: NULL;

	report.audit = audit;
	if (!r->file)
		r->error = replace_file(r, &report, false);
	else if (r->live)
		draw(r, &report);
	else
		write_report(r, r->file, &report, false);
	if (r->file && !r->error)
		r->error = output_flush(r->file);
	json_decref(audit);
}

/* ---- what comes from the trace ---- */

static bool take_line(void *context, const char *line, size_t n)
{
	struct run *r = context;
	enum guest_ips_line place = r->guest_ips ? guest_ips_take_line(r->guest_ips, line, n) : GUEST_IPS_OTHER;
	enum counts_line taken;

	if (place != GUEST_IPS_OTHER)
		return place == GUEST_IPS_TAKEN;
	taken = counts_take_line(r->counts, line, n);

	if (taken == COUNTS_SNAPSHOT && r->s->interval_ns && !r->error && (counts_has_interval(r->counts) || r->s->format->counters))
		account_interval(r);
	if (taken == COUNTS_VCPU) /* the process may be gone when its name is to be shown */
		guest_symbols_meet(r->s->guest_symbols, counts_newest_pid(r->counts),
				   vmnames_get(r->names, counts_newest_pid(r->counts)));
	return taken != COUNTS_OTHER && taken != COUNTS_MALFORMED;
}

static uint64_t boottime_of(const struct record *r)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(r->object, "clock"), "boottime"));
}

static bool is_json(const struct run *r)
{
	return !strcmp(r->s->format->name, "json");
}

/* What the kernel counted and no map holds. */
static bool lost_of(const struct run *r, json_t *end, uint64_t *ret)
{
	json_t *counted = json_object_get(end, "counted");
	uint64_t attributed = counts_attributed(r->counts);

	if (!counted || (uint64_t)json_integer_value(counted) < attributed)
		return false;
	*ret = (uint64_t)json_integer_value(counted) - attributed;
	return true;
}

/* Where guests spun, in all the time. */
static void add_guests(struct run *r, struct counts_report *report)
{
	struct guest_ip_vm *guests;
	struct counts_rows rows;

	counts_cumulative(r->counts, COUNTS_BY_VM, &rows);
	for (size_t i = 0; i < rows.n; i++)
		guest_ips_set_spins(r->guest_ips, rows.items[i].pid, rows.items[i].ple + rows.items[i].yields);
	counts_rows_done(&rows);
	report->n_guests = guest_ips_vms(r->guest_ips, &guests);
	report->guests = guests;
	guest_ips_name(guests, report->n_guests, r->names, r->s->guest_symbols);
}

static void account_total(struct run *r, const struct record *end)
{
	struct counts_report report = { .audit = json_object_get(end->object, "audit") };

	counts_finish(r->counts, boottime_of(end));
	if (r->guest_ips)
		add_guests(r, &report);
	report.lost_known = lost_of(r, end->object, &report.lost);
	if (!r->file) {
		r->error = replace_file(r, &report, true);
		return;
	}
	undraw(r);
	write_report(r, r->file, &report, true);
}

/* The end record speaks of what is in the rows, where that of a stream speaks of what was received. */
static void write_end(struct run *r, json_t *end)
{
	json_t *copy = json_copy(end);
	uint64_t lost = 0;
	bool known = lost_of(r, end, &lost);

	json_object_set_new(copy, "received", json_integer((json_int_t)counts_attributed(r->counts)));
	json_object_set_new(copy, "lost", json_integer((json_int_t)lost));
	json_object_set_new(copy, "unreported", json_integer((json_int_t)lost));
	json_object_set_new(copy, "malformed", json_integer((json_int_t)counts_malformed(r->counts)));
	if (known)
		json_object_set_new(copy, "unbalanced", json_integer(0));
	json_dumpf(copy, r->file, JSON_COMPACT);
	putc('\n', r->file);
	json_decref(copy);
}

static int take_record(void *context, const struct record *record)
{
	struct run *r = context;

	if (r->error)
		return r->error;
	if (record->type == RECORD_META)
		r->running_ns = boottime_of(record);
	if (record->type == RECORD_META && is_json(r)) {
		json_dumpf(record->object, r->file, JSON_COMPACT);
		putc('\n', r->file);
	}
	if (record->type != RECORD_END)
		return 0;
	account_total(r, record);
	if (is_json(r))
		write_end(r, record->object);
	return r->error;
}

static int flush_output(void *context)
{
	struct run *r = context;

	if (!r->error && r->file)
		r->error = output_flush(r->file);
	return r->error;
}

/* ---- from start to end ---- */

static int end_code(const struct run *r, struct live_run *l)
{
	uint64_t attributed = counts_attributed(r->counts);
	const struct session_result result = l->result;
	int code;

	/* no line per event comes, and a snapshot that is lost loses no count */
	l->result.balance.received = l->result.balance.counted;
	l->result.balance.lost = l->result.balance.unreported = 0;
	code = live_end_code(l);
	if (code || result.take_error)
		return code;
	if (result.missed)
		return fail(EXIT_UNBALANCED, "the kernel left out %" PRIu64 " runs of probes while maps were read: at most that many waits are not "
			    "counted%s%s; a longer interval, or none, makes that less likely", result.missed,
			    result.priority_error ? ", as bpftrace could not go first: " : "",
			    result.priority_error ? strerror(-result.priority_error) : "");
	if (counts_malformed(r->counts))
		return fail(EXIT_UNBALANCED, "%" PRIu64 " lines of bpftrace could not be read: counts are missing", counts_malformed(r->counts));
	if (attributed > result.balance.counted)
		return fail(EXIT_UNBALANCED, "the maps hold %" PRIu64 " waits, and %" PRIu64 " were counted", attributed,
			    result.balance.counted);
	if (attributed < result.balance.counted)
		note("%" PRIu64 " waits are in no row: there are more vCPUs than the %" PRIu64 " that the maps have room for; --max-vcpus gives "
		     "room for more", result.balance.counted - attributed, r->s->max_vcpus);
	return EXIT_OK;
}

static int read_symbols(void *context, char **ret_error)
{
	struct run *r = context;

	return guest_symbols_read(r->s->guest_symbols, true, ret_error);
}

static int count(struct run *r, struct live_run *l)
{
	int code;

	l->options.take = take_record;
	l->options.take_line = take_line;
	l->options.flush = flush_output;
	l->options.unprivileged = read_symbols;
	l->options.waits_of = waits_of;
	l->options.audited = take_audit;
	l->options.context = r;
	l->options.map_keys = map_keys(r->s);
	l->options.reads_maps = true;
	l->options.replaced = r->file ? NULL : &r->replaced;
	l->options.program.interval_ms = (unsigned int)(r->s->interval_ns / NS_PER_MS);
	code = live_trace(l);
	return code ? code : end_code(r, l);
}

/* What --counts leaves out cannot be shown, nor can addresses as counters or as rows of vCPUs. */
static int check_shown(const struct settings *s)
{
	const char *format = s->format ? s->format->name : "table";

	if (s->guest_ip && strcmp(format, "table") != 0 && strcmp(format, "json") != 0)
		return fail(EXIT_USAGE, "--guest-ip cannot be shown as %s: use -f table or -f json", format);
	if (s->counts && (s->hist || (s->top && s->top->of_outcome)))
		return fail(EXIT_USAGE, "--counts and %s%s cannot be combined: --counts measures no durations", s->hist ? "--hist" : "--top ",
			    s->hist ? "" : s->top->name);
	return EXIT_OK;
}

static void set_defaults(struct settings *s)
{
	if (!s->by)
		s->by = COUNTS_BY_VM | COUNTS_BY_VCPU;
	if (!s->format)
		s->format = counts_format_find("table");
	if (!s->interval_ns && is_on_terminal(s))
		s->interval_ns = DEFAULT_INTERVAL_NS;
}

static int stat_run(struct settings *s, int argc, char **argv)
{
	CLEANUP_LIVE struct live_run l = { 0 };
	CLEANUP_FREE struct wait_name *waits = NULL;
	struct run r = { .s = s, .replaced.directory_fd = -1 };
	const char *const parts[] = { s->counts ? "count" : "stat", "guest_ip", "guest_ip_counts" };
	size_t n_waits;
	int code = check_shown(s);

	set_defaults(s);
	if (!code)
		code = live_check_guest_symbols(s->guest_symbols, s->guest_ip);
	if (!code)
		code = live_plan(&l, &s->live, argc, argv);
	if (!code)
		code = live_prepare(&l, parts, s->guest_ip ? ARRAY_SIZE(parts) : 1);
	if (!code && !s->max_vcpus)
		s->max_vcpus = l.max_vcpus;
	if (!code)
		code = live_open(&l, s->output, s->format->counters ? &r.replaced : NULL);
	if (code)
		return code;
	r.file = l.file;
	r.live = is_on_terminal(s);
	origin_of_plan(&l.loaded.plan, &r.origin);
	r.names = vmnames_new("");
	r.labels = vm_labels_new();
	n_waits = program_waits(l.loaded.plan.chosen, &waits);
	r.counts = counts_new(waits, n_waits);
	r.guest_ips = s->guest_ip ? guest_ips_new() : NULL;
	code = count(&r, &l);
	guest_ips_free(r.guest_ips);
	counts_free(r.counts);
	vmnames_free(r.names);
	vm_labels_free(r.labels);
	replaced_file_done(&r.replaced);
	origin_done(&r.origin);
	return code;
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	int code;

	if (options_take(argc, argv, &command_stat, &s, &code))
		code = stat_run(&s, argc, argv);
	guest_symbols_free(s.guest_symbols);
	return code;
}

const struct command command_stat = {
	.name = "stat",
	.run = run,
	.arguments = "[OPTION]... [-- COMMAND [ARG]...]",
	.help = "count waits in the kernel: rates, halts, yields, time ready",
	.options = options,
	.more = "Without -d and COMMAND it runs until Ctrl-C, and then prints the totals. On a terminal it redraws the\n"
		"rows every second. p50 and p99 come from powers of two, so they are exact within a factor of two.",
	.runs_command = true,
};
