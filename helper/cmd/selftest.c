// SPDX-License-Identifier: Apache-2.0
// kvmwait selftest: a guest of known behaviour runs on this host, and what was seen has to equal what it did.
#include "base/file.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/live_run.h"
#include "cmd/plan_load.h"
#include "ledger/selftest_count.h"
#include "live/child.h"
#include "live/session.h"
#include "record/balance.h"
#include "show/plan_show.h"
#include "show/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct settings {
	const char *guest, *skip, *bpftrace, *where;
	uint64_t show;
	bool json, verbose;
};

static const struct option_row options[] = {
	{ 'j', "json", NULL, "print the result as JSON", TO_FLAG(json) },
	{ 0, "show", "N", "print the first N waits, and only the first of equal waits in a row (default: 20)", TO_NUMBER(show) },
	{ 0, "skip", "LIST", "skip these operations of the guest, which 'kvmwait-guest --list' lists", TO_TEXT(skip) },
	{ 0, "guest", "PATH", "use this kvmwait-guest", TO_TEXT(guest) },
	{ 0, "bpftrace", "PATH", "use this bpftrace", TO_TEXT(bpftrace) },
	{ 0, "where", "TEXT", "add TEXT to the first line", TO_TEXT(where) },
	{ 'v', "verbose", NULL, "pass the messages of bpftrace to standard error", TO_FLAG(verbose) },
	{ 0 },
};

struct run {
	struct selftest_count tally;
	struct stream output;
	json_t *end; /* the end record */
	uint64_t left_to_show;
	struct wait_event shown;
};

static bool is_alike(const struct wait_event *a, const struct wait_event *b)
{
	return a->pid == b->pid && a->vcpu == b->vcpu && !strcmp(a->event, b->event) && !strcmp(a->source, b->source) &&
	       a->target == b->target;
}

static int take_record(void *context, const struct record *r)
{
	struct run *run = context;

	if (r->type == RECORD_META)
		stream_write(&run->output, r);
	if (r->type == RECORD_END)
		run->end = json_incref(r->object);
	if (r->type != RECORD_WAIT)
		return 0;
	selftest_count_see(&run->tally, &r->wait);
	if (run->left_to_show && !is_alike(&r->wait, &run->shown)) {
		run->left_to_show--;
		run->shown = r->wait;
		stream_write(&run->output, r);
	}
	return 0;
}

static int flush_record(void *context)
{
	return stream_flush(&((struct run *)context)->output);
}

/* The guest program: given, beside this program, or where programs are installed. */
static char *find_guest(const char *given)
{
	static const char *const places[] = { KVMWAIT_BINDIR "/kvmwait-guest", "/usr/bin/kvmwait-guest" };
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (given)
		return access(given, X_OK) ? NULL : xstrdup(given);
	if (n > 0) {
		CLEANUP_FREE char *beside = NULL;

		exe[n] = '\0';
		*strrchr(exe, '/') = '\0';
		beside = xasprintf("%s/kvmwait-guest", exe);
		if (!access(beside, X_OK))
			return xstrdup(beside);
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!access(places[i], X_OK))
			return xstrdup(places[i]);
	return NULL;
}

/* What the guest wrote into the file in memory. */
static json_t *read_report(int fd)
{
	CLEANUP_FREE char *path = xasprintf("/proc/self/fd/%d", fd);
	CLEANUP_FREE char *text = NULL;
	size_t size;

	if (file_read(path, 16u << 20, &text, &size))
		return NULL;
	return json_loadb(text, size, 0, NULL);
}

/* ---- the table ---- */

struct sum {
	const char *event, *source;
	uint64_t did, seen;
	bool open, differs;
};

static size_t sum_rows(const struct selftest_count *t, struct sum *sums, size_t max)
{
	size_t n = 0, j;

	for (size_t i = 0; i < t->n; i++) {
		const struct selftest_count_row *row = &t->rows[i];

		for (j = 0; j < n; j++)
			if (!strcmp(sums[j].event, row->key.event) && !strcmp(sums[j].source, row->key.source))
				break;
		if (j == max)
			continue;
		if (j == n)
			sums[n++] = (struct sum){ .event = row->key.event, .source = row->key.source };
		sums[j].did += row->did;
		sums[j].seen += row->seen;
		sums[j].open |= row->open;
		sums[j].differs |= selftest_count_row_differs(row);
	}
	return n;
}

static enum fidelity fidelity_of(const struct verdict *v, const char *event, const char *source)
{
	for (size_t i = 0; i < v->n_sources; i++)
		if (!strcmp(v->sources[i].event, event) && !strcmp(v->sources[i].source, source))
			return v->sources[i].fidelity;
	return FIDELITY_ABSENT;
}

static const char *judge(const struct verdict *v, const struct sum *s)
{
	if (s->open)
		return "not compared: the CPU decides which PAUSE exits";
	if (!s->differs)
		return "ok";
	return fidelity_of(v, s->event, s->source) == FIDELITY_EXACT ? "FAILED" : fidelity_name(fidelity_of(v, s->event, s->source));
}

/* Is anything off that is claimed to be exact? */
static bool has_failed(const struct verdict *v, const struct selftest_count *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (selftest_count_row_differs(&t->rows[i]) &&
		    (fidelity_of(v, t->rows[i].key.event, t->rows[i].key.source) == FIDELITY_EXACT || !t->rows[i].did))
			return true;
	return false;
}

static void print_could_not(json_t *report)
{
	json_t *list = json_object_get(report, "could_not"), *item;
	const char *last = "";
	size_t index;

	json_array_foreach(list, index, item) {
		const char *op = json_string_value(json_object_get(item, "op"));
		const char *why = json_string_value(json_object_get(item, "why"));

		if (!op || !why || !strcmp(op, last))
			continue;
		printf("not exercised here: %s: %s\n", op, why);
		last = op;
	}
}

static uint64_t must_not_count(json_t *report)
{
	json_t *list = json_object_get(report, "must_not_count"), *item;
	uint64_t n = 0;
	size_t index;

	json_array_foreach(list, index, item)
		n += (uint64_t)json_integer_value(json_object_get(item, "count"));
	return n;
}

static void print_result(const struct plan *plan, const struct run *run, json_t *report, const struct session_result *r)
{
	struct sum sums[32];
	size_t n = sum_rows(&run->tally, sums, ARRAY_SIZE(sums));
	const struct balance *b = &r->balance;
	CLEANUP_FREE char *balance = NULL;

	printf(" ...\n\n%-10s %-7s %11s %8s\n", "event", "source", "guest did", "seen");
	for (size_t i = 0; i < n; i++)
		printf("%-10s %-7s %11" PRIu64 " %8" PRIu64 "  %s\n", sums[i].event, sums[i].source, sums[i].did, sums[i].seen,
		       judge(plan->chosen, &sums[i]));
	for (size_t i = 0; i < run->tally.n; i++) {
		const struct selftest_count_row *row = &run->tally.rows[i];

		if (selftest_count_row_differs(row))
			printf("differs: pid %" PRIu32 " vCPU %" PRId64 " %s %s target %" PRId64 ": guest did %" PRIu64 ", seen %" PRIu64
			       "\n",
			       row->key.pid, row->key.vcpu, row->key.event, row->key.source, row->key.target, row->did, row->seen);
	}
	printf("and %" PRIu64 " things that must not count did not\n", must_not_count(report));
	print_could_not(report);
	if (run->tally.others)
		printf("other VMs on this host: %" PRIu64 " events\n", run->tally.others);
	balance = balance_text(b);
	puts(balance);
	stream_audit(stdout, run->end);
}

static json_t *result_json(const struct plan *plan, const struct run *run, json_t *report, const struct session_result *r, bool failed)
{
	struct sum sums[32];
	size_t n = sum_rows(&run->tally, sums, ARRAY_SIZE(sums));
	json_t *rows = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:I, s:s}", "event", sums[i].event, "source", sums[i].source,
						      "did", (json_int_t)sums[i].did, "seen", (json_int_t)sums[i].seen, "verdict",
						      judge(plan->chosen, &sums[i])));
	return json_pack("{s:b, s:s, s:s, s:o, s:O, s:I, s:I, s:I}", "passed", !failed, "kernel", plan->kernel->release, "script",
			   plan->chosen->script->name, "rows", rows, "could_not", json_object_get(report, "could_not"), "counted",
			   (json_int_t)r->balance.counted, "received", (json_int_t)r->balance.received, "lost", (json_int_t)r->balance.lost);
}

/* ---- the run ---- */

static int conclude(const struct settings *s, const struct plan *plan, struct run *run, const struct session_result *r, int report_fd)
{
	json_t *report = read_report(report_fd);
	bool failed;

	if (!report || selftest_count_report(&run->tally, report)) {
		json_decref(report);
		return fail(EXIT_FAILED, "the guest wrote no report (exit status %d); see its message above", r->command_status);
	}
	failed = has_failed(plan->chosen, &run->tally) || r->command_status;
	if (s->json)
		print_json(result_json(plan, run, report, r, failed || !session_balances(r) || *r->audit_differs));
	else
		print_result(plan, run, report, r);
	json_decref(report);
	if (r->command_status)
		return fail(EXIT_FAILED, "the guest failed: exit status %d", r->command_status);
	if (failed)
		return fail(EXIT_FAILED, "the trace differs from what the guest did: do not trust this script on this kernel");
	if (!session_balances(r))
		return fail(EXIT_UNBALANCED, "received + lost is not what the kernel counted");
	if (*r->audit_differs)
		return fail(EXIT_UNBALANCED, "the audit fails: %s", r->audit_differs);
	return EXIT_OK;
}

static int run_guest(const struct settings *s, const struct plan *plan, char *bpftrace, char *guest)
{
	char *command[] = { guest, (char *)"-n", (char *)"test", s->skip ? (char *)"--skip" : NULL, (char *)s->skip, NULL };
	CLEANUP_FD int report_fd = memfd_create("report", MFD_CLOEXEC);
	CLEANUP_FILE FILE *nowhere = s->json ? fopen("/dev/null", "we") : NULL;
	struct run run = { .left_to_show = s->show };
	struct session_options trace = {
		.plan = plan,
		.program.script = plan->chosen,
		.bpftrace = bpftrace,
		.command = command,
		.command_stdout = report_fd,
		.message = s->verbose ? live_print_message : NULL,
		.remark = live_print_remark,
		.progress = !s->verbose,
		.take = take_record,
		.flush = flush_record,
		.context = &run,
	};
	struct session_result result;
	CLEANUP_FREE char *why = NULL;
	int code = live_check_kernel(plan, &trace.program);

	if (code)
		return code;
	stream_init(&run.output, stream_format_find("table"), nowhere ? nowhere : stdout);
	if (!s->json) {
		plan_print_lines(stdout, plan, s->where);
		putchar('\n');
		fflush(stdout);
	}
	live_add_audit(plan, &trace.program);
	if (session_run(&trace, &result, &why))
		return fail(EXIT_FAILED, "%s\n'kvmwait check' says what this host lacks", why);
	if (result.command_error)
		note("the command could not be run: '%s': %s", trace.command[0], strerror(-result.command_error));
	code = conclude(s, plan, &run, &result, report_fd);
	stream_end(&run.output);
	selftest_count_done(&run.tally);
	json_decref(run.end);
	return code;
}

static int start(const struct settings *s, const struct plan *plan)
{
	CLEANUP_FREE char *bpftrace = bpftrace_find(s->bpftrace);
	CLEANUP_FREE char *guest = find_guest(s->guest);

	if (!plan->chosen) {
		return fail_no_script(plan);
	}
	if (!bpftrace)
		return fail(EXIT_LACKING, "bpftrace is missing%s: install the package bpftrace, or give its path with --bpftrace", s->bpftrace ? "" : NOT_FOUND);
	if (!guest)
		return fail(EXIT_LACKING, "kvmwait-guest is missing: 'make' builds it beside kvmwait, or give its path with --guest");
	if (geteuid())
		return fail(EXIT_LACKING, "attaching probes needs root: run it with sudo");
	if (access("/dev/kvm", R_OK | W_OK))
		return fail(EXIT_LACKING, "'/dev/kvm': %s: this host runs no KVM guests", strerror(errno));
	return run_guest(s, plan, bpftrace, guest);
}

static int run(int argc, char **argv)
{
	struct settings s = { .show = 20 };
	struct loaded_plan loaded;
	int code;

	if (!options_take(argc, argv, &command_selftest, &s, &code))
		return code;
	code = take_no_argument(argc, argv, "selftest");
	if (!code)
		code = plan_load("", &loaded);
	if (code)
		return code;
	code = start(&s, &loaded.plan);
	plan_unload(&loaded);
	return code;
}

const struct command command_selftest = {
	.name = "selftest",
	.run = run,
	.arguments = "[OPTION]...",
	.help = "run a guest whose waits are known, and compare them with the trace",
	.options = options,
	.more = "It needs root, bpftrace and /dev/kvm, and takes a few seconds.",
};
