// SPDX-License-Identifier: Apache-2.0
// Directories: their names, the files below them, emptying them. Links are never followed.
#include "base/directory.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

int directory_list_open(int fd, struct strings *names)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = -errno;
	DIR *d = own < 0 ? NULL : fdopendir(own);
	const struct dirent *e;

	if (!d) {
		if (own >= 0)
			close(own);
		return err;
	}
	while ((e = readdir(d)))
		if (!is_dots(e->d_name))
			strings_add(names, e->d_name);
	closedir(d);
	return 0;
}

int directory_list(const char *path, struct strings *names)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : directory_list_open(fd, names);
}

bool directory_is_empty(int fd)
{
	struct strings names = { 0 };
	bool empty = !directory_list_open(fd, &names) && !names.n;

	strings_done(&names);
	return empty;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int directory_files(const char *path, struct strings *files)
{
	char *const roots[] = { (char *)path, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t n_before = files->n;
	const FTSENT *e;
	int err = 0;

	if (!tree)
		return -errno;
	while ((e = fts_read(tree))) {
		if (e->fts_info == FTS_F)
			strings_add(files, e->fts_path + strlen(path));
		else if (e->fts_info == FTS_NS || e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
			err = -e->fts_errno;
	}
	fts_close(tree);
	if (files->n > n_before)
		qsort(files->items + n_before, files->n - n_before, sizeof(*files->items), compare_strings);
	return err;
}

void directory_clear(const char *path)
{
	char *const roots[] = { (char *)path, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const FTSENT *e;

	while (tree && (e = fts_read(tree)))
		if (e->fts_level > FTS_ROOTLEVEL && e->fts_info != FTS_D)
			remove(e->fts_accpath);
	if (tree)
		fts_close(tree);
}
