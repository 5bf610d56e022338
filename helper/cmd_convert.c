// SPDX-License-Identifier: Apache-2.0
// kvmwait convert: the raw lines of a script that was run by hand, or saved NDJSON, into any form.
#include "command.h"

#include "ndjson.h"
#include "order.h"
#include "output.h"
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option_help convert_options[] = {
	{ 'f', "format", "FORMAT", "table, json, ftrace or csv; table on a terminal, else json", 'f' },
	{ 'o', "output", "FILE", "write there instead of standard output", 'o' },
	{ 0 },
};

#define MAX_COMPLAINTS 10

struct convert {
	const char *name; /* of the input */
	struct output output;
	struct order order;
	struct ndjson ndjson;
	uint64_t number; /* of the line */
	uint64_t received, malformed, counted, lost;
	bool have_counted, have_end;
	int error; /* of the output */
};

static void complain(struct convert *c, const char *why)
{
	if (++c->malformed <= MAX_COMPLAINTS)
		fail(EXIT_FAILED, "a line cannot be read and is left out: '%s' line %lu: %s", c->name, (unsigned long)c->number, why);
}

static void release(struct convert *c, uint64_t before_ns)
{
	struct record r = { .type = RECORD_WAIT };

	while (order_pop(&c->order, before_ns, &r.wait))
		output_write(&c->output, &r);
}

static void take_wire(struct convert *c, const char *line, size_t n)
{
	struct wire_line wire;

	wire_parse(line, n, &wire);
	switch (wire.kind) {
	case WIRE_WAIT:
		c->received++;
		order_push(&c->order, &wire.wait);
		release(c, 0);
		break;
	case WIRE_COUNTED:
		c->have_counted = true;
		c->counted = wire.number;
		break;
	case WIRE_LOST:
		c->lost += wire.number;
		break;
	case WIRE_MALFORMED:
		complain(c, "no whole line of a script");
		break;
	case WIRE_NOTHING:
	case WIRE_BEGIN:
		break;
	}
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
	c->received += r.type == RECORD_WAIT;
	c->have_end |= r.type == RECORD_END;
	output_write(&c->output, &r);
	json_decref(r.object);
}

static int read_all(struct convert *c, FILE *file)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	ssize_t n;
	bool json = false;

	while (!c->error && (n = getline(&line, &room, file)) >= 0) {
		bool whole = n && line[n - 1] == '\n';

		c->number++;
		if (whole)
			line[--n] = '\0';
		json |= c->number == 1 && *line == '{';
		if (!whole && n)
			complain(c, "it is cut short");
		else if (json)
			take_json(c, line, (size_t)n);
		else
			take_wire(c, line, (size_t)n);
		if (c->number % 4096 == 0)
			c->error = output_flush(&c->output);
	}
	if (ferror(file))
		return fail(EXIT_FAILED, "the input cannot be read: '%s': %s", c->name, strerror(errno));
	release(c, UINT64_MAX);
	if (!c->error)
		c->error = output_flush(&c->output);
	if (json && !c->have_end)
		fail(EXIT_UNBALANCED, "'%s' has no end record: it was cut short", c->name);
	return json && !c->have_end ? EXIT_UNBALANCED : EXIT_OK;
}

static int say_balance(const struct convert *c)
{
	if (c->malformed > MAX_COMPLAINTS)
		fail(EXIT_FAILED, "and %lu more", (unsigned long)(c->malformed - MAX_COMPLAINTS));
	if (c->order.late)
		fail(EXIT_FAILED, "%lu events came too late to be put in order", (unsigned long)c->order.late);
	if (c->have_counted && c->counted != c->received + c->lost)
		return fail(EXIT_UNBALANCED, "received %lu + lost %lu is not counted %lu", (unsigned long)c->received,
			    (unsigned long)c->lost, (unsigned long)c->counted);
	return c->malformed ? EXIT_FAILED : EXIT_OK;
}

static int convert(const char *input, const struct output_format *format, FILE *out, const char *out_name)
{
	CLEANUP_FILE FILE *opened = strcmp(input, "-") ? fopen(input, "re") : NULL;
	struct convert c = { .name = input };
	int code, balance;

	if (strcmp(input, "-") && !opened)
		return fail(EXIT_FAILED, "the input cannot be opened: '%s': %s", input, strerror(errno));
	output_init(&c.output, format, out);
	order_init(&c.order);
	code = read_all(&c, opened ? opened : stdin);
	balance = say_balance(&c);
	order_done(&c.order);
	if (c.error && c.error != -EPIPE)
		return fail(EXIT_FAILED, "the output cannot be written: '%s': %s", out_name, strerror(-c.error));
	return code ? code : balance;
}

int cmd_convert(int argc, char **argv)
{
	const struct output_format *format = NULL;
	const char *output = NULL;
	CLEANUP_FILE FILE *opened = NULL;
	int id;

	while ((id = next_option(argc, argv, "convert")) != -1) {
		if (id == 'f') {
			format = output_format_find(optarg);
			if (!format)
				return fail(EXIT_USAGE, "no such format: '%s'; there are table, json, ftrace, csv", optarg);
		} else if (id == 'o') {
			output = optarg;
		} else {
			return id ? EXIT_USAGE : EXIT_OK;
		}
	}
	if (optind + 1 != argc)
		return fail(EXIT_USAGE, "convert takes one file, or - for standard input");
	if (!format)
		format = output_format_find(!output && isatty(STDOUT_FILENO) ? "table" : "json");
	if (output) {
		opened = fopen(output, "we");
		if (!opened)
			return fail(EXIT_FAILED, "the output cannot be opened: '%s': %s", output, strerror(errno));
	}
	return convert(argv[optind], format, opened ? opened : stdout, output ? output : "standard output");
}
