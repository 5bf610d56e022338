// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/directory.c: names, files below, and what is removed, with links that lead out of the directory.
#include "unit.h"

#include "base/directory.h"

#include <fcntl.h>
#include <sys/stat.h>

static char *make_tree(void)
{
	char *root = unit_path("tree");
	CLEANUP_FREE char *outside = unit_path("outside");
	CLEANUP_FREE char *link = xasprintf("%s/b/link", root);
	CLEANUP_FREE char *fifo = xasprintf("%s/fifo", root);
	CLEANUP_FREE char *empty = xasprintf("%s/empty", root);

	unit_remove(root);
	unit_write_text(outside, "kept", "x");
	unit_write_text(root, "b/two", "x");
	unit_write_text(root, "b/.one", "x");
	unit_write_text(root, "a", "x");
	CHECK_INT(symlink(outside, link), 0);
	CHECK_INT(mkfifo(fifo, 0600), 0);
	CHECK_INT(mkdir(empty, 0700), 0);
	return root;
}

static void lists(void)
{
	CLEANUP_FREE char *root = make_tree();
	CLEANUP_FREE char *none = xasprintf("%s/none", root);
	struct strings names = { 0 };

	CHECK_INT(directory_list(root, &names), 0);
	CHECK_INT(names.n, 4);
	CHECK(strings_have(&names, "a") && strings_have(&names, "b") && strings_have(&names, "fifo") && strings_have(&names, "empty"));
	CHECK_INT(directory_list(none, &names), -ENOENT);
	CHECK_INT(names.n, 4);
	strings_done(&names);
}

static void files(void)
{
	CLEANUP_FREE char *root = make_tree();
	CLEANUP_FREE char *none = xasprintf("%s/none", root);
	CLEANUP_FREE char *all = NULL;
	struct strings found = { 0 };

	CHECK_INT(directory_files(root, &found), 0);
	all = strings_join(&found, " ");
	CHECK_STR(all, "/a /b/.one /b/two");
	CHECK_INT(directory_files(none, &found), -ENOENT);
	CHECK_INT(found.n, 3);
	strings_done(&found);
}

static void clears(void)
{
	CLEANUP_FREE char *root = make_tree();
	CLEANUP_FREE char *kept = unit_path("outside/kept");
	int fd = open(root, O_RDONLY | O_DIRECTORY);

	CHECK(!directory_is_empty(fd));
	directory_clear(root);
	CHECK(directory_is_empty(fd));
	CHECK(directory_is_empty(fd)); /* the position of fd does not matter */
	CHECK_INT(access(kept, F_OK), 0);
	CHECK(!directory_is_empty(-1));
	close(fd);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "names of a directory", lists },
		{ "files below a directory", files },
		{ "a cleared directory is empty, and what links lead to stays", clears },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
