// SPDX-License-Identifier: Apache-2.0
// kvmwait record: a trace into a file that is looked at later, elsewhere; with the plan and the program it was made with.
#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "cmd/live_run.h"
#include "live/child.h"
#include "record/recording_write.h"
#include "show/blame_show.h"
#include "show/plan_show.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END_BYTES (16u << 10)	 /* kept for the records that close the file */
#define BLAME_BYTES (256u << 10) /* the same, and what the blame record may take */

enum {
	OPT_MAX_SIZE = OPT_FIRST,
	OPT_NO_OUTCOME,
	OPT_BLAME,
};

const struct option_help record_options[] = {
	{ 'o', "output", "FILE", "write there, - for standard output; a name that ends in .zst is compressed", 'o' },
	OPTION_DURATION,
	{ 0, "max-size", "SIZE", "end when the file has so many bytes (K, M, G), 1M at least", OPT_MAX_SIZE },
	{ 'z', "compress", NULL, "compress with zstd, whatever the name", 'z' },
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_EVENT,
	{ 0, "no-outcome", NULL, "only the events, not what followed them: costs less", OPT_NO_OUTCOME },
	{ 0, "blame", NULL, "say at the end who had the CPU of vCPUs that spins waited for", OPT_BLAME },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	OPTION_VERBOSE,
	{ 0 },
};

struct settings {
	struct tracing tracing;
	struct recorder_settings file;
	bool no_outcome, blame;
};

struct run {
	const struct settings *s;
	const struct plan *plan;
	const struct program *program;
	struct recorder *recorder;
	struct blame *blame; /* NULL: not asked for */
	struct progress progress;
	uint64_t began_ns;
	uint64_t records, lost;
	uint64_t sched;			  /* lines of the scheduler, which go into the blame record */
	uint64_t unwritten, unwritten_outcomes; /* for which there was no room */
	uint64_t hidden_lost;			  /* of lost records for which there was none */
	bool full;
};

/* ---- options ---- */

/* An exit code, or OPTION_TAKEN to go on. */
static int take_option(void *settings, int id)
{
	struct settings *s = settings;
	int code = tracing_take_option(&s->tracing, id);

	if (code != OPTION_OTHER)
		return code;
	switch (id) {
	case 'o':
		s->file.path = optarg;
		break;
	case 'z':
		s->file.compress = true;
		break;
	case OPT_MAX_SIZE:
		if (parse_size(optarg, &s->file.max_bytes) || s->file.max_bytes < RECORDER_MIN_BYTES)
			return fail(EXIT_USAGE, "no size of a file, 1M at least: '%s'", optarg);
		break;
	case OPT_NO_OUTCOME:
		s->no_outcome = true;
		break;
	case OPT_BLAME:
		s->blame = true;
		break;
	default:
		return id ? EXIT_USAGE : EXIT_OK;
	}
	return OPTION_TAKEN;
}

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

static int write_plan(struct run *r)
{
	CLEANUP_FREE char *text = program_render(r->program);
	json_t *plan = plan_json(r->plan);

	drop_nulls(plan);
	return write_object(r, RECORD_PLAN, json_pack("{s:s, s:o, s:s}", "type", "plan", "plan", plan, "program", text));
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

static void add_to(json_t *object, const char *field, int64_t more)
{
	json_object_set_new(object, field, json_integer(json_integer_value(json_object_get(object, field)) + more));
}

/* The end record speaks of what is in the file. */
static int write_end(struct run *r, const struct record *record)
{
	json_t *end = json_copy(record->object);
	int err = 0;

	if (r->blame)
		err = write_object(r, RECORD_BLAME, blame_record_json(r->blame, BLAME_BYTES - END_BYTES));
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

static int say_end(const struct run *r, const struct session_result *result)
{
	CLEANUP_FREE char *size = size_text(recorder_bytes(r->recorder));
	const char *path = r->s->file.path;
	int err = result->take_error, code;

	if (err == -ENOSPC || err == -EDQUOT)
		return fail(EXIT_FAILED, "the recording ends early: '%s': %s; what is in it can be read: 'kvmwait report' says what is missing. "
			    "Make room, or record less with --max-size, --compress or a filter", path, strerror(-err));
	if (err == -EFBIG)
		return fail(EXIT_FAILED, "the recording ends early: '%s': %s (ulimit -f); what is in it can be read. Raise the limit, or stay "
			    "below it with --max-size", path, strerror(-err));
	if (r->unwritten)
		note("'%s' was full before the last events came: %" PRIu64 " of them are not in it, and count as lost", path,
		     r->unwritten);
	code = tracing_end_code(result, path);
	if (!code && r->progress.shows)
		fprintf(stderr, "kvmwait: '%s': %" PRIu64 " records, %s, %" PRIu64 " lost: %s\n", path, r->records, size, r->lost + r->unwritten,
			result->why);
	return code;
}

static int run(struct run *r, struct session_options *options)
{
	struct session_result result;
	int code, err;

	options->take = take_record;
	options->flush = flush_output;
	options->enough = r->s->file.max_bytes ? has_enough : NULL;
	options->context = r;
	if (strcmp(r->s->file.path, "-"))
		options->command_stdout = STDOUT_FILENO;
	code = tracing_run(options, &result);
	progress_end(&r->progress);
	if (code)
		return code;
	err = recorder_finish(r->recorder);
	if (err && !result.take_error)
		result.take_error = err;
	return say_end(r, &result);
}

static size_t choose_parts(const struct settings *s, const struct plan *plan, const char *parts[2])
{
	size_t n = 0;

	if (!s->no_outcome && plan->chosen && !plan_find_part(plan, "outcome"))
		note("without what followed the events: this kernel does not give the part 'outcome': %s",
		     plan_why_no_part(plan, "outcome"));
	else if (!s->no_outcome)
		parts[n++] = "outcome";
	if (s->blame)
		parts[n++] = "blame";
	return n;
}

static int open_recorder(const struct settings *s, struct recorder **ret)
{
	struct recorder_settings settings = s->file;
	CLEANUP_FREE char *why = NULL;
	size_t n = strlen(settings.path);

	settings.compress |= n > 4 && !strcmp(settings.path + n - 4, ".zst");
	settings.keep_bytes = s->blame ? BLAME_BYTES : END_BYTES;
	signal(SIGXFSZ, SIG_IGN); /* comes back as EFBIG */
	if (recorder_open(&settings, ret, &why))
		return fail(EXIT_FAILED, "the recording cannot be written: %s", why);
	return EXIT_OK;
}

static int start(void *settings, char **command, const struct plan *plan)
{
	struct settings *s = settings;
	const char *parts[2];
	struct session_options options;
	CLEANUP_FREE char *bpftrace = NULL;
	struct run r = { .s = s, .plan = plan, .program = &options.program };
	int code;

	if (!s->file.path)
		return fail(EXIT_USAGE, "record needs a file: -o FILE, or -o - for a pipe");
	code = tracing_prepare(&s->tracing, plan, parts, choose_parts(s, plan, parts), &options);
	if (code)
		return code;
	bpftrace = options.bpftrace;
	options.command = command;
	options.hold = s->blame ? SESSION_HOLD_WHERE_NEEDED : SESSION_HOLD_NEVER;
	code = open_recorder(s, &r.recorder);
	if (code)
		return code;
	if (s->blame)
		r.blame = blame_new(blame_look_up, NULL);
	code = run(&r, &options);
	blame_free(r.blame);
	recorder_close(r.recorder);
	return code;
}

int cmd_record(int argc, char **argv)
{
	struct settings s = { 0 };

	return tracing_command(argc, argv, "record", take_option, start, &s);
}
