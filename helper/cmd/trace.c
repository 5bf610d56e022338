// SPDX-License-Identifier: Apache-2.0
// kvmwait trace: the stream of waits, as a table on a terminal and as NDJSON elsewhere.
#include "base/memory.h"
#include "cmd/live_run.h"
#include "show/plan_show.h"
#include "show/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_SCHEMA = OPT_FIRST,
	OPT_OUTCOME,
	OPT_CALLERS,
};

const struct option_help trace_options[] = {
	OPTION_DURATION,
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_EVENT,
	{ 0, "outcome", NULL, "say what followed each wait: how long, off the CPU, runnable, who was boosted", OPT_OUTCOME },
	{ 0, "callers", NULL, "add the chain of callers in the kernel to each event", OPT_CALLERS },
	{ 'f', "format", "FORMAT", "table, json, ftrace, csv or perfetto", 'f' },
	{ 'o', "output", "FILE", "write there instead of standard output", 'o' },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	{ 0, "schema", NULL, "print the JSON Schema of the records, and end", OPT_SCHEMA },
	OPTION_VERBOSE,
	{ 0 },
};

struct settings {
	struct tracing tracing;
	const struct stream_format *format;
	const char *output;
	bool outcome, callers;
};

static int print_schema(void)
{
	json_t *schema = schema_json();

	json_dumpf(schema, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(schema);
	return EXIT_OK;
}

/* An exit code, or -1 to go on. */
static int take_option(void *settings, int id)
{
	struct settings *s = settings;
	int code = tracing_take_option(&s->tracing, id);

	if (code != OPTION_OTHER)
		return code;
	switch (id) {
	case 'f':
		s->format = stream_format_find(optarg);
		if (!s->format)
			return fail(EXIT_USAGE, "no such format: '%s'; there are table, json, ftrace, csv, perfetto", optarg);
		break;
	case 'o':
		s->output = optarg;
		break;
	case OPT_OUTCOME:
		s->outcome = true;
		break;
	case OPT_CALLERS:
		s->callers = true;
		break;
	case OPT_SCHEMA:
		return print_schema();
	default:
		return id ? EXIT_USAGE : EXIT_OK;
	}
	return OPTION_TAKEN;
}

static int take_record(void *context, const struct record *r)
{
	stream_write(context, r);
	return 0;
}

static int flush_output(void *context)
{
	return stream_flush(context);
}

static int run(const struct settings *s, struct session_options *options, FILE *file)
{
	struct stream output;
	struct session_result result;
	int code;

	options->take = take_record;
	options->flush = flush_output;
	options->context = &output;
	if (s->output)
		options->command_stdout = STDOUT_FILENO;
	stream_buffer(file);
	stream_init(&output, s->format, file);
	if (!strcmp(s->format->name, "table") && isatty(fileno(file)))
		plan_print_lines(file, options->plan, NULL);
	code = tracing_run(options, &result);
	stream_end(&output);
	return code ? code : tracing_end_code(&result, s->output);
}

static int start(void *settings, char **command, const struct plan *plan)
{
	struct settings *s = settings;
	const char *parts[2];
	size_t n_parts = 0;
	struct session_options options;
	CLEANUP_FREE char *bpftrace = NULL;
	CLEANUP_FILE FILE *opened = NULL;
	int code;

	if (!s->format)
		s->format = stream_format_find(!s->output && isatty(STDOUT_FILENO) ? "table" : "json");
	if (s->format->binary && !s->output && isatty(STDOUT_FILENO))
		return fail(EXIT_USAGE, "%s is nothing for a terminal: write it to a file with -o", s->format->name);
	if (s->outcome)
		parts[n_parts++] = "outcome";
	if (s->callers)
		parts[n_parts++] = "callers";
	code = tracing_prepare(&s->tracing, plan, parts, n_parts, &options);
	if (code)
		return code;
	bpftrace = options.bpftrace;
	options.command = command;
	code = tracing_open(s->output, &opened);
	if (code)
		return code;
	return run(s, &options, opened ? opened : stdout);
}

int cmd_trace(int argc, char **argv)
{
	struct settings s = { 0 };

	return tracing_command(argc, argv, "trace", take_option, start, &s);
}
