// SPDX-License-Identifier: Apache-2.0
// kvmwait capture: saves what a plan needs of this kernel, small enough to mail, for plan --root elsewhere.
#include "base/directory.h"
#include "base/file.h"
#include "base/safe_open.h"
#include "cmd/command.h"
#include "cmd/plan_load.h"
#include "plan/capture.h"

#include <stdlib.h>
#include <unistd.h>

struct settings {
	bool force;
};

static const struct option_row options[] = {
	{ 'f', "force", NULL, "write into a directory that is not empty", TO_FLAG(force) },
	{ 0 },
};

static int capture(const char *directory, bool force)
{
	struct loaded_plan plan;
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *error = NULL;
	CLEANUP_FD int directory_fd = output_directory_open(directory, &why);
	int code;

	if (directory_fd < 0)
		return fail(EXIT_FAILED, "the capture cannot be written: '%s': %s", directory, why);
	if (!force && !directory_is_empty(directory_fd))
		return fail(EXIT_FAILED, "'%s' is not an empty directory: name another, or give --force", directory);
	code = plan_load("", &plan);
	if (code)
		return code;
	if (!plan.kernel.tracefs_readable)
		note("tracefs %s: the capture goes without tracepoints",
		     plan.kernel.tracefs ? "cannot be read (run it with sudo)" : "is not mounted");
	error = capture_write(directory_fd, &plan.kernel, plan.scripts, plan.n_scripts);
	plan_unload(&plan);
	if (error)
		return fail(EXIT_FAILED, "the capture is not complete: %s", error);
	printf("captured into '%s'; look at it with: kvmwait plan --root '%s'\n", directory, directory);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct settings s = { 0 };
	int code;

	if (!options_take(argc, argv, &command_capture, &s, &code))
		return code;
	if (optind + 1 != argc)
		return fail(EXIT_USAGE, "capture takes one directory");
	return capture(argv[optind], s.force);
}

const struct command command_capture = {
	.name = "capture",
	.run = run,
	.arguments = "[OPTION]... DIR",
	.help = "save the facts of this kernel that a plan needs, for plan --root",
	.options = options,
};
