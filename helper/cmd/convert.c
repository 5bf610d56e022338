// SPDX-License-Identifier: Apache-2.0
// kvmwait convert: records of kvmwait, and traces of other tools, into any form.
#include "base/file.h"
#include "base/output.h"
#include "base/progress.h"
#include "base/safe_open.h"
#include "cmd/command.h"
#include "ledger/account.h"
#include "record/recording_read.h"
#include "show/stream.h"
#include "show/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
	const struct stream_format *format;
	const char *output;
};

/* Not a form of the stream: what all of it comes to. */
static const struct stream_format summary_format = { .name = "summary" };
static const struct choices formats = CHOICES(stream_formats, .more = &summary_format);

static const struct option_row options[] = {
	{ 'f', "format", "FORMAT", "output format (default: table on a terminal, else json)", TO_CHOICE(format, struct stream_format, &formats) },
	OPTION_OUTPUT,
	{ 0 },
};

#define MAX_COMPLAINTS 10

struct convert {
	const char *name; /* of the input */
	struct stream output;
	struct account *summary; /* instead of the records; NULL: not asked for */
	json_t *end; /* of the summary */
	struct recording *recording;
	uint64_t complaints;
	bool noted; /* what the input cannot tell was said */
	int error; /* of the output */
};

static void complain(struct convert *c, uint64_t line, const char *why)
{
	if (++c->complaints <= MAX_COMPLAINTS)
		fail(EXIT_FAILED, "a line cannot be read and is left out: '%s' line %" PRIu64 ": %s", c->name, line, why);
}

static void complain_of_line(void *data, uint64_t line, const char *why)
{
	complain(data, line, why);
}

static void put(struct convert *c, const struct record *r)
{
	if (!c->summary) {
		stream_write(&c->output, r);
		return;
	}
	account_take(c->summary, r);
	if (r->type == RECORD_END && !c->end)
		c->end = json_incref(r->object);
}

/* At the end of it all; a record that was cut short has no balance. */
static void put_summary(struct convert *c)
{
	summary_write(c->output.file, c->summary);
	if (c->end)
		stream_balance(c->output.file, c->end);
}

static void put_notes(struct convert *c)
{
	const struct strings *notes = &recording_state(c->recording)->notes;

	for (size_t i = 0; i < notes->n && !c->noted; i++)
		note("'%s': %s", c->name, notes->items[i]);
	c->noted = true;
}

/* What came of the lines that are there goes out before more are waited for. */
static int put_all(struct convert *c)
{
	const struct line_reader_state *in = recording_state(c->recording)->input;
	struct progress progress;
	struct record record;
	int more = 0;

	progress_start(&progress);
	while (!c->error && (more = recording_next(c->recording, &record)) > 0) {
		put_notes(c);
		put(c, &record);
		if (recording_is_ready(c->recording))
			continue;
		c->error = stream_flush(&c->output);
		if (!isatty(output_fd(c->output.file))) /* no progress among the records */
			progress_share(&progress, "converting", in->read_bytes, in->size_bytes);
	}
	progress_end(&progress);
	return c->error ? 0 : more;
}

static int read_all(struct convert *c)
{
	const struct recording_state *state = recording_state(c->recording);
	int more = put_all(c);

	if (!more && (state->input->damages || state->input->frame_cut))
		complain(c, state->input->lines, "the rest cannot be decompressed");
	if (more == -EBADMSG)
		return fail(EXIT_FAILED, "the input cannot be read: '%s': %s", c->name, state->failure);
	if (more < 0)
		return fail(EXIT_FAILED, "the input cannot be read: '%s': %s", c->name, strerror(-more));
	if (c->summary)
		put_summary(c);
	return EXIT_OK;
}

static int say_balance(const struct convert *c)
{
	const struct recording_state *state = recording_state(c->recording);
	const struct balance *b = &state->balance;
	CLEANUP_FREE char *text = balance_text(b);
	int code = EXIT_OK;

	if (c->complaints > MAX_COMPLAINTS)
		fail(EXIT_FAILED, "and %" PRIu64 " more", c->complaints - MAX_COMPLAINTS);
	if (b->late)
		fail(EXIT_FAILED, "%" PRIu64 " events came too late to be put in order", b->late);
	if (!state->kind)
		return fail(EXIT_FAILED, "'%s' holds neither the lines of a script nor NDJSON or csv of kvmwait, and no trace of trace-cmd, "
			    "perf script or ftrace", c->name);
	for (size_t i = 0; i < state->problems.n; i++)
		code = fail(EXIT_UNBALANCED, "'%s': %s", c->name, state->problems.items[i]);
	if (c->complaints)
		return EXIT_FAILED;
	if (state->uncounted)
		return code;
	if (!b->have_counted)
		return fail(EXIT_UNBALANCED, "'%s' ends without the kernel's count: whether events are missing cannot be said", c->name);
	if (balance_off(b))
		return fail(EXIT_UNBALANCED, "%s", text);
	return EXIT_OK;
}

static int convert(const char *input, const struct stream_format *format, FILE *out, const char *out_name)
{
	struct convert c = { .name = input, .summary = format ? NULL : account_new(&(struct account_settings){ 0 }) };
	const struct recording_settings settings = { .scripts = scripts_directory(), .unordered = c.summary != NULL, .complain = complain_of_line,
						     .data = &c };
	int code, balance, err = recording_open(input, &settings, &c.recording);

	if (err) {
		account_free(c.summary);
		return fail(EXIT_FAILED, "the input cannot be opened: '%s': %s", input, strerror(-err));
	}
	code = drop_root(0); /* both are open */
	if (code) {
		account_free(c.summary);
		recording_close(c.recording);
		return code;
	}
	stream_init(&c.output, format, out);
	stream_buffer(out);
	if (format)
		stream_begin(&c.output);
	code = read_all(&c);
	stream_end(&c.output);
	if (!c.error)
		c.error = stream_flush(&c.output);
	balance = c.error || code ? code : say_balance(&c);
	account_free(c.summary);
	json_decref(c.end);
	recording_close(c.recording);
	if (c.error && c.error != -EPIPE)
		return fail(EXIT_FAILED, "the output cannot be written: '%s': %s", out_name, strerror(-c.error));
	return balance;
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	CLEANUP_FILE FILE *opened = NULL;
	int code;

	if (!options_take(argc, argv, &command_convert, &s, &code))
		return code;
	if (optind + 1 != argc)
		return fail(EXIT_USAGE, "convert takes one file, or - for standard input");
	code = choose_stream_format(&s.format, s.output);
	if (!code && s.output && file_is_same(argv[optind], s.output))
		code = fail(EXIT_USAGE, "the output is the input: '%s'", s.output);
	if (!code)
		code = open_output(s.output, &opened);
	if (code)
		return code;
	return convert(argv[optind], s.format == &summary_format ? NULL : s.format, opened ? opened : stdout,
		       s.output ? s.output : "standard output");
}

const struct command command_convert = {
	.name = "convert",
	.run = run,
	.arguments = "[OPTION]... FILE|-",
	.help = "convert a recording, or a trace of another tool, to another format",
	.options = options,
};
