// SPDX-License-Identifier: Apache-2.0
// The forms in which counts leave: table, json, csv, openmetrics, prometheus.
#ifndef KVMWAIT_SHOW_COUNTS_SHOW_H
#define KVMWAIT_SHOW_COUNTS_SHOW_H

#include "ledger/counts_rows.h"
#include "ledger/guest_ips.h"
#include "ledger/origin.h"
#include "live/vm_name.h"
#include "show/vm_label.h"

#include <jansson.h>
#include <stdio.h>

/* One report: an interval, or all of it. */
struct counts_report {
	const struct origin *origin;
	const char *file, *host;	  /* of a recording, cleaned; csv has them first */
	bool recorded;			  /* ready_ns is of waits alone */
	bool no_outcomes;		  /* what followed the waits is not known */
	bool has_account;		  /* the time of each vCPU by state */
	struct vmnames *names;
	struct vm_labels *labels; /* of all reports on these VMs; the table needs them */
	const struct counts_rows *rows;
	unsigned int by; /* mask of enum counts_by */
	bool total;
	bool hist;	 /* halts by powers of two as well */
	bool full;	 /* a map has no room left */
	bool lost_known; /* only at the end */
	uint64_t lost;	 /* counted, and in no row */
	const json_t *audit; /* the comparison with KVM's own counters so far, as the end record has it, for the forms that want counters; NULL: none */
	size_t max_lines, max_columns; /* of a terminal; 0: no limit */
	const struct guest_ip_vm *guests; /* where they spin; NULL: not asked for, or not known */
	size_t n_guests;
};

/* What rows can be sorted by. */
struct counts_column {
	const char *name;
	const char *help;
	uint64_t (*get)(const struct counts_row *row);
	bool of_outcome; /* what followed the waits tells it */
};
extern const struct counts_column counts_columns[]; /* ends with a nameless one */
const struct counts_column *counts_column_find(const char *name);
/* Most first; equals stay in their order. */
void counts_rows_sort(struct counts_rows *rows, const struct counts_column *column);

struct counts_format {
	const char *name, *help;
	void (*begin)(FILE *f, const struct counts_report *report); /* once, before the first; or NULL */
	void (*write)(FILE *f, const struct counts_report *report);
	bool counters; /* it wants what counts_cumulative() gives */
};
extern const struct counts_format counts_formats[]; /* ends with a nameless one */
const struct counts_format *counts_format_find(const char *name);

/* Names of a mask of enum counts_by, and the other way: 0 where there is no such name. */
extern const char *const counts_by_names[]; /* by bit number; ends with NULL */
unsigned int counts_by_bit(const char *name);

/* ---- shared by the forms ---- */

/* Are the rows of events, rather than of vCPUs with all that is known of them? */
bool counts_report_of_events(const struct counts_report *r);
/* The name of a row's VM, fit to print; without one its TGID, which is written into `number`. */
const char *counts_report_vm(const struct counts_report *r, const struct counts_row *row, char *number, size_t size);

/* The numbers of a row in json and csv, in this order. */
struct counts_number {
	const char *name;
	uint64_t (*get)(const struct counts_row *row);
	bool of_event;	 /* rows of events have it too */
	bool of_outcome; /* what followed the waits tells it */
	bool of_account;
};
extern const struct counts_number counts_numbers[]; /* ends with a nameless one */
bool counts_report_has(const struct counts_report *r, const struct counts_number *n);

void counts_write_table(FILE *f, const struct counts_report *r);
void counts_write_json(FILE *f, const struct counts_report *r);
/* The same as an object, a record of the schema; the caller owns it. */
json_t *counts_report_json(const struct counts_report *r);
void counts_begin_csv(FILE *f, const struct counts_report *r);
void counts_write_csv(FILE *f, const struct counts_report *r);
void counts_write_openmetrics(FILE *f, const struct counts_report *r);
void counts_write_prometheus(FILE *f, const struct counts_report *r);

#endif
