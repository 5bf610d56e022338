// SPDX-License-Identifier: Apache-2.0
// The files that a kernel shows below its root directory: those of the running system, or of a captured root.
#include "plan/kernel_file.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int kernel_file_read(const struct kernel *k, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	CLEANUP_FREE char *full = xasprintf("%s%s", k->root, path);

	return *k->root ? file_read_below(k->root, path, limit_bytes, ret_text, ret_size)
			: file_read(full, limit_bytes, ret_text, ret_size);
}

int kernel_file_find(const struct kernel *k, const char *path)
{
	CLEANUP_FD int fd = -1;

	if (!*k->root)
		return access(path, F_OK) ? -errno : 0;
	fd = file_open_below(k->root, path);
	return fd < 0 ? fd : 0;
}

const char *kernel_file_why(int err)
{
	switch (err) {
	case -ELOOP:
		return "a link, which a captured root does not hold";
	case -ENODEV:
		return "neither a file nor a directory";
	case -EFBIG:
		return "larger than that of any kernel";
	default:
		return strerror(-err);
	}
}

int kernel_file_error(const struct kernel *k, const char *path, int err, char **ret_error)
{
	*ret_error = xasprintf("'%s%s': %s", k->root, path, kernel_file_why(err));
	return err;
}

bool kernel_file_is_refused(const struct kernel *k, int err)
{
	return *k->root && err && err != -ENOENT && err != -ENOTDIR && err != -EACCES && err != -EPERM;
}

int kernel_file_read_optional(const struct kernel *k, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size,
		     char **ret_error)
{
	int err = kernel_file_read(k, path, limit_bytes, ret_text, ret_size);

	return kernel_file_is_refused(k, err) ? kernel_file_error(k, path, err, ret_error) : 0;
}
