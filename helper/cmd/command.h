// SPDX-License-Identifier: Apache-2.0
// What the commands share: their table, exit codes, messages, and the paths of installed files.
#ifndef KVMWAIT_CMD_COMMAND_H
#define KVMWAIT_CMD_COMMAND_H

#include "cmd/options.h"
#include "plan/select.h"
#include "show/stream.h"

#include <getopt.h>

enum exit_code {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_NO_SCRIPT,
	EXIT_LACKING,
	EXIT_UNBALANCED,
	EXIT_CODES,
};
extern const char *const exit_code_help[EXIT_CODES];

struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* returns an exit code */
	const char *arguments;
	const char *help;
	const struct option_row *options; /* ends with a nameless one */
	const char *more;		  /* a paragraph, or NULL */
	bool runs_command;		  /* its arguments are a command to run, with options of its own */
};
extern const struct command command_trace, command_stat, command_blame, command_record, command_report, command_plan, command_list,
	command_check, command_selftest, command_convert, command_bundle, command_capture, command_why;
extern const struct command *const commands[]; /* in the order of the help; ends with NULL */

/* Runs a command as main() does: argv[1] is its name. Returns its exit code; standard output has been flushed. */
int run_command(int argc, char **argv);

/* "kvmwait: " and the message on stderr; returns the code. */
int fail(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what does not end the command. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* privilege_drop(): 0, or an exit code with the message said. */
int drop_root(uint64_t keep);

/* EXIT_USAGE after a message where arguments follow the options. */
int take_no_argument(int argc, char **argv, const char *command);
/* Opens the output if one is named; *ret is NULL for standard output. 0, or an exit code after the message. */
int open_output(const char *output, FILE **ret);
/* The default where none is chosen. Refuses to write binary data to a terminal. 0, or an exit code after the message. */
int choose_stream_format(const struct stream_format **format, const char *output);
/* Prints an object to standard output, and drops the reference. */
void print_json(json_t *object);

/* The directory of the scripts: $KVMWAIT_SCRIPTS, that of the build tree or the prefix that the program is in, or where they were to be installed. Borrowed. */
const char *scripts_directory(void);
/* A file of share/ that the program reads, from the same places. The caller frees. */
char *share_path(const char *name);

/* Says that no script fits and why, and returns EXIT_NO_SCRIPT. */
int fail_no_script(const struct plan *plan);

#endif
