// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/program_find.c: which directories count, and for whom.
#include "unit.h"

#include "base/program_find.h"
#include "base/text.h"

#include <sys/stat.h>

#define NAME "kvmwait-unit-program"

static void make_program(const char *directory, const char *name, mode_t mode)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s", directory, name);

	unit_write_text(directory, name, "#!/bin/sh\n");
	CHECK_INT(chmod(path, mode), 0);
}

/* The program is found in PATH as that file below the directory; NULL: it is not found. */
static void check_found(const char *path, const char *directory)
{
	CLEANUP_FREE char *expected = directory ? xasprintf("%s/" NAME, directory) : NULL;
	CLEANUP_FREE char *found = NULL;

	if (path)
		setenv("PATH", path, 1);
	else
		unsetenv("PATH");
	found = program_find(NAME);
	CHECK_STR(found, expected);
}

static void in_path(void)
{
	CLEANUP_FREE char *first = unit_path("first");
	CLEANUP_FREE char *second = unit_path("second");
	CLEANUP_FREE char *both = xasprintf("%s:%s", first, second);
	CLEANUP_FREE char *odd = xasprintf("::.:relative:/nonexistent:%s", second);

	CHECK_INT(mkdir(first, 0755), 0);
	CHECK_INT(mkdir(second, 0755), 0);
	check_found(both, NULL);
	check_found(NULL, NULL);
	check_found("", NULL);
	make_program(second, NAME, 0755);
	check_found(both, second);
	check_found(odd, second);
	make_program(first, NAME, 0644); /* not to be run */
	check_found(both, second);
	make_program(first, NAME, 0755);
	check_found(both, first);
}

static void not_the_current_directory(void)
{
	make_program(unit_directory(), NAME, 0755);
	CHECK_INT(chdir(unit_directory()), 0);
	check_found(".", NULL);
	check_found(":", NULL);
	check_found("../unit:", NULL);
	CHECK_INT(chdir("/"), 0);
}

/* Where somebody else could put a program, root looks further. */
static void of_others(void)
{
	CLEANUP_FREE char *open_to_all = unit_path("open");
	CLEANUP_FREE char *closed = unit_path("closed");
	CLEANUP_FREE char *both = xasprintf("%s:%s", open_to_all, closed);

	CHECK_INT(mkdir(open_to_all, 0755), 0);
	CHECK_INT(chmod(open_to_all, 0777), 0);
	CHECK_INT(mkdir(closed, 0755), 0);
	make_program(open_to_all, NAME, 0755);
	check_found(both, geteuid() ? open_to_all : NULL);
	make_program(closed, NAME, 0755);
	check_found(both, geteuid() ? open_to_all : closed);
	make_program(closed, NAME, 0757);
	check_found(closed, geteuid() ? closed : NULL);
}

/* What PATH says is no matter where the system's directories have it. */
static void the_system_first(void)
{
	CLEANUP_FREE char *found = NULL;

	make_program(unit_directory(), "cat", 0755);
	setenv("PATH", unit_directory(), 1);
	found = program_find("cat");
	CHECK(found && !starts_with(found, unit_directory()));
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "the first of PATH that can be run", in_path },
		{ "not in the current directory", not_the_current_directory },
		{ "root takes none that others can change", of_others },
		{ "the system's directories come before PATH", the_system_first },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
