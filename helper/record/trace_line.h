// SPDX-License-Identifier: Apache-2.0
// One line of a trace as text: what trace-cmd report, perf script and the files of tracefs have in common.
#ifndef KVMWAIT_RECORD_TRACE_LINE_H
#define KVMWAIT_RECORD_TRACE_LINE_H

#include "record/trace_rules.h"

enum trace_line_kind {
	TRACE_LINE_OTHER, /* a heading, a blank line, anything else */
	TRACE_LINE_EVENT,
	TRACE_LINE_LOST, /* the tracer reports lost events */
};

/* What stands around every event. Pieces point into the line. */
struct trace_event {
	uint64_t ts_ns;
	uint32_t cpu, tid, pid; /* pid 0: not known */
	bool have_time;	 /* false: the clock of the trace counts no time */
	bool whole_time; /* nanoseconds, not microseconds */
	bool of_perf;	 /* the name of the event has its system before it, as perf alone writes it */
	bool fields;	 /* the text is "FIELD=VALUE ..." of binary fields */
	struct view comm, name, text;
};

/* Reads a line without its newline. ret_event is set for an event, ret_lost for losses: how many, 0 where that is not known. */
enum trace_line_kind trace_line_read(const char *line, size_t n, struct trace_event *ret_event, uint64_t *ret_lost);

#endif
