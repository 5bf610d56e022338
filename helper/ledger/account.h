// SPDX-License-Identifier: Apache-2.0
// What a recording comes to: its records become rows as kvmwait stat has them, of intervals and of all the time, and its
// end is held against what was there. Pure; its size depends on the number of vCPUs alone.
#ifndef KVMWAIT_LEDGER_ACCOUNT_H
#define KVMWAIT_LEDGER_ACCOUNT_H

#include "ledger/counts.h"
#include "record/event.h"

struct report_settings {
	uint64_t interval_ns;	  /* 0: none */
	uint64_t from_ns, to_ns; /* since the recording began; to_ns 0: its end */
};

/* How a recording is accounted for. */
struct report_balance {
	uint64_t waits, outcomes; /* records that were there, without unseen outcomes */
	uint64_t unseen;	  /* outcomes that were not seen */
	bool have_end;
	/* The rest is what the end record says; only where there is one. */
	bool have_counted;
	int64_t counted, received, sched, lost, unwritten, malformed, late, missed;
	uint64_t lost_records; /* what lost records say, which is all there is without an end */
};

struct report;
/* The settings are copied. */
struct report *report_new(const struct report_settings *settings);
void report_free(struct report *r);

/*
 * To be asked with each record before it is taken: are intervals over by then? True: the rows of the next one; ask
 * again. Intervals beyond a day of them in which nothing comes are left out.
 */
bool report_interval(struct report *r, const struct record *record, unsigned int by, struct stat_rows *ret);
void report_take(struct report *r, const struct record *record);
/* At the end: the rows of the interval that was not over. False where there is none. */
bool report_last_interval(struct report *r, unsigned int by, struct stat_rows *ret);
/* The rows of all the time, after that. */
void report_total(struct report *r, unsigned int by, struct stat_rows *ret);

/* What of these is in the recording so far; all text is cleaned, and borrowed. */
const struct stat_origin *report_origin(const struct report *r);
const char *report_host(const struct report *r); /* or NULL */
json_t *report_meta(const struct report *r);	 /* or NULL; as these, borrowed */
json_t *report_blame(const struct report *r);
const char *report_why(const struct report *r); /* it ended; or NULL */
bool report_has_outcomes(const struct report *r);
/* CLOCK_BOOTTIME of the beginning and of the last that is known; and CLOCK_REALTIME of a time, 0 where it is not known. */
uint64_t report_began_ns(const struct report *r);
uint64_t report_until_ns(const struct report *r);
uint64_t report_realtime_ns(const struct report *r, uint64_t boottime_ns);
const struct report_balance *report_balance(const struct report *r);
/* Is every event that the kernel counted accounted for? */
bool report_balances(const struct report *r);
/* Waits that are in no row, as there are more vCPUs or sources than a host can have. */
uint64_t report_overflow(const struct report *r);

#endif
