// SPDX-License-Identifier: Apache-2.0
// The files that a kernel shows below its root directory: those of the running system, or of a captured root.
#ifndef KVMWAIT_PLAN_KERNEL_FILE_H
#define KVMWAIT_PLAN_KERNEL_FILE_H

#include "plan/kernel.h"

#define KERNEL_FILE_LIMIT_BYTES (64u << 20)

/*
 * Reads a file whole. Files of the running system are read as they are. A captured root may come from a stranger: only
 * regular files in directories are read, links and devices are refused. 0 or -errno.
 */
int kernel_file_read(const struct kernel *k, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size);
/* The same for a file that may be missing or unreadable: ret_text stays NULL then. 0, or -errno with ret_error (the caller frees). */
int kernel_file_read_optional(const struct kernel *k, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size,
			      char **ret_error);
/* Is there such a file or directory? 0 or -errno. */
int kernel_file_find(const struct kernel *k, const char *path);
/* Is the error more than a missing or unreadable file? On the running system no error is. */
bool kernel_file_is_refused(const struct kernel *k, int err);
/* The error (-errno) in words. */
const char *kernel_file_why(int err);
/* Makes ret_error of the path and the error, and returns the error. */
int kernel_file_error(const struct kernel *k, const char *path, int err, char **ret_error);

#endif
