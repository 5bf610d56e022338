// SPDX-License-Identifier: Apache-2.0
// Writes a recording: NDJSON of the schema into a file, plain or in zstd's seekable format, that is readable to the last
// whole record whatever ends it.
#ifndef KVMWAIT_RECORD_RECORDING_WRITE_H
#define KVMWAIT_RECORD_RECORDING_WRITE_H

#include "record/event.h"

#define RECORDER_MIN_BYTES (1u << 20) /* the least limit */

struct recorder_settings {
	const char *path;    /* "-": standard output */
	bool compress;
	uint64_t max_bytes;  /* of the file; 0: no limit */
	uint64_t keep_bytes; /* of them: for what comes last whatever happens, end and blame records */
};

struct recorder;
/*
 * Opens the file anew, for its owner alone. A link, anything but a regular file, and a file that belongs to somebody
 * else are refused. 0, or -errno with ret_error (the caller frees).
 */
int recorder_open(const struct recorder_settings *settings, struct recorder **ret, char **ret_error);
/*
 * Writes a record. 0; -ENOBUFS where there is no room for it under the limit (nothing was written); or -errno, after
 * which nothing more is written. `last`: it may take of what is kept.
 */
int recorder_write(struct recorder *r, const struct record *record, bool last);
/* Is the limit so near that the trace is to end? */
bool recorder_is_nearly_full(struct recorder *r);
/* Hands on what is buffered, when it is time to: at least once a second. 0 or -errno. */
int recorder_flush(struct recorder *r);
/* So much is in the file, or about to be. */
uint64_t recorder_bytes(const struct recorder *r);
/* Writes what is to stand at the end. 0, or the -errno of this or of an earlier write. */
int recorder_finish(struct recorder *r);
void recorder_close(struct recorder *r);

#endif
