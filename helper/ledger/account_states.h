// SPDX-License-Identifier: Apache-2.0
// The account of vCPUs as a stat record has it: how long each was in each state. The record may come from anybody. Pure.
#ifndef KVMWAIT_LEDGER_ACCOUNT_STATES_H
#define KVMWAIT_LEDGER_ACCOUNT_STATES_H

#include "ledger/counts_rows.h"

#include <jansson.h>

/* One vCPU. */
struct vcpu_states {
	uint32_t pid;
	char *vm; /* cleaned; owned */
	int64_t vcpu;
	struct counts_times times;
};

struct account_states {
	uint64_t from_ns, until_ns; /* CLOCK_BOOTTIME */
	bool total;		    /* all the time, rather than an interval */
	struct vcpu_states *items;
	size_t n;
	size_t refused; /* rows whose states do not add up to their wall time, or are no times */
};

/* Reads a stat record. Rows that are not of one vCPU, or have no states, are passed over. */
void account_states_read(json_t *stat, struct account_states *ret);
void account_states_done(struct account_states *s);

#endif
