// SPDX-License-Identifier: Apache-2.0
// The states of vCPUs over time, from the stat records of intervals: a bounded number of stretches of time. Pure.
#ifndef KVMWAIT_LEDGER_STATES_LINES_H
#define KVMWAIT_LEDGER_STATES_LINES_H

#include "base/table.h"
#include "ledger/account_states.h"

#include <stdbool.h>

#define STATES_BINS 300
#define STATES_LINES 1024 /* vCPUs with a line of their own, 14 kB each; later ones count in that of all */

struct states_bins {
	uint64_t ns[COUNTS_STATES][STATES_BINS];
};

struct states_line {
	uint32_t pid; /* the first three are the key */
	int64_t vcpu;
	char *vm;
	struct states_bins bins;
};

struct states_lines {
	uint64_t start_ns, last_ns; /* of the first interval, and the end of the last */
	uint64_t width_ns;	    /* of a bin */
	size_t n_intervals;	    /* that have the states of vCPUs */
	struct states_line **items; /* in the order they were heard of */
	size_t n;
	bool beyond; /* there were more vCPUs */
	struct states_bins all;
	struct table by_key;
};
struct states_lines *states_lines_new(void);
void states_lines_free(struct states_lines *l);
/* Takes a stat record of an interval, in order. Its time is spread evenly over its length, to the ns. */
void states_lines_take(struct states_lines *l, json_t *stat);
/* Bins in use. */
size_t states_lines_n_bins(const struct states_lines *l);

#endif
