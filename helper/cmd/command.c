// SPDX-License-Identifier: Apache-2.0
// The table of commands, their help, and what they share: messages, and the paths of installed files.
#include "cmd/command.h"

#include "base/privilege.h"
#include "base/text.h"
#include "show/plan_show.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const exit_code_help[EXIT_CODES] = {
	[EXIT_OK] = "all was done",
	[EXIT_FAILED] = "something failed; the message says what",
	[EXIT_USAGE] = "the command line is wrong",
	[EXIT_NO_SCRIPT] = "no script fits this kernel",
	[EXIT_LACKING] = "a privilege or a program is lacking",
	[EXIT_UNBALANCED] = "received + lost is not what the kernel counted, or the count is not known",
};

const struct command commands[] = {
	{ "trace", cmd_trace, "[OPTION]... [-- COMMAND [ARG]...]", "stream the waits of vCPUs as they happen", trace_options,
	  "Without -d and COMMAND it runs until Ctrl-C. With COMMAND it runs as long as the command does; the\n"
	  "command's output goes to standard error unless -o is given." },
	{ "stat", cmd_stat, "[OPTION]... [-- COMMAND [ARG]...]", "count waits in the kernel: rates, halts, yields, time ready", stat_options,
	  "Without -d and COMMAND it runs until Ctrl-C, and then prints the totals. On a terminal it shows every second;\n"
	  "p50 and p99 come from powers of two: they are within a factor of two." },
	{ "blame", cmd_blame, "[OPTION]... [-- COMMAND [ARG]...]", "say who has the CPU of the vCPU that a spin waits for", blame_options,
	  "Without -d and COMMAND it runs for 5 seconds. With COMMAND it runs as long as the command does; the\n"
	  "command's output goes to standard error unless -o is given." },
	{ "record", cmd_record, "-o FILE [OPTION]... [-- COMMAND [ARG]...]", "trace into a file, to look at it later, elsewhere", record_options,
	  "Without -d and COMMAND it runs until Ctrl-C, or until the file is full. With COMMAND it runs as long as the\n"
	  "command does. 'kvmwait report' and 'kvmwait convert' read the file, unprivileged." },
	{ "report", cmd_report, "[OPTION]... FILE|-...", "counts, rates and halts from recordings, host by host", report_options,
	  "Several files are several hosts, or several times of one: they are kept apart. Needs no privilege." },
	{ "plan", cmd_plan, "[OPTION]...", "say which script this kernel gets, and how exact each event is", plan_options, NULL },
	{ "list", cmd_list, "[OPTION]...", "list the scripts: ranges, events, needs", list_options, NULL },
	{ "check", cmd_check, "[OPTION]...", "say what this host allows and lacks, with the next step", check_options, NULL },
	{ "selftest", cmd_selftest, "[OPTION]...", "run a guest of known behaviour and compare what was seen", selftest_options,
	  "It needs root, bpftrace and /dev/kvm, and takes a few seconds." },
	{ "convert", cmd_convert, "[OPTION]... FILE|-", "turn saved lines of a script, or saved NDJSON, into any form",
	  convert_options, NULL },
	{ "bundle", cmd_bundle, "[OPTION]... [FILE]", "save what a support engineer needs of this host, in one file", bundle_options,
	  "Without --list and --extract it makes a bundle, and prints its name. Without root and bpftrace there is less in it;\n"
	  "what could not be had is in the bundle with its reason." },
	{ "capture", cmd_capture, "[OPTION]... DIR", "save what a plan needs of this kernel, for plan --root", capture_options,
	  NULL },
};
const size_t n_commands = ARRAY_SIZE(commands);

static void say(const char *format, va_list args)
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

/* The tree that the program was built in, TREE/build/kvmwait; NULL: it was installed. The caller frees. */
static char *built_in(void)
{
	char exe[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	slash = strstr(exe, "/build/");
	return slash && !strchr(slash + 7, '/') ? xstrndup(exe, (size_t)(slash - exe)) : NULL;
}

const char *scripts_directory(void)
{
	static char *beside;
	const char *given = getenv("KVMWAIT_SCRIPTS");

	if (given && *given)
		return given;
	if (!beside) {
		CLEANUP_FREE char *tree = built_in();

		beside = tree ? xasprintf("%s/scripts", tree) : NULL;
	}
	return beside && !access(beside, F_OK) ? beside : KVMWAIT_DATADIR "/scripts";
}

char *share_path(const char *name)
{
	CLEANUP_FREE char *tree = built_in();
	CLEANUP_FREE char *beside = tree ? xasprintf("%s/share/%s", tree, name) : NULL;

	return beside && !access(beside, F_OK) ? xstrdup(beside) : xasprintf("%s/%s", KVMWAIT_DATADIR, name);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_help(FILE *f)
{
	fputs("usage: kvmwait COMMAND [OPTION]...\n\nSays why a vCPU is not getting on: pause-loop exits, HLT and paravirtual "
	      "yields of KVM guests,\nfrom bpftrace scripts that fit the running kernel.\n\ncommands:\n",
	      f);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n  kvmwait COMMAND --help (-h) says more; --version (-V) prints the version.\n\nexit codes:\n", f);
	for (int i = 0; i < EXIT_CODES; i++)
		fprintf(f, "  %d  %s\n", i, exit_code_help[i]);
}

static void print_command_help(FILE *f, const struct command *c)
{
	fprintf(f, "usage: kvmwait %s %s\n\n%s\n\noptions:\n", c->name, c->arguments, c->help);
	for (const struct option_help *o = c->options; o->name; o++) {
		CLEANUP_FREE char *left = xasprintf("--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");

		if (o->letter)
			fprintf(f, "  -%c, %-22s %s\n", o->letter, left, o->help);
		else
			fprintf(f, "      %-22s %s\n", left, o->help);
	}
	fprintf(f, "  -h, %-22s %s\n", "--help", "this text");
	if (c->more)
		fprintf(f, "\n%s\n", c->more);
}

int next_option(int argc, char **argv, const char *command)
{
	const struct command *c = find_command(command);
	struct option longs[32] = { 0 };
	/* What stands behind the options of a traced command is the command's. */
	char shorts[96] = "+", *s = shorts;
	size_t n = 0;
	int id;

	if (!c) /* whoever calls this is in the table */
		abort();
	s += c->run == cmd_trace || c->run == cmd_stat || c->run == cmd_blame || c->run == cmd_record;
	for (const struct option_help *o = c->options; o->name && n + 2 < ARRAY_SIZE(longs); o++) {
		longs[n++] = (struct option){ .name = o->name, .has_arg = o->argument ? required_argument : no_argument, .val = o->id };
		if (!o->letter)
			continue;
		*s++ = o->letter;
		if (o->argument)
			*s++ = ':';
	}
	longs[n] = (struct option){ .name = "help", .val = 'h' };
	*s++ = 'h';
	*s = '\0';
	id = getopt_long(argc, argv, shorts, longs, NULL);
	if (id == 'h') {
		print_command_help(stdout, c);
		return 0;
	}
	if (id == '?')
		fprintf(stderr, "Try 'kvmwait %s --help'.\n", command);
	return id;
}

int run_command(int argc, char **argv)
{
	static char program[] = "kvmwait";
	const struct command *c;
	int code;

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
	if (fflush(stdout) && !code && errno != EPIPE)
		return fail(EXIT_FAILED, "standard output cannot be written");
	return code;
}
