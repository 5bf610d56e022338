// SPDX-License-Identifier: Apache-2.0
// What the threads of vCPUs sleep in outside of HLTs: for each vCPU and kind of sleep a row.
#ifndef KVMWAIT_LEDGER_BLAME_SLEEP_H
#define KVMWAIT_LEDGER_BLAME_SLEEP_H

#include "base/table.h"
#include "ledger/blame.h"
#include "ledger/sleep_rules.h"

struct blame_sleeps {
	struct table rows, kinds; /* kinds: by stack, which a rule was looked up for already */
	const struct sleep_rules *rules; /* NULL: no sleep has a kind */
};

void blame_sleeps_init(struct blame_sleeps *s, const struct sleep_rules *rules);
void blame_sleeps_done(struct blame_sleeps *s);
/* The row of a vCPU for a sleep with this stack, or NULL where it is not known; made where there is none. */
struct blame_sleep *blame_sleeps_get(struct blame_sleeps *s, const struct blame_vm *vm, int64_t vcpu, const struct strings *stack);
/* The rows, longest first. The array is the caller's to free, what it points to is not. */
size_t blame_sleeps_list(const struct blame_sleeps *s, const struct blame_sleep ***ret);

#endif
