// SPDX-License-Identifier: Apache-2.0
// The records of one host and time that the rules of kvmwait why are applied to.
#ifndef KVMWAIT_SHOW_EVIDENCE_H
#define KVMWAIT_SHOW_EVIDENCE_H

#include "ledger/account.h"
#include "ledger/findings.h"

/* All zero is empty. Each is owned, or NULL. */
struct evidence {
	json_t *meta, *stat, *blame, *end;
};
void evidence_done(struct evidence *e);

/* Keeps a record that the rules can use: the last of its type. */
void evidence_take(struct evidence *e, const struct record *r);
/* After the last record: a recording without a stat record of all its time gets that of its account. */
void evidence_complete(struct evidence *e, struct account *account);
/* The findings borrow from both arguments. */
void evidence_findings(const struct evidence *e, const struct rules *rules, struct findings *ret);

#endif
