// SPDX-License-Identifier: Apache-2.0
// How blame is told: the texts of its table, and its rows as JSON.
#ifndef KVMWAIT_BLAME_OUTPUT_H
#define KVMWAIT_BLAME_OUTPUT_H

#include "blame.h"

/* Looks in /proc: of a thread that no record has told of, as it has had its CPU since before the trace. */
bool blame_look_up(void *context, uint32_t tid, uint32_t *ret_tgid, char *ret_comm);

/* The name of a VM, or its TGID; the caller frees. */
char *blame_vm_text(const struct blame_vm *vm);
/* "web01 vCPU 3", "kworker/0:1 (17)"; the caller frees. */
char *blame_culprit_text(const struct blame_row *row);
/* Of the spins of the VM, in hundredths of a percent. */
uint64_t blame_share(const struct blame_row *row);

/* As the schema has them in a blame record; the caller drops the reference. */
json_t *blame_row_json(const struct blame_row *row);
json_t *blame_vm_json(const struct blame_vm *vm);
/* The record: all VMs and the worst rows, as many as fit into so many bytes of text. Likewise. */
json_t *blame_record_json(struct blame *b, size_t limit_bytes);

#endif
