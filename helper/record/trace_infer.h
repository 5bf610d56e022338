// SPDX-License-Identifier: Apache-2.0
// Makes waits and their outcomes of the tracepoints in a trace of another tool, by the rules of scripts/tracepoints.list.
#ifndef KVMWAIT_RECORD_TRACE_INFER_H
#define KVMWAIT_RECORD_TRACE_INFER_H

#include "record/trace_line.h"

/* What a part of a trace, the first lines or the headers of the file, has in it. */
struct trace_survey {
	bool *has;		    /* by tracepoint of the rules */
	bool steps[TRACE_STEPS];    /* tracepoints that can be this step are there */
	bool have_pid, whole_time, of_perf; /* of any event */
};

struct trace_infer;
/* The rules stay the caller's. */
struct trace_infer *trace_infer_new(const struct trace_rules *rules);
void trace_infer_free(struct trace_infer *t);

/* Looks at an event before any is taken: which tracepoints there are, and which thread runs which vCPU. */
void trace_infer_survey(struct trace_infer *t, const struct trace_event *e);
/* The file describes this tracepoint. */
void trace_infer_survey_name(struct trace_infer *t, struct view name);
const struct trace_survey *trace_infer_surveyed(const struct trace_infer *t);

enum trace_found {
	TRACE_FOUND_NOTHING,
	TRACE_FOUND_UNREADABLE, /* a tracepoint of the rules whose text has none of their forms */
	TRACE_FOUND_NO_VCPU,	/* a wait of a thread whose vCPU is not known */
	TRACE_FOUND_LATE,	/* a tracepoint that the survey did not have: outcomes do without it */
	TRACE_FOUND_RECORDS,
};

/* Takes an event, in the order of time; up to two records come of it. What they point to is borrowed until the end. */
enum trace_found trace_infer_take(struct trace_infer *t, const struct trace_event *e, struct record ret[2], size_t *ret_n);

/* What the trace does not have, in words for a person. */
void trace_infer_notes(const struct trace_infer *t, struct strings *notes);
/* The meta record without the infer (NULL): of a stream that says nothing of itself. `format` is the tool's, `clock` a word or
 NULL; all of it fit to print. The caller owns it. */
json_t *trace_infer_meta(const struct trace_infer *t, const char *format, const char *clock, const char *kernel, const char *arch,
			 const struct strings *notes);

#endif
