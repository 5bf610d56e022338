// SPDX-License-Identifier: Apache-2.0
// Opens what a command reads: a recording, a trace of another tool, or the recording in a bundle.
#include "cmd/recording_input.h"

#include "base/memory.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/read.h"
#include "cmd/command.h"

#include <string.h>

int recording_input_open(const char *path, const char *name, struct recording **ret)
{
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *inside = NULL;
	CLEANUP_FD int fd = -1;
	int err;

	if (strcmp(path, "-") != 0 && bundle_is_one(path)) {
		if (bundle_open_member(path, BUNDLE_RECORD, &fd, &why))
			return fail(EXIT_FAILED, "'%s': %s", name, why);
		inside = xasprintf("/proc/self/fd/%d", fd);
	}
	err = recording_open(inside ? inside : path, &(struct recording_settings){ .scripts = scripts_directory() }, ret);
	return err ? fail(EXIT_FAILED, "cannot open the recording: '%s': %s", name, strerror(-err)) : EXIT_OK;
}
