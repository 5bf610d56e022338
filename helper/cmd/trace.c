// SPDX-License-Identifier: Apache-2.0
// kvmwait trace: the stream of waits, as a table on a terminal and as NDJSON elsewhere.
#include "base/memory.h"
#include "base/output.h"
#include "cmd/command.h"
#include "cmd/live_run.h"
#include "record/schema.h"
#include "show/plan_show.h"
#include "show/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
	struct live_options live;
	const struct stream_format *format;
	const char *output;
	bool outcome, callers, schema;
};

static const struct choices formats = CHOICES(stream_formats);

static const struct option_row options[] = {
	OPTION_DURATION,
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_EVENT,
	{ 0, "outcome", NULL, "say what followed each wait: how long, off the CPU, runnable, who was boosted", TO_FLAG(outcome) },
	{ 0, "callers", NULL, "add the chain of callers in the kernel to each event", TO_FLAG(callers) },
	{ 'f', "format", "FORMAT", "output format (default: table on a terminal, else json)", TO_CHOICE(format, struct stream_format, &formats) },
	{ 'o', "output", "FILE", "write there instead of standard output", TO_TEXT(output) },
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	{ 0, "schema", NULL, "print the JSON Schema of the records, and end", TO_FLAG(schema) },
	OPTION_VERBOSE,
	{ 0 },
};

static int take_record(void *context, const struct record *r)
{
	stream_write(context, r);
	return 0;
}

static int flush_output(void *context)
{
	return stream_flush(context);
}

static int stream(const struct settings *s, struct live_run *l)
{
	struct stream stream;
	int code;

	l->options.take = take_record;
	l->options.flush = flush_output;
	l->options.context = &stream;
	stream_buffer(l->file);
	stream_init(&stream, s->format, l->file);
	if (!strcmp(s->format->name, "table") && isatty(output_fd(l->file)))
		plan_print_lines(l->file, l->options.plan, NULL);
	code = live_trace(l);
	stream_end(&stream);
	return code ? code : live_end_code(l);
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	CLEANUP_LIVE struct live_run l = { 0 };
	const char *parts[2];
	size_t n_parts = 0;
	int code;

	if (!options_take(argc, argv, &command_trace, &s, &code))
		return code;
	if (s.schema) {
		print_json(schema_json());
		return EXIT_OK;
	}
	code = choose_stream_format(&s.format, s.output);
	if (s.outcome)
		parts[n_parts++] = "outcome";
	if (s.callers)
		parts[n_parts++] = "callers";
	if (!code)
		code = live_plan(&l, &s.live, argc, argv);
	if (!code)
		code = live_prepare(&l, parts, n_parts);
	if (!code)
		code = live_open(&l, s.output, NULL);
	return code ? code : stream(&s, &l);
}

const struct command command_trace = {
	.name = "trace",
	.run = run,
	.arguments = "[OPTION]... [-- COMMAND [ARG]...]",
	.help = "stream the waits of vCPUs as they happen",
	.options = options,
	.more = "Without -d and COMMAND it runs until Ctrl-C. With COMMAND it runs as long as the command does; the\n"
		"command's output goes to standard error unless -o is given.",
	.runs_command = true,
};
