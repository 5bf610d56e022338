// SPDX-License-Identifier: Apache-2.0
// Reading a bundle that may come from anybody: nothing of it is used before all of it was checked, and it can make
// nobody use more room than there is for a bundle.
#ifndef KVMWAIT_BUNDLE_READ_H
#define KVMWAIT_BUNDLE_READ_H

#include "bundle/bundle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bundle_member {
	char *path; /* bundle_name_is_fine() */
	uint64_t bytes;
	char sha256[BUNDLE_SHA256_HEX + 1];
};

struct bundle_contents {
	struct bundle_member *members; /* by path */
	size_t n;
	json_t *manifest; /* checked: see bundle_check_manifest() */
};

/*
 * Reads a bundle from its beginning and checks it: a tar of regular files with names as bundle_name_is_fine() wants them,
 * each once; the marker first and the manifest last; the manifest names each of the others with its size and hash, and no
 * more. Limits: 20,000 files, 4 GiB, and 64 MiB + 1,000 times the size of the bundle. 0, or -errno with ret_error (the
 * caller frees).
 */
int bundle_read(int fd, struct bundle_contents *ret, char **ret_error);
void bundle_contents_done(struct bundle_contents *c);

/* Is the file a bundle, by its first bytes? Nothing else of it has been checked then. */
bool bundle_is_one(const char *path);

/*
 * Checks it, then writes its files below a directory that is empty or not there yet; only those whose names begin with
 * `which` ("": all). On failure nothing is left there.
 */
int bundle_extract(const char *path, const char *which, const char *directory, struct bundle_contents *ret, char **ret_error);

/* Checks it, and gives one of its files: a descriptor, at its beginning, of a file without a name. */
int bundle_open_member(const char *path, const char *member, int *ret_fd, char **ret_error);

/* Does a manifest fit what was read? For tests; 0, or -EBADMSG with ret_error (the caller frees). */
int bundle_check_manifest(const struct bundle_contents *c, char **ret_error);

#endif
