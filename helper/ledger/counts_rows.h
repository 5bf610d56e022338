// SPDX-License-Identifier: Apache-2.0
// Rows of counts by VM, vCPU, event and source, whether they were counted in the kernel or made of records, and the
// figures that every output derives from them: rates, shares, percentiles.
#ifndef KVMWAIT_LEDGER_COUNTS_ROWS_H
#define KVMWAIT_LEDGER_COUNTS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTS_LOG2_FIRST 9 /* the shortest bucket holds all below 2^10 ns */
#define COUNTS_LOG2_LAST 36 /* the longest all from 2^36 ns on */
#define COUNTS_BUCKETS (COUNTS_LOG2_LAST - COUNTS_LOG2_FIRST + 1)

/* How a HLT ended. */
enum counts_end {
	COUNTS_UNWAITED, /* KVM did not wait: user space did, or there was something to do at once */
	COUNTS_POLLED,
	COUNTS_BLOCKED,
	COUNTS_GONE, /* with its thread */
	COUNTS_ENDS,
};
extern const char *const counts_end_names[COUNTS_ENDS];

/* What there is to tell of halts. */
struct counts_halts {
	uint64_t ends[COUNTS_ENDS];
	uint64_t buckets[COUNTS_BUCKETS]; /* of the first three ends: how many took 2^(COUNTS_LOG2_FIRST + i) ns and more */
	uint64_t halted_ns;		/* of those that are open too */
	uint64_t max_ns;		/* the longest since counting began */
};

/* What the thread of a vCPU does at any time. */
enum counts_state {
	COUNTS_RUN,   /* on a CPU, in the guest or for it */
	COUNTS_SPIN,  /* on a CPU, from a pause-loop exit or yield to the next VM entry */
	COUNTS_POLL,  /* on a CPU, polling in a HLT */
	COUNTS_HALT,  /* blocked in a HLT */
	COUNTS_READY, /* runnable, not on a CPU */
	COUNTS_HOST,  /* blocked otherwise */
	COUNTS_STATES,
};
extern const char *const counts_state_names[COUNTS_STATES];

/* The time by state; its sum is the time that passed for all vCPUs together. */
struct counts_times {
	uint64_t ns[COUNTS_STATES];
	uint64_t paid_ns, wasted_ns; /* of the polls that are over: no block followed, or one did */
};

enum counts_by {
	COUNTS_BY_VM = 1, /* by TGID, to be exact */
	COUNTS_BY_VCPU = 2,
	COUNTS_BY_EVENT = 4,
	COUNTS_BY_SOURCE = 8,
	COUNTS_BY_HOST = 16, /* one row of all */
};

/* From the first to the last of some events; no events: both 0. */
struct span {
	uint64_t first_ns, last_ns;
	bool any;
};
void span_add(struct span *s, uint64_t ts_ns);
void span_extend(struct span *s, const struct span *by);

struct counts_row {
	uint32_t pid;	      /* as all of these where rows go by it */
	const char *vm;	      /* borrowed; NULL: to be found by the pid */
	int64_t vcpu;
	const char *event, *source; /* borrowed; "" */
	uint64_t waits, boosted; /* of all the events of the row */
	uint64_t ple, ple_boosted, hlt, yields, yields_boosted;
	struct counts_halts halts; /* not where rows go by event or source, nor is ready_ns */
	uint64_t ready_ns;
	struct counts_times times; /* where there is an account; then ready_ns is that of it */
	size_t n_vcpus;
	struct span span; /* of the waits; where rows are made of records */
};

/* Rows of one interval. */
struct counts_rows {
	struct counts_row *items;
	size_t n;
	uint64_t from_ns, until_ns; /* CLOCK_BOOTTIME */
};

void counts_rows_done(struct counts_rows *rows);

/* Rows from elsewhere: a new one for a vCPU, with what `by` says of these. */
struct counts_row *counts_rows_add(struct counts_rows *rows, unsigned int by, uint32_t pid, const char *vm, int64_t vcpu);
/* Counts waits of one event into a row. */
void counts_row_count(struct counts_row *row, const char *event, uint64_t waits, uint64_t boosted);
/* At the end: one row of all that go together, in order; those with nothing in them are left out, unless all are wanted. */
void counts_rows_finish(struct counts_rows *rows, unsigned int by, bool all);
/* The bucket for a HLT that took so long. */
size_t counts_bucket(uint64_t ns);

/* How many halts the buckets hold. */
uint64_t counts_n_halts(const struct counts_halts *h);
/*
 * The duration that so many percent of halts do not exceed, in ns; interpolated within its bucket, so within a factor
 * of two of the truth. 0 where there are none.
 */
uint64_t counts_percentile(const struct counts_halts *h, unsigned int percent);
void counts_times_add(struct counts_times *sum, const struct counts_times *t);
uint64_t counts_wall_ns(const struct counts_times *t);
/* The times in tenths of a percent of their sum, rounded so that they add up to 1000; all 0 where the sum is. */
void counts_permilles(const struct counts_times *t, unsigned int ret[COUNTS_STATES]);
/* part of whole in tenths of a percent, 0 to 1000; 0 where whole is. */
unsigned int counts_permille(uint64_t part, uint64_t whole);
/* How many a second, in hundredths. */
uint64_t counts_rate(uint64_t count, uint64_t ns);

#endif
