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
	struct guest_symbols *guest_symbols; /* NULL: none were given */
	bool outcome, callers, guest_ip, schema;
};

static const struct choices formats = CHOICES(stream_formats);

static const struct option_row options[] = {
	OPTION_DURATION,
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_EVENT,
	{ 0, "outcome", NULL, "add the outcome of each wait: duration, time off the CPU, time ready, boosted vCPU", TO_FLAG(outcome) },
	{ 0, "callers", NULL, "add the calling functions of the kernel to each event", TO_FLAG(callers) },
	OPTION_GUEST_IP,
	OPTION_GUEST_SYMBOLS,
	{ 'f', "format", "FORMAT", "output format (default: table on a terminal, else json)", TO_CHOICE(format, struct stream_format, &formats) },
	OPTION_OUTPUT,
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	{ 0, "schema", NULL, "print the JSON Schema of the records, and exit", TO_FLAG(schema) },
	OPTION_VERBOSE,
	{ 0 },
};

struct run {
	struct stream stream;
	struct guest_symbols *symbols;
};

static int take_record(void *context, const struct record *record)
{
	struct run *r = context;
	struct record named;

	if (record->type == RECORD_WAIT && record->wait.guest.known && r->symbols) {
		named = *record;
		guest_symbols_name(r->symbols, named.wait.pid, named.wait.vm, &named.wait.guest);
		record = &named;
	}
	stream_write(&r->stream, record);
	return 0;
}

static int flush_output(void *context)
{
	struct run *r = context;

	return stream_flush(&r->stream);
}

static int read_symbols(void *context, char **ret_error)
{
	struct run *r = context;

	return guest_symbols_read(r->symbols, true, ret_error);
}

static int stream(const struct settings *s, struct live_run *l)
{
	struct run r = { .symbols = s->guest_symbols };
	int code;

	l->options.take = take_record;
	l->options.flush = flush_output;
	l->options.unprivileged = read_symbols;
	l->options.context = &r;
	stream_buffer(l->file);
	stream_init(&r.stream, s->format, l->file);
	r.stream.guest = s->guest_ip;
	for (size_t i = 0; i < l->vms.n; i++)
		stream_meet_vm(&r.stream, l->vms.items[i].name, l->vms.items[i].tgid);
	if (!strcmp(s->format->name, "table") && isatty(output_fd(l->file)))
		plan_print_lines(l->file, l->options.plan, NULL);
	code = live_trace(l);
	stream_end(&r.stream);
	return code ? code : live_end_code(l);
}

static int trace(struct settings *s, int argc, char **argv)
{
	CLEANUP_LIVE struct live_run l = { 0 };
	const char *parts[3];
	size_t n_parts = 0;
	int code = live_check_guest_symbols(s->guest_symbols, s->guest_ip);

	if (!code)
		code = choose_stream_format(&s->format, s->output);
	if (s->outcome)
		parts[n_parts++] = "outcome";
	if (s->callers)
		parts[n_parts++] = "callers";
	if (s->guest_ip)
		parts[n_parts++] = "guest_ip";
	if (!code)
		code = live_plan(&l, &s->live, argc, argv);
	if (!code)
		code = live_prepare(&l, parts, n_parts);
	if (!code)
		code = live_open(&l, s->output, NULL);
	return code ? code : stream(s, &l);
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	int code;

	if (options_take(argc, argv, &command_trace, &s, &code)) {
		if (s.schema)
			print_json(schema_json());
		else
			code = trace(&s, argc, argv);
	}
	guest_symbols_free(s.guest_symbols);
	return code;
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
