// SPDX-License-Identifier: Apache-2.0
// Allocation that never fails, and cleanup attributes.
#ifndef KVMWAIT_BASE_MEMORY_H
#define KVMWAIT_BASE_MEMORY_H

#include <stddef.h>
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

#endif
