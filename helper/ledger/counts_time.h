// SPDX-License-Identifier: Apache-2.0
// The account of a vCPU's thread: its time by state, from the values that the part 'stat' prints. Pure.
#ifndef KVMWAIT_LEDGER_COUNTS_TIME_H
#define KVMWAIT_LEDGER_COUNTS_TIME_H

#include "ledger/counts_rows.h"

#define COUNTS_SLOTS 2

/* A value of @s_time, @s_past or @s_cut without its KEY; since_ns 0: none. */
struct counts_value {
	int64_t flags, since_ns, next_ns;
	int64_t state_ns[COUNTS_STATES], paid_ns;
};

/* What is known of a thread and its vCPU. */
struct counts_account {
	struct counts_value time, past, cut[COUNTS_SLOTS];
	unsigned int serial;   /* of the printing that `time` comes from */
	int64_t origin_ns;     /* since_ns less all times: constant while the thread stays with its vCPU */
};

/* Takes a value of these numbers. False: it cannot be one. */
bool counts_value_take(const int64_t numbers[10], struct counts_value *ret);

/*
 * The account at a time, of which the cuts are in this slot. False where it is not known: the values were read too late,
 * or while they were written.
 */
bool counts_account_at(struct counts_account *a, unsigned int serial, uint64_t at_ns, unsigned int slot, struct counts_times *ret);

/* When the newest state began. */
uint64_t counts_account_newest_ns(const struct counts_account *a, unsigned int serial);

#endif
