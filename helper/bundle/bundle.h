// SPDX-License-Identifier: Apache-2.0
// A bundle in the making: files collected in a private directory beside it, a manifest, and the archive that takes its place
// at the end and not before.
#ifndef KVMWAIT_BUNDLE_BUNDLE_H
#define KVMWAIT_BUNDLE_BUNDLE_H

#include "bundle/list.h"
#include "bundle/redact.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_VERSION 1
#define BUNDLE_MARKER "kvmwait-bundle"	      /* the first member */
#define BUNDLE_MARKER_TEXT "kvmwait-bundle 1\n"
#define BUNDLE_MANIFEST "manifest.json"	      /* the last */
#define BUNDLE_RECORD "record.ndjson"	      /* what share/bundle.list calls the recording */
#define BUNDLE_SHA256_HEX 64

enum bundle_status {
	BUNDLE_OK,
	BUNDLE_TRUNCATED, /* there, but not all of it */
	BUNDLE_ABSENT,	  /* this kernel or host has no such file */
	BUNDLE_FAILED,
	BUNDLE_STATUSES,
};

/* One line of the manifest. */
struct bundle_entry {
	char *item;   /* the name in the list */
	char *below;  /* what stands behind it in the member's name, as it was */
	char *member; /* NULL: there is no file of it */
	char *staged; /* the file below the private directory */
	char *source; /* a path, or a command with its arguments */
	char *why;    /* NULL where all went well */
	uint64_t bytes, took_ms;
	enum bundle_status status;
	char sha256[BUNDLE_SHA256_HEX + 1];
};

struct bundle {
	char *path;	 /* of what it will be */
	char *directory; /* private, beside it; NULL: it is gone */
	struct bundle_entry *entries;
	size_t n;
	uint64_t size_bytes, max_bytes; /* of all files */
};

/*
 * Makes the private directory beside `path`, which is nothing yet or a regular file. 0, or -errno with ret_error
 * (the caller frees).
 */
int bundle_begin(const char *path, uint64_t max_bytes, struct bundle *ret, char **ret_error);
/* Adds a line; it takes over source, staged and why. A member's name comes from the item and the end of a path, made fit. */
struct bundle_entry *bundle_add(struct bundle *b, const struct bundle_item *item, const char *below, char *source, char *staged,
				enum bundle_status status, char *why);
/* The path of a file in the private directory; the caller frees. */
char *bundle_staged_path(const struct bundle *b, const char *staged);

/*
 * What the manifest says besides the items: its object, to which the items are added. With names to replace (or NULL) every
 * file, the manifest, and the names of members are rewritten, and the map of tokens is written beside the bundle. `stop` is
 * looked at between files. 0, or -errno with ret_error (the caller frees); -EINTR it was stopped.
 */
int bundle_write(struct bundle *b, json_t *about, struct redact *names, bool (*stop)(void), char **ret_error);

/* Removes the private directory with all that is in it. */
void bundle_done(struct bundle *b);

#endif
