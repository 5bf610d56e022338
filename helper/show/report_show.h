// SPDX-License-Identifier: Apache-2.0
// What kvmwait report writes: the tables of each recording, as text, json or csv, or one page of HTML.
#ifndef KVMWAIT_SHOW_REPORT_SHOW_H
#define KVMWAIT_SHOW_REPORT_SHOW_H

#include "base/text.h"
#include "ledger/account.h"
#include "ledger/rules.h"
#include "live/guest_symbols.h"
#include "show/counts_show.h"

#include <stdio.h>

struct report_show_settings {
	FILE *out;
	const struct counts_format *format; /* table, json or csv */
	const struct counts_column *top;    /* to sort by, or NULL */
	unsigned int by;		    /* mask of enum counts_by */
	bool hist;			    /* halts by powers of two as well */
	bool html;			    /* the page, in place of the tables */
	struct guest_symbols *guest_symbols; /* or NULL */
	const struct rules *rules;	    /* of kvmwait why; or NULL: no findings */
};

struct report_show;
/* The settings are copied. */
struct report_show *report_show_new(const struct report_show_settings *settings);
void report_show_free(struct report_show *r);

/* A recording begins; `name` is fit to print. A file that holds several has them as parts, from 1. The account is borrowed until the
 * next one begins or the show ends. */
void report_show_begin(struct report_show *r, const char *name, unsigned int part, struct account *account);
/* A record of it, before the account takes it. */
void report_show_record(struct report_show *r, const struct record *record);
/* An interval of it is over; frees the rows. */
void report_show_interval(struct report_show *r, struct counts_rows *rows);
/* It ends, with these problems. */
void report_show_end(struct report_show *r, const struct strings *problems);

/* -errno once the output cannot be written; nothing is written after that. */
int report_show_error(const struct report_show *r);
/* After the last recording. 0 or -errno. */
int report_show_finish(struct report_show *r);

#endif
