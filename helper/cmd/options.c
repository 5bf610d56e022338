// SPDX-License-Identifier: Apache-2.0
// The options of a command as data: parsing, --help and the messages about wrong values come from one table.
#include "cmd/options.h"

#include "base/clock.h"
#include "base/text.h"
#include "cmd/command.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#define MAX_SECONDS 1000000000u
#define LONG_ONLY 256 /* getopt_long() returns this and the number of the row for an option without a letter */

/* ---- choices ---- */

static const char *row_name(const void *row)
{
	const char *name;

	memcpy(&name, row, sizeof(name));
	return name;
}

/* The row behind `number` rows that are allowed or not, NULL behind the last; `more` comes after the table. */
static const void *choice_at(const struct choices *c, size_t number)
{
	for (size_t i = 0; i <= number; i++) {
		const char *row = (const char *)c->rows + i * c->row_bytes;

		if (!row_name(row))
			return i == number ? c->more : NULL;
		if (i == number)
			return row;
	}
	return NULL;
}

static bool is_allowed(const struct choices *c, const void *row)
{
	return row == c->more || !c->allows || c->allows(row);
}

static const void *choice_find(const struct choices *c, const char *name, size_t *ret_number)
{
	const void *row;

	for (*ret_number = 0; (row = choice_at(c, *ret_number)); ++*ret_number)
		if (is_allowed(c, row) && !strcmp(row_name(row), name))
			return row;
	return NULL;
}

/* "table, json, csv"; the caller frees. */
static char *choices_text(const struct choices *c)
{
	struct strings names = { 0 };
	const void *row;
	char *text;

	for (size_t i = 0; (row = choice_at(c, i)); i++)
		if (is_allowed(c, row))
			strings_add(&names, row_name(row));
	text = strings_join(&names, ", ");
	strings_done(&names);
	return text;
}

/* ---- numbers ---- */

/* "1.5" as ns. 0 or -EINVAL. */
static int parse_seconds(const char *text, uint64_t *ret_ns)
{
	static const char digits[] = "0123456789";
	size_t whole = strspn(text, digits), point = text[whole] == '.';
	size_t fraction = point ? strspn(text + whole + 1, digits) : 0;
	CLEANUP_FREE char *seconds = xstrndup(text, whole);
	uint64_t s = 0, ns = 0, scale = NS_PER_S / 10;

	if (!(whole + fraction) || text[whole + point + fraction] || (whole && parse_u64(seconds, &s)) || s > MAX_SECONDS)
		return -EINVAL;
	for (size_t i = 0; i < fraction; i++, scale /= 10)
		ns += (uint64_t)(text[whole + 1 + i] - '0') * scale;
	*ret_ns = s * NS_PER_S + ns;
	return 0;
}

/* A limit as it is typed; the caller frees. */
static char *limit_text(enum option_type type, uint64_t value)
{
	static const char units[] = "KMGT";
	size_t unit = 0;

	if (type == OPTION_SECONDS)
		return xasprintf("%.10g", (double)value / NS_PER_S);
	for (; type == OPTION_SIZE && unit < 4 && value && value % 1024 == 0; unit++)
		value /= 1024;
	return xasprintf("%" PRIu64 "%.*s", value, unit != 0, unit ? &units[unit - 1] : "");
}

static int fail_number(const struct option_row *o, const char *value)
{
	static const char *const kinds[] = {
		[OPTION_NUMBER] = "a number",
		[OPTION_SECONDS] = "a number of seconds",
		[OPTION_SIZE] = "a number of bytes, or of K, M or G",
	};
	CLEANUP_FREE char *min = limit_text(o->type, o->min);
	CLEANUP_FREE char *max = limit_text(o->type, o->max);
	bool positive = o->type == OPTION_SECONDS && o->min == 1;

	return fail(EXIT_USAGE, "invalid value '%s' for --%s: must be %s%s%s%s%s", value, o->name, kinds[o->type],
		    positive ? ", more than 0" : o->min ? ", at least " : "", o->min && !positive ? min : "", o->max ? ", at most " : "",
		    o->max ? max : "");
}

static int take_number(const struct option_row *o, const char *value, uint64_t *target)
{
	uint64_t number;
	int err = o->type == OPTION_SECONDS ? parse_seconds(value, &number)
		  : o->type == OPTION_SIZE  ? parse_size(value, &number)
					    : parse_u64(value, &number);

	if (err || number < o->min || (o->max && number > o->max))
		return fail_number(o, value);
	*target = number;
	return EXIT_OK;
}

/* ---- one option ---- */

static int fail_choice(const struct option_row *o, const char *value)
{
	CLEANUP_FREE char *names = choices_text(o->choices);

	return fail(EXIT_USAGE, "invalid value '%s' for --%s: must be one of %s", value, o->name, names);
}

static int take_choice(const struct option_row *o, const char *value, void *target)
{
	size_t number;
	const void *row = choice_find(o->choices, value, &number);

	if (!row)
		return fail_choice(o, value);
	memcpy(target, &row, sizeof(row));
	return EXIT_OK;
}

static int take_word(const struct option_row *o, const char *word, void *target)
{
	size_t number;

	if (o->type == OPTION_EACH)
		return o->take(target, word);
	if (!choice_find(o->choices, word, &number))
		return fail_choice(o, word);
	*(unsigned int *)target |= 1u << number;
	return EXIT_OK;
}

static int take_list(const struct option_row *o, const char *value, void *target)
{
	struct strings words = { 0 };
	int code = EXIT_OK;

	strings_split(&words, value, ",");
	if (!words.n)
		code = fail(EXIT_USAGE, "invalid value '%s' for --%s: the list is empty", value, o->name);
	for (size_t i = 0; i < words.n && !code; i++)
		code = take_word(o, words.items[i], target);
	strings_done(&words);
	return code;
}

/* 0, or an exit code after the message. */
static int take_option(const struct option_row *o, const char *value, void *target)
{
	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)target = true;
		break;
	case OPTION_TEXT:
		*(const char **)target = value;
		break;
	case OPTION_NUMBER:
	case OPTION_SECONDS:
	case OPTION_SIZE:
		return take_number(o, value, target);
	case OPTION_CHOICE:
		return take_choice(o, value, target);
	case OPTION_SET:
	case OPTION_EACH:
		return take_list(o, value, target);
	}
	return EXIT_OK;
}

/* ---- all of them ---- */

static bool is_optional(const struct option_row *o)
{
	return o->argument && *o->argument == '[';
}

/* The tables of getopt_long(). Rows of a command are fewer than `longs` has. */
static void make_tables(const struct command *c, struct option *longs, char *shorts)
{
	const struct option_row *o;

	if (c->runs_command) /* what stands behind its first argument belongs to that program */
		*shorts++ = '+';
	for (o = c->options; o->name; o++) {
		*longs++ = (struct option){
			.name = o->name,
			.has_arg = is_optional(o) ? optional_argument : o->argument ? required_argument : no_argument,
			.val = o->letter ? o->letter : LONG_ONLY + (int)(o - c->options),
		};
		if (o->letter)
			*shorts++ = o->letter;
		if (o->letter && o->argument)
			*shorts++ = ':';
	}
	*longs = (struct option){ .name = "help", .val = 'h' };
	*shorts = 'h';
}

static const struct option_row *find_row(const struct command *c, int id)
{
	const struct option_row *o = c->options;

	if (id >= LONG_ONLY)
		return &o[id - LONG_ONLY];
	while (o->letter != id)
		o++;
	return o;
}

bool options_take(int argc, char **argv, const struct command *command, void *settings, int *ret_code)
{
	struct option longs[32] = { 0 };
	char shorts[64] = "";
	int id;

	make_tables(command, longs, shorts);
	*ret_code = EXIT_OK;
	while (!*ret_code && (id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *o;

		if (id == 'h') {
			options_print_help(command);
			return false;
		}
		if (id == '?') {
			fprintf(stderr, "Try 'kvmwait %s --help'.\n", command->name);
			*ret_code = EXIT_USAGE;
			return false;
		}
		o = find_row(command, id);
		/* getopt_long() takes an optional argument behind = alone. */
		if (is_optional(o) && !optarg && optind < argc && *argv[optind] != '-')
			optarg = argv[optind++];
		*ret_code = take_option(o, optarg ? optarg : "", (char *)settings + o->target);
	}
	return !*ret_code;
}

void options_print_help(const struct command *command)
{
	printf("usage: kvmwait %s %s\n\n%s\n\noptions:\n", command->name, command->arguments, command->help);
	for (const struct option_row *o = command->options; o->name; o++) {
		CLEANUP_FREE char *left = xasprintf("--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		CLEANUP_FREE char *names = o->choices ? choices_text(o->choices) : NULL;

		if (o->letter)
			printf("  -%c, %-22s %s", o->letter, left, o->help);
		else
			printf("      %-22s %s", left, o->help);
		printf("%s%s\n", names ? ": " : "", names ? names : "");
	}
	printf("  -h, %-22s %s\n", "--help", "print this help");
	if (command->more)
		printf("\n%s\n", command->more);
}
