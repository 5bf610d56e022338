// SPDX-License-Identifier: Apache-2.0
// kvmwait blame: for each spin, which sibling vCPU was runnable off its CPU, and who had that CPU.
#include "base/text.h"
#include "cmd/live_run.h"
#include "show/blame_show.h"
#include "show/plan_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DURATION_NS UINT64_C(5000000000)

const struct option_help blame_options[] = {
	OPTION_DURATION,
	OPTION_PID,
	OPTION_VM,
	{ 0, "vcpu", "N", "only spins of this vCPU (repeatable, or a list with commas; within 63 ids)", OPT_VCPU },
	{ 'e', "event", "LIST", "only these spins: ple, pv_yield", 'e' },
	{ 'f', "format", "FORMAT", "table or json", 'f' },
	{ 'o', "output", "FILE", "write there instead of standard output", 'o' },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	OPTION_VERBOSE,
	{ 0 },
};

struct settings {
	struct tracing tracing;
	bool json;
	const char *output;
};

/* What a trace gave. */
struct gathered {
	struct blame *blame;
	json_t *meta, *end;
};

/* Fewer than the events there are: a HLT is no spin. */
static int check_spins(const char *list)
{
	struct strings words = { 0 };
	int code = EXIT_OK;

	strings_split(&words, list, ",");
	for (size_t i = 0; i < words.n && !code; i++)
		if (strcmp(words.items[i], "ple") && strcmp(words.items[i], "pv_yield"))
			code = fail(EXIT_USAGE, "no such spin: '%s'; there are ple, pv_yield", words.items[i]);
	strings_done(&words);
	return code;
}

/* An exit code, or OPTION_TAKEN to go on. */
static int take_option(void *settings, int id)
{
	struct settings *s = settings;
	int code = id == 'e' ? check_spins(optarg) : EXIT_OK;

	if (code)
		return code;
	code = tracing_take_option(&s->tracing, id);
	if (code != OPTION_OTHER)
		return code;
	switch (id) {
	case 'f':
		s->json = !strcmp(optarg, "json");
		if (!s->json && strcmp(optarg, "table"))
			return fail(EXIT_USAGE, "no such format: '%s'; there are table, json", optarg);
		break;
	case 'o':
		s->output = optarg;
		break;
	default:
		return id ? EXIT_USAGE : EXIT_OK;
	}
	return OPTION_TAKEN;
}

static int take_record(void *context, const struct record *r)
{
	struct gathered *g = context;

	switch ((int)r->type) {
	case RECORD_META:
		g->meta = json_incref(r->object);
		break;
	case RECORD_END:
		g->end = json_incref(r->object);
		break;
	case RECORD_LOST: /* what it means for the figures shows where a line is missing */
		break;
	default:
		blame_take(g->blame, r);
		break;
	}
	return 0;
}

/* ---- what came of it ---- */

static void print_balance(FILE *f, const struct balance *b)
{
	if (b->lost || b->late)
		fputs("records were lost or late: spins among them are missing, and at that time it is unknown who waited\n", f);
	if (!b->have_counted)
		fprintf(f, "received %" PRIu64 ", lost %" PRIu64 ": the kernel's count is not known\n", b->received, b->lost);
	else
		fprintf(f, "received %" PRIu64 " + lost %" PRIu64 " %s counted %" PRIu64 "\n", b->received, b->lost,
			balance_off(b) ? "does not make" : "=", b->counted);
}

static void print_json(FILE *f, const struct gathered *g, json_t *record)
{
	json_t *document = json_pack("{s:i, s:O?, s:O, s:O, s:O?}", "kvmwait_blame", 1, "meta", g->meta, "vms", json_object_get(record, "vms"),
				     "blame", json_object_get(record, "rows"), "end", g->end);

	json_dumpf(document, f, JSON_INDENT(2));
	putc('\n', f);
	json_decref(document);
}

static int print_result(const struct settings *s, const struct gathered *g, const struct session_result *result, FILE *f)
{
	json_t *record = blame_record_json(g->blame, SIZE_MAX);

	if (s->json) {
		print_json(f, g, record);
	} else {
		blame_print(f, record);
		print_balance(f, &result->balance);
	}
	json_decref(record);
	return fflush(f) || ferror(f) ? -errno : 0;
}

static int run(const struct settings *s, struct session_options *options, FILE *file)
{
	struct gathered g = { .blame = blame_new(blame_look_up, NULL) };
	struct session_result result;
	int code;

	options->take = take_record;
	options->context = &g;
	options->hold = SESSION_HOLD_ALWAYS;
	if (s->output)
		options->command_stdout = STDOUT_FILENO;
	if (!s->json)
		plan_print_lines(file, options->plan, NULL);
	if (!s->json)
		putc('\n', file);
	fflush(file);
	code = tracing_run(options, &result);
	if (!code) {
		result.take_error = print_result(s, &g, &result, file);
		code = tracing_end_code(&result, s->output);
	}
	blame_free(g.blame);
	json_decref(g.meta);
	json_decref(g.end);
	return code;
}

/* Nothing can be told where one of the things that it measures is absent. */
static int check_part(const struct plan *plan)
{
	const struct verdict *v = plan_find_part(plan, "blame");

	for (size_t i = 0; v && i < v->n_sources; i++)
		if (v->sources[i].fidelity == FIDELITY_ABSENT)
			return fail(EXIT_NO_SCRIPT, "this kernel does not say who waits for a CPU: %s: %s", v->sources[i].event,
				    v->sources[i].why ? v->sources[i].why : "absent");
	return EXIT_OK;
}

static int start(void *settings, char **command, const struct plan *plan)
{
	struct settings *s = settings;
	static const char *const parts[] = { "blame" };
	struct session_options options;
	CLEANUP_FREE char *bpftrace = NULL;
	CLEANUP_FILE FILE *opened = NULL;
	int code;

	if (!s->tracing.filter.events)
		s->tracing.filter.events = event_bit("ple") | event_bit("pv_yield");
	if (!s->tracing.duration_ns && !command)
		s->tracing.duration_ns = DEFAULT_DURATION_NS;
	code = check_part(plan);
	if (!code)
		code = tracing_prepare(&s->tracing, plan, parts, ARRAY_SIZE(parts), &options);
	if (code)
		return code;
	bpftrace = options.bpftrace;
	options.command = command;
	code = tracing_open(s->output, &opened);
	if (code)
		return code;
	return run(s, &options, opened ? opened : stdout);
}

int cmd_blame(int argc, char **argv)
{
	struct settings s = { 0 };

	return tracing_command(argc, argv, "blame", take_option, start, &s);
}
