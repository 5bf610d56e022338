// SPDX-License-Identifier: Apache-2.0
// Reads a recording back: NDJSON of the schema, plain or compressed, record by record, in bounded memory, also where it
// was cut short.
#ifndef KVMWAIT_RECORD_RECORDING_READ_H
#define KVMWAIT_RECORD_RECORDING_READ_H

#include "base/line_reader.h"
#include "record/event.h"

#define RECORDING_LINE_BYTES (4u << 20) /* longer lines are no records */

/* How it stands with what was read so far; at the end, with all of it. */
struct recording_state {
	const struct line_reader_state *input; /* bytes read, of how many, lines */
	uint64_t records;		 /* given so far */
	uint64_t malformed;		 /* lines that are no record; they are passed over */
	char *first_error;		 /* of the first of them: "line 7: missing: 'ts'"; or NULL */
	uint64_t first_ns, last_ns;	 /* least and greatest ts of waits and outcomes; 0: there was none */
	uint64_t tail_bytes;		 /* at the end: of a last record that is not whole */
	/*
	 * At the end: is something missing there, for sure? Where the end record is there it is not; without one whatever
	 * came last can be missing, and how many events were lost before is not known.
	 */
	bool cut_short;
};

struct recording;
/* "-" is standard input. 0, or -errno: the file cannot be opened or read. */
int recording_open(const char *path, struct recording **ret);
void recording_close(struct recording *r);
/*
 * The next record in the order of the file, wait and outcome as such, all others with their object. What it points to is
 * borrowed until the next call. 1; 0 at the end; -errno where the file cannot be read.
 */
int recording_next(struct recording *r, struct record *ret);
const struct recording_state *recording_state(const struct recording *r);

#endif
