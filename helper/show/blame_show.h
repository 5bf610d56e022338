// SPDX-License-Identifier: Apache-2.0
// How blame is shown: as the record of the schema, and that as a table.
#ifndef KVMWAIT_SHOW_BLAME_SHOW_H
#define KVMWAIT_SHOW_BLAME_SHOW_H

#include "ledger/blame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Looks in /proc: of a thread that no record has told of, as it has had its CPU since before the trace. */
bool blame_look_up(void *context, uint32_t tid, uint32_t *ret_tgid, char *ret_comm);
/* The cgroup of that inode, by the thread in it or below it. */
char *blame_look_up_cgroup(void *context, uint32_t tid, uint64_t inode);

/*
 * Ends the account and makes the record of the schema: VMs, the worst rows and vCPUs, as many as fit into so many bytes of text.
 * The caller drops the reference.
 */
json_t *blame_record_json(struct blame *b, size_t limit_bytes);
/* The same as a table; the record may come from anybody's file. */
void blame_print(FILE *f, json_t *record);

#endif
