// SPDX-License-Identifier: Apache-2.0
// Inside of the account of a recording: shared by account.c and account_known.c alone.
#ifndef KVMWAIT_LEDGER_ACCOUNT_STATE_H
#define KVMWAIT_LEDGER_ACCOUNT_STATE_H

#include "base/table.h"
#include "ledger/account.h"
#include "plan/render.h"

#define MAX_KINDS 32u

/* Waits of one event and source. */
struct kind_sum {
	uint64_t n, boosted;
	struct span span;
};

/* What is known of one vCPU over some time. */
struct sums {
	struct kind_sum *kinds;
	size_t n_kinds; /* as many as were seen by then; of the account's order */
	struct counts_halts halts;
	uint64_t ready_ns;
	struct counts_times times; /* of the total alone */
};

struct window {
	uint64_t from_ns, until_ns;
};

/* A vCPU of a VM. A VM is its TGID and its name: a TGID can be given to another. */
struct seat {
	uint32_t pid;
	char *vm; /* "": it has no name */
	int64_t vcpu;
	uint64_t open_ns; /* since when it is halted; 0: it is not, as far as is known */
	struct sums *interval, total;
};

struct account {
	struct account_settings settings;
	struct table seats_by_key;
	struct seat **seats; /* in the order in which they were first heard of */
	size_t n_seats;
	struct wait_name kinds[MAX_KINDS];
	size_t n_kinds;
	json_t *meta, *blame, *audit;
	struct guest_ips *guest_ips;
	char *why;
	struct origin origin;
	bool has_outcomes;
	uint64_t began_ns, until_ns;
	struct window now, all;
	bool interval_open;
	struct account_balance balance;
	struct span waits;
	uint64_t overflow;
	enum { TIMES_NONE, TIMES_OF_INTERVALS, TIMES_OF_TOTAL } times; /* what the states of vCPUs come from */
	uint64_t refused_times;
};

/* The time of an object's clock; 0 where it has none. */
uint64_t account_clock(json_t *object, const char *name);
/* The recording begins, as far as is known so far. */
void account_begin(struct account *a, uint64_t ns);
void account_take_meta(struct account *a, json_t *meta);
void account_take_end(struct account *a, json_t *end);

#endif
