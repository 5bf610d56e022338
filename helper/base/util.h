// SPDX-License-Identifier: Apache-2.0
// Memory, text and files: the small things that every other file needs.
#ifndef KVMWAIT_BASE_UTIL_H
#define KVMWAIT_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Allocation failure ends the program. The caller frees what is returned. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *old, size_t n, size_t size);
/* An array of n with room for one more; what grows by this alone is moved seldom. */
void *xgrow(void *old, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Cleanup attributes: the variable is released when it goes out of scope; NULL is fine. */
void cleanup_free(void *p);
void cleanup_file(FILE **f);
void cleanup_fd(int *fd);
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_FILE __attribute__((cleanup(cleanup_file)))
#define CLEANUP_FD __attribute__((cleanup(cleanup_fd)))

/* A list of strings that it owns. */
struct strings {
	char **items;
	size_t n;
};
void strings_add(struct strings *list, const char *s);
void strings_add_n(struct strings *list, const char *s, size_t n);
bool strings_have(const struct strings *list, const char *s);
void strings_done(struct strings *list);
/* Adds the words of `text` that any character of `separators` parts; empty words are left out. */
void strings_split(struct strings *list, const char *text, const char *separators);
/* The items with `separator` between them; the caller frees. */
char *strings_join(const struct strings *list, const char *separator);

/* Strict decimal numbers: the whole text, nothing else. 0, -EINVAL or -ERANGE; ret_value untouched on failure. */
int parse_u64(const char *text, uint64_t *ret_value);
int parse_i64(const char *text, int64_t *ret_value);

/*
 * The whole of a file, NUL-terminated (the caller frees); ret_size may be NULL.
 * Works on /proc and sysfs, whose files have no size. -EFBIG beyond limit_bytes.
 */
int file_read(const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size);
/* The same of a file that is open. */
int file_read_open(int fd, size_t limit_bytes, char **ret_text, size_t *ret_size);
/*
 * Opens a file or directory below a directory that came from a stranger. -ELOOP where a part of the path is a link,
 * which could lead anywhere; -ENODEV for what is neither: opening a pipe or a device can do things or never return.
 */
int file_open_below(const char *root, const char *path);
/* file_read() of such a file. */
int file_read_below(const char *root, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size);
/* The first line of a small file without its newline, or NULL; the caller frees. */
char *file_line(const char *path);
/* Writes a file anew, with the mode 0644 less the umask. 0 or -errno. */
int file_write(const char *path, const void *data, size_t size);
/* Are these two names of one regular file? */
bool file_is_same(const char *a, const char *b);
/* Makes a directory and those above it. 0 or -errno. */
int directory_make(const char *path);

/* CLOCK_MONOTONIC. */
uint64_t monotonic_ns(void);

/* Skips white space. */
const char *skip_space(const char *s);
/* Cuts white space off the end of a text, in place. */
char *trim_end(char *s);
bool starts_with(const char *s, const char *prefix);

#endif
