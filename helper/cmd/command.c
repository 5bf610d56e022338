// SPDX-License-Identifier: Apache-2.0
// The table of commands, their help, and what they share: messages, and the paths of installed files.
#include "cmd/command.h"

#include "base/output.h"
#include "base/privilege.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "show/plan_show.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const exit_code_help[EXIT_CODES] = {
	[EXIT_OK] = "success",
	[EXIT_FAILED] = "failure; the message gives the reason",
	[EXIT_USAGE] = "the command line is wrong",
	[EXIT_NO_SCRIPT] = "no script fits this kernel",
	[EXIT_LACKING] = "a privilege or a program is missing",
	[EXIT_UNBALANCED] = "received + lost differs from the kernel's count, the count is unknown, or the audit differs",
};

const struct command *const commands[] = {
	&command_why,	 &command_trace, &command_stat,	 &command_blame,    &command_record,  &command_report,	&command_plan,
	&command_list,	 &command_check, &command_selftest, &command_convert, &command_bundle, &command_capture, NULL,
};

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list args)
{
	fputs("kvmwait: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int fail(enum exit_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return (int)code;
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

int fail_no_script(const struct plan *plan)
{
	note("no script fits kernel %s:", plan->kernel->release);
	plan_print_misfits(stderr, plan);
	fputs("'kvmwait check' says what is in the way.\n", stderr);
	return EXIT_NO_SCRIPT;
}

int drop_root(uint64_t keep)
{
	int err = privilege_drop(keep);

	return err ? fail(EXIT_FAILED, "privileges cannot be dropped: %s", strerror(-err)) : EXIT_OK;
}

/*
 * A file of the program: in the tree that it was built in (TREE/build/kvmwait), beside it (PREFIX/bin/kvmwait, wherever it was
 * unpacked), or where it was to be installed. The caller frees.
 */
static char *data_path(const char *in_tree, const char *installed)
{
	char exe[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *directory;
	char *path = NULL;
	struct stat st;

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	slash = strrchr(exe, '/');
	directory = slash ? slash + 1 : "";
	if (slash && !strcmp(directory, "build"))
		path = xasprintf("%.*s/%s", (int)(slash - exe), exe, in_tree);
	else if (slash && !strcmp(directory, "bin"))
		path = xasprintf("%.*s/share/kvmwait/%s", (int)(slash - exe), exe, installed);
	if (path && !stat(path, &st)) /* not access(), for which a process that has given root up has no capabilities */
		return path;
	free(path);
	return xasprintf("%s/%s", KVMWAIT_DATADIR, installed);
}

const char *scripts_directory(void)
{
	static char *found;
	const char *given = getenv("KVMWAIT_SCRIPTS");

	if (given && *given)
		return given;
	if (!found)
		found = data_path("scripts", "scripts");
	return found;
}

char *share_path(const char *name)
{
	CLEANUP_FREE char *in_tree = xasprintf("share/%s", name);

	return data_path(in_tree, name);
}

int take_no_argument(int argc, char **argv, const char *command)
{
	return optind < argc ? fail(EXIT_USAGE, "%s takes no argument: '%s'", command, argv[optind]) : EXIT_OK;
}

int open_output(const char *output, FILE **ret)
{
	CLEANUP_FREE char *why = NULL;

	*ret = NULL;
	if (output && output_open(output, ret, &why))
		return fail(EXIT_FAILED, "cannot open the output: '%s': %s", output, why);
	return EXIT_OK;
}

int choose_stream_format(const struct stream_format **format, const char *output)
{
	bool terminal = !output && isatty(STDOUT_FILENO);

	if (!*format)
		*format = stream_format_find(terminal ? "table" : "json");
	if ((*format)->binary && terminal)
		return fail(EXIT_USAGE, "refusing to write binary data (%s) to a terminal: use -o FILE", (*format)->name);
	return EXIT_OK;
}

void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static void print_help(FILE *f)
{
	fputs("usage: kvmwait COMMAND [OPTION]...\n\nShows why a vCPU makes no progress: pause-loop exits, HLT and paravirtual "
	      "yields of KVM guests,\nwith bpftrace scripts that fit the running kernel.\n\ncommands:\n",
	      f);
	for (size_t i = 0; commands[i]; i++)
		fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->help);
	fputs("\n  kvmwait COMMAND --help (-h) prints the options of a command; --version (-V) prints the version.\n\nexit codes:\n", f);
	for (int i = 0; i < EXIT_CODES; i++)
		fprintf(f, "  %d  %s\n", i, exit_code_help[i]);
}

int run_command(int argc, char **argv)
{
	static char program[] = "kvmwait";
	const struct command *c;
	int code, err;

	argv[0] = program;	  /* what getopt puts before its messages */
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("kvmwait " KVMWAIT_VERSION);
		return EXIT_OK;
	}
	c = find_command(argv[1]);
	if (!c)
		return fail(EXIT_USAGE, "no such command: '%s'; 'kvmwait --help' lists them", argv[1]);
	argv[1] = program;
	code = c->run(argc - 1, argv + 1);
	err = output_flush(stdout);
	if (err && err != -EPIPE && !code)
		return fail(EXIT_FAILED, "standard output cannot be written: %s", strerror(-err));
	return code;
}
