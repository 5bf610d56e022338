// SPDX-License-Identifier: Apache-2.0
// Where a program of the system is, on hosts that have no /usr/bin too.
#include "base/program_find.h"

#include "base/safe_open.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The directories of the system, before PATH: whoever set PATH for a root shell cannot replace a program that is there. */
#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool program_is_trusted(const char *path)
{
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FD int fd = geteuid() ? -1 : trusted_open(path, O_PATH, &why);

	return geteuid() || fd >= 0;
}

static char *find_in(const char *path, const char *name, bool only_trusted)
{
	struct strings directories = { 0 };
	char *found = NULL;

	strings_split(&directories, path, ":");
	for (size_t i = 0; i < directories.n && !found; i++) {
		char *candidate = xasprintf("%s/%s", directories.items[i], name);

		if (*candidate == '/' && !access(candidate, X_OK) && (!only_trusted || program_is_trusted(candidate)))
			found = candidate;
		else
			free(candidate);
	}
	strings_done(&directories);
	return found;
}

char *program_find(const char *name)
{
	const char *path = getenv("PATH");
	char *found = find_in(SYSTEM_PATH, name, false);

	return found || !path ? found : find_in(path, name, true);
}
