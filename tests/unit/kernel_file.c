// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/kernel_file.c: a captured root holds regular files alone, and what is missing is a fact.
#include "unit.h"

#include "base/memory.h"
#include "plan/kernel_file.h"

static struct kernel captured(void)
{
	return (struct kernel){ .root = unit_path("root") };
}

static void reads(void)
{
	struct kernel k = captured();
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *error = NULL;

	unit_write_text(k.root, "sys/file", "hello\n");
	CHECK_INT(kernel_file_read(&k, "/sys/file", 100, &text, NULL), 0);
	CHECK_STR(text, "hello\n");
	CHECK_INT(kernel_file_find(&k, "/sys/file"), 0);
	CHECK_INT(kernel_file_find(&k, "/sys"), 0);
	free(text);
	text = NULL;
	CHECK_INT(kernel_file_read_optional(&k, "/sys/file", 3, &text, NULL, &error), -EFBIG);
	CHECK(!text);
	CHECK_HAS(error, "root/sys/file': larger than that of any kernel");
	free(k.root);
}

static void missing(void)
{
	struct kernel k = captured(), running = { .root = (char *)"" };
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *error = NULL;

	unit_write_text(k.root, "sys/file", "hello\n");
	CHECK_INT(kernel_file_find(&k, "/sys/none"), -ENOENT);
	CHECK_INT(kernel_file_read_optional(&k, "/sys/none", 100, &text, NULL, &error), 0);
	CHECK_INT(kernel_file_read_optional(&k, "/sys/file/none", 100, &text, NULL, &error), 0);
	CHECK(!text && !error);
	/* Every error of the running system is a fact: here, that /proc/self is a directory. */
	CHECK(kernel_file_read(&running, "/proc/self", 100, &text, NULL) < 0);
	CHECK_INT(kernel_file_read_optional(&running, "/proc/self", 100, &text, NULL, &error), 0);
	CHECK(!text && !error);
	free(k.root);
}

static void refused(void)
{
	struct kernel k = captured();
	CLEANUP_FREE char *link = xasprintf("%s/link", k.root);
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *error = NULL;

	unit_write_text(k.root, "file", "hello\n");
	CHECK_INT(symlink("file", link), 0);
	CHECK_INT(kernel_file_find(&k, "/link"), -ELOOP);
	CHECK_INT(kernel_file_read_optional(&k, "/link", 100, &text, NULL, &error), -ELOOP);
	CHECK(!text);
	CHECK_HAS(error, "root/link': a link, which a captured root does not hold");
	free(k.root);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a captured file is read", reads },
		{ "a missing file is a fact", missing },
		{ "a link in a captured root is refused", refused },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
