// SPDX-License-Identifier: Apache-2.0
// What a guest says it did, counted beside what was seen, by process, vCPU, event, source and target.
#ifndef KVMWAIT_LEDGER_SELFTEST_COUNT_H
#define KVMWAIT_LEDGER_SELFTEST_COUNT_H

#include "record/event.h"

struct tally_key {
	uint32_t pid;
	int64_t vcpu;
	char event[NAME_BYTES], source[NAME_BYTES];
	int64_t target;
};

struct tally_row {
	struct tally_key key;
	uint64_t did, seen;
	bool open; /* the guest cannot know how many it did: not compared */
};

struct tally {
	struct tally_row *rows;
	size_t n;
	uint64_t others; /* events of processes that are not the guest's */
};

/* Counts an event that was seen. */
void tally_see(struct tally *t, const struct wait_event *w);
/*
 * Adds what the guest reports (its JSON document) and sets events of other processes apart.
 * 0, or -EINVAL where the report is not of the known form.
 */
int tally_report(struct tally *t, json_t *report);
bool tally_row_differs(const struct tally_row *row);
void tally_done(struct tally *t);

#endif
