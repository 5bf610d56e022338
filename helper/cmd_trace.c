// SPDX-License-Identifier: Apache-2.0
// kvmwait trace: the stream of waits, as a table on a terminal and as NDJSON elsewhere.
#include "command.h"

#include "child.h"
#include "output.h"
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_VCPU = 256,
	OPT_SCHEMA,
	OPT_BPFTRACE,
};

const struct option_help trace_options[] = {
	{ 'd', "duration", "SEC", "end after so many seconds (fractions too)", 'd' },
	{ 'p', "pid", "TGID", "only this process (repeatable, or a list with commas; 8 at most)", 'p' },
	{ 0, "vcpu", "N", "only this vCPU (repeatable, or a list with commas; within 63 ids)", OPT_VCPU },
	{ 'e', "event", "LIST", "only these events: ple, hlt, pv_yield", 'e' },
	{ 'f', "format", "FORMAT", "table, json, ftrace or csv", 'f' },
	{ 'o', "output", "FILE", "write there instead of standard output", 'o' },
	{ 0, "bpftrace", "PATH", "the bpftrace to use", OPT_BPFTRACE },
	{ 0, "schema", NULL, "print the JSON Schema of the records, and end", OPT_SCHEMA },
	{ 'v', "verbose", NULL, "let bpftrace's own words through to standard error", 'v' },
	{ 0 },
};

struct settings {
	struct filter filter;
	uint64_t duration_ns;
	const struct output_format *format;
	const char *output, *bpftrace;
	bool verbose, schema;
};

/* "1.5" seconds. */
static int parse_seconds(const char *text, uint64_t *ret_ns)
{
	size_t whole = strspn(text, "0123456789");
	CLEANUP_FREE char *seconds = xstrndup(text, whole);
	uint64_t s, ns = 0, scale = 100000000;

	if (!whole && *text == '.')
		s = 0;
	else if (parse_u64(seconds, &s) || s > 1000000000)
		return -EINVAL;
	if (text[whole] == '.') {
		for (text += whole + 1; *text >= '0' && *text <= '9'; text++, scale /= 10)
			ns += (uint64_t)(*text - '0') * scale;
		whole = 0;
	}
	if (text[whole] || !(s * 1000000000 + ns))
		return -EINVAL;
	*ret_ns = s * 1000000000 + ns;
	return 0;
}

static int add_tgid(struct filter *f, const char *text)
{
	uint64_t value;

	if (parse_u64(text, &value) || !value || value > INT32_MAX)
		return fail(EXIT_USAGE, "no TGID: '%s'", text);
	if (f->n_tgids == PROGRAM_MAX_TGIDS)
		return fail(EXIT_USAGE, "more than %d TGIDs: leave -p out and filter the output by pid", PROGRAM_MAX_TGIDS);
	f->tgids[f->n_tgids++] = (uint32_t)value;
	return EXIT_OK;
}

static int add_vcpu(struct filter *f, const char *text)
{
	uint64_t value;

	if (parse_u64(text, &value) || value > 65535)
		return fail(EXIT_USAGE, "no vCPU id: '%s'", text);
	if (filter_add_vcpu(f, (uint32_t)value))
		return fail(EXIT_USAGE, "the vCPU ids lie too far apart at '%s': they have to be within %d of each other", text,
			    PROGRAM_VCPU_SPAN);
	return EXIT_OK;
}

static int add_event(struct filter *f, const char *text)
{
	if (!event_bit(text))
		return fail(EXIT_USAGE, "no such event: '%s'; there are ple, hlt, pv_yield", text);
	f->events |= event_bit(text);
	return EXIT_OK;
}

static int add_list(struct filter *f, const char *text, int (*add)(struct filter *, const char *))
{
	struct strings words = { 0 };
	int code = EXIT_OK;

	strings_split(&words, text, ",");
	if (!words.n)
		code = fail(EXIT_USAGE, "an empty list");
	for (size_t i = 0; i < words.n && !code; i++)
		code = add(f, words.items[i]);
	strings_done(&words);
	return code;
}

/* An exit code, or -1 to go on. */
static int take_option(struct settings *s, int id)
{
	int code = EXIT_OK;

	switch (id) {
	case 'd':
		if (parse_seconds(optarg, &s->duration_ns))
			code = fail(EXIT_USAGE, "no duration in seconds: '%s'", optarg);
		break;
	case 'p':
		code = add_list(&s->filter, optarg, add_tgid);
		break;
	case OPT_VCPU:
		code = add_list(&s->filter, optarg, add_vcpu);
		break;
	case 'e':
		code = add_list(&s->filter, optarg, add_event);
		break;
	case 'f':
		s->format = output_format_find(optarg);
		if (!s->format)
			code = fail(EXIT_USAGE, "no such format: '%s'; there are table, json, ftrace, csv", optarg);
		break;
	case 'o':
		s->output = optarg;
		break;
	case OPT_BPFTRACE:
		s->bpftrace = optarg;
		break;
	case OPT_SCHEMA:
		s->schema = true;
		break;
	case 'v':
		s->verbose = true;
		break;
	default:
		return id ? EXIT_USAGE : EXIT_OK;
	}
	return code ? code : -1;
}

static int print_schema(void)
{
	json_t *schema = schema_json();

	json_dumpf(schema, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(schema);
	return EXIT_OK;
}

static int take_record(void *context, const struct record *r)
{
	output_write(context, r);
	return 0;
}

static int flush_output(void *context)
{
	return output_flush(context);
}

static int end_code(const struct settings *s, const struct trace_result *r)
{
	if (r->take_error == -EPIPE)
		return EXIT_OK; /* whoever read has seen enough */
	if (r->take_error)
		return fail(EXIT_FAILED, "the output cannot be written: '%s': %s; it ends early",
			    s->output ? s->output : "standard output", strerror(-r->take_error));
	if (!r->balance.have_counted)
		return fail(EXIT_UNBALANCED, "the kernel's count is not known (%s; bpftrace ended with %d): whether events were lost cannot be said",
			    r->why, r->bpftrace_status);
	if (!trace_balances(r))
		return fail(EXIT_UNBALANCED, "received %" PRIu64 " + lost %" PRIu64 " is not counted %" PRIu64 ", %" PRIu64 " lines malformed",
			    r->balance.received, r->balance.lost, r->balance.counted, r->balance.malformed);
	if (r->command_status == 127 && !strcmp(r->why, "the command could not be run"))
		return EXIT_FAILED;
	return EXIT_OK;
}

static int run(const struct settings *s, char **command, const struct plan *plan, const char *bpftrace, FILE *file)
{
	struct output output;
	struct trace_options options = {
		.plan = plan,
		.filter = s->filter,
		.bpftrace = bpftrace,
		.duration_ns = s->duration_ns,
		.command = command,
		.command_stdout = s->output ? STDOUT_FILENO : STDERR_FILENO,
		.verbose = s->verbose,
		.progress = isatty(STDERR_FILENO) && !s->verbose,
		.take = take_record,
		.flush = flush_output,
		.context = &output,
	};
	struct trace_result result;
	CLEANUP_FREE char *why = NULL;
	int err;

	output_init(&output, s->format, file);
	if (!strcmp(s->format->name, "table") && isatty(fileno(file)))
		print_plan_lines(file, plan, NULL);
	err = trace_run(&options, &result, &why);
	if (err == -EINTR)
		return fail(EXIT_FAILED, "%s", why);
	if (err == -ENOEXEC || err == -ENOENT || err == -EACCES)
		return fail(EXIT_LACKING, "bpftrace cannot be used: %s; 'kvmwait check' says more", why);
	if (err)
		return fail(EXIT_FAILED, "%s\n'kvmwait check' says what this host lacks", why);
	return end_code(s, &result);
}

static int start(const struct settings *s, char **command, const struct plan *plan)
{
	CLEANUP_FREE char *bpftrace = bpftrace_find(s->bpftrace);
	CLEANUP_FILE FILE *opened = NULL;
	FILE *file = stdout;

	if (!plan->chosen) {
		say_no_script(plan);
		return EXIT_NO_SCRIPT;
	}
	if (!bpftrace)
		return fail(EXIT_LACKING, "bpftrace is missing: '%s': install the package bpftrace, or say where it is with --bpftrace",
			    s->bpftrace ? s->bpftrace : "/usr/bin/bpftrace");
	if (geteuid())
		return fail(EXIT_LACKING, "attaching probes needs root: run it with sudo");
	if (s->output) {
		opened = fopen(s->output, "we");
		if (!opened)
			return fail(EXIT_FAILED, "the output cannot be opened: '%s': %s", s->output, strerror(errno));
		file = opened;
	}
	return run(s, command, plan, bpftrace, file);
}

int cmd_trace(int argc, char **argv)
{
	struct settings s = { 0 };
	struct planning planning;
	int id, code;

	while ((id = next_option(argc, argv, "trace")) != -1) {
		code = take_option(&s, id);
		if (code >= 0)
			return code;
	}
	if (s.schema)
		return print_schema();
	if (optind < argc && strcmp(argv[optind - 1], "--"))
		return fail(EXIT_USAGE, "unexpected argument: '%s'; a command to run stands behind '--'", argv[optind]);
	if (!s.format)
		s.format = output_format_find(!s.output && isatty(STDOUT_FILENO) ? "table" : "json");
	code = planning_make("", &planning);
	if (code)
		return code;
	code = start(&s, optind < argc ? &argv[optind] : NULL, &planning.plan);
	planning_done(&planning);
	return code;
}
