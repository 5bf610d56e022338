// SPDX-License-Identifier: Apache-2.0
// The program text that the marks in clauses become: events, filters, the end of a trace.
#ifndef KVMWAIT_PLAN_RENDER_EVENT_H
#define KVMWAIT_PLAN_RENDER_EVENT_H

#include "plan/mark.h"
#include "plan/render.h"

#include <stdio.h>

/* A program that is being written. */
struct renderer {
	const struct program *program;
	const struct verdict *v; /* of the script or part whose clauses are being written */
	const bool *needed;	 /* its needs that what is wanted rests on */
	const char *predicate;	 /* of the clause that is being written, from a filter by process; NULL: none */
	size_t n_waits;		 /* numbers given to events so far */
	struct strings points;	 /* attach points of the script's clauses so far, as they stand there */
	bool in_event, in_choice; /* between the mark and its end */
	bool decided, skips;	  /* in a choice: the lines of one side were written; those of this side are left out */
	FILE *out;
};

/* Is it a script that only gives some of the sources of the chosen one? */
bool renderer_is_fallback(const struct renderer *r);
/* Does the source come from the script or part that is being written? */
bool renderer_gives_source(const struct renderer *r, const struct source_result *source);
bool renderer_wants_event(const struct renderer *r, const char *event);

/* An event in the line that the mark stands in. Lines that the script has for it by hand are not written. */
void render_event(struct renderer *r, const struct mark *mark, int indent);
/* Numbers that an event which is left out would have had. */
void render_skip_event(struct renderer *r, const struct mark *mark);
/* Leaves the clause for a vCPU that is not wanted, and after the end of the trace. */
void render_filter(const struct renderer *r, const struct mark *mark, int indent);
/* The end of the trace, in the clause of a thread's end. */
void render_stop(const struct renderer *r, int indent);
/* The predicate of a clause with a filter; the caller frees. NULL where all processes are wanted. */
char *render_predicate(const struct filter *filter);
/* Writes one line of a part further in, with the numbers that words stand for; or the clause that it names. */
void render_part_line(const struct renderer *r, const char *text, const char *line, size_t n, int indent);

#endif
