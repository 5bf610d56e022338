// SPDX-License-Identifier: Apache-2.0
// The forms in which counts leave: table, json, csv, openmetrics.
#ifndef KVMWAIT_SHOW_COUNTS_SHOW_H
#define KVMWAIT_SHOW_COUNTS_SHOW_H

#include "ledger/counts.h"
#include "live/vm_name.h"
#include "plan/select.h"

#include <stdio.h>

/* One report: an interval, or all of it. */
struct stat_report {
	const struct plan *plan; /* the kernel's, or */
	const struct stat_origin *origin; /* of a recording */
	const char *file, *host;	  /* of a recording, cleaned; csv has them first */
	bool recorded;			  /* ready_ns is of waits alone */
	bool no_outcomes;		  /* what followed the waits is not known */
	const struct verdict *part;
	struct vmnames *names;
	const struct stat_rows *rows;
	unsigned int by; /* mask of enum stat_by */
	bool total;
	bool hist;	 /* halts by powers of two as well */
	bool full;	 /* a map has no room left */
	bool lost_known; /* only at the end */
	uint64_t lost;	 /* counted, and in no row */
	size_t max_lines, max_columns; /* of a terminal; 0: no limit */
};

/* What rows can be sorted by. */
struct stat_column {
	const char *name;
	const char *help;
	uint64_t (*get)(const struct stat_row *row);
	bool of_outcome; /* what followed the waits tells it */
};
extern const struct stat_column stat_columns[]; /* ends with a nameless one */
const struct stat_column *stat_column_find(const char *name);
/* Most first; equals stay in their order. */
void stat_rows_sort(struct stat_rows *rows, const struct stat_column *column);

struct stat_format {
	const char *name;
	void (*begin)(FILE *f, const struct stat_report *report); /* once, before the first; or NULL */
	void (*write)(FILE *f, const struct stat_report *report);
	bool counters; /* it wants what stat_counters() gives */
};
extern const struct stat_format stat_formats[]; /* ends with a nameless one */
const struct stat_format *stat_format_find(const char *name);

/* Names of a mask of enum stat_by, and the other way: 0 where there is no such name. */
extern const char *const stat_by_names[]; /* by bit number; ends with NULL */
unsigned int stat_by_bit(const char *name);

#endif
