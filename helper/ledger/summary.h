// SPDX-License-Identifier: Apache-2.0
// A stream in one table: how many waits, by VM, vCPU, event and source, how often, from when to when.
#ifndef KVMWAIT_LEDGER_SUMMARY_H
#define KVMWAIT_LEDGER_SUMMARY_H

#include "record/event.h"

struct summary;
struct summary *summary_new(void);
void summary_free(struct summary *s);
/* Takes a record; the order does not matter. */
void summary_take(struct summary *s, const struct record *r);
/* Writes the table. Errors stay with the file. */
void summary_write(struct summary *s, FILE *file);

#endif
