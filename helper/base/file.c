// SPDX-License-Identifier: Apache-2.0
// Files and directories: reading whole ones, also below a directory that nobody vouches for; writing small ones.
#include "base/file.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_open(int fd, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	size_t room = 1 << 16, used = 0;
	struct stat st;
	char *text;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) { /* a size that is told, as /proc does not */
		if ((uintmax_t)st.st_size > limit_bytes)
			return -EFBIG;
		room += (size_t)st.st_size;
	}
	text = xcalloc(room, 1);
	for (;;) {
		ssize_t n = read(fd, text + used, room - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;

			free(text);
			return err;
		}
		if (!n)
			break;
		used += (size_t)n;
		if (used > limit_bytes) {
			free(text);
			return -EFBIG;
		}
		if (room - used < 4096) {
			room *= 2;
			text = xrealloc(text, room, 1);
		}
	}
	text[used] = '\0';
	*ret_text = text;
	if (ret_size)
		*ret_size = used;
	return 0;
}

int file_read(const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_read_open(fd, limit_bytes, ret_text, ret_size);
}

/* Opens one part of a path; nothing but a directory or a regular file. */
static int open_part(int directory, const char *name)
{
	struct stat st;
	int fd;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -ENODEV;
	fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int file_open_below(const char *root, const char *path)
{
	struct strings parts = { 0 };
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	strings_split(&parts, path, "/");
	for (size_t i = 0; i < parts.n && fd >= 0; i++) {
		CLEANUP_FD int above = fd;

		fd = strcmp(parts.items[i], "..") ? open_part(above, parts.items[i]) : -ELOOP;
	}
	strings_done(&parts);
	return fd;
}

int file_read_below(const char *root, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	CLEANUP_FD int fd = file_open_below(root, path);

	return fd < 0 ? fd : file_read_open(fd, limit_bytes, ret_text, ret_size);
}

char *file_line(const char *path)
{
	char *text = NULL;

	if (file_read(path, 1 << 20, &text, NULL) || !text)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

int file_write_all(int fd, const void *data, size_t size, size_t *ret_written)
{
	size_t written = 0;
	int err = 0;

	while (written < size && !err) {
		ssize_t n = write(fd, (const char *)data + written, size - written);

		if (n > 0)
			written += (size_t)n;
		else if (!n)
			err = -EIO;
		else if (errno != EINTR)
			err = -errno;
	}
	if (ret_written)
		*ret_written = written;
	return err;
}

int file_write(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int err = fd < 0 ? -errno : file_write_all(fd, data, size, NULL);

	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	return err;
}

bool file_is_same(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int directory_make(const char *path)
{
	CLEANUP_FREE char *copy = xstrdup(path);

	struct stat st;

	for (char *slash = copy; *slash; slash++) {
		if (*slash != '/' || slash == copy)
			continue;
		*slash = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (!mkdir(copy, 0755))
		return 0; /* NOLINT(clang-analyzer-unix.Malloc): copy is freed by its cleanup */
	if (errno != EEXIST || stat(copy, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_copy(int from, int to, uint64_t *left)
{
	char piece[1 << 16];
	ssize_t n;

	while ((n = read(from, piece, sizeof(piece))) > 0) {
		size_t take = (uint64_t)n < *left ? (size_t)n : (size_t)*left;
		int err = file_write_all(to, piece, take, NULL);

		if (err)
			return err;
		*left -= take;
		if (take < (size_t)n)
			return -EFBIG;
	}
	return n < 0 ? -errno : 0;
}
