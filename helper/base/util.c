// SPDX-License-Identifier: Apache-2.0
// Memory, text and files: the small things that every other file needs.
#include "base/util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void out_of_memory(void)
{
	static const char message[] = "kvmwait: out of memory\n";

	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(1);
	_exit(1);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xgrow(void *old, size_t n, size_t size)
{
	return n & (n - 1) ? old : xrealloc(old, n ? 2 * n : 1, size);
}

char *xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *p = NULL;

	va_start(args, format);
	if (vasprintf(&p, format, args) < 0)
		out_of_memory();
	va_end(args);
	return p;
}

void cleanup_free(void *p)
{
	free(*(void **)p);
}

void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void strings_add_n(struct strings *list, const char *s, size_t n)
{
	list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = xstrndup(s, n);
}

void strings_add(struct strings *list, const char *s)
{
	strings_add_n(list, s, strlen(s));
}

bool strings_have(const struct strings *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], s))
			return true;
	return false;
}

void strings_done(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strings){ 0 };
}

void strings_split(struct strings *list, const char *text, const char *separators)
{
	while (*text) {
		size_t n = strcspn(text, separators);

		if (n)
			strings_add_n(list, text, n);
		text += n;
		text += strspn(text, separators);
	}
}

char *strings_join(const struct strings *list, const char *separator)
{
	char *all = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);

	if (!f)
		out_of_memory();
	for (size_t i = 0; i < list->n; i++)
		fprintf(f, "%s%s", i ? separator : "", list->items[i]);
	if (fclose(f))
		out_of_memory();
	return all;
}

int parse_u64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (digit > 9)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

int parse_i64(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	uint64_t magnitude;
	int err = parse_u64(text + negative, &magnitude);

	if (err)
		return err;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

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

int file_write(const char *path, const void *data, size_t size)
{
	CLEANUP_FILE FILE *f = fopen(path, "we");
	FILE *done = f;

	if (!f)
		return -errno;
	if (fwrite(data, 1, size, f) != size)
		return errno ? -errno : -EIO;
	f = NULL;
	return fclose(done) ? -errno : 0;
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

const char *skip_space(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

char *trim_end(char *s)
{
	size_t n = strlen(s);

	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
