// SPDX-License-Identifier: Apache-2.0
// kvmwait convert: the raw lines of a script that was run by hand, or saved NDJSON, into any form.
#include "base/file.h"
#include "base/line_reader.h"
#include "base/output.h"
#include "base/progress.h"
#include "base/safe_open.h"
#include "cmd/command.h"
#include "ledger/account.h"
#include "record/balance.h"
#include "record/ndjson.h"
#include "record/order.h"
#include "record/outcome_join.h"
#include "record/wire.h"
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
	{ 'o', "output", "FILE", "write there instead of standard output", TO_TEXT(output) },
	{ 0 },
};

#define MAX_COMPLAINTS 10
#define LINE_LIMIT_BYTES 4194304u /* counts of thousands of vCPUs are one record */

struct convert {
	const char *name; /* of the input */
	struct stream output;
	struct account *summary; /* instead of the records; NULL: not asked for */
	json_t *end; /* of the summary */
	struct order order;
	struct outcomes *outcomes; /* NULL where the lines hold none */
	struct ndjson ndjson;
	uint64_t number; /* of the line */
	bool of_counts; /* records of counts, not of events */
	bool json; /* the lines are records, not those of a script */
	bool have_stream; /* anything of a script or of NDJSON was seen */
	struct balance balance;
	int error; /* of the output */
};

static void complain(struct convert *c, const char *why)
{
	if (++c->balance.malformed <= MAX_COMPLAINTS)
		fail(EXIT_FAILED, "a line cannot be read and is left out: '%s' line %lu: %s", c->name, (unsigned long)c->number, why);
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

static void put_outcome(struct convert *c, const struct outcome_event *e)
{
	put(c, &(struct record){ .type = RECORD_OUTCOME, .outcome = *e });
}

static void release(struct convert *c, uint64_t before_ns)
{
	struct outcome_event unseen;
	struct record r;

	while (order_pop(&c->order, before_ns, &r)) {
		if (c->outcomes && outcomes_take(c->outcomes, &r, &unseen))
			put_outcome(c, &unseen);
		put(c, &r);
	}
	while (before_ns == UINT64_MAX && c->outcomes && outcomes_take_rest(c->outcomes, c->order.newest_ns, &unseen))
		put_outcome(c, &unseen);
}

/* A summary does not ask for order. */
static void take_record(struct convert *c, const struct record *r)
{
	if (c->summary) {
		account_take(c->summary, r);
		return;
	}
	order_push(&c->order, r);
	release(c, 0);
}

static void take_wire(struct convert *c, const char *line, size_t n)
{
	struct wire_line wire;

	wire_parse(line, n, &wire);
	switch (wire.kind) {
	case WIRE_WAIT:
	case WIRE_OUTCOME:
		c->balance.received++;
		c->balance.outcomes += wire.kind == WIRE_OUTCOME;
		take_record(c, &wire.record);
		break;
	case WIRE_COUNTED:
		c->balance.have_counted = true;
		c->balance.counted = wire.number;
		break;
	case WIRE_LOST:
		c->balance.lost += wire.number;
		break;
	case WIRE_MALFORMED:
		complain(c, "no whole line of a script");
		break;
	case WIRE_NOTHING:
	case WIRE_FRAME: /* an address of a kernel that may be gone: nothing can be said of it */
		return;
	case WIRE_AUDIT: /* counted, but no record */
	case WIRE_SCHED: /* counted, but nothing that any form has */
		c->balance.received++;
		break;
	case WIRE_PART:
		if (!strcmp(wire.name, "outcome") && !c->outcomes)
			c->outcomes = outcomes_new();
		break;
	case WIRE_BEGIN:
		break;
	}
	c->have_stream = true;
}

/* The counts of an end record, to be held against what is there. */
static void take_end(struct convert *c, json_t *end)
{
	json_t *counted = json_object_get(end, "counted");

	c->balance.have_counted = json_is_integer(counted);
	c->balance.counted = (uint64_t)json_integer_value(counted);
	c->balance.lost = (uint64_t)json_integer_value(json_object_get(end, "lost"));
	c->balance.unreported = (uint64_t)json_integer_value(json_object_get(end, "unreported"));
	if (c->of_counts) /* no record for each event: what the rows had stands in the end record */
		c->balance.received = (uint64_t)json_integer_value(json_object_get(end, "received"));
	else /* told by a blame record instead */
		c->balance.received += (uint64_t)json_integer_value(json_object_get(end, "sched"));
}

/* A saved stream is in order already: it passes straight on. */
static void take_json(struct convert *c, const char *line, size_t n)
{
	CLEANUP_FREE char *why = NULL;
	struct record r = { 0 };

	if (ndjson_parse(&c->ndjson, line, n, &r, &why)) {
		complain(c, why);
		return;
	}
	c->have_stream = true;
	c->of_counts |= r.type == RECORD_STAT;
	c->balance.received += r.type == RECORD_WAIT || (r.type == RECORD_OUTCOME && r.outcome.end != OUTCOME_UNSEEN);
	if (r.type == RECORD_END)
		take_end(c, r.object);
	put(c, &r);
	json_decref(r.object);
}

static void take_line(struct convert *c, const char *line, size_t n)
{
	c->json |= c->number == 1 && n && *line == '{';
	if (c->json)
		take_json(c, line, n);
	else
		take_wire(c, line, n);
}

static void put_end(struct convert *c)
{
	struct record end = { .type = RECORD_END };

	balance_settle(&c->balance);
	end.object = balance_json(&c->balance, "the lines ended");
	put(c, &end);
	json_decref(end.object);
}

/* Lines that are there; what came of them goes out before more are waited for. */
static int take_lines(struct convert *c, struct line_reader *in)
{
	struct progress progress;
	char *line;
	size_t n;
	int found = LINE_NONE;

	progress_start(&progress);
	while (!c->error && (found = line_reader_next(in, &line, &n)) > 0) {
		c->number++;
		if (found == LINE_WHOLE)
			take_line(c, line, n);
		else
			complain(c, found == LINE_CUT ? "it is cut short" : "it is too long");
		if (line_reader_has_line(in))
			continue;
		c->error = stream_flush(&c->output);
		if (!isatty(output_fd(c->output.file))) /* no progress among the records */
			progress_share(&progress, "converting", in->state.read_bytes, in->state.size_bytes);
	}
	progress_end(&progress);
	return c->error ? 0 : found;
}

static int read_all(struct convert *c, struct line_reader *in)
{
	int found = take_lines(c, in);

	if (!found && (in->state.damages || in->state.frame_cut))
		complain(c, "what follows cannot be decompressed");
	if (!c->error)
		release(c, UINT64_MAX);
	if (found < 0 && !c->error)
		return fail(EXIT_FAILED, "the input cannot be read: '%s': %s", c->name, strerror(-found));
	c->balance.late = c->order.late;
	if (!c->json)
		put_end(c);
	if (c->summary)
		put_summary(c);
	return EXIT_OK;
}

static int say_balance(const struct convert *c)
{
	const struct balance *b = &c->balance;
	CLEANUP_FREE char *text = balance_text(b);

	if (b->malformed > MAX_COMPLAINTS)
		fail(EXIT_FAILED, "and %" PRIu64 " more", b->malformed - MAX_COMPLAINTS);
	if (b->late)
		fail(EXIT_FAILED, "%" PRIu64 " events came too late to be put in order", b->late);
	if (!c->have_stream)
		return fail(EXIT_FAILED, "'%s' holds neither the lines of a script nor NDJSON of kvmwait", c->name);
	if (b->malformed)
		return EXIT_FAILED;
	if (!b->have_counted)
		return fail(EXIT_UNBALANCED, "'%s' ends without the kernel's count: whether events are missing cannot be said", c->name);
	if (balance_off(b))
		return fail(EXIT_UNBALANCED, "%s", text);
	return EXIT_OK;
}

static int convert(const char *input, const struct stream_format *format, FILE *out, const char *out_name)
{
	struct convert c = { .name = input, .summary = format ? NULL : account_new(&(struct account_settings){ 0 }) };
	struct line_reader in;
	int code, balance, err = line_reader_open(&in, input, LINE_LIMIT_BYTES);

	if (err) {
		account_free(c.summary);
		return fail(EXIT_FAILED, "the input cannot be opened: '%s': %s", input, strerror(-err));
	}
	code = drop_root(0); /* both are open */
	if (code) {
		account_free(c.summary);
		return code;
	}
	stream_init(&c.output, format, out);
	stream_buffer(out);
	if (format)
		stream_begin(&c.output);
	order_init(&c.order);
	code = read_all(&c, &in);
	line_reader_done(&in);
	stream_end(&c.output);
	if (!c.error)
		c.error = stream_flush(&c.output);
	balance = c.error ? EXIT_OK : say_balance(&c);
	order_done(&c.order);
	account_free(c.summary);
	json_decref(c.end);
	outcomes_free(c.outcomes);
	ndjson_done(&c.ndjson);
	if (c.error && c.error != -EPIPE)
		return fail(EXIT_FAILED, "the output cannot be written: '%s': %s", out_name, strerror(-c.error));
	return code ? code : balance;
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
	.help = "turn saved lines of a script, or saved NDJSON, into any form",
	.options = options,
};
