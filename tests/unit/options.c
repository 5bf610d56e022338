// SPDX-License-Identifier: Apache-2.0
// Tests of helper/cmd/options.c: what each type of option accepts, where it goes, and what is said of the rest.
#include "unit.h"

#include "base/file.h"
#include "base/text.h"
#include "cmd/command.h"

#include <fcntl.h>
#include <unistd.h>

struct settings {
	bool flag;
	const char *text, *maybe;
	uint64_t number, ns, bytes;
	const struct shape {
		const char *name;
		int corners;
	} *shape;
	unsigned int set;
	struct strings each;
};

static const struct shape shapes[] = { { "square", 4 }, { "line", 2 }, { "triangle", 3 }, { NULL, 0 } };
static const struct shape circle = { "circle", 0 };

static bool has_area(const void *row)
{
	return ((const struct shape *)row)->corners > 2;
}

static const struct choices choices = CHOICES(shapes, .allows = has_area, .more = &circle);

static int add_word(void *target, const char *word)
{
	strings_add(target, word);
	return strcmp(word, "bad") ? EXIT_OK : fail(EXIT_LACKING, "bad word");
}

static const struct option_row rows[] = {
	{ 'f', "flag", NULL, "a flag", TO_FLAG(flag) },
	{ 't', "text", "TEXT", "a text", TO_TEXT(text) },
	{ 0, "maybe", "[TEXT]", "a text or none", TO_TEXT(maybe) },
	{ 'n', "number", "N", "a number", TO_NUMBER(number), .min = 2, .max = 10 },
	{ 0, "seconds", "SEC", "seconds", TO_SECONDS(ns), .min = 1 },
	{ 0, "size", "SIZE", "a size", TO_SIZE(bytes), .min = 1024, .max = 3u << 30 },
	{ 's', "shape", "SHAPE", "one shape", TO_CHOICE(shape, struct shape, &choices) },
	{ 0, "set", "LIST", "several shapes", TO_SET(set, &choices) },
	{ 0, "each", "LIST", "words", TO_EACH(each, struct strings, add_word) },
	{ 0 },
};

static int run_nothing(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static const struct command plain = { .name = "test", .run = run_nothing, .arguments = "[OPTION]...", .help = "a test", .options = rows };
static const struct command runner = { .name = "run", .run = run_nothing, .arguments = "", .help = "", .options = rows, .runs_command = true };

static int code;
static char *printed; /* to standard output and standard error by the last take() */

/* Takes the words of a line; true where the command goes on. optind is that of the first argument. */
static bool take(const struct command *command, const char *line, struct settings *ret)
{
	CLEANUP_FREE char *path = unit_path("printed");
	struct strings words = { 0 };
	int out = dup(1), err = dup(2), fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool goes_on;

	strings_add(&words, "kvmwait");
	strings_split(&words, line, " ");
	words.items = xrealloc(words.items, words.n + 1, sizeof(*words.items));
	words.items[words.n] = NULL;
	fflush(stdout);
	dup2(fd, 1);
	dup2(fd, 2);
	strings_done(&ret->each);
	*ret = (struct settings){ 0 };
	optind = 0;
	goes_on = options_take((int)words.n, words.items, command, ret, &code);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	close(fd);
	free(printed);
	CHECK_INT(file_read(path, 1 << 20, &printed, NULL), 0);
	/* texts point into the words */
	ret->text = ret->text ? xstrdup(ret->text) : NULL;
	ret->maybe = ret->maybe ? xstrdup(ret->maybe) : NULL;
	strings_done(&words);
	return goes_on;
}

static void done(struct settings *s)
{
	free((char *)s->text);
	free((char *)s->maybe);
	s->text = s->maybe = NULL;
}

static void accepts(void)
{
	struct settings s = { 0 };

	CHECK(take(&plain, "-f -t hello --number 10 --seconds 1.25 --size 64M --shape triangle --set square,circle --each a,b --each c", &s));
	CHECK_INT(code, EXIT_OK);
	CHECK(s.flag);
	CHECK_STR(s.text, "hello");
	CHECK_INT(s.number, 10);
	CHECK_INT(s.ns, 1250000000);
	CHECK_INT(s.bytes, 64 << 20);
	CHECK(s.shape == &shapes[2]);
	CHECK_INT(s.set, 1u | 8u);
	CHECK_INT(s.each.n, 3);
	CHECK_STR(s.each.items[2], "c");
	CHECK_STR(printed, "");
	done(&s);
	CHECK(take(&plain, "--shape circle --seconds .5 -t=x", &s));
	CHECK(s.shape == &circle);
	CHECK_INT(s.ns, 500000000);
	CHECK_STR(s.text, "=x");
	done(&s);
}

static void optional_argument_is_taken(void)
{
	struct settings s = { 0 };

	CHECK(take(&plain, "--maybe", &s));
	CHECK_STR(s.maybe, "");
	done(&s);
	CHECK(take(&plain, "--maybe=a,b", &s));
	CHECK_STR(s.maybe, "a,b");
	done(&s);
	CHECK(take(&plain, "--maybe a,b -f", &s));
	CHECK_STR(s.maybe, "a,b");
	CHECK(s.flag);
	done(&s);
	CHECK(take(&plain, "--maybe -f", &s));
	CHECK_STR(s.maybe, "");
	CHECK(s.flag);
	done(&s);
	CHECK(take(&plain, "", &s));
	CHECK(!s.maybe);
}

static void refuses(void)
{
	static const struct {
		const char *line, *message;
	} wrong[] = {
		{ "--number 1", "kvmwait: invalid value '1' for --number: must be a number, at least 2, at most 10\n" },
		{ "--number 11", "at most 10" },
		{ "--number x", "invalid value 'x'" },
		{ "--number -3", "invalid value '-3'" },
		{ "--seconds 0", "kvmwait: invalid value '0' for --seconds: must be a number of seconds, more than 0\n" },
		{ "--seconds 0.0000000001", "more than 0" },
		{ "--seconds 1s", "invalid value '1s'" },
		{ "--seconds .", "invalid value '.'" },
		{ "--seconds 1.2.3", "invalid value '1.2.3'" },
		{ "--seconds -1", "invalid value '-1'" },
		{ "--seconds 1000000001", "invalid value" },
		{ "--size 1023", "kvmwait: invalid value '1023' for --size: must be a number of bytes, or of K, M or G, at least 1K, at most 3G\n" },
		{ "--size 4G", "at most 3G" },
		{ "--size 1KB", "invalid value '1KB'" },
		{ "--shape line", "kvmwait: invalid value 'line' for --shape: must be one of square, triangle, circle\n" },
		{ "--shape squ", "must be one of" },
		{ "--set square,line", "invalid value 'line' for --set: must be one of square, triangle, circle\n" },
		{ "--set ,", "kvmwait: invalid value ',' for --set: the list is empty\n" },
		{ "--nonsense", "Try 'kvmwait test --help'.\n" },
		{ "--number", "requires an argument" },
		{ "-x", "Try 'kvmwait test --help'.\n" },
	};
	struct settings s = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CHECK(!take(&plain, wrong[i].line, &s));
		CHECK_INT(code, EXIT_USAGE);
		CHECK_HAS(printed, wrong[i].message);
	}
	CHECK(!take(&plain, "--each a,bad,c --number 1", &s)); /* the first that is wrong ends it, with its own code */
	CHECK_INT(code, EXIT_LACKING);
	CHECK_INT(s.each.n, 2);
	CHECK_STR(printed, "kvmwait: bad word\n");
	strings_done(&s.each);
}

static void arguments(void)
{
	struct settings s = { 0 };

	CHECK(take(&plain, "file -f", &s)); /* options may follow */
	CHECK(s.flag);
	CHECK_INT(optind, 2);
	CHECK(take(&runner, "program -f", &s)); /* but those of a program to run are its own */
	CHECK(!s.flag);
	CHECK_INT(optind, 1);
}

static void help(void)
{
	struct settings s = { 0 };

	CHECK(!take(&plain, "--help", &s));
	CHECK_INT(code, EXIT_OK);
	CHECK_HAS(printed, "usage: kvmwait test [OPTION]...\n\na test\n\noptions:\n");
	CHECK_HAS(printed, "  -f, --flag                 a flag\n");
	CHECK_HAS(printed, "      --maybe [TEXT]         a text or none\n");
	CHECK_HAS(printed, "  -s, --shape SHAPE          one shape: square, triangle, circle\n");
	CHECK_HAS(printed, "  -h, --help                 print this help\n");
	CHECK(!take(&plain, "--number 1 --help", &s)); /* what is wrong before it is said first */
	CHECK_INT(code, EXIT_USAGE);
}

/* Each command of the program: rows that getopt_long() can tell apart, and room for all of them. */
static void commands_are_sound(void)
{
	for (size_t i = 0; commands[i]; i++) {
		size_t n = 0;

		for (const struct option_row *o = commands[i]->options; o->name; o++, n++) {
			CHECK(o->help && o->letter != 'h' && strcmp(o->name, "help"));
			CHECK((o->type == OPTION_FLAG) == !o->argument);
			CHECK((o->type == OPTION_CHOICE || o->type == OPTION_SET) == (o->choices != NULL));
			CHECK((o->type == OPTION_EACH) == (o->take != NULL));
			for (const struct option_row *p = commands[i]->options; p < o; p++)
				CHECK(strcmp(p->name, o->name) && (!o->letter || p->letter != o->letter));
		}
		CHECK(n + 2 <= 32);
	}
}

static const struct unit_test tests[] = {
	{ "accepts", accepts },	      { "optional_argument_is_taken", optional_argument_is_taken },
	{ "refuses", refuses },	      { "arguments", arguments },
	{ "help", help },	      { "commands_are_sound", commands_are_sound },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
