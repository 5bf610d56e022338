// SPDX-License-Identifier: Apache-2.0
// The forms in which a stream of records leaves: table, json, ftrace, csv, perfetto.
#ifndef KVMWAIT_SHOW_STREAM_H
#define KVMWAIT_SHOW_STREAM_H

#include "record/event.h"

struct stream;

struct stream_format {
	const char *name;
	const char *help;
	void (*begin)(struct stream *o);
	void (*write)(struct stream *o, const struct record *r);
	void (*end)(struct stream *o); /* writes what is held, and frees `state`; may be NULL */
	bool binary;		       /* nothing for a terminal */
};
extern const struct stream_format stream_formats[]; /* ends with a nameless one */

struct stream {
	const struct stream_format *format;
	FILE *file;
	bool begun;
	bool guest;	   /* table and csv have columns for where guests spin */
	uint64_t start_ns; /* of the trace; the table counts from there */
	void *state;	   /* the format's own */
};

/* The format of that name, or NULL. */
const struct stream_format *stream_format_find(const char *name);

void stream_init(struct stream *o, const struct stream_format *format, FILE *file);
/* A VM runs already: where another has its name, its first row in a table has its process id as well. */
void stream_meet_vm(struct stream *o, const char *vm, uint32_t pid);
/* Writes what stands before the first record, if that is still to be written. */
void stream_begin(struct stream *o);
/* Writes one record. Errors stay with the file: see stream_flush(). */
void stream_write(struct stream *o, const struct record *r);
/* Gives the file to which the stream goes a large buffer, before anything is written to it; there is one of them. */
void stream_buffer(FILE *file);
/* Writes what is held and frees; nothing may be written any more. stream_flush() follows. NULL state is fine. */
void stream_end(struct stream *o);
/* Hands on what is buffered. 0 or -errno (-EPIPE: nobody reads any more). */
int stream_flush(struct stream *o);

/* The balance of an end record, as a line for a person. */
void stream_balance(FILE *f, json_t *end);
/* The audit of an end record, a line for each of KVM's counters; nothing where there was none. */
void stream_audit(FILE *f, const json_t *end);
/* Cleaned text (see text_clean()) in quotes, as JSON and OpenMetrics have it. */
void stream_quoted(FILE *f, const char *text);
/* Cleaned text as a cell of CSV; a leading sign that a spreadsheet takes for a formula gets an apostrophe. */
void stream_csv_text(FILE *f, const char *text);

#endif
