// SPDX-License-Identifier: Apache-2.0
// Reads a trace of another tool, line by line: looks at its first lines to know what it has, then makes records of all.
#ifndef KVMWAIT_RECORD_TRACE_READ_H
#define KVMWAIT_RECORD_TRACE_READ_H

#include "base/line_reader.h"
#include "record/event.h"

#define TRACE_READ_MAGIC_BYTES 10u /* by which trace.dat is known */
#define TRACE_READ_MOST 4u /* records that one line makes */

struct trace_read;
/*
 * With scripts/tracepoints.list of that directory. A list that cannot be read is reported at the end, as a failure, by those
 * that need it.
 */
struct trace_read *trace_read_new(const char *scripts);
void trace_read_free(struct trace_read *t);

bool trace_read_is_dat(const char *bytes, size_t n);
/* Reads trace.dat with a child process; the reader then reads the lines of the child. 0 or -errno. */
int trace_read_begin_dat(struct trace_read *t, struct line_reader *reader);

/* Does the line come from a tracer? */
bool trace_read_is_line(const char *line, size_t n);
/*
 * Takes a line, which is held as long as the survey goes on, or the next of those that are held (NULL). `number` is that of the
 * line; *ret_why is why a line cannot be read, with its number, or NULL.
 */
void trace_read_line(struct trace_read *t, const char *line, size_t n, uint64_t *number, struct record ret[TRACE_READ_MOST], size_t *ret_n,
		     const char **ret_why);
/* Is the survey over, and are lines still held? */
bool trace_read_is_held(const struct trace_read *t);
/* No line follows: the survey is over. Are there lines that were held, or a meta record that was not given? */
bool trace_read_close_survey(struct trace_read *t);
bool trace_read_has_outcomes(const struct trace_read *t);
/* What the trace cannot tell, known with the meta record. */
void trace_read_notes(const struct trace_read *t, struct strings *notes);
/* At the end: how many events the tracer lost, what else is missing, and why it could not be read (NULL: it could). */
uint64_t trace_read_end(struct trace_read *t, struct strings *problems, char **ret_failure);

/* The meta record of csv, and its notes. The caller owns it. */
json_t *trace_read_csv_meta(struct strings *notes);

#endif
