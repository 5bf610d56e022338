// SPDX-License-Identifier: Apache-2.0
// Reads trace.dat of trace-cmd with libtracecmd, in a child process without privileges: the library crashes on some damaged
// files. The child writes lines, which the parent reads like any other text.
#ifndef KVMWAIT_RECORD_TRACE_DAT_H
#define KVMWAIT_RECORD_TRACE_DAT_H

#include "record/trace_line.h"

#include <sys/types.h>

/* Does a file that begins so come from trace-cmd? */
bool trace_dat_is_one(const char *bytes, size_t n);

/*
 * Starts the child on a regular file, which must stay open until trace_dat_end(); it ends with this process. *ret_fd is the
 * end of the pipe with its lines. 0 or -errno.
 */
int trace_dat_begin(const struct trace_rules *rules, int fd, pid_t *ret_child, int *ret_fd);
/* Waits for the child. NULL: it read the whole file; or why it did not (the caller frees). */
char *trace_dat_end(pid_t child);

enum trace_dat_kind {
	TRACE_DAT_EVENT,
	TRACE_DAT_LOST,	   /* a number: events; 0: not known how many */
	TRACE_DAT_CLOCK,   /* a word */
	TRACE_DAT_SYSTEM,  /* the text of uname, which may hold anything */
	TRACE_DAT_HAS,	   /* a word: a tracepoint of the list that the file describes */
	TRACE_DAT_FAILED,  /* a text: why reading ended */
	TRACE_DAT_END,	   /* the whole file has been read */
	TRACE_DAT_OTHER,
};

/* Reads a line of the child. The name of the thread is written to comm. */
enum trace_dat_kind trace_dat_line_read(const char *line, size_t n, struct trace_event *ret_event, char comm[COMM_BYTES + 1],
					uint64_t *ret_number, struct view *ret_text);

#endif
