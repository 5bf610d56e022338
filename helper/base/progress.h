// SPDX-License-Identifier: Apache-2.0
// One line on a terminal that says how far something is that takes longer than a moment.
#ifndef KVMWAIT_BASE_PROGRESS_H
#define KVMWAIT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	bool shows;	      /* as progress_start() found: standard error is a terminal */
	bool line_open;	      /* something stands on the line */
	uint64_t started_ns;  /* CLOCK_MONOTONIC, as is */
	uint64_t due_ns;      /* when the next line may be shown */
};

void progress_start(struct progress *p);
/* Shows a line in the place of the one before: not in the first two seconds, and four times a second at most. */
void progress_show(struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what is done of a whole that is known: "WHAT  42 %, 12 s left". */
void progress_share(struct progress *p, const char *what, uint64_t done, uint64_t whole);
/* Takes the line away, so that a message or the output can follow. */
void progress_end(struct progress *p);

#endif
