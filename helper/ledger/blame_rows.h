// SPDX-License-Identifier: Apache-2.0
// The rows of blame: for each vCPU that was waited for and each culprit one, with the names of culprits.
#ifndef KVMWAIT_LEDGER_BLAME_ROWS_H
#define KVMWAIT_LEDGER_BLAME_ROWS_H

#include "base/table.h"
#include "ledger/blame.h"

/* Who had a CPU. */
struct culprit {
	enum culprit_kind kind; /* SELF is told from SIBLING by who spins */
	uint32_t tid;
	const struct blame_vm *vm; /* where it is a vCPU */
	int64_t vcpu;
	struct quota quota; /* of THROTTLED */
};

struct blame_rows {
	struct table rows, tasks;
	blame_look look;
	blame_look_cgroup look_cgroup;
	void *context;
};

void blame_rows_init(struct blame_rows *r, blame_look look, blame_look_cgroup look_cgroup, void *context);
void blame_rows_done(struct blame_rows *r);
/* What a record says of a thread: tgid 0 or comm NULL: nothing. */
void blame_rows_note_task(struct blame_rows *r, uint32_t tid, uint32_t tgid, const char *comm);
/* The row of a vCPU that is waited for, whose thread is TID, and a culprit; made where there is none. */
struct blame_row *blame_rows_get(struct blame_rows *r, const struct blame_vm *vm, int64_t vcpu, uint32_t tid, const struct culprit *culprit);
/* The rows with the names of culprits, worst first. The array is the caller's to free, what it points to is not. */
size_t blame_rows_list(struct blame_rows *r, const struct blame_row ***ret);

#endif
