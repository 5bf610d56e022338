// SPDX-License-Identifier: Apache-2.0
// What a guest says it did, counted beside what was seen, by process, vCPU, event, source and target.
#ifndef KVMWAIT_LEDGER_SELFTEST_COUNT_H
#define KVMWAIT_LEDGER_SELFTEST_COUNT_H

#include "record/event.h"

struct selftest_count_key {
	uint32_t pid;
	int64_t vcpu;
	char event[NAME_BYTES], source[NAME_BYTES];
	int64_t target;
};

struct selftest_count_row {
	struct selftest_count_key key;
	uint64_t did, seen;
	bool open; /* the guest cannot know how many it did: not compared */
};

struct selftest_count {
	struct selftest_count_row *rows;
	size_t n;
	uint64_t others; /* events of processes that are not the guest's */
};

/* Counts an event that was seen. */
void selftest_count_see(struct selftest_count *t, const struct wait_event *w);
/*
 * Adds what the guest reports (its JSON document) and sets events of other processes apart.
 * 0, or -EINVAL where the report is not of the known form.
 */
int selftest_count_report(struct selftest_count *t, json_t *report);
bool selftest_count_row_differs(const struct selftest_count_row *row);
void selftest_count_done(struct selftest_count *t);

#endif
