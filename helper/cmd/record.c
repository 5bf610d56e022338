// SPDX-License-Identifier: Apache-2.0
// kvmwait record: a trace into a file that is looked at later, elsewhere; with the plan and the program it was made with.
#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/live_run.h"
#include "ledger/counts.h"
#include "live/child.h"
#include "record/recording_write.h"
#include "show/blame_show.h"
#include "show/counts_show.h"
#include "show/plan_show.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END_BYTES (16u << 10)	 /* kept for the records that close the file */
#define BLAME_BYTES (240u << 10) /* what the blame record may take */
#define ROW_BYTES 1024u		 /* and a row of the account */
#define LEAST_ROWS 64u		 /* room is kept for so many, or twice as many as there are vCPUs */
#define MAX_INTERVAL_NS (INT32_MAX * NS_PER_MS)

struct settings {
	struct live_options live;
	struct recorder_settings file;
	uint64_t interval_ns;
	bool no_outcome, no_account, blame, guest_ip;
};

static const struct option_row options[] = {
	{ 'o', "output", "FILE", "write to FILE (- is standard output); a file whose name ends in .zst is compressed", TO_TEXT(file.path) },
	OPTION_DURATION,
	{ 0, "max-size", "SIZE", "end when the file has nearly SIZE bytes, such as 500M or 2G; 1M at least", TO_SIZE(file.max_bytes), .min = RECORDER_MIN_BYTES },
	{ 'z', "compress", NULL, "compress with zstd, whatever the name of the file is", TO_FLAG(file.compress) },
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_EVENT,
	{ 0, "no-outcome", NULL, "record events without their outcomes: costs less", TO_FLAG(no_outcome) },
	{ 0, "no-account", NULL, "leave out the account of each vCPU's time: costs less", TO_FLAG(no_account) },
	{ 'i', "interval", "SEC", "record the account of every SEC seconds as well: costs much more", TO_SECONDS(interval_ns),
	  .min = MIN_INTERVAL_NS, .max = MAX_INTERVAL_NS },
	OPTION_GUEST_IP,
	{ 0, "blame", NULL, "add the culprits that occupied the CPUs of ready vCPUs, as kvmwait blame does", TO_FLAG(blame) },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	OPTION_VERBOSE,
	{ 0 },
};

struct run {
	const struct settings *s;
	const struct plan *plan;
	char *program; /* what bpftrace runs */
	struct recorder *recorder;
	struct blame *blame; /* NULL: not asked for */
	struct counts *counts; /* of the account; NULL: there is none */
	struct vmnames *names; /* of its VMs */
	struct origin origin;
	uint64_t running_ns; /* CLOCK_BOOTTIME */
	struct progress progress;
	uint64_t began_ns;
	uint64_t records, lost;
	uint64_t sched;			  /* lines of the scheduler, which go into the blame record */
	uint64_t unwritten, unwritten_outcomes; /* for which there was no room */
	uint64_t hidden_lost;			  /* of lost records for which there was none */
	size_t map_keys;
	int account_error;
	bool full;
	bool no_room; /* for the account of all the time */
};

/* ---- records ---- */

static int write_object(struct run *r, enum record_type type, json_t *object)
{
	struct record record = { .type = type, .object = object };
	int err = recorder_write(r->recorder, &record, true);

	json_decref(object);
	return err;
}

/* What is null in the plan is left out in the record, where each field has one type. */
static void drop_nulls(json_t *value)
{
	const char *key;
	json_t *item;
	void *next;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach_safe(value, next, key, item) {
			if (json_is_null(item))
				json_object_del(value, key);
			else
				drop_nulls(item);
		}
	}
	json_array_foreach(value, i, item) {
		drop_nulls(item);
	}
}

static void keep_program(void *context, const char *program)
{
	struct run *r = context;

	r->program = xstrdup(program);
}

static int write_plan(struct run *r)
{
	json_t *plan = plan_json(r->plan);

	drop_nulls(plan);
	return write_object(r, RECORD_PLAN, json_pack("{s:s, s:o, s:s}", "type", "plan", "plan", plan, "program", r->program));
}

static int write_event(struct run *r, const struct record *record)
{
	bool counts = record->type == RECORD_WAIT || record->outcome.end != OUTCOME_UNSEEN;
	int err = recorder_write(r->recorder, record, false);

	r->records += !err;
	if (err != -ENOBUFS)
		return err;
	r->full = true;
	r->unwritten += counts;
	r->unwritten_outcomes += counts && record->type == RECORD_OUTCOME;
	return 0;
}

static int write_lost(struct run *r, const struct record *record)
{
	int err;

	r->lost += (uint64_t)json_integer_value(json_object_get(record->object, "lost"));
	err = recorder_write(r->recorder, record, false);
	if (err != -ENOBUFS)
		return err;
	r->hidden_lost += (uint64_t)json_integer_value(json_object_get(record->object, "lost"));
	return 0;
}

/* ---- the account ---- */

/* Of an interval, or of all the time. One for which there is no room is left out, and the end record says so. */
static int write_account(struct run *r, bool total)
{
	const unsigned int by = COUNTS_BY_VM | COUNTS_BY_VCPU;
	struct counts_report report = { .origin = &r->origin, .names = r->names, .by = by, .total = total, .has_account = true };
	struct counts_rows rows;
	struct record record = { .type = RECORD_STAT };
	int err;

	if (total)
		counts_total(r->counts, by, r->running_ns, &rows);
	else
		counts_interval(r->counts, by, &rows);
	report.rows = &rows;
	report.full = counts_keys(r->counts) >= r->map_keys;
	record.object = counts_report_json(&report);
	counts_rows_done(&rows);
	err = recorder_write(r->recorder, &record, total);
	json_decref(record.object);
	if (err != -ENOBUFS)
		return err;
	r->full = true;
	r->no_room |= total;
	return 0;
}

static bool take_line(void *context, const char *line, size_t n)
{
	struct run *r = context;
	enum counts_line taken = r->counts ? counts_take_line(r->counts, line, n) : COUNTS_OTHER;

	if (taken == COUNTS_VCPU) /* its process may have ended when the name is written */
		vmnames_get(r->names, counts_newest_pid(r->counts));
	if (taken == COUNTS_SNAPSHOT && r->s->interval_ns && counts_has_interval(r->counts) && !r->account_error)
		r->account_error = write_account(r, false);
	return taken != COUNTS_OTHER && taken != COUNTS_MALFORMED;
}

/* The last interval, which is not over, and all the time. */
static int end_account(struct run *r, uint64_t until_ns)
{
	int err = r->account_error;

	counts_finish(r->counts, until_ns);
	if (!err && r->s->interval_ns && counts_has_interval(r->counts))
		err = write_account(r, false);
	return err ? err : write_account(r, true);
}

/* ---- the end ---- */

static void add_to(json_t *object, const char *field, int64_t more)
{
	json_object_set_new(object, field, json_integer(json_integer_value(json_object_get(object, field)) + more));
}

/* The end record speaks of what is in the file. */
static int write_end(struct run *r, const struct record *record)
{
	json_t *end = json_copy(record->object);
	int err = r->counts ? end_account(r, json_count(json_object_get(end, "clock"), "boottime")) : 0;

	if (r->blame && !err)
		err = write_object(r, RECORD_BLAME, blame_record_json(r->blame, BLAME_BYTES));
	if (r->sched)
		json_object_set_new(end, "sched", json_integer((json_int_t)r->sched));
	if (r->unwritten) {
		add_to(end, "received", -(int64_t)r->unwritten);
		add_to(end, "lost", (int64_t)r->unwritten);
		add_to(end, "unwritten", (int64_t)r->unwritten);
	}
	if (r->unwritten_outcomes)
		add_to(end, "outcomes", -(int64_t)r->unwritten_outcomes);
	if (!err && r->unwritten + r->hidden_lost)
		err = write_object(r, RECORD_LOST,
				   json_pack("{s:s, s:I, s:O}", "type", "lost", "lost", (json_int_t)r->unwritten + (json_int_t)r->hidden_lost, "ts",
					     json_object_get(json_object_get(end, "clock"), "boottime")));
	if (!err)
		return write_object(r, RECORD_END, end);
	json_decref(end);
	return err;
}

static int take_record(void *context, const struct record *record)
{
	struct run *r = context;
	int err;

	if (r->blame)
		blame_take(r->blame, record);
	switch ((int)record->type) {
	case RECORD_META:
		r->running_ns = json_count(json_object_get(record->object, "clock"), "boottime");
		err = recorder_write(r->recorder, record, true);
		return err ? err : write_plan(r);
	case RECORD_SCHED:
		r->sched += record->sched.kind != SCHED_BLIND && record->sched.kind != SCHED_SIGHT;
		return 0;
	case RECORD_LOST:
		return write_lost(r, record);
	case RECORD_END:
		return write_end(r, record);
	default:
		return write_event(r, record);
	}
}

/* ---- while it runs ---- */

/* "12.3 MB"; the caller frees. */
static char *size_text(uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	uint64_t tenths = bytes / 100;
	size_t unit = 0;

	for (; tenths >= 10000 && unit + 1 < ARRAY_SIZE(units); unit++)
		tenths /= 1000;
	return xasprintf("%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
}

static int flush_output(void *context)
{
	struct run *r = context;
	uint64_t now = monotonic_ns();
	CLEANUP_FREE char *size = r->progress.shows ? size_text(recorder_bytes(r->recorder)) : NULL;

	if (!r->began_ns) {
		r->began_ns = now;
		progress_start(&r->progress);
	}
	if (size)
		progress_show(&r->progress, "recording, %" PRIu64 " s: %" PRIu64 " records, %s, %" PRIu64 " lost",
			      (now - r->began_ns) / NS_PER_S, r->records, size, r->lost);
	return recorder_flush(r->recorder);
}

static const char *has_enough(void *context)
{
	struct run *r = context;

	return r->full || recorder_is_nearly_full(r->recorder) ? "the file is full" : NULL;
}

/* ---- from start to end ---- */

static int say_end(const struct run *r, const struct live_run *l)
{
	CLEANUP_FREE char *size = size_text(recorder_bytes(r->recorder));
	const char *path = r->s->file.path;
	int err = l->result.take_error, code;

	if (err == -ENOSPC || err == -EDQUOT)
		return fail(EXIT_FAILED, "the recording ends early: '%s': %s; what is in it can be read: 'kvmwait report' says what is missing. "
			    "Make room, or record less with --max-size, --compress or a filter", path, strerror(-err));
	if (err == -EFBIG)
		return fail(EXIT_FAILED, "the recording ends early: '%s': %s (ulimit -f); what is in it can be read. Raise the limit, or stay "
			    "below it with --max-size", path, strerror(-err));
	if (r->unwritten)
		note("'%s' was full before the last events came: %" PRIu64 " of them are not in it, and count as lost", path, r->unwritten);
	if (r->no_room)
		note("'%s' does not have the account of each vCPU's time: it did not fit", path);
	code = live_end_code(l);
	if (!code && l->result.missed)
		return fail(EXIT_UNBALANCED, "the kernel left out %" PRIu64 " runs of probes while maps were read: at most that many events are missing%s",
			    l->result.missed, r->s->interval_ns ? "; a longer --interval, or none, makes that less likely" : "");
	if (!code && r->counts && counts_malformed(r->counts))
		return fail(EXIT_UNBALANCED, "%" PRIu64 " lines of bpftrace could not be read: the account of the vCPUs can be wrong",
			    counts_malformed(r->counts));
	if (!code && r->progress.shows)
		fprintf(stderr, "kvmwait: '%s': %" PRIu64 " records, %s, %" PRIu64 " lost: %s\n", path, r->records, size, r->lost + r->unwritten,
			l->result.why);
	return code;
}

/* Which state a vCPU is in follows from all events. */
static bool has_all_events(const struct settings *s)
{
	unsigned int events = s->live.filter.events;

	for (size_t i = 0; events && i < n_event_kinds; i++)
		if (!(events & event_bit(event_kinds[i].name)))
			return false;
	return true;
}

static size_t choose_parts(struct settings *s, const struct plan *plan, const char *parts[4])
{
	size_t n = 0;

	s->no_account |= !has_all_events(s);
	if (!s->no_account && plan->chosen && !plan_find_part(plan, "stat")) {
		note("the recording has no account of each vCPU's time: this kernel does not support the part 'stat': %s", plan_why_no_part(plan, "stat"));
		s->no_account = true;
	}
	if (!s->no_account)
		parts[n++] = "stat";

	if (!s->no_outcome && plan->chosen && !plan_find_part(plan, "outcome"))
		note("without what followed the events: this kernel does not give the part 'outcome': %s",
		     plan_why_no_part(plan, "outcome"));
	else if (!s->no_outcome)
		parts[n++] = "outcome";
	if (s->blame)
		parts[n++] = "blame";
	if (s->guest_ip)
		parts[n++] = "guest_ip";
	return n;
}

/* What is kept for the end of the file: room for the vCPUs that there can be, within a quarter of it. */
static uint64_t bytes_of_end(const struct settings *s, const struct live_run *l)
{
	uint64_t n = LEAST_ROWS, bytes;

	for (size_t i = 0; i < l->vms.n; i++)
		n += 2 * l->vms.items[i].n_vcpus;
	bytes = s->no_account ? 0 : n * ROW_BYTES;
	if (bytes > s->file.max_bytes / 4)
		bytes = s->file.max_bytes / 4;
	return END_BYTES + bytes + (s->blame ? BLAME_BYTES : 0);
}

static int open_recorder(const struct settings *s, const struct live_run *l, struct recorder **ret)
{
	struct recorder_settings settings = s->file;
	CLEANUP_FREE char *why = NULL;
	size_t n = strlen(settings.path);

	settings.compress |= n > 4 && !strcmp(settings.path + n - 4, ".zst");
	settings.keep_bytes = bytes_of_end(s, l);
	signal(SIGXFSZ, SIG_IGN); /* comes back as EFBIG */
	if (recorder_open(&settings, ret, &why))
		return fail(EXIT_FAILED, "the recording cannot be written: %s", why);
	return EXIT_OK;
}

static int record(struct run *r, struct live_run *l)
{
	int code, err;

	l->options.attached = keep_program;
	l->options.take = take_record;
	l->options.take_line = take_line;
	l->options.flush = flush_output;
	l->options.enough = r->s->file.max_bytes ? has_enough : NULL;
	l->options.context = r;
	l->options.hold = r->blame ? SESSION_HOLD_WHERE_NEEDED : SESSION_HOLD_NEVER;
	if (r->counts) {
		l->options.map_keys = (unsigned int)l->max_vcpus * LIVE_VCPU_KEYS;
		l->options.reads_maps = r->s->interval_ns != 0;
		l->options.program.keeps_lines = true;
		l->options.program.interval_ms = (unsigned int)(r->s->interval_ns / NS_PER_MS);
		r->map_keys = l->options.map_keys;
	}
	l->output = r->s->file.path;
	if (strcmp(l->output, "-"))
		l->options.command_stdout = STDOUT_FILENO;
	code = live_trace(l);
	progress_end(&r->progress);
	if (code)
		return code;
	err = recorder_finish(r->recorder);
	if (err && !l->result.take_error)
		l->result.take_error = err;
	return say_end(r, l);
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	CLEANUP_LIVE struct live_run l = { 0 };
	struct run r = { .s = &s, .plan = &l.loaded.plan };
	CLEANUP_FREE struct wait_name *waits = NULL;
	const char *parts[4];
	size_t n_waits;
	int code;

	if (!options_take(argc, argv, &command_record, &s, &code))
		return code;
	if (!s.file.path)
		return fail(EXIT_USAGE, "record needs a file: -o FILE, or -o - for a pipe");
	if (s.no_account && s.interval_ns)
		return fail(EXIT_USAGE, "--interval and --no-account cannot be combined");
	code = live_plan(&l, &s.live, argc, argv);
	if (!code)
		code = live_prepare(&l, parts, choose_parts(&s, &l.loaded.plan, parts));
	if (!code)
		code = open_recorder(&s, &l, &r.recorder);
	if (code)
		return code;
	if (s.blame) {
		r.blame = blame_new(blame_look_up, blame_look_up_cgroup, &l.sleep_rules, NULL);
		blame_filter(r.blame, &l.options.program.filter);
	}
	if (!s.no_account) {
		n_waits = program_waits(l.loaded.plan.chosen, &waits);
		r.counts = counts_new(waits, n_waits);
		r.names = vmnames_new("");
		origin_of_plan(&l.loaded.plan, &r.origin);
	}
	code = record(&r, &l);
	counts_free(r.counts);
	vmnames_free(r.names);
	origin_done(&r.origin);
	blame_free(r.blame);
	recorder_close(r.recorder);
	free(r.program);
	return code;
}

const struct command command_record = {
	.name = "record",
	.run = run,
	.arguments = "-o FILE [OPTION]... [-- COMMAND [ARG]...]",
	.help = "trace into a file, to look at it later or on another machine",
	.options = options,
	.more = "Without -d and COMMAND it runs until Ctrl-C, or until the file is full. With COMMAND it runs as long as the\n"
		"command does. 'kvmwait report' and 'kvmwait convert' read the file, unprivileged.",
	.runs_command = true,
};
