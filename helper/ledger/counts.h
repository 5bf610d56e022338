// SPDX-License-Identifier: Apache-2.0
// What the maps of the part 'stat' tell: their lines become counts by vCPU thread, two snapshots of them an interval,
// and an interval rows. Pure: reads nothing but its arguments.
#ifndef KVMWAIT_LEDGER_COUNTS_H
#define KVMWAIT_LEDGER_COUNTS_H

#include "plan/render.h"
#include "plan/select.h"
#include "record/event.h"

#define STAT_MAX_LINES 32 /* event lines of a script */
#define STAT_LOG2_FIRST 9 /* the shortest bucket holds all below 2^10 ns */
#define STAT_LOG2_LAST 36 /* the longest all from 2^36 ns on */
#define STAT_BUCKETS (STAT_LOG2_LAST - STAT_LOG2_FIRST + 1)

/* How a HLT ended. */
enum stat_end {
	STAT_UNWAITED, /* KVM did not wait: user space did, or there was something to do at once */
	STAT_POLLED,
	STAT_BLOCKED,
	STAT_GONE, /* with its thread */
	STAT_ENDS,
};
extern const char *const stat_end_names[STAT_ENDS];

/* What there is to tell of halts. */
struct stat_halts {
	uint64_t ends[STAT_ENDS];
	uint64_t buckets[STAT_BUCKETS]; /* of the first three ends: how many took 2^(STAT_LOG2_FIRST + i) ns and more */
	uint64_t halted_ns;		/* of those that are open too */
	uint64_t max_ns;		/* the longest since counting began */
};

enum stat_by {
	STAT_BY_VM = 1, /* by TGID, to be exact */
	STAT_BY_VCPU = 2,
	STAT_BY_EVENT = 4,
	STAT_BY_SOURCE = 8,
};

struct stat_row {
	uint32_t pid;	      /* as all of these where rows go by it */
	const char *vm;	      /* borrowed; NULL: to be found by the pid */
	int64_t vcpu;
	const char *event, *source; /* borrowed; "" */
	uint64_t waits, boosted; /* of all the events of the row */
	uint64_t ple, ple_boosted, hlt, yields, yields_boosted;
	struct stat_halts halts; /* not where rows go by event or source, nor is ready_ns */
	uint64_t ready_ns;
	size_t n_vcpus;
};

/* Where counts come from. */
struct stat_origin {
	const char *kernel, *vendor /* or the machine */, *script;
	bool fidelity_known;
	enum fidelity fidelity[3]; /* of event_kinds */
};

/* Rows of one interval. */
struct stat_rows {
	struct stat_row *items;
	size_t n;
	uint64_t from_ns, until_ns; /* CLOCK_BOOTTIME */
};

struct stat;
/* Lines are counted by their number in `waits` (borrowed); at most STAT_MAX_LINES. */
struct stat *stat_new(const struct wait_name *waits, size_t n_waits);
void stat_free(struct stat *s);

enum stat_line {
	STAT_OTHER,	/* not of the part */
	STAT_TAKEN,
	STAT_SNAPSHOT,	/* taken, and a snapshot is complete */
	STAT_VCPU,	/* taken, and of a thread that is new: stat_newest_pid() says whose */
	STAT_MALFORMED, /* of the part, but not of a form that it prints: nothing of it was taken */
};
/* Takes a line without its newline. A value is the newest of its key, whether or not its snapshot comes to its end. */
enum stat_line stat_take_line(struct stat *s, const char *line, size_t n);

/* At the end: what was printed last is the total. Where the kernel did not say when it stopped, it was at `until_ns`. */
void stat_finish(struct stat *s, uint64_t until_ns);

/* Are there two snapshots? */
bool stat_has_interval(const struct stat *s);
/* How many keys the fullest map has. */
size_t stat_keys(const struct stat *s);
uint32_t stat_newest_pid(const struct stat *s);
/* All waits that the maps hold, of every thread. */
uint64_t stat_attributed(const struct stat *s);
uint64_t stat_malformed(const struct stat *s);

/*
 * The rows between the last two snapshots; or those of all time from the first snapshot on, or from `from_ns` where
 * there was none. Rows with nothing in them are left out. In the order of pid, vCPU, event and source.
 */
void stat_interval(const struct stat *s, unsigned int by, struct stat_rows *ret);
void stat_total(const struct stat *s, unsigned int by, uint64_t from_ns, struct stat_rows *ret);
/* Counters as they stand, from before the first snapshot too, at the last snapshot; every row there is. */
void stat_counters(const struct stat *s, unsigned int by, struct stat_rows *ret);
void stat_rows_done(struct stat_rows *rows);

/* Rows from elsewhere: a new one for a vCPU, with what `by` says of these. */
struct stat_row *stat_rows_add(struct stat_rows *rows, unsigned int by, uint32_t pid, const char *vm, int64_t vcpu);
/* Counts waits of one event into a row. */
void stat_row_count(struct stat_row *row, const char *event, uint64_t waits, uint64_t boosted);
/* At the end: one row of all that go together, in order; those with nothing in them are left out, unless all are wanted. */
void stat_rows_finish(struct stat_rows *rows, unsigned int by, bool all);
/* The bucket for a HLT that took so long. */
size_t stat_bucket(uint64_t ns);

/* How many halts the buckets hold. */
uint64_t stat_n_halts(const struct stat_halts *h);
/*
 * The duration that so many percent of halts do not exceed, in ns; interpolated within its bucket, so within a factor
 * of two of the truth. 0 where there are none.
 */
uint64_t stat_percentile(const struct stat_halts *h, unsigned int percent);
/* part of whole in tenths of a percent, 0 to 1000; 0 where whole is. */
unsigned int stat_permille(uint64_t part, uint64_t whole);
/* How many a second, in hundredths. */
uint64_t stat_rate(uint64_t count, uint64_t ns);

#endif
