// SPDX-License-Identifier: Apache-2.0
// What the maps of the part 'stat' tell: their lines become counts by vCPU thread, two snapshots of them an interval,
// and an interval rows. Pure: reads nothing but its arguments.
#ifndef KVMWAIT_LEDGER_COUNTS_H
#define KVMWAIT_LEDGER_COUNTS_H

#include "ledger/counts_rows.h"
#include "plan/render.h"

#define COUNTS_MAX_LINES 32 /* event lines of a script */

struct counts;
/* Lines are counted by their number in `waits` (borrowed); at most COUNTS_MAX_LINES. */
struct counts *counts_new(const struct wait_name *waits, size_t n_waits);
void counts_free(struct counts *s);

enum counts_line {
	COUNTS_OTHER,	/* not of the part */
	COUNTS_TAKEN,
	COUNTS_SNAPSHOT,	/* taken, and a snapshot is complete */
	COUNTS_VCPU,	/* taken, and of a thread that is new: counts_newest_pid() says whose */
	COUNTS_MALFORMED, /* of the part, but not of a form that it prints: nothing of it was taken */
};
/* Takes a line without its newline. A value is the newest of its key, whether or not its snapshot comes to its end. */
enum counts_line counts_take_line(struct counts *s, const char *line, size_t n);

/* At the end: what was printed last is the total. Where the kernel did not say when it stopped, it was at `until_ns`. */
void counts_finish(struct counts *s, uint64_t until_ns);

/* Are there two snapshots? */
bool counts_has_interval(const struct counts *s);
/* How many keys the fullest map has. */
size_t counts_keys(const struct counts *s);
uint32_t counts_newest_pid(const struct counts *s);
/* All waits that the maps hold, of every thread. */
uint64_t counts_attributed(const struct counts *s);
/* Of these, the waits of one event and source. */
uint64_t counts_waits(const struct counts *s, const char *event, const char *source);
/* The time (CLOCK_BOOTTIME) of the last print of the maps. */
uint64_t counts_until_ns(const struct counts *s);
uint64_t counts_malformed(const struct counts *s);

/*
 * The rows between the last two snapshots; or those of all time from the first snapshot on, or from `from_ns` where
 * there was none. Rows with nothing in them are left out. In the order of pid, vCPU, event and source.
 */
void counts_interval(const struct counts *s, unsigned int by, struct counts_rows *ret);
void counts_total(const struct counts *s, unsigned int by, uint64_t from_ns, struct counts_rows *ret);
/* Counters as they stand, from before the first snapshot too, at the last snapshot; every row there is. */
void counts_cumulative(const struct counts *s, unsigned int by, struct counts_rows *ret);

#endif
