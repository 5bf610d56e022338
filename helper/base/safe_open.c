// SPDX-License-Identifier: Apache-2.0
// Opens files where others could be at work: what only root may change, and outputs that nobody can turn elsewhere.
// A path is walked part by part, each held open and looked at before the next, so that nothing changes behind a check.
#include "base/safe_open.h"

#include "base/file.h"
#include "base/output.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_LINKS 40

enum purpose {
	FOR_ROOT,   /* what root relies on */
	FOR_OUTPUT, /* what is written */
};

/* Where a walk has come to. */
struct walk {
	enum purpose purpose;
	bool make;     /* directories that are not there */
	int directory; /* O_PATH */
	int end;       /* the last part itself, O_PATH; -1: it is not there yet */
	char *name;    /* of the last part in the directory */
	char *rest;    /* what is still to be walked */
	char *shown;   /* the path so far, for messages */
	char *why;
	int links;
};

static void walk_done(struct walk *w)
{
	if (w->directory >= 0)
		close(w->directory);
	if (w->end >= 0)
		close(w->end);
	free(w->name);
	free(w->rest);
	free(w->shown);
}

static int refuse(struct walk *w, const char *what)
{
	free(w->why);
	w->why = xasprintf("'%s' %s", *w->shown ? w->shown : "/", what);
	return -EPERM;
}

static int refuse_output(struct walk *w, const char *what)
{
	CLEANUP_FREE char *all = xasprintf("%s, in a directory that everybody can write: choose a directory of your own", what);

	return refuse(w, all);
}

/* ---- what root relies on ---- */

/* The bits of the group tell as well of others that an access list names. */
static bool others_write(int fd, const struct stat *st)
{
	CLEANUP_FREE char *path = xasprintf("/proc/self/fd/%d", fd);

	if (st->st_mode & S_IWOTH)
		return true;
	return st->st_mode & S_IWGRP && (st->st_gid || getxattr(path, "system.posix_acl_access", NULL, 0) > 0);
}

static int check_for_root(struct walk *w, int fd, const struct stat *st, bool is_last)
{
	CLEANUP_FREE char *owner = xasprintf("belongs to uid %u", st->st_uid);

	if (st->st_uid)
		return refuse(w, owner);
	if (S_ISLNK(st->st_mode) || !others_write(fd, st))
		return 0;
	/* In /tmp nobody renames what is root's. */
	if (!is_last && st->st_mode & S_ISVTX)
		return 0;
	return refuse(w, "can be written by others than root");
}

/* ---- what is written ---- */

static bool is_open_to_all(int directory, struct stat *ret)
{
	return !fstat(directory, ret) && ret->st_mode & S_IWOTH;
}

/* Ours, or that of whoever has the directory, as fs.protected_symlinks has it. */
static bool is_known(const struct stat *st, const struct stat *directory)
{
	return st->st_uid == geteuid() || (directory->st_mode & S_ISVTX && st->st_uid == directory->st_uid);
}

static int check_for_output(struct walk *w, const struct stat *st, bool is_last)
{
	struct stat directory;

	if (!is_open_to_all(w->directory, &directory))
		return 0;
	if (S_ISLNK(st->st_mode) && !is_known(st, &directory))
		return refuse_output(w, "is another user's link");
	if (is_last && !S_ISLNK(st->st_mode) && !is_known(st, &directory))
		return refuse_output(w, "is another user's");
	if (is_last && S_ISREG(st->st_mode) && st->st_nlink > 1)
		return refuse_output(w, "has another name elsewhere");
	return 0;
}

static int check(struct walk *w, int fd, const struct stat *st, bool is_last)
{
	return w->purpose == FOR_ROOT ? check_for_root(w, fd, st, is_last) : check_for_output(w, st, is_last);
}

/* ---- the walk ---- */

/* Takes the next part off the rest: "." at its end. */
static char *next_part(struct walk *w)
{
	size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");
	char *part = n ? xstrndup(w->rest + skip, n) : xstrdup(".");
	char *rest = xstrdup(w->rest + skip + n);

	free(w->rest);
	w->rest = rest;
	return part;
}

static bool is_end(const struct walk *w)
{
	return !w->rest[strspn(w->rest, "/")];
}

static void show(struct walk *w, const char *part)
{
	char *shown = xasprintf("%s%s%s", w->shown, *w->shown && w->shown[strlen(w->shown) - 1] != '/' ? "/" : "", part);

	free(w->shown);
	w->shown = shown;
}

static int enter(struct walk *w, int fd)
{
	close(w->directory);
	w->directory = fd;
	return 0;
}

/* Links of /proc lead to what is open already: no path says where. */
static bool is_of_proc(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

/* Puts the target of a link before the rest. */
static int follow(struct walk *w, int link, const char *part, bool is_last)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
	int fd;

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if (is_of_proc(w->directory) && *target != '/' && strchr(target, ':')) { /* "pipe:[1]" */
		fd = openat(w->directory, part, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (!is_last)
			return enter(w, fd);
		w->end = fd;
		w->name = xstrdup(part);
		return 0;
	}
	if (*target == '/') {
		fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		enter(w, fd);
		free(w->shown);
		w->shown = xstrdup("/");
	} else { /* the name of the link gives way to where it leads */
		char *slash = strrchr(w->shown, '/');

		if (slash)
			slash[slash == w->shown] = '\0';
		else
			*w->shown = '\0';
	}
	char *rest = xasprintf("%s%s%s", target, is_end(w) ? "" : "/", w->rest);

	free(w->rest);
	w->rest = rest;
	return 0;
}

/* One part. 0 or -errno. */
static int step(struct walk *w)
{
	CLEANUP_FREE char *part = next_part(w);
	bool is_last = is_end(w);
	struct stat st;
	int fd, err;

	if (strcmp(part, "."))
		show(w, part);
	fd = openat(w->directory, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && w->make && !mkdirat(w->directory, part, 0755))
		fd = openat(w->directory, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && is_last && w->purpose == FOR_OUTPUT) {
		w->name = xstrdup(part);
		return 0;
	}
	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : check(w, fd, &st, is_last);
	if (err || S_ISLNK(st.st_mode)) {
		if (!err)
			err = follow(w, fd, part, is_last);
		close(fd);
		return err;
	}
	if (!is_last)
		return enter(w, fd); /* of what is no directory the next openat() says so */
	w->end = fd;
	w->name = xstrdup(part);
	return 0;
}

static int walk(const char *path, enum purpose purpose, bool make, struct walk *ret)
{
	struct walk w = { .purpose = purpose, .make = make, .directory = -1, .end = -1 };
	CLEANUP_FREE char *here = purpose == FOR_ROOT && *path != '/' ? getcwd(NULL, 0) : NULL;
	struct stat st;
	int err = 0;

	if (!*path)
		err = -ENOENT;
	w.rest = here ? xasprintf("%s/%s", here, path) : xstrdup(path);
	w.shown = xstrdup(*w.rest == '/' ? "/" : "");
	w.directory = open(*w.shown ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!err && (w.directory < 0 || fstat(w.directory, &st)))
		err = -errno;
	if (!err && purpose == FOR_ROOT)
		err = check(&w, w.directory, &st, false);
	while (!err && !w.name)
		err = step(&w);
	*ret = w;
	return err;
}

/* What a failed walk says, for the caller to free. */
static char *why_of(struct walk *w, int err)
{
	return w->why ? w->why : xstrdup(strerror(-err));
}

int trusted_open(const char *path, int flags, char **ret_why)
{
	struct walk w;
	int err = walk(path, FOR_ROOT, false, &w), fd = -1;

	if (!err) {
		CLEANUP_FREE char *again = xasprintf("/proc/self/fd/%d", w.end);

		fd = open(again, flags | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	if (err == -EPERM)
		*ret_why = why_of(&w, err);
	walk_done(&w);
	return err ? err : fd;
}

/* Opens the end of a walk for writing, whatever has been put there since. */
static int open_end(struct walk *w)
{
	CLEANUP_FREE char *again = xasprintf("/proc/self/fd/%d", w->end);
	struct stat st;
	int fd, err;

	/* What is there is opened by what was looked at, what is not must not be there by now either. */
	fd = w->end >= 0 ? open(again, O_WRONLY | O_CLOEXEC | O_NOCTTY)
			 : openat(w->directory, w->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && ftruncate(fd, 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int output_open(const char *path, FILE **ret, char **ret_why)
{
	struct walk w;
	int err = walk(path, FOR_OUTPUT, false, &w), fd = -1;

	if (!err)
		fd = open_end(&w);
	if (fd < 0 && !err)
		err = fd;
	if (err)
		*ret_why = why_of(&w, err);
	walk_done(&w);
	if (err)
		return err;
	*ret = output_stream(fd);
	return 0;
}

/* ---- files below a directory ---- */

int output_directory_open(const char *path, char **ret_why)
{
	struct walk w;
	int err = walk(path, FOR_OUTPUT, true, &w), fd = -1;

	if (!err)
		fd = openat(w.end, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err && fd < 0)
		err = -errno;
	if (err)
		*ret_why = why_of(&w, err);
	walk_done(&w);
	return err ? err : fd;
}

/* Goes one directory down, making it where it is not there. */
static int descend(int directory, const char *name)
{
	int fd;

	if (mkdirat(directory, name, 0755) && errno != EEXIST)
		return -errno;
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int output_write_below(int directory_fd, const char *path, const void *data, size_t size)
{
	struct strings parts = { 0 };
	int directory = dup(directory_fd), err = directory < 0 ? -errno : 0, fd;

	strings_split(&parts, path, "/");
	if (!parts.n)
		err = -EINVAL;
	for (size_t i = 0; i + 1 < parts.n && !err; i++) {
		CLEANUP_FD int above = directory;

		directory = strcmp(parts.items[i], "..") ? descend(above, parts.items[i]) : -ELOOP;
		err = directory < 0 ? directory : 0;
	}
	if (!err && unlinkat(directory, parts.items[parts.n - 1], 0) && errno != ENOENT)
		err = -errno;
	if (!err) {
		fd = openat(directory, parts.items[parts.n - 1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		err = fd < 0 ? -errno : file_write_all(fd, data, size, NULL);
		if (fd >= 0 && close(fd) && !err)
			err = -errno;
	}
	if (directory >= 0)
		close(directory);
	strings_done(&parts);
	return err;
}

/* ---- a file that is replaced ---- */

int replaced_file_open(const char *path, struct replaced_file *ret, char **ret_why)
{
	struct walk w;
	int err = walk(path, FOR_OUTPUT, false, &w);
	struct stat st;

	if (!err && w.end >= 0 && !fstat(w.end, &st) && !S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (err) {
		*ret_why = err == -EINVAL ? xstrdup("it is no regular file, and would be replaced by one") : why_of(&w, err);
	} else {
		*ret = (struct replaced_file){ .directory_fd = w.directory, .name = w.name };
		w.directory = -1;
		w.name = NULL;
	}
	walk_done(&w);
	return err;
}

void replaced_file_done(struct replaced_file *p)
{
	replaced_file_drop(p);
	if (p->directory_fd >= 0)
		close(p->directory_fd);
	free(p->name);
	*p = (struct replaced_file){ .directory_fd = -1 };
}

int replaced_file_create(struct replaced_file *p)
{
	uint32_t number;
	int fd = -1;

	for (int i = 0; i < 100; i++) {
		replaced_file_drop(p);
		if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
			return -EIO;
		p->fresh = xasprintf("%s.%08" PRIx32, p->name, number);
		fd = openat(p->directory_fd, p->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			break;
		free(p->fresh); /* another's: not ours to remove */
		p->fresh = NULL;
	}
	if (fd < 0) {
		int err = -errno;

		free(p->fresh);
		p->fresh = NULL;
		return err;
	}
	if (fchmod(fd, 0644)) { /* whoever collects it is another user */
		int err = -errno;

		close(fd);
		replaced_file_drop(p);
		return err;
	}
	return fd;
}

int replaced_file_put(struct replaced_file *p)
{
	int err = 0;

	if (!p->fresh)
		return -ENOENT;
	if (renameat(p->directory_fd, p->fresh, p->directory_fd, p->name)) {
		err = -errno;
		replaced_file_drop(p);
	}
	free(p->fresh);
	p->fresh = NULL;
	return err;
}

void replaced_file_drop(struct replaced_file *p)
{
	if (p->fresh)
		unlinkat(p->directory_fd, p->fresh, 0);
	free(p->fresh);
	p->fresh = NULL;
}
