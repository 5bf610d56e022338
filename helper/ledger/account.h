// SPDX-License-Identifier: Apache-2.0
// What a recording comes to: its records become rows as kvmwait stat has them, of intervals and of all the time, and its
// end is held against what was there. Pure; its size depends on the number of vCPUs alone.
#ifndef KVMWAIT_LEDGER_ACCOUNT_H
#define KVMWAIT_LEDGER_ACCOUNT_H

#include "ledger/counts_rows.h"
#include "ledger/guest_ips.h"
#include "ledger/origin.h"
#include "record/event.h"

struct account_settings {
	uint64_t interval_ns;	  /* 0: none */
	uint64_t from_ns, to_ns; /* since the recording began; to_ns 0: its end */
};

/* How a recording is accounted for. */
struct account_balance {
	uint64_t waits, outcomes; /* records that were there, without unseen outcomes */
	uint64_t unseen;	  /* outcomes that were not seen */
	bool have_end;
	/* The rest is what the end record says; only where there is one. */
	bool have_counted;
	int64_t counted, received, sched, lost, unwritten, malformed, late, missed;
	uint64_t lost_records; /* what lost records say, which is all there is without an end */
};

struct account;
/* The settings are copied. */
struct account *account_new(const struct account_settings *settings);
void account_free(struct account *a);

/*
 * To be asked with each record before it is taken: are intervals over by then? True: the rows of the next one; ask
 * again. Intervals beyond a day of them in which nothing comes are left out.
 */
bool account_interval(struct account *a, const struct record *record, unsigned int by, struct counts_rows *ret);
void account_take(struct account *a, const struct record *record);
/* At the end: the rows of the interval that was not over. False where there is none. */
bool account_last_interval(struct account *a, unsigned int by, struct counts_rows *ret);
/* The rows of all the time, after that. */
void account_total(struct account *a, unsigned int by, struct counts_rows *ret);

/* What the recording has of these so far; text is fit to print, and borrowed. */
const struct origin *account_origin(const struct account *a);
json_t *account_meta(const struct account *a); /* or NULL; as these, borrowed */
json_t *account_blame(const struct account *a);
struct guest_ips *account_guest_ips(const struct account *a);
json_t *account_audit(const struct account *a); /* of the end record */
const char *account_why(const struct account *a); /* it ended; or NULL */
bool account_has_outcomes(const struct account *a);
/* Have the rows of all the time the states of vCPUs? Rows of intervals have none. */
bool account_has_times(const struct account *a);
/* Rows of the recorded states that contradict themselves, and are left out. */
uint64_t account_refused_times(const struct account *a);
/* CLOCK_BOOTTIME of the beginning and of the last that is known; and CLOCK_REALTIME of a time, 0 where it is not known. */
uint64_t account_began_ns(const struct account *a);
uint64_t account_until_ns(const struct account *a);
uint64_t account_realtime_ns(const struct account *a, uint64_t boottime_ns);
const struct account_balance *account_balance(const struct account *a);
/* The balance of the end record as balance_text() words it; the caller frees. */
char *account_balance_text(const struct account *a);
/* Is every event that the kernel counted accounted for? */
bool account_balances(const struct account *a);
/* Waits that are in no row, as there are more vCPUs or sources than a host can have. */
uint64_t account_overflow(const struct account *a);
/* From the first wait to the last, those in no row as well. */
const struct span *account_waits(const struct account *a);

#endif
