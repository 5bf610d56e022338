// SPDX-License-Identifier: Apache-2.0
// The format 'summary': one table of how many waits there were, by VM, vCPU, event and source, how often, and when.
#ifndef KVMWAIT_SHOW_SUMMARY_H
#define KVMWAIT_SHOW_SUMMARY_H

#include "ledger/account.h"

/* Errors stay with the file. */
void summary_write(FILE *file, struct account *account);

#endif
