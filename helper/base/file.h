// SPDX-License-Identifier: Apache-2.0
// Files and directories: reading whole ones, also below a directory that nobody vouches for; writing small ones.
#ifndef KVMWAIT_BASE_FILE_H
#define KVMWAIT_BASE_FILE_H

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

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
/*
 * Writes all of it to an open file or pipe, also where a signal interrupts or a write takes a part. 0 or -errno; ret_written
 * (may be NULL) is how much was written, on failure too.
 */
int file_write_all(int fd, const void *data, size_t size, size_t *ret_written);
/* Copies up to *left bytes from one open file to another, and takes them off *left. 0, -EFBIG where there is more, or -errno. */
int file_copy(int from, int to, uint64_t *left);
/* Writes a file anew, with the mode 0644 less the umask. 0 or -errno. */
int file_write(const char *path, const void *data, size_t size);
/* Are these two names of one regular file? */
bool file_is_same(const char *a, const char *b);
/* Makes a directory and those above it. 0 or -errno. */
int directory_make(const char *path);

#endif
