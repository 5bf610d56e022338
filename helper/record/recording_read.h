// SPDX-License-Identifier: Apache-2.0
// Reads a recording, record by record, in bounded memory: NDJSON of the schema, the lines of a script, csv and ftrace of
// kvmwait, and traces of other tools; plain or compressed, also where it was cut short.
#ifndef KVMWAIT_RECORD_RECORDING_READ_H
#define KVMWAIT_RECORD_RECORDING_READ_H

#include "base/line_reader.h"
#include "record/balance.h"
#include "record/event.h"

#define RECORDING_LINE_BYTES (4u << 20) /* longer lines are no records */

enum recording_kind {
	RECORDING_UNKNOWN, /* no line of any kind so far */
	RECORDING_NDJSON,
	RECORDING_LINES, /* of a script */
	RECORDING_CSV,
	RECORDING_TRACE, /* text of another tool, or of -f ftrace */
	RECORDING_TRACE_DAT,
};

struct recording_settings {
	const char *scripts; /* the directory of scripts/tracepoints.list; NULL: traces of other tools are not read */
	bool unordered;	     /* records need not be put in time order */
	/* A line that cannot be read is left out; NULL: only counted. */
	void (*complain)(void *data, uint64_t line, const char *why);
	void *data;
};

/* How it stands with what was read so far; at the end, with all of it. */
struct recording_state {
	const struct line_reader_state *input; /* bytes read, of how many, lines */
	enum recording_kind kind;
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
	struct balance balance; /* what was there, and what the end says of it */
	bool uncounted;		/* converted from a trace of another tool, text or csv: there is no count of the kernel */
	bool of_counts;		/* records of counts without events: what kvmwait stat writes */
	struct strings notes;	/* what the input cannot tell; known with its first record */
	struct strings problems; /* at the end: what is missing from a trace of another tool */
	char *failure;		/* why reading failed, where recording_next() returned -EBADMSG */
};

struct recording;
/* "-" is standard input. Settings can be NULL: NDJSON and lines. 0, or -errno: the file cannot be opened or read. */
int recording_open(const char *path, const struct recording_settings *settings, struct recording **ret);
void recording_close(struct recording *r);
/*
 * The next record, wait and outcome as such, all others with their object. NDJSON and csv keep the order of the file, others
 * are in time order. What it points to is borrowed until the next call, the name of a VM in a trace until the end. 1; 0 at
 * the end; -errno where the file cannot be read, -EBADMSG with `failure` where it is known to be unreadable.
 */
int recording_next(struct recording *r, struct record *ret);
/* Is there a record without waiting for more of the file? */
bool recording_is_ready(const struct recording *r);
const struct recording_state *recording_state(const struct recording *r);

#endif
