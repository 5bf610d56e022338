// SPDX-License-Identifier: Apache-2.0
// What the commands share: their table, exit codes, messages, and the paths of installed files.
#ifndef KVMWAIT_CMD_COMMAND_H
#define KVMWAIT_CMD_COMMAND_H

#include "plan/select.h"

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

/* One option of one command: help, man page and completion are checked against this table. */
struct option_help {
	char letter; /* or 0 */
	const char *name;
	const char *argument; /* or NULL */
	const char *help;
	int id; /* what getopt returns; the letter, or a number beyond 255 */
};

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *help;
	const struct option_help *options; /* ends with a nameless one */
	const char *more;		   /* a paragraph, or NULL */
};
extern const struct command commands[];
extern const size_t n_commands;

int cmd_list(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_blame(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_selftest(int argc, char **argv);
int cmd_bundle(int argc, char **argv);

/* Runs a command as main() does: argv[1] is its name. Returns its exit code; standard output has been flushed. */
int run_command(int argc, char **argv);

extern const struct option_help list_options[], plan_options[], capture_options[], trace_options[], stat_options[], blame_options[], record_options[], report_options[],
	convert_options[],
	check_options[], selftest_options[], bundle_options[];

/* "kvmwait: " and the message on stderr; returns the code. */
int fail(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what does not end the command. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* privilege_drop(): 0, or an exit code with the message said. */
int drop_root(uint64_t keep);

/*
 * The next option of a command by its table: its id; 0 for --help, which has been served; -1 at the end;
 * '?' where it is wrong, which has been said.
 */
int next_option(int argc, char **argv, const char *command);

/* The directory of the scripts: $KVMWAIT_SCRIPTS, beside a build tree, or where they were installed. Borrowed. */
const char *scripts_directory(void);
/* A file of share/ that the program reads: beside a build tree, or where it was installed. The caller frees. */
char *share_path(const char *name);

/* Says that no script fits and why, and returns EXIT_NO_SCRIPT. */
int fail_no_script(const struct plan *plan);

#endif
