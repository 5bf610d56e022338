// SPDX-License-Identifier: Apache-2.0
// The options of a command as data: parsing, --help and the messages about wrong values come from one table.
#ifndef KVMWAIT_CMD_OPTIONS_H
#define KVMWAIT_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;

/* The names that a value can have: those of the rows of a table that another module owns. */
struct choices {
	const void *rows; /* each begins with its name, a const char *; the last row has none */
	size_t row_bytes;
	bool (*allows)(const void *row); /* NULL: all of them are allowed */
	const void *more;		 /* one row that is not in the table, or NULL */
};
#define CHOICES(table, ...) { .rows = (table), .row_bytes = sizeof((table)[0]), __VA_ARGS__ }

enum option_type {
	OPTION_FLAG,	/* no argument */
	OPTION_TEXT,
	OPTION_NUMBER,	/* from min to max, as the next two; max 0: no limit */
	OPTION_SECONDS, /* with a fraction; the target is in ns */
	OPTION_SIZE,	/* in bytes; K, M, G can follow */
	OPTION_CHOICE,	/* one of the choices: the target points to its row */
	OPTION_SET,	/* a list of choices: the target has bit N for row N */
	OPTION_EACH,	/* a list: take() gets one word after the other */
};

struct option_row {
	char letter; /* or 0 */
	const char *name;
	const char *argument; /* NULL: it takes none; "[ARGUMENT]": it may have one */
	const char *help;     /* --help puts the choices behind it */
	enum option_type type;
	size_t target; /* offset in the settings of the command */
	uint64_t min, max;
	const struct choices *choices;
	int (*take)(void *target, const char *word); /* 0, or an exit code after its message */
};

/* Type and target of a row. The target is a member of `struct settings` in the file of the command; its type is checked. */
#define TARGET(member, member_type) \
	.target = offsetof(struct settings, member) + 0 * sizeof(_Generic(&((struct settings *)0)->member, member_type *: 0))
#define TO_FLAG(member) .type = OPTION_FLAG, TARGET(member, bool)
#define TO_TEXT(member) .type = OPTION_TEXT, TARGET(member, const char *)
#define TO_NUMBER(member) .type = OPTION_NUMBER, TARGET(member, uint64_t)
#define TO_SECONDS(member) .type = OPTION_SECONDS, TARGET(member, uint64_t)
#define TO_SIZE(member) .type = OPTION_SIZE, TARGET(member, uint64_t)
#define TO_CHOICE(member, row_type, from) .type = OPTION_CHOICE, TARGET(member, const row_type *), .choices = (from)
#define TO_SET(member, from) .type = OPTION_SET, TARGET(member, unsigned int), .choices = (from)
#define TO_EACH(member, member_type, function) .type = OPTION_EACH, TARGET(member, member_type), .take = (function)

/* A row that several commands have; the settings have it as output. */
#define OPTION_OUTPUT { 'o', "output", "FILE", "write to FILE instead of standard output", TO_TEXT(output) }

/*
 * Takes the options of a command into its settings; argv[optind] is the first argument then. False where the command
 * ends here, after --help or a message about a wrong option, with the exit code in ret_code.
 */
bool options_take(int argc, char **argv, const struct command *command, void *settings, int *ret_code);

void options_print_help(const struct command *command);

#endif
