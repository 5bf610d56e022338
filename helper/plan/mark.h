// SPDX-License-Identifier: Apache-2.0
// The marks inside the clauses of scripts and parts, lines of the form "//@ NAME ...": kvmwait-scripts(5) has their meaning. Pure.
#ifndef KVMWAIT_PLAN_MARK_H
#define KVMWAIT_PLAN_MARK_H

#include "record/event.h"

#include <stdbool.h>
#include <stddef.h>

#define MARK_SOURCES 4 /* of an event, at most */

enum mark_kind {
	MARK_NONE, /* the line is no mark */
	MARK_EVENT,
	MARK_FILTER,
	MARK_STOP,
	MARK_HAVE,
	MARK_ELSE,
	MARK_END,
	MARK_KINDS,
};

struct mark {
	enum mark_kind kind;
	const char *rest; /* what follows the name, in the line itself, without its newline */
	size_t n;
};

/* The mark that the line of n bytes is; the name of another one is MARK_NONE. */
struct mark mark_read(const char *line, size_t n);

/* Of several sources the one of the vendor holds. */
struct event_mark {
	char event[NAME_BYTES];
	char sources[MARK_SOURCES][NAME_BYTES];
	size_t n_sources;
	const char *target; /* an expression, in the line; its length 0: none */
	size_t target_n;
};
/* "EVENT SOURCE[,SOURCE...] [TARGET]". False where it is malformed. */
bool event_mark_read(const struct mark *mark, struct event_mark *ret);
/* Is the line no mark, or one in its place? What an event is by hand stands between its mark and an end, inside a clause. */
bool mark_is_good(const char *line, bool *in_event);

#endif
